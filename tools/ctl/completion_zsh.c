/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion_zsh.c -- the script for zsh, by its own completion functions. Texts stand in '...'.
 */
#include <string.h>
#include "tools/ctl/commands.h"
#include "tools/ctl/completion.h"
#include "tools/ctl/options.h"

static const char head[] =
	"#compdef headgatectl\n"
	"# zsh completion of headgatectl(1), made by `headgatectl completion zsh`\n"
	"\n";

/* Finds the command behind the options of all commands, then lets _arguments see it alone. The
 * options are a local of the one function that is called again. */
static const char first_half[] = "\tlocal name help=''\n"
				 "\tinteger at=2\n"
				 "\n"
				 "\twhile (( at < CURRENT )); do\n"
				 "\t\tcase $words[at] in\n";
static const char second_half[] = "\t\t(-*)\t(( at += 1 )) ;;\n"
				  "\t\t(*)\tbreak ;;\n"
				  "\t\tesac\n"
				  "\tdone\n"
				  "\tif (( at < CURRENT )) && [[ $words[at] = help ]]; then\n"
				  "\t\t(( at += 1 ))\n"
				  "\t\thelp=yes\n"
				  "\tfi\n"
				  "\tif (( at >= CURRENT )); then\n"
				  "\t\tif [[ -n $help ]]; then\n"
				  "\t\t\t_headgatectl_commands\n"
				  "\t\telse\n"
				  "\t\t\t_arguments -S $common ':command:_headgatectl_commands'\n"
				  "\t\tfi\n"
				  "\t\treturn\n"
				  "\tfi\n"
				  "\tname=$words[at]\n"
				  "\tif (( $+functions[_headgatectl_group_$name] )); then\n"
				  "\t\tif (( at + 1 == CURRENT )); then\n"
				  "\t\t\t_headgatectl_group_$name\n"
				  "\t\t\treturn\n"
				  "\t\tfi\n"
				  "\t\t(( at += 1 ))\n"
				  "\t\tname+=\" $words[at]\"\n"
				  "\tfi\n"
				  "\t[[ -z $help ]] || return 1\n"
				  "\twords=(headgatectl \"${(@)words[at + 1, -1]}\")\n"
				  "\t(( CURRENT -= at - 1 ))\n"
				  "\t_headgatectl_arguments $name\n"
				  "}\n"
				  "\n"
				  "_headgatectl \"$@\"\n";

/* In '[...]' of a spec. */
static void put_text(const char *help, struct buf *out)
{
	char line[256];
	struct buf b;

	buf_init_fixed(&b, line, sizeof(line) - 1);
	completion_help(help, &b);
	line[b.n] = '\0';
	for (char *p = line; *p; p++) {
		char one[2] = { *p, '\0' };

		if (strchr("[]\\:", *p))
			buf_char(out, '\\');
		completion_quoted(one, "'\\''", out);
	}
}

/* ":FILE:_files" of a spec; nothing for what takes nothing. */
static void put_takes(const char *placeholder, struct buf *out)
{
	char words[256];
	struct buf b;
	enum takes takes;

	buf_init_fixed(&b, words, sizeof(words));
	takes = completion_takes(placeholder, &b);
	if (takes == TAKES_NONE)
		return;
	buf_char(out, ':');
	for (; *placeholder; placeholder++) {
		if (*placeholder == ':')
			buf_char(out, '\\');
		buf_char(out, *placeholder);
	}
	buf_char(out, ':');
	if (takes == TAKES_FILE)
		buf_str(out, "_files");
	else if (takes == TAKES_FOLDER)
		buf_str(out, "_files -/");
	else if (takes == TAKES_WORD)
		buf_printf(out, "(%.*s)", (int)b.n, words);
	else
		buf_char(out, ' ');
	assert(!b.failed);
}

static void put_spec(const struct command_option *o, bool is_short, struct buf *out)
{
	buf_str(out, "\t\t'");
	if (o->letter)
		buf_printf(out, "(-%c --%s)", o->letter, o->name);
	if (is_short)
		buf_printf(out, "-%c%s[", o->letter, o->arg ? "+" : "");
	else
		buf_printf(out, "--%s%s[", o->name, o->arg ? "=" : "");
	put_text(o->help, out);
	buf_char(out, ']');
	put_takes(o->arg, out);
	buf_str(out, "'\n");
}

static void put_specs(const struct command_option *o, struct buf *out)
{
	for (; o && o->name; o++) {
		if (o->letter)
			put_spec(o, true, out);
		put_spec(o, false, out);
	}
}

static void put_described(const char *name, const char *help, struct buf *out)
{
	buf_printf(out, "\t\t'%s:", name);
	put_text(help, out);
	buf_str(out, "'\n");
}

static void put_group(const char *group, struct buf *out)
{
	buf_printf(out, "_headgatectl_group_%s()\n{\n\tlocal -a list=(\n", group);
	for (const struct command *const *p = commands; *p; p++)
		if (completion_is_in(*p, group))
			put_described((*p)->name + strlen(group) + 1, (*p)->help, out);
	buf_printf(out, "\t)\n\t_describe -t commands 'command' list\n}\n\n");
}

static void put_first(struct buf *out)
{
	buf_str(out, "_headgatectl_commands()\n{\n\tlocal -a list=(\n");
	put_described("help", "the options of a command", out);
	for (const struct command *const *p = commands; *p; p++) {
		char *group = completion_group(p), members[256];
		struct buf b;

		buf_init_fixed(&b, members, sizeof(members) - 1);
		if (group)
			completion_members(group, ", ", &b);
		members[b.n] = '\0';
		if (group || !strchr((*p)->name, ' '))
			put_described(group ? group : (*p)->name, group ? members : (*p)->help,
			              out);
		free(group);
	}
	buf_str(out, "\t)\n\t_describe -t commands 'command' list\n}\n\n");
}

static void put_arguments(struct buf *out)
{
	buf_str(out, "_headgatectl_arguments()\n{\n\tlocal -a specs\n\tcase $1 in\n");
	for (const struct command *const *p = commands; *p; p++) {
		buf_printf(out, "\t('%s')\tspecs=(\n", (*p)->name);
		put_specs((*p)->options, out);
		if (*(*p)->args) {
			buf_printf(out, "\t\t'%s", (*p)->max_args > 1 ? "*" : "");
			put_takes((*p)->args, out);
			buf_str(out, "'\n");
		}
		buf_str(out, "\t) ;;\n");
	}
	buf_str(out, "\t(*)\treturn 1 ;;\n\tesac\n"
	             "\t_arguments -S $common $specs\n}\n\n");
}

static void put_main(struct buf *out)
{
	const char *between = "(";

	buf_str(out, "_headgatectl()\n{\n\tlocal -a common=(\n");
	put_specs(common_options, out);
	buf_str(out, "\t)\n");
	buf_str(out, first_half);
	buf_str(out, "\t\t");
	for (const struct command_option *o = common_options; o->name; o++) {
		if (!o->arg)
			continue;
		buf_printf(out, "%s--%s", between, o->name);
		if (o->letter)
			buf_printf(out, "|-%c", o->letter);
		between = "|";
	}
	buf_str(out, ")\t(( at += 2 )) ;;\n");
	buf_str(out, second_half);
}

void completion_zsh(struct buf *out)
{
	buf_str(out, head);
	put_first(out);
	for (const struct command *const *p = commands; *p; p++) {
		char *group = completion_group(p);

		if (group)
			put_group(group, out);
		free(group);
	}
	put_arguments(out);
	put_main(out);
}
