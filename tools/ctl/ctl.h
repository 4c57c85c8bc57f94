/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl.h -- headgatectl's frame: what a command is, and what every command may use. A command is one
 * file that fills one or more `struct command`, and one line each in commands.c. main.c parses the
 * command line by that table; commands never look at argv.
 *
 * Data goes to stdout, notices and errors to stderr. A command returns an exit code: 0, or one of
 * those below, after it has said why. Secrets come from a file or stdin, never from argv.
 */
#pragma once
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>
#include "common/buf.h"
#include "common/err.h"
#include "conf/conf.h"

/* operations.md 1; the rest is sysexits.h: EX_UNAVAILABLE 69 (socket, database, broker),
 * EX_SOFTWARE 70, EX_OSERR 71, EX_TEMPFAIL 75 (timeout, transient), EX_NOPERM 77, EX_CONFIG 78. */
enum { EXIT_NEGATIVE = 1, EXIT_USAGE = 2 };

struct ctl;

struct command_option {
	const char
		*name; /* long, without the dashes, words joined by '-'; the user may write '_' */
	const char *arg; /* what the value is called in the help; NULL: the option takes none */
	const char *help; /* one line */
	char letter; /* 0: no short form */
};

struct command {
	const char *name; /* "status", or two words: "tenant add" */
	const char *args; /* the operands, for the help: "ID [TENANT]"; "" for none */
	const char *help; /* one line, no full stop */
	const struct command_option *options; /* ends with an empty one; NULL: none of its own */
	unsigned min_args, max_args; /* operands; UINT_MAX: any number */
	int (*run)(struct ctl *c);
	const char *more; /* lines under the options in its help, or NULL */
};

/* In the order of the help; ends with NULL. */
extern const struct command *const commands[];

struct ctl {
	bool json, quiet, color; /* --json, -q, not --no-color */
	const char *const *args; /* operands, ends with NULL */
	unsigned arg_count;
	/* The rest is the frame's. */
	const struct command *command;
	const char **values; /* of the command's options, in their order; NULL: not given */
	const char *socket_option, *conf_file;
	char socket[PATH_MAX]; /* "" until it was looked for */
	struct conf *conf; /* NULL until it was asked for */
};

/* ---- options (main.c) ---- */

/* Asking for an option that the command's table lacks is a bug (assert). */
const char *ctl_value(const struct ctl *c, const char *option); /* NULL: not given */
bool ctl_given(const struct ctl *c, const char *option);
/* Each takes *out as the default and leaves it if the option was not given. 0, or EXIT_USAGE after
 * saying what is wrong with the value. */
int ctl_msec(const struct ctl *c, const char *option, msec_t *out) MUST_USE; /* above 0 */
int ctl_count(const struct ctl *c, const char *option, uint64_t *out) MUST_USE; /* above 0 */
int ctl_size(const struct ctl *c, const char *option, uint64_t *out) MUST_USE; /* above 0 */
/* Unix seconds of an RFC 3339 time, or of now plus a duration ("90d"). */
int ctl_time(const struct ctl *c, const char *option, int64_t *out) MUST_USE;

/* ---- what is said (out.c) ---- */

/* "headgatectl: TEXT\n" on stderr. ctl_fail returns the code. */
void ctl_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
int ctl_fail(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);
int ctl_usage(const struct ctl *c, const char *fmt, ...) PRINTF_LIKE(2, 3); /* EXIT_USAGE */
/* A notice: "TEXT\n" on stderr, nothing with -q. */
void ctl_note(const struct ctl *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* One line of JSON on stdout; an object gets "schema":1. Takes the object. */
void ctl_json(json_t *object);
/* A text that ends with one newline if it is not empty. */
void ctl_lines(FILE *to, const char *text);
/* "NAME    TEXT\n" on stdout; control bytes are shown as \xNN: whoever wrote the text must not
 * steer this terminal. */
void ctl_member(const char *name, int width, const char *text);
/* ANSI colour for stdout, "" without colours. Always balanced: ctl_color(c, NULL) ends it. */
const char *ctl_color(const struct ctl *c, const char *sgr);
/* Any bytes as a JSON string: what is not UTF-8 becomes '?'. Never NULL. */
json_t *ctl_text(struct bytes text);
json_t *ctl_text_or_null(const char *text); /* NULL and "": null */
/* "a,b" of an array of texts into a text that ends with NUL, cut to cap. */
void ctl_join(const json_t *list, char *out, size_t cap);
/* RFC 3339 UTC, to the second; cap >= TIME_TEXT_BYTES. */
enum { TIME_TEXT_BYTES = 32 };
void ctl_time_text(int64_t unix_seconds, char *out, size_t cap);

/* Members of an answer; "" and 0 if it is not there. */
const char *json_text_of(const json_t *o, const char *key);
long long json_number_of(const json_t *o, const char *key);
bool json_is_set(const json_t *o, const char *key);
/* Unix seconds; of "infinity" and "-infinity" INT64_MAX and INT64_MIN. False: it is no time. */
bool json_time_of(const json_t *o, const char *key, int64_t *at);

/* A table for people: columns as wide as their widest cell, a head line, nothing behind the last
 * column. Cells are copied; control bytes are shown as \xNN. */
struct table;
struct table *table_new(const char *const *heads, unsigned columns) MUST_USE;
void table_cell(struct table *t, const char *text); /* left to right, then the next row */
void table_cellf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void table_print(struct table *t, FILE *to); /* prints, if there is a row, and frees */

/* ---- the running master (ask.c) ---- */

/* The socket by --socket, $HEADGATE_SOCKET, the file of -c or the package's, into c->socket, for a
 * command that talks by itself. 0 or an exit code, said. */
int ctl_find_socket(struct ctl *c) MUST_USE;
/* One request, one answer. Takes the request. NULL and *code if there is none, said. */
json_t *ctl_ask(struct ctl *c, json_t *request, msec_t timeout, int *code) MUST_USE;
/* The same, but says nothing when nobody answers: for commands that work without a gateway too. */
json_t *ctl_try(struct ctl *c, json_t *request, msec_t timeout) MUST_USE;
/* True if the answer is an error (an unknown command, say): said, and printed with --json. */
bool ctl_is_error(const struct ctl *c, const json_t *answer, int *code);

/* ---- the configuration (config.c) ---- */

/* That of -c, else the package's; its errors are printed as headgate -t does. Files that options
 * name are not opened. Lives as long as c. NULL and *code (EX_CONFIG). */
const struct conf *ctl_conf(struct ctl *c, int *code) MUST_USE;
const char *ctl_conf_path(const struct ctl *c); /* which file that is */

/* ---- long work (progress.c) ---- */

/* A line that is rewritten on a terminal's stderr at most ten times a second; silent in a pipe and
 * with -q. total 0: unknown. Never NULL. */
struct progress;
struct progress *progress_open(const struct ctl *c, const char *what, uint64_t total) MUST_USE;
void progress_at(struct progress *p, uint64_t done, const char *detail); /* detail may be NULL */
void progress_clear(struct progress *p); /* before anything else is printed */
void progress_close(struct progress *p); /* the line is cleared */
