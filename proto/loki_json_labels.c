/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_json_labels.c -- the labels of a stream in JSON become a label text (protocols.md 6): names
 * sorted, `, ` between pairs, values quoted and escaped. A name that comes twice is written twice,
 * so that loki.c refuses it in Loki's words.
 */
#include "proto/loki_json_private.h"
#include "proto/loki_labels.h"

struct pair {
	struct json_text name, value;
};

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

static struct bytes name_of(struct json_text name, uint8_t local[static LABEL_NAME_MAX])
{
	return name.escaped ? bytes_of(local, json_unescape(name, local)) : name.raw;
}

static int by_name(const void *all, unsigned a, unsigned b)
{
	const struct pair *v = all;
	uint8_t local_a[LABEL_NAME_MAX], local_b[LABEL_NAME_MAX];
	struct bytes na = name_of(v[a].name, local_a), nb = name_of(v[b].name, local_b);
	int d = memcmp(na.p, nb.p, min_size(na.n, nb.n));

	return d ? d : (na.n > nb.n) - (na.n < nb.n);
}

/* An empty value means no label. A name that comes twice is written twice: loki.c refuses it in
 * Loki's words. */
static bool put_labels(struct maker *m, const struct pair *pairs, const struct order *order)
{
	uint8_t *content = message_open(m, TAG_LABELS, USUAL_PREFIX);
	bool first = true;

	if (!content || !room(m, 1))
		return false;
	*m->p++ = '{';
	for (unsigned i = 0; i < order->n; i++) {
		const struct pair *pair = &pairs[order->list[i]];

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
	return message_close(m, content, USUAL_PREFIX);
}

/* Labels wait in order[] until all are seen. */
bool loki_json_labels(struct maker *m)
{
	struct pair pairs[LABELS_MAX];
	struct order order;
	bool first = true;

	if (json_peek(&m->j) != '{')
		return refuse(m, m->j.p, "expected an object of labels");
	json_open(&m->j);
	for (order.n = 0;; first = false) {
		struct pair *pair = &pairs[order.n];
		const uint8_t *at = m->j.p;

		if (order.n == LABELS_MAX) {
			if (json_peek(&m->j) != '}')
				return refuse(m, at, "more than 1024 labels");
			json_open(&m->j);
			break;
		}
		if (!json_member(&m->j, first, &pair->name))
			break;
		if (pair->name.raw.n > LABEL_NAME_MAX)
			return refuse(m, at, "a label name of more than 1024 bytes");
		if (!read_text(m, &pair->value, "the value of a label is a string"))
			return false;
		order_add(&order, order.n, true, by_name, pairs);
	}
	return !m->j.error && put_labels(m, pairs, &order);
}
