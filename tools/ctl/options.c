/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c -- headgatectl's command line by the rows of its table, through getopt: common options
 * anywhere, those of a command behind its name. Knows no command and prints no help.
 */
#include "tools/ctl/options.h"

#include <getopt.h>
#include <string.h>

enum { OPTIONS_MAX = 64, FIRST_COMMON = 256, FIRST_OWN = FIRST_COMMON + OPTIONS_MAX };
enum common {
	COMMON_SOCKET,
	COMMON_CONFIG,
	COMMON_JSON,
	COMMON_QUIET,
	COMMON_NO_COLOR,
	COMMON_HELP
};

/* clang-format off */
const struct command_option common_options[] = {
	[COMMON_SOCKET] =   { "socket", "PATH", "the control socket (default: the one that -c names,\n"
	                                        "$HEADGATE_SOCKET, /run/headgate/control.sock)", 0 },
	[COMMON_CONFIG] =   { "config", "FILE", "the gateway's configuration\n"
	                                        "(default: /etc/headgate/headgate.yaml)", 'c' },
	[COMMON_JSON] =     { "json", NULL, "one JSON object a line", 0 },
	[COMMON_QUIET] =    { "quiet", NULL, "errors only", 'q' },
	[COMMON_NO_COLOR] = { "no-color", NULL, "plain text (also NO_COLOR, or when stdout is no terminal)", 0 },
	[COMMON_HELP] =     { "help", NULL, "these lines", 0 },
	{ 0 },
};
/* clang-format on */

static unsigned option_count(const struct command *cmd)
{
	unsigned n = 0;

	while (cmd->options && cmd->options[n].name)
		n++;
	return n;
}

static unsigned option_index(const struct ctl *c, const char *name)
{
	for (unsigned i = 0; i < option_count(c->command); i++)
		if (strcmp(c->command->options[i].name, name) == 0)
			return i;
	assert(!"an option of this command");
	return 0;
}

const char *ctl_value(const struct ctl *c, const char *option)
{
	return c->values[option_index(c, option)];
}

bool ctl_given(const struct ctl *c, const char *option)
{
	return ctl_value(c, option) != NULL;
}

char *options_with_dashes(const char *arg)
{
	char *copy = xstrdup(arg);

	if (strncmp(copy, "--", 2) == 0)
		for (char *p = copy; *p && *p != '='; p++)
			if (*p == '_')
				*p = '-';
	return copy;
}

static void take_common(struct ctl *c, enum common option, bool *help)
{
	switch (option) {
	case COMMON_SOCKET:
		c->socket_option = optarg;
		return;
	case COMMON_CONFIG:
		c->conf_file = optarg;
		return;
	case COMMON_JSON:
		c->json = true;
		return;
	case COMMON_QUIET:
		c->quiet = true;
		return;
	case COMMON_NO_COLOR:
		c->color = false;
		return;
	case COMMON_HELP:
		*help = true;
		return;
	}
	assert(!"a common option");
}

static int bad_option(const struct ctl *c, int option, char **argv)
{
	if (option == ':')
		return ctl_usage(c, "%s: a value is wanted", argv[optind - 1]);
	return ctl_usage(c, "%s: no such option here", argv[optind - 1]);
}

struct getopt { /* the rows as getopt wants them; the values are FIRST_COMMON and FIRST_OWN + row */
	struct option options[OPTIONS_MAX];
	unsigned n;
	char letters[2 * OPTIONS_MAX + 8], *end;
};

static void getopt_add(struct getopt *g, const struct command_option *rows, int first)
{
	for (int i = 0; rows && rows[i].name; i++) {
		const struct command_option *o = &rows[i];

		assert(g->n < OPTIONS_MAX - 1);
		g->options[g->n++] =
			(struct option){ o->name, o->arg ? required_argument : no_argument, NULL,
			                 first + i };
		if (!o->letter)
			continue;
		*g->end++ = o->letter;
		if (o->arg)
			*g->end++ = ':';
	}
	*g->end = '\0';
	g->options[g->n] = (struct option){ 0 };
}

/* flags: how getopt is to go about it. */
static void getopt_init(struct getopt *g, const char *flags)
{
	g->n = 0;
	strcpy(g->letters, flags);
	g->end = g->letters + strlen(flags);
	getopt_add(g, common_options, FIRST_COMMON);
}

static int by_letter(const struct command_option *rows, int first, int option)
{
	for (int i = 0; rows && rows[i].name; i++)
		if (rows[i].letter && rows[i].letter == option)
			return first + i;
	return option;
}

/* Takes a common option; false: it is none. */
static bool is_common(struct ctl *c, int option, bool *help)
{
	option = by_letter(common_options, FIRST_COMMON, option);
	if (option < FIRST_COMMON || option >= FIRST_OWN)
		return false;
	take_common(c, (enum common)(option - FIRST_COMMON), help);
	return true;
}

int options_parse(struct ctl *c, int argc, char **argv, bool *help)
{
	const struct command_option *own = c->command->options;
	struct getopt g;
	int option;

	c->values = xcalloc(option_count(c->command) + 1, sizeof(*c->values));
	getopt_init(&g, ":");
	getopt_add(&g, own, FIRST_OWN);
	optind = 0; /* glibc: a new argv, scanned from its start */
	while ((option = getopt_long(argc, argv, g.letters, g.options, NULL)) != -1) {
		if (is_common(c, option, help))
			continue;
		option = by_letter(own, FIRST_OWN, option);
		if (option < FIRST_OWN)
			return bad_option(c, option, argv);
		c->values[option - FIRST_OWN] = optarg ? optarg : "";
	}
	c->args = (const char *const *)argv + optind;
	c->arg_count = (unsigned)(argc - optind);
	if (*help)
		return 0;
	if (c->arg_count < c->command->min_args)
		return ctl_usage(c, "%s: wanted: %s", c->command->name, c->command->args);
	if (c->arg_count > c->command->max_args)
		return ctl_usage(c, "%s: '%s' is too much", c->command->name,
		                 c->args[c->command->max_args]);
	return 0;
}

int options_parse_first(struct ctl *c, int argc, char **argv, bool *help)
{
	struct getopt g;
	int option;

	opterr = 0;
	getopt_init(&g, "+:");
	while ((option = getopt_long(argc, argv, g.letters, g.options, NULL)) != -1)
		if (!is_common(c, option, help))
			return -bad_option(c, option, argv);
	return optind;
}
