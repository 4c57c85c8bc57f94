/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion_fish.c -- the script for fish: a line each command, option and operand.
 */
#include <string.h>
#include "tools/ctl/commands.h"
#include "tools/ctl/completion.h"
#include "tools/ctl/options.h"

static const char first_lines[] =
	"# fish completion of headgatectl(1), made by `headgatectl completion fish`\n"
	"\n"
	"# The words before the cursor, behind the options of all commands.\n"
	"function __headgatectl_words\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -e words[1]\n"
	"\twhile set -q words[1]\n"
	"\t\tswitch $words[1]\n";
static const char more_lines[] = "\t\t\t\tset -e words[1]\n"
				 "\t\t\t\tset -q words[1]; and set -e words[1]\n"
				 "\t\t\tcase '-*'\n"
				 "\t\t\t\tset -e words[1]\n"
				 "\t\t\tcase '*'\n"
				 "\t\t\t\tbreak\n"
				 "\t\tend\n"
				 "\tend\n"
				 "\tstring join -- \\n $words\n"
				 "end\n"
				 "\n"
				 "# These words, and no others\n"
				 "function __headgatectl_is\n"
				 "\tset -l words (__headgatectl_words)\n"
				 "\ttest \"$argv\" = \"$words\"\n"
				 "end\n"
				 "\n"
				 "# These words, and any others\n"
				 "function __headgatectl_in\n"
				 "\tset -l words (__headgatectl_words)\n"
				 "\tset -l n (count $argv)\n"
				 "\ttest (count $words) -ge $n\n"
				 "\tand test \"$argv\" = \"$words[1..$n]\"\n"
				 "end\n"
				 "\n"
				 "complete -c headgatectl -f\n";

static void put_help(const char *help, struct buf *out)
{
	char line[256];
	struct buf b;

	buf_init_fixed(&b, line, sizeof(line) - 1);
	completion_help(help, &b);
	line[b.n] = '\0';
	assert(!strchr(line, '\\')); /* which would have to be escaped */
	buf_str(out, " -d '");
	completion_quoted(line, "\\'", out);
	buf_str(out, "'\n");
}

static void put_takes(const char *placeholder, bool is_option, struct buf *out)
{
	char words[256];
	struct buf b;

	buf_init_fixed(&b, words, sizeof(words));
	switch (completion_takes(placeholder, &b)) {
	case TAKES_NONE:
		return;
	case TAKES_ANYTHING:
		buf_str(out, is_option ? " -x" : "");
		return;
	case TAKES_FILE:
		buf_str(out, is_option ? " -r -F" : " -F");
		return;
	case TAKES_FOLDER:
		buf_printf(out, "%s -a '(__fish_complete_directories)'", is_option ? " -x" : "");
		return;
	case TAKES_WORD:
		assert(!b.failed);
		buf_printf(out, "%s -a '%.*s'", is_option ? " -x" : "", (int)b.n, words);
		return;
	}
	assert(!"what an option takes");
}

static void put_options(const char *when, const struct command_option *o, struct buf *out)
{
	for (; o && o->name; o++) {
		buf_printf(out, "complete -c headgatectl%s", when);
		if (o->letter)
			buf_printf(out, " -s %c", o->letter);
		buf_printf(out, " -l %s", o->name);
		put_takes(o->arg, true, out);
		put_help(o->help, out);
	}
}

static void put_word(const char *when, const char *word, const char *help, struct buf *out)
{
	buf_printf(out, "complete -c headgatectl -n '__headgatectl_is%s' -a %s", when, word);
	put_help(help, out);
}

static void put_group(const char *group, struct buf *out)
{
	char members[256];
	struct buf b;

	buf_init_fixed(&b, members, sizeof(members) - 1);
	completion_members(group, ", ", &b);
	members[b.n] = '\0';
	put_word("", group, members, out);
	put_word(" help", group, members, out);
}

/* Its name where it may stand, also behind help. */
static void put_name(const char *name, const char *help, struct buf *out)
{
	const char *blank = strchr(name, ' ');
	char when[64];

	snprintf(when, sizeof(when), "%s%.*s", blank ? " " : "", blank ? (int)(blank - name) : 0,
	         name);
	put_word(when, blank ? blank + 1 : name, help, out);
	snprintf(when, sizeof(when), " help%s%.*s", blank ? " " : "",
	         blank ? (int)(blank - name) : 0, name);
	put_word(when, blank ? blank + 1 : name, help, out);
}

static void put_command(const struct command *cmd, struct buf *out)
{
	char when[64], words[256];
	struct buf b;

	put_name(cmd->name, cmd->help, out);
	snprintf(when, sizeof(when), " -n '__headgatectl_in %s'", cmd->name);
	put_options(when, cmd->options, out);
	buf_init_fixed(&b, words, sizeof(words));
	if (completion_takes(cmd->args, &b) <= TAKES_ANYTHING)
		return;
	buf_printf(out, "complete -c headgatectl%s", when);
	put_takes(cmd->args, false, out);
	buf_char(out, '\n');
}

void completion_fish(struct buf *out)
{
	buf_str(out, first_lines);
	buf_str(out, "\t\t\tcase");
	for (const struct command_option *o = common_options; o->name; o++) {
		if (!o->arg)
			continue;
		buf_printf(out, " --%s", o->name);
		if (o->letter)
			buf_printf(out, " -%c", o->letter);
	}
	buf_char(out, '\n');
	buf_str(out, more_lines);
	put_options("", common_options, out);
	put_word("", "help", "the options of a command", out);
	for (const struct command *const *p = commands; *p; p++) {
		char *group = completion_group(p);

		if (group)
			put_group(group, out);
		free(group);
		put_command(*p, out);
	}
}
