/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field.c -- values of COPY BINARY: big-endian, each behind its length.
 */
#include "master/field.h"

#include <endian.h>

#include "conf/values.h"

static const int64_t PG_EPOCH_US = 946684800ll * 1000000; /* 2000-01-01 UTC */

uint64_t field_take_be(struct cursor *c, size_t bytes)
{
	uint64_t v = 0;

	if (c->failed || c->left.n < bytes) {
		c->failed = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | c->left.p[i];
	c->left = bytes_from(c->left, bytes);
	return v;
}

struct field field_take(struct cursor *c)
{
	struct field f = { BYTES_NONE, false };
	uint32_t n;

	if (c->failed || c->left.n < sizeof(n)) {
		c->failed = true;
		return f;
	}
	memcpy(&n, c->left.p, sizeof(n)); /* at once: a first read has twelve million of them */
	n = be32toh(n);
	c->left = bytes_from(c->left, sizeof(n));
	f.null = n == UINT32_MAX;
	if (f.null)
		return f;
	if (n > c->left.n) {
		c->failed = true;
		return f;
	}
	f.value = bytes_of(c->left.p, n);
	c->left = bytes_from(c->left, n);
	return f;
}

bool field_bool(struct field f, bool *broken)
{
	if (f.null || f.value.n != 1 || f.value.p[0] > 1)
		*broken = true;
	return !*broken && f.value.p[0] == 1;
}

int64_t field_time(struct field f, int64_t if_null, bool *broken)
{
	struct cursor c = { f.value, false };
	int64_t us, out;

	if (f.null)
		return if_null;
	if (f.value.n != 8) {
		*broken = true;
		return if_null;
	}
	us = (int64_t)field_take_be(&c, 8);
	if (us == INT64_MAX || us == INT64_MIN)
		return us;
	return __builtin_add_overflow(us, PG_EPOCH_US, &out) ? INT64_MAX : out;
}

uint64_t field_count(struct field f, bool *broken)
{
	struct cursor c = { f.value, false };
	int64_t n = f.null ? 0 : (int64_t)field_take_be(&c, 8);

	if (c.failed || c.left.n > 0)
		*broken = true;
	return n > 0 && !*broken ? (uint64_t)n : 0;
}

uint64_t field_limit(struct field f, bool *broken)
{
	struct cursor c = { f.value, false };
	int64_t v;

	if (f.null)
		return 0;
	*broken |= f.value.n != sizeof(v);
	v = (int64_t)field_take_be(&c, sizeof(v));
	return v > 0 ? (uint64_t)v : UINT64_MAX;
}

int64_t field_seconds(int64_t us)
{
	return us == INT64_MAX ? INT64_MAX : us / 1000000 + (us % 1000000 > 0);
}

/* Dimensions, a flag, the type, then of each dimension its size and first index, then elements. */
bool field_list(struct field f, unsigned max, struct bytes *out, unsigned *count)
{
	struct cursor c = { f.value, f.null };
	uint64_t dimensions = field_take_be(&c, 4), n = 0;

	field_take_be(&c, 8);
	if (dimensions > 0) {
		n = field_take_be(&c, 4);
		field_take_be(&c, 4);
	}
	if (c.failed || dimensions > 1 || n > max)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		struct field item = field_take(&c);

		if (item.null || c.failed)
			return false;
		out[i] = item.value;
	}
	*count = (unsigned)n;
	return c.left.n == 0;
}

/* The number of its columns, then each behind its type. */
bool field_record(struct field f, unsigned columns, struct field *out)
{
	struct cursor c = { f.value, f.null };

	if (field_take_be(&c, 4) != columns)
		return false;
	for (unsigned i = 0; i < columns; i++) {
		field_take_be(&c, 4);
		out[i] = field_take(&c);
	}
	return !c.failed && c.left.n == 0;
}

unsigned field_scope(struct bytes text)
{
	static const struct bytes write = { (const uint8_t *)":write", 6 };

	if (bytes_eq(text, BYTES("*")))
		return SCOPE_ALL;
	for (enum signal s = 0; s < SIGNAL_COUNT; s++) {
		struct bytes name = bytes_str(signal_name(s));

		if (text.n == name.n + write.n && bytes_eq(bytes_of(text.p, name.n), name) &&
		    bytes_eq(bytes_from(text, name.n), write))
			return 1u << s;
	}
	return 0;
}

bool field_scopes(struct field f, unsigned *out)
{
	struct bytes words[FIELD_SCOPES_MAX];
	unsigned n = 0, scopes = 0;

	if (!field_list(f, FIELD_SCOPES_MAX, words, &n))
		return false;
	for (unsigned i = 0; i < n; i++) {
		unsigned bits = field_scope(words[i]);

		if (bits == 0)
			return false;
		scopes |= bits;
	}
	*out = scopes;
	return true;
}

static bool cidr_of(struct bytes text, struct snapshot_cidr *out)
{
	struct cidr cidr;

	if (value_cidr(text, &cidr, NULL) < 0)
		return false;
	memcpy(out->addr, cidr.addr, sizeof(out->addr));
	out->prefix = cidr.prefix;
	return true;
}

bool field_cidrs(struct field f, struct snapshot_cidr out[static FIELD_CIDRS_MAX], unsigned *count)
{
	struct bytes blocks[FIELD_CIDRS_MAX];
	unsigned n = 0;

	*count = 0;
	if (f.null)
		return true;
	if (!field_list(f, FIELD_CIDRS_MAX, blocks, &n) || n == 0)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!cidr_of(blocks[i], &out[i]))
			return false;
	*count = n;
	return true;
}
