/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion_bash.c -- the script for bash: it needs no other package. Names are of a-z, 0-9 and
 * '-' alone, so nothing has to be quoted.
 */
#include <string.h>
#include "tools/ctl/commands.h"
#include "tools/ctl/completion.h"
#include "tools/ctl/options.h"

static const char head[] =
	"# bash completion of headgatectl(1), made by `headgatectl completion bash`\n"
	"\n"
	"# _headgatectl_row NAME [OPTION]: sets options, subcommands and operand of a command or\n"
	"# group (\"\": before it), and takes, of the option: nothing, any, file, folder, "
	":WORD...\n"
	"_headgatectl_row()\n"
	"{\n"
	"\tsubcommands='' operand='' takes=''\n";

static const char tail[] =
	"\tesac\n"
	"}\n"
	"\n"
	"_headgatectl()\n"
	"{\n"
	"\tlocal options subcommands operand takes name='' help='' at=1\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\n"
	"\tCOMPREPLY=()\n"
	"\t# bash makes three words of --option=value.\n"
	"\tif [[ $cur = '=' ]]; then\n"
	"\t\tcur=''\n"
	"\telif [[ $option = '=' ]]; then\n"
	"\t\toption=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\tfi\n"
	"\twhile ((at < COMP_CWORD)) && [[ ${COMP_WORDS[at]} = -* ]]; do\n"
	"\t\t_headgatectl_row '' \"${COMP_WORDS[at]}\"\n"
	"\t\tif [[ ${COMP_WORDS[at + 1]-} = '=' ]]; then\n"
	"\t\t\t((at += 3))\n"
	"\t\telif [[ -n $takes ]]; then\n"
	"\t\t\t((at += 2))\n"
	"\t\telse\n"
	"\t\t\t((at += 1))\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif ((at < COMP_CWORD)) && [[ ${COMP_WORDS[at]} = help ]]; then\n"
	"\t\t((at += 1))\n"
	"\t\thelp=yes\n"
	"\tfi\n"
	"\tif ((at < COMP_CWORD)); then\n"
	"\t\tname=${COMP_WORDS[at]}\n"
	"\t\t_headgatectl_row \"$name\"\n"
	"\t\tif [[ -n $subcommands ]] && ((at + 1 < COMP_CWORD)); then\n"
	"\t\t\tname+=\" ${COMP_WORDS[at + 1]}\"\n"
	"\t\tfi\n"
	"\tfi\n"
	"\t_headgatectl_row \"$name\" \"$option\"\n"
	"\t[[ -z $help ]] || options='' operand='' takes=''\n"
	"\tif [[ -z $takes ]]; then\n"
	"\t\ttakes=$operand\n"
	"\t\t[[ -z $subcommands ]] || takes=:$subcommands\n"
	"\t\t[[ $cur != -* ]] || takes=:$options\n"
	"\tfi\n"
	"\tcase $takes in\n"
	"\tfile)\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"\t\t;;\n"
	"\tfolder)\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
	"\t\t;;\n"
	"\t:*)\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"${takes#:}\" -- \"$cur\")\n"
	"\t\t;;\n"
	"\tesac\n"
	"}\n"
	"complete -F _headgatectl headgatectl\n";

static void put_takes(const char *variable, const char *placeholder, struct buf *out)
{
	char words[256];
	struct buf b;

	buf_init_fixed(&b, words, sizeof(words));
	switch (completion_takes(placeholder, &b)) {
	case TAKES_NONE:
		return;
	case TAKES_ANYTHING:
		buf_printf(out, " %s='any'", variable);
		return;
	case TAKES_FILE:
		buf_printf(out, " %s='file'", variable);
		return;
	case TAKES_FOLDER:
		buf_printf(out, " %s='folder'", variable);
		return;
	case TAKES_WORD:
		assert(!b.failed);
		buf_printf(out, " %s=':%.*s'", variable, (int)b.n, words);
		return;
	}
	assert(!"what an option takes");
}

static void put_names(const struct command_option *o, struct buf *out)
{
	for (; o && o->name; o++)
		buf_printf(out, " --%s", o->name);
}

static void put_values(const char *indent, const struct command_option *o, struct buf *out)
{
	for (; o && o->name; o++) {
		if (!o->arg)
			continue;
		buf_printf(out, "%s--%s", indent, o->name);
		if (o->letter)
			buf_printf(out, "|-%c", o->letter);
		buf_char(out, ')');
		put_takes("takes", o->arg, out);
		buf_str(out, " ;;\n");
	}
}

static void put_command(const struct command *cmd, struct buf *out)
{
	buf_printf(out, "\t'%s')\n", cmd->name);
	if (cmd->options || *cmd->args) {
		buf_str(out, "\t\toptions+='");
		put_names(cmd->options, out);
		buf_char(out, '\'');
		put_takes("operand", cmd->args, out);
		buf_char(out, '\n');
	}
	if (cmd->options) {
		buf_str(out, "\t\tcase ${2-} in\n");
		put_values("\t\t", cmd->options, out);
		buf_str(out, "\t\tesac\n");
	}
	buf_str(out, "\t\t;;\n");
}

/* The options of all commands, which may stand before one too, and the commands. */
static void put_first(struct buf *out)
{
	buf_str(out, "\toptions='");
	put_names(common_options, out);
	buf_str(out, "'\n\tcase ${2-} in\n");
	put_values("\t", common_options, out);
	buf_str(out, "\tesac\n\tcase $1 in\n\t'')\n\t\tsubcommands='help");
	for (const struct command *const *p = commands; *p; p++) {
		char *group = completion_group(p);

		if (group || !strchr((*p)->name, ' '))
			buf_printf(out, " %s", group ? group : (*p)->name);
		free(group);
	}
	buf_str(out, "'\n\t\t;;\n");
}

void completion_bash(struct buf *out)
{
	buf_str(out, head);
	put_first(out);
	for (const struct command *const *p = commands; *p; p++) {
		char *group = completion_group(p);

		if (group) {
			buf_printf(out, "\t%s)\n\t\toptions='' subcommands='", group);
			completion_members(group, " ", out);
			buf_str(out, "'\n\t\t;;\n");
		}
		free(group);
		put_command(*p, out);
	}
	buf_str(out, tail);
}
