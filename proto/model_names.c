/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_names.c -- does a member come twice? Where a model declares the columns a bit set tells;
 * where it does not, the names of an open object are kept in the scratch until it closes. Few are
 * compared each with each; many are sorted, in place, by a print of them.
 */
#include "proto/model_private.h"

enum {
	FEW = 32,
	CELLS_FIRST = 256,
};

size_t model_cells_push(struct model_pass *m, size_t n)
{
	size_t first = m->cell_n;

	if (unlikely(n > m->cell_cap - m->cell_n)) {
		size_t cap = max_size(2 * m->cell_cap, m->cell_n + n);

		cap = max_size(cap, CELLS_FIRST);
		m->cells = scratch_room(m->in->scratch, cap * sizeof(*m->cells));
		m->cell_cap = m->in->scratch->bytes / sizeof(*m->cells);
	}
	if (n)
		memset(m->cells + first, 0, n * sizeof(*m->cells));
	m->cell_n += n;
	return first;
}

/* ---- texts ---- */

static bool is_high_surrogate(const uint8_t *escape)
{
	return (escape[2] | 0x20) == 'd' &&
	       (escape[3] == '8' || escape[3] == '9' || (escape[3] | 0x20) == 'a' ||
	        (escape[3] | 0x20) == 'b');
}

int text_next(struct text_reader *r)
{
	struct json_text escape = { .escaped = true };

	if (r->at < r->n)
		return r->ready[r->at++];
	if (r->p == r->end)
		return -1;
	if (!r->escaped || *r->p != '\\')
		return *r->p++;
	/* the scanner has let nothing else pass */
	escape.raw = bytes_of(r->p, r->p[1] != 'u' ? 2 : is_high_surrogate(r->p) ? 12 : 6);
	r->n = (uint8_t)json_unescape(escape, r->ready);
	r->at = 1;
	r->p += escape.raw.n;
	return r->ready[0];
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	unsigned __int128 product = (unsigned __int128)(h ^ word) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of what the name means, and of a moment that no client knows: else names could be picked that
 * only a look at all their bytes tells apart. */
static uint32_t print_of(const struct model_pass *m, struct json_text name)
{
	uint64_t h = mix(UINT64_C(0x2545f4914f6cdd1d), (uint64_t)m->in->received), word = 0;
	const uint8_t *p = name.raw.p;
	size_t n = name.raw.n, i = 0;

	if (likely(!name.escaped)) {
		for (; n - i >= 8; i += 8) {
			memcpy(&word, p + i, 8);
			h = mix(h, word);
		}
		word = 0;
		memcpy(&word, p + i, n - i);
	} else {
		struct text_reader r = text_reader_of(name);

		n = 0;
		for (int c; (c = text_next(&r)) >= 0; n++) {
			if (n && n % 8 == 0) {
				h = mix(h, word);
				word = 0;
			}
			((uint8_t *)&word)[n % 8] = (uint8_t)c;
		}
		if (n && n % 8 == 0) {
			h = mix(h, word);
			word = 0;
		}
	}
	return (uint32_t)(mix(mix(h, word), n) >> 32);
}

static struct json_text text_of(const struct model_name *a)
{
	return (struct json_text){ bytes_of(a->p, a->n), a->escaped };
}

static int compare_texts(const struct model_name *a, const struct model_name *b)
{
	struct text_reader x = text_reader_of(text_of(a)), y = text_reader_of(text_of(b));
	int c, d;

	if (!a->escaped && !b->escaped) {
		int order = memcmp(a->p, b->p, min_size(a->n, b->n));

		return order ? order : (a->n > b->n) - (a->n < b->n);
	}
	do {
		c = text_next(&x);
		d = text_next(&y);
	} while (c == d && c >= 0);
	return c - d;
}

static int compare(const struct model_name *a, const struct model_name *b)
{
	if (likely(a->print != b->print))
		return a->print < b->print ? -1 : 1;
	return compare_texts(a, b);
}

/* ---- the names of an object ---- */

bool model_name_add(struct model_pass *m, struct json_text name)
{
	size_t at;

	if (m->name_n == MEMBERS_MAX)
		return false;
	m->name_n++;
	at = model_cells_push(m, 1);
	m->cells[at].name = (struct model_name){
		.p = name.raw.p,
		.n = (uint32_t)name.raw.n & 0x7fffffff,
		.escaped = name.escaped,
		.print = print_of(m, name),
	};
	return true;
}

/* The heap below `at` gets its order back: v[at] sinks to where it belongs. */
static void sink(union model_cell *v, size_t at, size_t n)
{
	union model_cell moving = v[at];

	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && compare(&v[child].name, &v[child + 1].name) < 0)
			child++;
		if (compare(&moving.name, &v[child].name) >= 0)
			break;
		v[at] = v[child];
	}
	v[at] = moving;
}

/* Heapsort: no memory, no recursion, n log n whatever the names are. */
static void sort(union model_cell *v, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sink(v, i, n);
	while (n > 1) {
		union model_cell last = v[--n];

		v[n] = v[0];
		v[0] = last;
		sink(v, 0, n);
	}
}

bool model_names_differ(struct model_pass *m, size_t first, struct json_text *twice)
{
	union model_cell *v = m->cells + first;
	size_t n = m->cell_n - first;

	m->name_n -= n;
	if (n > FEW) {
		sort(v, n);
		for (size_t i = 1; i < n; i++)
			if (compare(&v[i - 1].name, &v[i].name) == 0) {
				*twice = text_of(&v[i].name);
				return false;
			}
		return true;
	}
	for (size_t i = 1; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (unlikely(v[i].name.print == v[k].name.print) &&
			    compare_texts(&v[i].name, &v[k].name) == 0) {
				*twice = text_of(&v[i].name);
				return false;
			}
	return true;
}
