/* SPDX-License-Identifier: Apache-2.0 */
/*
 * html.h -- what worker/status_page.c writes its page with: every value goes through here and is
 * escaped; what is not a value is a literal of the program.
 */
#pragma once
#include "common/buf.h"

/* For text and for attributes in quotes. Control bytes become U+FFFD. */
void html_text(struct buf *b, const char *s);
void html_bytes(struct buf *b, uint64_t bytes); /* 12.3 MiB */
void html_span(struct buf *b, int64_t seconds); /* 3 d 4 h, 12 min, 7 s */

/* A cell with a number, or a text, aligned as such; and one with a bar beside its number, as long
 * as value is of most. */
void html_cell_text(struct buf *b, const char *s);
void html_cell_number(struct buf *b, uint64_t n);
void html_cell_bytes(struct buf *b, uint64_t n);
void html_bar(struct buf *b, uint64_t value, uint64_t most);

/* A table: its heads are literals, in a list that ends with NULL. */
void html_table(struct buf *b, const char *const *heads);
void html_table_end(struct buf *b);

/* Rows of a table of two columns: the name is a literal, the value stands between row and end. */
void html_row(struct buf *b, const char *name);
void html_row_end(struct buf *b);
void html_row_text(struct buf *b, const char *name, const char *value);
void html_row_number(struct buf *b, const char *name, uint64_t n);
void html_row_share(struct buf *b, const char *name, uint64_t n,
                    uint64_t of); /* bytes, and a bar */
