/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c -- headgatectl: finds the command of the table (commands.c), parses the command line by
 * its row, runs it. The help is made of the same rows. Knows no command by name.
 */
#include <getopt.h>
#include <string.h>
#include "tools/ctl/commands.h"

enum { OPT_SOCKET = 256, OPT_JSON, OPT_NO_COLOR, OPT_HELP, OPT_FIRST_OWN };
enum { OPTIONS_MAX = 64, HELP_COLUMN = 30 };

static const struct option common_options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "quiet", no_argument, NULL, 'q' },
	{ "no-color", no_argument, NULL, OPT_NO_COLOR },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static const char common_help[] =
	"common options:\n"
	"  --socket PATH               the control socket (default: the one that -c names,\n"
	"                              $HEADGATE_SOCKET, /run/headgate/control.sock)\n"
	"  -c FILE                     the gateway's configuration\n"
	"                              (default: /etc/headgate/headgate.yaml)\n"
	"  --json                      one JSON object a line\n"
	"  -q                          errors only\n"
	"  --no-color                  plain text (also NO_COLOR, or when stdout is no terminal)\n";

/* ---- help ---- */

static void print_usage(FILE *to)
{
	fputs("usage: headgatectl [OPTION]... COMMAND [ARGUMENT]...\ncommands:\n", to);
	for (const struct command *const *p = commands; *p; p++) {
		int n = fprintf(to, "  %s %s", (*p)->name, (*p)->args);

		fprintf(to, "%*s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 2, "", (*p)->help);
	}
	fputs(common_help, to);
	fputs("headgatectl help COMMAND shows its options\n", to);
}

static void print_help(const struct command *cmd)
{
	printf("usage: headgatectl %s%s%s%s\n  %s\n", cmd->name, cmd->options ? " [OPTION]..." : "",
	       *cmd->args ? " " : "", cmd->args, cmd->help);
	if (cmd->options)
		puts("options:");
	for (const struct command_option *o = cmd->options; o && o->name; o++) {
		int n = printf("  ");

		if (o->letter)
			n += printf("-%c, ", o->letter);
		n += printf("--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		printf("%*s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 2, "", o->help);
	}
	if (cmd->more)
		ctl_lines(stdout, cmd->more);
	fputs(common_help, stdout);
}

/* ---- options ---- */

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

/* "--bytes_burst=1MB" reads as "--bytes-burst=1MB"; what follows '=' stays. */
static char *with_dashes(const char *arg)
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

/* ---- the command ---- */

static bool is_group(const char *word)
{
	size_t n = strlen(word);

	for (const struct command *const *p = commands; *p; p++)
		if (strncmp((*p)->name, word, n) == 0 && (*p)->name[n] == ' ')
			return true;
	return false;
}

/* By one word or two; `taken` says how many. */
static const struct command *find_command(char *const *words, unsigned *taken)
{
	for (const struct command *const *p = commands; *p; p++) {
		const char *name = (*p)->name, *second = strchr(name, ' ');
		size_t n = second ? (size_t)(second - name) : strlen(name);

		if (strlen(words[0]) != n || strncmp(name, words[0], n) != 0)
			continue;
		*taken = second ? 2 : 1;
		if (!second || (words[1] && strcmp(words[1], second + 1) == 0))
			return *p;
	}
	return NULL;
}

static int no_command(const struct ctl *c, char *const *words)
{
	if (!words[0]) {
		ctl_error("a command is wanted");
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (!is_group(words[0]))
		return ctl_usage(c, "unknown command '%s'", words[0]);
	if (words[1])
		ctl_error("'%s' has no '%s'; it has:", words[0], words[1]);
	else
		ctl_error("%s: what of it?", words[0]);
	for (const struct command *const *p = commands; *p; p++)
		if (strncmp((*p)->name, words[0], strlen(words[0])) == 0 &&
		    (*p)->name[strlen(words[0])] == ' ')
			fprintf(stderr, "  %s %s\n", (*p)->name, (*p)->args);
	return EXIT_USAGE;
}

static int help_run(const struct ctl *c, char *const *words)
{
	const struct command *cmd;
	unsigned taken;

	if (!words[0]) {
		print_usage(stdout);
		return 0;
	}
	cmd = find_command(words, &taken);
	if (!cmd)
		return no_command(c, words);
	print_help(cmd);
	return 0;
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

/* 0, or an exit code; *help if that is all that was asked for. */
static int parse(struct ctl *c, int argc, char **argv, bool *help)
{
	struct option options[OPTIONS_MAX];
	char letters[2 * OPTIONS_MAX + 8];
	int option;

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

static int run(struct ctl *c, int argc, char **argv)
{
	bool help = false;
	int code;

	c->values = xcalloc(option_count(c->command) + 1, sizeof(*c->values));
	code = parse(c, argc, argv, &help);
	if (!code && help)
		print_help(c->command);
	else if (!code)
		code = c->command->run(c);
	if (fflush(stdout) != 0 && !code)
		code = ctl_fail(EX_IOERR, "stdout: %m");
	free(c->values);
	conf_free(c->conf);
	return code;
}

/* The common options that stand before the command. -1: go on at argv[optind]. */
static int parse_first(struct ctl *c, int argc, char **argv)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:c:q", common_options, NULL)) != -1) {
		if (take_common(c, option) == 0)
			continue;
		if (option != OPT_HELP)
			return bad_option(c, option, argv);
		print_usage(stdout);
		return 0;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct ctl c = { .color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") };
	char **args = xcalloc((size_t)argc + 1, sizeof(*args));
	unsigned taken = 0;
	int code;

	for (int i = 0; i < argc; i++)
		args[i] = with_dashes(argv[i]);
	code = parse_first(&c, argc, args);
	if (code < 0) {
		char **words = args + optind;

		c.command = words[0] ? find_command(words, &taken) : NULL;
		if (words[0] && strcmp(words[0], "help") == 0)
			code = help_run(&c, words + 1);
		else if (!c.command)
			code = no_command(&c, words);
		else /* the last word of its name stands where getopt expects a program's */
			code = run(&c, argc - optind - (int)taken + 1, words + taken - 1);
	}
	for (int i = 0; i < argc; i++)
		free(args[i]);
	free(args);
	return code;
}
