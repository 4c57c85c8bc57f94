/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uses.c -- last-used words: one writer maps and stores, one reader reads what is no hole.
 */
#include "common/uses.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_WORDS = 16 * KIB };

struct uses {
	use_word *v;
	size_t n;
};

/* Where they begin in the file; -1 with *err said. */
static off_t first_byte(int fd, uint64_t tokens, struct err *err)
{
	struct stat st;
	off_t at;

	if (fstat(fd, &st) < 0)
		return err_errno(err, "no stats page");
	at = st.st_size - (off_t)(tokens * sizeof(use_word));
	if (at < 0 || at % USES_ALIGN != 0)
		return err_set(err, "a stats page without the words of %llu tokens",
		               (unsigned long long)tokens);
	return at;
}

struct uses *uses_map(int fd, uint64_t tokens, struct err *err)
{
	off_t at = first_byte(fd, tokens, err);
	struct uses *u;
	void *p;

	if (at < 0)
		return NULL;
	p = mmap(NULL, tokens * sizeof(use_word), PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
	if (p == MAP_FAILED) {
		err_errno(err, "can't map the last-used words");
		return NULL;
	}
	u = xcalloc(1, sizeof(*u));
	u->v = p;
	u->n = tokens;
	return u;
}

void uses_unmap(struct uses *u)
{
	if (!u)
		return;
	munmap(u->v, u->n * sizeof(*u->v));
	free(u);
}

void uses_mark(struct uses *u, uint32_t ordinal, uint32_t at_s)
{
	if (u && ordinal < u->n)
		atomic_store_explicit(&u->v[ordinal], at_s, memory_order_relaxed);
}

/* ---- the master's side ---- */

void last_uses_done(struct last_uses *l)
{
	free(l->v);
	*l = (struct last_uses){ NULL, 0 };
}

static void take_greater(struct last_uses *l, size_t ordinal, uint32_t at_s)
{
	if (at_s == 0)
		return;
	if (ordinal >= l->n) {
		size_t n = ordinal + ordinal / 8 + 64;

		l->v = xrealloc(l->v, n, sizeof(*l->v));
		memset(l->v + l->n, 0, (n - l->n) * sizeof(*l->v));
		l->n = n;
	}
	if (at_s > l->v[ordinal])
		l->v[ordinal] = at_s;
}

static int collect(int fd, off_t first, off_t at, off_t end, struct last_uses *l, struct err *err)
{
	uint32_t words[READ_WORDS];

	while (at < end) {
		size_t want = min_size((size_t)(end - at), sizeof(words));
		ssize_t n = pread(fd, words, want, at);

		if (n < (ssize_t)want)
			return err_errno(err, "can't read the last-used words");
		for (size_t i = 0; i < want / sizeof(*words); i++)
			take_greater(l, (size_t)(at - first) / sizeof(*words) + i, words[i]);
		at += n;
	}
	return 0;
}

int uses_collect(int fd, uint64_t tokens, struct last_uses *l, struct err *err)
{
	off_t first = first_byte(fd, tokens, err), end, at;

	if (first < 0)
		return -1;
	end = first + (off_t)(tokens * sizeof(use_word));
	for (at = lseek(fd, first, SEEK_DATA); at >= 0 && at < end; at = lseek(fd, at, SEEK_DATA)) {
		off_t hole = lseek(fd, at, SEEK_HOLE);

		if (hole < 0)
			break;
		if (collect(fd, first, at, hole < end ? hole : end, l, err) < 0)
			return -1;
		at = hole;
	}
	/* ENXIO: nothing but a hole behind it. */
	return at < 0 && errno != ENXIO ? err_errno(err, "can't read the last-used words") : 0;
}

int uses_clear(int fd, uint64_t tokens, struct err *err)
{
	off_t first = first_byte(fd, tokens, err);

	if (first < 0)
		return -1;
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first,
	              (off_t)(tokens * sizeof(use_word))) < 0)
		return err_errno(err, "can't clear the last-used words");
	return 0;
}
