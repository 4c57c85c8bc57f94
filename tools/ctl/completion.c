/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion.c -- `completion SHELL`: a script that completes headgatectl's command line, made of
 * the table of commands. Knows no command by name; what an operand or a value may be it knows from
 * the placeholder in the help.
 */
#include "tools/ctl/completion.h"

#include <string.h>
#include "common/telemetry.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/snippet_text.h"

enum { SCRIPT_MAX_BYTES = MIB };

static const struct shell {
	const char *name;
	void (*put)(struct buf *out);
} shells[] = {
	{ "bash", completion_bash },
	{ "zsh", completion_zsh },
	{ "fish", completion_fish },
};

/* ---- placeholders ---- */

static void put_word(struct buf *out, const char *word)
{
	if (out->n)
		buf_char(out, ' ');
	buf_str(out, word);
}

static void put_signals(struct buf *out)
{
	for (int s = 0; s < SIGNAL_COUNT; s++)
		put_word(out, signal_name((enum signal)s));
}

static void put_clients(struct buf *out)
{
	for (const struct snippet_client *client = snippet_clients; client->name; client++)
		put_word(out, client->name);
}

static void put_shells(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		put_word(out, shells[i].name);
}

static void put_dash(struct buf *out)
{
	put_word(out, "-");
}

enum takes completion_takes(const char *placeholder, struct buf *words)
{
	static const struct {
		const char *name;
		enum takes takes;
		void (*put_words)(struct buf *out);
	} known[] = {
		{ "FILE", TAKES_FILE, NULL },          { "PATH", TAKES_FILE, NULL },
		{ "DIR", TAKES_FOLDER, NULL },         { "SIGNAL", TAKES_WORD, put_signals },
		{ "CLIENT", TAKES_WORD, put_clients }, { "SHELL", TAKES_WORD, put_shells },
		{ "-", TAKES_WORD, put_dash },
	};
	size_t n;

	if (!placeholder || !*placeholder)
		return TAKES_NONE;
	placeholder += *placeholder == '[';
	n = strcspn(placeholder, "] ");
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strlen(known[i].name) != n || strncmp(known[i].name, placeholder, n) != 0)
			continue;
		if (known[i].put_words)
			known[i].put_words(words);
		return known[i].takes;
	}
	return TAKES_ANYTHING;
}

/* ---- texts ---- */

void completion_help(const char *help, struct buf *out)
{
	const char *end = strstr(help, " (");
	size_t n = strcspn(help, "\n");

	if (end && (size_t)(end - help) < n)
		n = (size_t)(end - help);
	buf_add(out, help, n);
}

void completion_quoted(const char *text, const char *escape, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '\'')
			buf_str(out, escape);
		else
			buf_char(out, *text);
	}
}

/* ---- commands of two words ---- */

bool completion_is_in(const struct command *cmd, const char *group)
{
	size_t n = strlen(group);

	return strncmp(cmd->name, group, n) == 0 && cmd->name[n] == ' ';
}

char *completion_group(const struct command *const *at)
{
	const char *blank = strchr((*at)->name, ' ');
	char *group;

	if (!blank)
		return NULL;
	group = xstrndup((*at)->name, (size_t)(blank - (*at)->name));
	for (const struct command *const *p = commands; p != at; p++) {
		if (!completion_is_in(*p, group))
			continue;
		free(group);
		return NULL;
	}
	return group;
}

void completion_members(const char *group, const char *between, struct buf *out)
{
	bool first = true;

	for (const struct command *const *p = commands; *p; p++) {
		if (!completion_is_in(*p, group))
			continue;
		buf_str(out, first ? "" : between);
		buf_str(out, (*p)->name + strlen(group) + 1);
		first = false;
	}
}

/* ---- the command ---- */

static int run_completion(struct ctl *c)
{
	const struct shell *shell = NULL;
	struct buf script;

	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (strcmp(shells[i].name, c->args[0]) == 0)
			shell = &shells[i];
	if (!shell)
		return ctl_usage(c, "completion '%s': bash, zsh or fish", c->args[0]);
	buf_init(&script, SCRIPT_MAX_BYTES);
	shell->put(&script);
	assert(!script.failed);
	fwrite(script.p, 1, script.n, stdout);
	buf_done(&script);
	return 0;
}

const struct command command_completion = {
	.name = "completion",
	.args = "SHELL",
	.help = "the script by which bash, zsh or fish completes these commands",
	.min_args = 1,
	.max_args = 1,
	.run = run_completion,
	.more = "for one shell: source <(headgatectl completion bash); fish: "
		"headgatectl completion fish | source\n",
};
