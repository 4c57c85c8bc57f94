/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c -- headgatectl: finds the command of the table (commands.c), parses the command line by
 * its row, runs it. The help is made of the same rows. Knows no command by name.
 */
#include <string.h>
#include "tools/ctl/commands.h"
#include "tools/ctl/options.h"

enum { HELP_COLUMN = 30 };

/* ---- help ---- */

/* A text of several lines stays in its column. */
static void print_row(FILE *to, int at, const char *text)
{
	fprintf(to, "%*s", at < HELP_COLUMN ? HELP_COLUMN - at : 2, "");
	for (; *text; text++)
		if (fputc(*text, to) == '\n')
			fprintf(to, "%*s", HELP_COLUMN, "");
	fputc('\n', to);
}

static void print_options(FILE *to, const struct command_option *o)
{
	for (; o->name; o++) {
		int n = fprintf(to, "  ");

		if (o->letter)
			n += fprintf(to, "-%c, ", o->letter);
		n += fprintf(to, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		print_row(to, n, o->help);
	}
}

static void print_common(FILE *to)
{
	fputs("common options:\n", to);
	print_options(to, common_options);
}

static void print_usage(FILE *to)
{
	fputs("usage: headgatectl [OPTION]... COMMAND [ARGUMENT]...\ncommands:\n", to);
	for (const struct command *const *p = commands; *p; p++)
		print_row(to, fprintf(to, "  %s %s", (*p)->name, (*p)->args), (*p)->help);
	print_common(to);
	fputs("headgatectl help COMMAND shows its options\n", to);
}

static void print_help(const struct command *cmd)
{
	printf("usage: headgatectl %s%s%s%s\n  %s\n", cmd->name, cmd->options ? " [OPTION]..." : "",
	       *cmd->args ? " " : "", cmd->args, cmd->help);
	if (cmd->options) {
		puts("options:");
		print_options(stdout, cmd->options);
	}
	if (cmd->more)
		ctl_lines(stdout, cmd->more);
	print_common(stdout);
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

static int run(struct ctl *c, int argc, char **argv)
{
	bool help = false;
	int code;

	code = options_parse(c, argc, argv, &help);
	if (!code && help)
		print_help(c->command);
	else if (!code)
		code = c->command->run(c);
	if ((ferror(stdout) || fflush(stdout) != 0) && !code)
		code = ctl_fail(EX_OSERR, "stdout: not all of it could be written");
	free(c->values);
	conf_free(c->conf);
	return code;
}

int main(int argc, char **argv)
{
	struct ctl c = { .color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") };
	char **args = xcalloc((size_t)argc + 1, sizeof(*args)), **words;
	unsigned taken = 0;
	bool help = false;
	int code, first;

	for (int i = 0, options = true; i < argc; i++) {
		options = options && strcmp(argv[i], "--") != 0;
		args[i] = options ? options_with_dashes(argv[i]) : xstrdup(argv[i]);
	}
	first = options_parse_first(&c, argc, args, &help);
	words = first > 0 ? args + first : NULL;
	if (words && words[0])
		c.command = find_command(words, &taken);
	if (!words)
		code = -first;
	else if (help || (words[0] && strcmp(words[0], "help") == 0))
		code = help_run(&c, words + !help);
	else if (!c.command)
		code = no_command(&c, words);
	else /* the last word of its name stands where getopt expects a program's */
		code = run(&c, argc - first - (int)taken + 1, words + taken - 1);
	for (int i = 0; i < argc; i++)
		free(args[i]);
	free(args);
	return code;
}
