/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h -- errors and warnings about text files, all at once, each with its place, the source
 * line and a caret (operations.md 3). Used by the configuration and by the tenants file; not linked
 * into the worker. Messages are kept and rendered at the end, in file and line order. Prints
 * nothing.
 */
#pragma once
#include "common/buf.h"
#include "common/pool.h"

struct report; /* private to report.c: messages, and the texts of the files they speak of */
struct source; /* a file's path and text; lives as long as its report */

struct place {
	const struct source *source; /* NULL: the command line, then `what` is shown instead */
	const char *what; /* "-o limits.depth", or NULL */
	unsigned line, col; /* 1-based; columns count code points */
	unsigned width; /* code points under the caret line, at least 1 */
	bool secret; /* no excerpt: the line may hold a secret */
};

struct report *report_new(void);
void report_free(struct report *r); /* NULL is fine */
/* Memory that lives as long as the report: nodes, texts. */
struct pool *report_pool(struct report *r);

/* Files are ordered as they were added. The text is kept, not copied. */
const struct source *report_source(struct report *r, const char *path, struct bytes text);
const struct source *report_first(const struct report *r); /* NULL if there is none */
const char *source_path(const struct source *s);

void report_error(struct report *r, struct place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
void report_warning(struct report *r, struct place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The `help:` line of the message that was just said. */
void report_help(struct report *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

unsigned report_errors(const struct report *r);
unsigned report_warnings(const struct report *r);
/* At most 100 messages, then "and N more", then "1 error, 0 warnings: OUTCOME". Nothing if there is
 * nothing to say. */
void report_text(struct report *r, const char *outcome, struct buf *out);

/* The allowed name nearest to word (Damerau-Levenshtein <= 2 and <= 1/3 of its length), or NULL. */
const char *report_nearest(const char *word, const char *const *names, size_t n);
