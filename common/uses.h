/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uses.h -- when each token was last used (records.md 2.2), which is when it last let a request in:
 * a 401, and a 403 for a scope or another tenant, are no use. A word for each token ordinal, Unix
 * seconds, behind the words of a worker's stats page, in the same memfd. The worker writes its own;
 * the master alone reads them, by its descriptor and not by a mapping, which would fill the holes:
 * the words are sparse, as long as few tokens are used.
 */
#pragma once
#include <stdatomic.h>
#include "common/err.h"

typedef _Atomic uint32_t use_word;
enum { USES_ALIGN = 4096 }; /* where they begin in the file: a page of the MMU */

struct uses;
/* The last `tokens` words of the file. NULL with *err said. Does not keep fd. */
struct uses *uses_map(int fd, uint64_t tokens, struct err *err) MUST_USE;
void uses_unmap(struct uses *u); /* NULL is fine */
/* NULL is fine: nobody keeps them. The store alone: the word is not read, so nothing waits for it.
 */
void uses_mark(struct uses *u, uint32_t ordinal, uint32_t at_s);

struct last_uses { /* the greatest word for each ordinal below n; zeroed it is ready */
	uint32_t *v;
	size_t n;
};
void last_uses_done(struct last_uses *l);
/* Takes over what is greater in the last `tokens` words of the file. -1 with *err said. */
int uses_collect(int fd, uint64_t tokens, struct last_uses *l, struct err *err) MUST_USE;
/* They are zero again, and take no memory. */
int uses_clear(int fd, uint64_t tokens, struct err *err) MUST_USE;
