/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_inflate.c -- libFuzzer over every content coding. The first byte picks one (or CODING in the
 * environment, by name: then it is that one alone), the rest is a body, undone as worker/inflate.c
 * does it. What must hold for any bytes:
 *   - nothing is read or written outside (each buffer is memory of its own), nothing asked for
 *     beyond the limit, and what is said before and after the first byte of output agrees;
 *   - the output needs exactly its room: one byte less is INFLATE_ROOM, never another verdict;
 *   - another decoder (zlib, libzstd's streaming one) sees the same output.
 */
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#include "proto/encoding.h"

enum { LIMIT = 256 * KIB };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

struct output {
	enum inflate_result result;
	uint8_t *p; /* malloc'ed; of INFLATE_OK */
	size_t n;
};

static struct output undo(struct inflater *inf, enum encoding e, struct bytes in, size_t room)
{
	struct output o = { .p = xcalloc(room ? room : 1, 1) };
	const char *why = NULL;

	o.result = encoding_inflate(inf, e, in, o.p, room, &o.n, &why);
	must((o.result == INFLATE_CORRUPT) == (why != NULL), "a reason if and only if corrupt");
	if (o.result == INFLATE_OK) {
		must(o.n <= room, "no more than the room");
		return o;
	}
	must(o.n == 0, "untouched on failure");
	free(o.p);
	o.p = NULL;
	return o;
}

/* As worker/inflate.c: INFLATE_ROOM is an output beyond the limit. */
static struct output undo_within(struct inflater *inf, enum encoding e, struct bytes in,
                                 size_t limit)
{
	size_t rooms[ENCODING_TRIES], tried = 0;
	struct output o = { 0 };
	const char *why = NULL;

	o.result = encoding_look(e, in, limit, rooms, &why);
	must((o.result == INFLATE_CORRUPT) == (why != NULL), "a reason if and only if corrupt");
	if (o.result != INFLATE_OK)
		return o;
	for (size_t i = 0; i < ENCODING_TRIES; i++) {
		must(rooms[i] <= limit || rooms[i] <= 64, "no room beyond the limit");
		if (rooms[i] <= tried)
			continue;
		tried = rooms[i];
		o = undo(inf, e, in, min_size(tried, limit));
		if (o.result != INFLATE_ROOM)
			break;
	}
	return o;
}

/* zlib's inflater: the whole input, into at most cap bytes. SIZE_MAX: not by zlib's rules; cap + 1:
 * more than that. window: 15, -15 (raw) or 31 (gzip). */
static size_t by_zlib(int window, struct bytes in, uint8_t *out, size_t cap)
{
	z_stream s = { .next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n };
	uint8_t more[1];
	size_t n = SIZE_MAX;
	int rc;

	must(inflateInit2(&s, window) == Z_OK, "zlib starts");
	s.next_out = out;
	s.avail_out = (uInt)cap;
	while ((rc = inflate(&s, Z_NO_FLUSH)) == Z_OK || rc == Z_BUF_ERROR ||
	       (rc == Z_STREAM_END && window == 31 && s.avail_in)) {
		if (rc == Z_STREAM_END) {
			must(inflateReset(&s) == Z_OK, "zlib starts again");
		} else if (s.avail_out == 0 && s.next_out != more + 1) {
			s.next_out = more;
			s.avail_out = 1;
		} else if (rc == Z_BUF_ERROR || s.avail_in == 0) {
			break;
		}
	}
	if (s.next_out == more + 1)
		n = cap + 1;
	else if (rc == Z_STREAM_END && s.avail_in == 0)
		n = s.next_out == more ? cap : (size_t)(s.next_out - out);
	inflateEnd(&s);
	return n;
}

/* libzstd's streaming decoder, as above. */
static size_t by_stream(struct bytes in, uint8_t *out, size_t cap)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();
	ZSTD_inBuffer from = { in.p, in.n, 0 };
	ZSTD_outBuffer to = { out, cap, 0 };
	size_t hint = 1;

	while (!ZSTD_isError(hint) && from.pos < in.n) {
		size_t before = from.pos + to.pos;

		hint = ZSTD_decompressStream(d, &to, &from);
		if (from.pos + to.pos == before)
			break;
	}
	ZSTD_freeDCtx(d);
	return hint == 0 && from.pos == in.n ? to.pos : SIZE_MAX;
}

static void compare(enum encoding e, struct bytes in, const struct output *o)
{
	uint8_t *out = xcalloc(LIMIT, 1);
	size_t n = SIZE_MAX;

	if (e == ENCODING_ZSTD) {
		n = by_stream(in, out, LIMIT);
		/* one pass does not see which block gave how much, but the sum */
		must(o->result != INFLATE_OK || n != SIZE_MAX || o->n > 128 * KIB,
		     "libzstd's stream accepts it too");
		/* it also takes larger windows and blocks, and formats before 1.0 */
		if (o->result != INFLATE_OK)
			n = SIZE_MAX;
	} else if (e != ENCODING_SNAPPY) {
		n = by_zlib(e == ENCODING_GZIP ? 31 : 15, in, out, LIMIT);
		if (n == SIZE_MAX && e == ENCODING_DEFLATE &&
		    (in.p[0] & 15) != 8) /* raw for sure */
			n = by_zlib(-15, in, out, LIMIT);
	}
	/* libdeflate accepts some codes that zlib does not */
	if (n == LIMIT + 1) {
		/* libdeflate may have seen first that it is cut off */
		must(o->result != INFLATE_OK, "what is too large to another decoder is refused");
	} else if (n != SIZE_MAX) {
		must(o->result == INFLATE_OK, "what another decoder accepts is accepted");
		must(o->n == n && memcmp(o->p, out, n) == 0, "both outputs are one");
	}
	free(out);
}

/* The verdict hangs on nothing but whether there is room. */
static void squeeze(struct inflater *inf, enum encoding e, struct bytes in, const struct output *o)
{
	struct output exact = undo(inf, e, in, o->n), within = undo_within(inf, e, in, o->n);

	must(exact.result == INFLATE_OK && exact.n == o->n, "it fits exactly");
	must(within.result == INFLATE_OK && within.n == o->n, "a limit that is met is none");
	free(exact.p);
	free(within.p);
	if (o->n == 0)
		return;
	exact = undo(inf, e, in, o->n - 1);
	within = undo_within(inf, e, in, o->n - 1);
	must(exact.result == INFLATE_ROOM, "one byte less is no room");
	must(within.result == INFLATE_ROOM, "one byte less is beyond the limit");
}

static enum encoding coding_of(uint8_t first)
{
	const char *wanted = getenv("CODING");

	for (unsigned e = ENCODING_GZIP; wanted && e < ENCODING_COUNT; e++)
		if (strcmp(encoding_name((enum encoding)e), wanted) == 0)
			return (enum encoding)e;
	must(!wanted, "CODING names a content coding");
	return (enum encoding)(ENCODING_GZIP + first % (ENCODING_COUNT - ENCODING_GZIP));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct inflater *inf;
	struct output o;
	enum encoding e;
	uint8_t *exact;
	struct bytes in;

	if (n == 0)
		return 0;
	e = coding_of(data[0]);
	exact = xcalloc(n > 1 ? n - 1 : 1, 1); /* no byte beyond */
	memcpy(exact, data + 1, n - 1);
	in = bytes_of(exact, n - 1);
	inf = inflater_open();
	o = undo_within(inf, e, in, LIMIT);
	if (o.result == INFLATE_OK)
		squeeze(inf, e, in, &o);
	if (in.n)
		compare(e, in, &o);
	free(o.p);
	inflater_close(inf);
	free(exact);
	return 0;
}
