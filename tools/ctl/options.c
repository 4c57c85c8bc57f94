/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c -- headgatectl's command line by the rows of its table, through getopt: common options
 * anywhere, those of a command behind its name. Knows no command and prints no help.
 */
#include "tools/ctl/options.h"

#include <getopt.h>
#include <string.h>

enum { OPT_SOCKET = 256, OPT_JSON, OPT_NO_COLOR, OPT_HELP, OPT_FIRST_OWN };
enum { OPTIONS_MAX = 64 };

static const struct option common_options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "quiet", no_argument, NULL, 'q' },
	{ "no-color", no_argument, NULL, OPT_NO_COLOR },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

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

static int take_common(struct ctl *c, int option)
{
	switch (option) {
	case OPT_SOCKET:
		c->socket_option = optarg;
		return 0;
	case 'c':
		c->conf_file = optarg;
		return 0;
	case OPT_JSON:
		c->json = true;
		return 0;
	case 'q':
		c->quiet = true;
		return 0;
	case OPT_NO_COLOR:
		c->color = false;
		return 0;
	default:
		return -1;
	}
}

static int bad_option(const struct ctl *c, int option, char **argv)
{
	if (option == ':')
		return ctl_usage(c, "%s: a value is wanted", argv[optind - 1]);
	return ctl_usage(c, "%s: no such option here", argv[optind - 1]);
}

/* The options of all commands and those of this one, for getopt. */
static void make_options(const struct command *cmd, struct option *out, char *letters)
{
	unsigned n = 0;

	strcpy(letters, ":c:q");
	letters += strlen(letters);
	for (; common_options[n].name; n++)
		out[n] = common_options[n];
	for (unsigned i = 0; i < option_count(cmd); i++) {
		const struct command_option *o = &cmd->options[i];

		assert(n < OPTIONS_MAX - 1);
		out[n++] = (struct option){ o->name, o->arg ? required_argument : no_argument, NULL,
			                    OPT_FIRST_OWN + (int)i };
		if (!o->letter)
			continue;
		*letters++ = o->letter;
		if (o->arg)
			*letters++ = ':';
	}
	*letters = '\0';
	out[n] = (struct option){ 0 };
}

static int by_letter(const struct command *cmd, int option)
{
	for (unsigned i = 0; i < option_count(cmd); i++)
		if (cmd->options[i].letter && cmd->options[i].letter == option)
			return OPT_FIRST_OWN + (int)i;
	return option;
}

int options_parse(struct ctl *c, int argc, char **argv, bool *help)
{
	struct option options[OPTIONS_MAX];
	char letters[2 * OPTIONS_MAX + 8];
	int option;

	c->values = xcalloc(option_count(c->command) + 1, sizeof(*c->values));
	make_options(c->command, options, letters);
	optind = 0; /* glibc: a new argv, scanned from its start */
	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (take_common(c, option) == 0)
			continue;
		option = by_letter(c->command, option);
		if (option == OPT_HELP)
			*help = true;
		else if (option >= OPT_FIRST_OWN)
			c->values[option - OPT_FIRST_OWN] = optarg ? optarg : "";
		else
			return bad_option(c, option, argv);
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
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:c:q", common_options, NULL)) != -1) {
		if (take_common(c, option) == 0)
			continue;
		if (option != OPT_HELP)
			return -bad_option(c, option, argv);
		*help = true;
	}
	return optind;
}
