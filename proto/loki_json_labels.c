/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_json_labels.c -- the labels of a stream in JSON become a label text (protocols.md 6): names
 * sorted, `, ` between pairs, values quoted and escaped. A name that comes twice is written twice,
 * so that loki.c refuses it in Loki's words.
 */
#include "proto/loki_json_private.h"

enum { REPLACEMENT_BYTES = 3 };

/* name="value": a bare name stays as it is, all else is quoted. */
static bool put_quoted(struct maker *m, struct json_text text, bool may_be_bare)
{
	size_t n, growth;

	if (!room(m, text.raw.n))
		return false;
	n = json_unescape(text, m->p);
	if (may_be_bare && label_is_bare(bytes_of(m->p, n))) {
		m->p += n;
		return true;
	}
	growth = label_quote_growth(m->p, n);
	if (!room(m, n + growth + 2))
		return false;
	m->p = label_quote(m->p, n, growth);
	return true;
}

/* An empty value means no label. A name that comes twice is written twice: loki.c refuses it in
 * Loki's words. */
static bool put_text(struct maker *m, const struct pairs *pairs)
{
	bool first = true;

	if (!room(m, 1))
		return false;
	*m->p++ = '{';
	for (unsigned i = 0; i < pairs->order.n; i++) {
		const struct pair *pair = &pairs->v[pairs->order.list[i]];

		if (!pair->value.raw.n)
			continue;
		if (!room(m, 2))
			return false;
		if (!first)
			m->p = mempcpy(m->p, ", ", 2);
		first = false;
		if (!put_quoted(m, pair->name, true) || !room(m, 1))
			return false;
		*m->p++ = '=';
		if (!put_quoted(m, pair->value, false))
			return false;
	}
	if (!room(m, 1))
		return false;
	*m->p++ = '}';
	return true;
}

uint8_t *loki_json_labels_write(const struct pairs *pairs, uint8_t *text, size_t cap)
{
	struct maker m = { .p = text, .end = text + cap };

	return put_text(&m, pairs) ? m.p : NULL;
}

/* U+FFFD for each broken byte. */
static size_t mend(struct bytes text, uint8_t *out)
{
	uint8_t *to = out;

	for (size_t i = 0; i < text.n;) {
		size_t n = utf8_sequence(text.p + i, text.n - i);

		to = n ? mempcpy(to, text.p + i, n)
		       : mempcpy(to, "\xef\xbf\xbd", REPLACEMENT_BYTES);
		i += n ? n : 1;
	}
	return (size_t)(to - out);
}

/* Unescaped and mended once, however often it is compared. */
static bool take_name(struct maker *m, struct pairs *pairs, struct json_text name,
                      const uint8_t *at, struct bytes *meant)
{
	uint8_t *odd = pairs->odd + pairs->odd_n;
	size_t left = LABELS_ODD_MAX - pairs->odd_n;

	*meant = name.raw;
	if (name.escaped) {
		if (name.raw.n > left)
			return refuse(m, at, "too many escaped label names");
		*meant = bytes_of(odd, json_unescape(name, odd));
		odd += meant->n;
		left -= meant->n;
	}
	if (!bytes_is_utf8(*meant)) {
		if (REPLACEMENT_BYTES * meant->n > left)
			return refuse(m, at, "too many escaped label names");
		*meant = bytes_of(odd, mend(*meant, odd));
		odd += meant->n;
	}
	pairs->odd_n = (size_t)(odd - pairs->odd);
	if (meant->n > LABEL_NAME_MAX)
		return refuse(m, at, "a label name of more than 1024 bytes");
	return true;
}

static bool read_pairs(struct maker *m, struct pairs *pairs)
{
	struct order *order = &pairs->order;
	struct json_splice splice;
	bool first = true;

	if (json_peek(&m->j) != '{')
		return refuse(m, m->j.p, "expected an object of labels");
	json_open(&m->j);
	if (m->keep)
		splice = json_splice_of(m->keep->out->edits, m->j.start, m->j.p);
	order->n = 0;
	pairs->odd_n = 0;
	for (;; first = false) {
		struct pair *pair = &pairs->v[order->n];
		const uint8_t *at = m->j.p;
		struct bytes meant;
		uint64_t mended;

		if (order->n == LABELS_MAX) {
			if (json_peek(&m->j) != '}')
				return refuse(m, at, "more than 256 labels");
			json_open(&m->j);
			break;
		}
		if (!json_member(&m->j, first, &pair->name))
			break;
		mended = m->j.mended;
		if (m->keep)
			json_splice_begin(&splice, pair->name.raw.p - 1);
		if (!take_name(m, pairs, pair->name, at, &meant) ||
		    !read_text(m, &pair->value, "the value of a label is a string"))
			return false;
		if (m->keep)
			loki_json_keep_pair(m, &splice, pair->name, mended, true);
		order_add(order, meant);
	}
	if (m->keep && !m->j.error)
		loki_json_keep_pairs_end(m, &splice, true);
	return !m->j.error;
}

/* The pairs wait until all are seen. */
bool loki_json_labels(struct maker *m)
{
	struct pairs pairs; /* large: written as far as it is used */
	uint8_t *content;

	if (m->keep)
		return read_pairs(m, &m->keep->pairs);
	if (!read_pairs(m, &pairs))
		return false;
	content = message_open(m, TAG_LABELS, USUAL_PREFIX);
	return content && put_text(m, &pairs) && message_close(m, content, USUAL_PREFIX);
}
