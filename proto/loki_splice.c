/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_splice.c -- see loki_splice.h. The rest of the text stays byte for byte: blanks, order,
 * quotes, a comma at the end.
 */
#include "proto/loki_splice.h"

#include "common/buf.h"

enum { SEPARATOR_BYTES = 2 }; /* `, ` */

/* An id needs no escape anywhere (records.md 1.2), nor do the bytes that a stamp's name may have.
 */
size_t splice_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	const char *quote = label_is_bare(name) ? "" : "\"";
	struct buf b;

	buf_init_fixed(&b, out, cap);
	buf_printf(&b, ", %s", quote);
	buf_bytes(&b, name);
	buf_printf(&b, "%s=\"", quote);
	buf_bytes(&b, tenant_id);
	buf_str(&b, "\", ");
	return b.failed ? 0 : b.n;
}

static struct bytes stamp_part(struct bytes s, bool before, bool behind)
{
	size_t from = before ? 0 : SEPARATOR_BYTES, to = s.n - (behind ? 0 : SEPARATOR_BYTES);

	return bytes_of(s.p + from, to - from);
}

/* The pair is left out with the separator that it does not need any more. */
static struct cut pair_cut(const struct labels *labels, unsigned i)
{
	const struct label *v = labels->v;
	const uint8_t *from = v[i].start, *to = v[i].end;

	if (i + 1 < labels->n)
		to = v[i + 1].start;
	else if (i > 0)
		from = v[i - 1].end;
	return (struct cut){ .at = from, .del = (size_t)(to - from) };
}

unsigned splice_own(const struct labels *labels, struct bytes name)
{
	unsigned own = 0;

	while (own < labels->n && !bytes_eq(labels->v[own].meant, name))
		own++;
	return own;
}

unsigned splice_without(const struct labels *labels, unsigned own,
                        struct cut cuts[static SPLICE_MAX])
{
	if (own == labels->n)
		return 0;
	cuts[0] = pair_cut(labels, own);
	return 1;
}

unsigned splice(const struct labels *labels, unsigned own, struct bytes name, struct bytes stamp,
                struct cut cuts[static SPLICE_MAX])
{
	const struct label *v = labels->v;
	unsigned n = labels->n, i = 0;
	struct cut insert, gone;

	while (i < n && (i == own || label_compare(v[i].meant, name) < 0))
		i++;
	if (own < n && i == own + 1) { /* it goes where the other one was */
		cuts[0] = (struct cut){ v[own].start, (size_t)(v[own].end - v[own].start),
			                stamp_part(stamp, false, false) };
		return 1;
	}
	if (i < n)
		insert = (struct cut){ v[i].start, 0, stamp_part(stamp, false, true) };
	else
		insert = (struct cut){ v[n - 1].end, 0, stamp_part(stamp, true, false) };
	cuts[0] = insert;
	if (own == n)
		return 1;
	gone = pair_cut(labels, own);
	cuts[0] = gone.at < insert.at ? gone : insert;
	cuts[1] = gone.at < insert.at ? insert : gone;
	return 2;
}
