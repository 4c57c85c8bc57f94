/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion.h -- what the three scripts of `completion` have in common: the table of commands
 * (ctl.h) as a shell asks for it. A shell more is one file and one line in completion.c.
 */
#pragma once
#include "tools/ctl/ctl.h"

enum takes {
	TAKES_NONE,
	TAKES_ANYTHING, /* which only the user knows */
	TAKES_FILE,
	TAKES_FOLDER,
	TAKES_WORD, /* one of some */
};

/* What stands for the placeholder in the help ("FILE", "[FILE]...", "SIGNAL"; NULL, ""); the words
 * with blanks between them, if they are some. */
enum takes completion_takes(const char *placeholder, struct buf *words);
/* The help of a command or option in short: one line, without what is in parentheses. */
void completion_help(const char *help, struct buf *out);
/* Inside '...' of the shell; escape stands for a quote there: "'\\''" or "\\'". */
void completion_quoted(const char *text, const char *escape, struct buf *out);

/* The command's first word, if it has two and no command before has that one: malloc'd, or NULL. */
char *completion_group(const struct command *const *at) MUST_USE;
bool completion_is_in(const struct command *cmd, const char *group);
/* "add, ls, show", or with blanks alone. */
void completion_members(const char *group, const char *between, struct buf *out);

void completion_bash(struct buf *out);
void completion_zsh(struct buf *out);
void completion_fish(struct buf *out);
