/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_labels.c -- `{foo="bar", "quoted name"='v'}`: names bare or in quotes, `=` alone, strings in
 * double or single quotes with PromQL's escapes, or raw in backticks. One pass forward; what Loki's
 * parser would refuse is refused here, or the record would be poison.
 */
#include "proto/loki_labels.h"

enum { CHARACTER_MAX = 4, REPLACEMENT_BYTES = 3 };

/* ---- lexing ---- */

static bool is_name_byte(uint8_t c, bool first)
{
	uint8_t lower = c | 0x20;

	return (lower >= 'a' && lower <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* The number of `count` digits at p; UINT32_MAX if they are none. */
static uint32_t number(const uint8_t *p, const uint8_t *end, unsigned count, unsigned base)
{
	uint32_t v = 0;

	if ((size_t)(end - p) < count)
		return UINT32_MAX;
	for (unsigned i = 0; i < count; i++) {
		unsigned digit = (unsigned)digit_of(p[i]);

		if (digit >= base)
			return UINT32_MAX;
		v = v * base + digit;
	}
	return v;
}

static size_t utf8_put(uint8_t *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* The escape at p, a backslash: how long it is, and the bytes that it means; 0: it is none. \x and
 * octal digits mean a byte, \u and \U a character. */
static size_t escape_read(const uint8_t *p, const uint8_t *end, uint8_t quote,
                          uint8_t meant[static CHARACTER_MAX], size_t *meant_n)
{
	static const uint8_t simple[256] = {
		['a'] = '\a', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n',
		['r'] = '\r', ['t'] = '\t', ['v'] = '\v', ['\\'] = '\\'
	};
	unsigned count, base = 16;
	uint32_t v;

	*meant_n = 1;
	if (end - p < 2)
		return 0;
	meant[0] = p[1] == quote ? quote : simple[p[1]];
	if (meant[0])
		return 2;
	p++;
	switch (*p) {
	case 'x':
		count = 2;
		break;
	case 'u':
		count = 4;
		break;
	case 'U':
		count = 8;
		break;
	default:
		count = 3;
		base = 8;
	}
	v = number(p + (base == 16), end, count, base);
	if (count <= 3) {
		meant[0] = (uint8_t)v;
		return v > 0xff ? 0 : 1 + (base == 16) + count;
	}
	if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;
	*meant_n = utf8_put(meant, v);
	return 2 + count;
}

struct lexer {
	const uint8_t *p, *end;
	struct labels *out;
};

static bool fail(struct lexer *l, enum labels_error error, const uint8_t *at, const char *why)
{
	l->out->error = error;
	l->out->at = at;
	l->out->why = why;
	return false;
}

static uint8_t peek(struct lexer *l)
{
	while (l->p < l->end && is_space(*l->p))
		l->p++;
	return l->p < l->end ? *l->p : 0;
}

/* A string whose quote is at hand: its inside; *odd if it has escapes or bytes over 0x7f. */
static bool read_string(struct lexer *l, struct bytes *inside, bool *odd)
{
	const uint8_t *start = l->p, *p = start + 1;
	uint8_t quote = *start, meant[CHARACTER_MAX];
	size_t n, meant_n;

	*odd = false;
	while (p < l->end && *p != quote) {
		n = 1;
		if (*p == '\\' && quote != '`') {
			n = escape_read(p, l->end, quote, meant, &meant_n);
			if (n == 0)
				return fail(l, LABELS_SYNTAX, p, "unknown escape");
			*odd = true;
		} else if (*p == '\n' && quote != '`') {
			return fail(l, LABELS_SYNTAX, p, "a line break inside quotes");
		} else if (*p >= 0x80) {
			*odd = true;
		}
		p += n;
	}
	if (p == l->end)
		return fail(l, LABELS_SYNTAX, start, "a quote is not closed");
	*inside = bytes_of(start + 1, (size_t)(p - start - 1));
	l->p = p + 1;
	return true;
}

static bool is_quote(uint8_t c)
{
	return c == '"' || c == '\'' || c == '`';
}

/* What a name in quotes means: unescaped, U+FFFD for each broken byte. *mended: bytes of the name
 * as it will be written. */
static bool decode_name(struct lexer *l, struct label *label, uint8_t quote, size_t *mended)
{
	struct labels *out = l->out;
	const uint8_t *p = label->name.p, *end = p + label->name.n;
	uint8_t *from = out->odd + out->odd_n, *to = from;

	if (REPLACEMENT_BYTES * label->name.n > LABELS_ODD_MAX - out->odd_n)
		return fail(l, LABELS_SYNTAX, label->start, "too many escaped label names");
	while (p < end) {
		size_t n = utf8_sequence(p, (size_t)(end - p));
		uint8_t meant[CHARACTER_MAX];

		if (*p == '\\' && quote != '`') {
			p += escape_read(p, end, quote, meant, &n);
			to = mempcpy(to, meant, n);
		} else if (n) {
			to = mempcpy(to, p, n);
			p += n;
		} else {
			to = mempcpy(to, "\xef\xbf\xbd", REPLACEMENT_BYTES);
			*mended += REPLACEMENT_BYTES - 1;
			p++;
		}
	}
	label->meant = bytes_of(from, (size_t)(to - from));
	out->odd_n += label->meant.n;
	return true;
}

static bool read_name(struct lexer *l, struct label *label)
{
	uint8_t quote = peek(l);
	size_t mended;
	bool odd = false;

	label->start = l->p;
	if (is_quote(quote)) {
		if (!read_string(l, &label->name, &odd))
			return false;
	} else {
		while (l->p < l->end && is_name_byte(*l->p, l->p == label->start))
			l->p++;
		label->name = bytes_of(label->start, (size_t)(l->p - label->start));
	}
	label->meant = label->name;
	mended = label->name.n;
	if (mended == 0)
		return fail(l, LABELS_SYNTAX, label->start, "expected a label name");
	if (odd && mended <= LABEL_NAME_MAX && !decode_name(l, label, quote, &mended))
		return false;
	if (mended > LABEL_NAME_MAX)
		return fail(l, LABELS_NAME_LONG, label->start, NULL);
	return true;
}

static bool read_pair(struct lexer *l, struct label *label)
{
	struct bytes value;
	bool odd;

	if (!read_name(l, label))
		return false;
	if (peek(l) != '=')
		return fail(l, LABELS_SYNTAX, l->p, "expected '='");
	l->p++;
	if (!is_quote(peek(l)))
		return fail(l, LABELS_SYNTAX, l->p, "expected a value in quotes");
	if (!read_string(l, &value, &odd))
		return false;
	label->is_empty = value.n == 0;
	label->end = l->p;
	return true;
}

bool labels_parse(struct bytes text, struct labels *out)
{
	struct lexer l = { .p = text.p, .end = text.p + text.n, .out = out };
	struct order order;

	out->error = LABELS_OK;
	out->n = order.n = 0;
	out->odd_n = 0;
	if (peek(&l) != '{')
		return fail(&l, LABELS_SYNTAX, l.p, "expected '{'");
	l.p++;
	while (peek(&l) != '}') {
		struct label *label = &out->v[out->n];

		if (out->n == LABELS_MAX)
			return fail(&l, LABELS_MANY, l.p, NULL);
		if (!read_pair(&l, label))
			return false;
		if (!order_add(&order, label->meant))
			return fail(&l, LABELS_TWICE, label->start, NULL);
		out->n++;
		if (peek(&l) == ',')
			l.p++;
		else if (peek(&l) != '}')
			return fail(&l, LABELS_SYNTAX, l.p, "expected ',' or '}'");
	}
	l.p++;
	peek(&l);
	if (l.p < l.end)
		return fail(&l, LABELS_SYNTAX, l.p, "bytes behind '}'");
	return true;
}

/* ---- order ---- */

int label_compare(struct bytes a, struct bytes b)
{
	size_t n = min_size(a.n, b.n);
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

static uint64_t key_of(struct bytes name)
{
	uint64_t key = 0;

	if (name.n)
		memcpy(&key, name.p, min_size(name.n, sizeof(key)));
	return __builtin_bswap64(key);
}

static int order_compare(const struct order *o, unsigned a, unsigned b)
{
	if (o->keys[a] != o->keys[b])
		return o->keys[a] < o->keys[b] ? -1 : 1;
	return label_compare(o->names[a], o->names[b]);
}

bool order_add(struct order *o, struct bytes name)
{
	unsigned low = 0, high = o->n, index = o->n;
	bool is_new = true;

	assert(o->n < LABELS_MAX);
	o->names[index] = name;
	o->keys[index] = key_of(name);
	if (high > 0 && order_compare(o, o->list[high - 1], index) < 0)
		low = high;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		int d = order_compare(o, o->list[middle], index);

		if (d == 0)
			is_new = false;
		if (d <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(o->list + low + 1, o->list + low, (o->n - low) * sizeof(o->list[0]));
	o->list[low] = (uint16_t)index;
	o->n++;
	return is_new;
}

/* ---- writing ---- */

bool label_is_bare(struct bytes name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!is_name_byte(name.p[i], i == 0))
			return false;
	return name.n > 0;
}

/* The letter behind a backslash; 'x': two digits follow it; 0: the byte stands as it is. */
static uint8_t escape_of(uint8_t c)
{
	switch (c) {
	case '"':
	case '\\':
		return c;
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	}
	return c < 0x20 || c == 0x7f ? 'x' : 0;
}

size_t label_quote_growth(const uint8_t *p, size_t n)
{
	size_t growth = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t escape = escape_of(p[i]);

		growth += escape == 'x' ? 3 : escape != 0;
	}
	return growth;
}

uint8_t *label_quote(uint8_t *p, size_t n, size_t growth)
{
	uint8_t *behind = p + n + growth + 2, *to = behind;

	*--to = '"';
	for (size_t i = n; i-- > 0;) {
		uint8_t c = p[i], escape = escape_of(c);

		if (escape == 'x') {
			*--to = (uint8_t) "0123456789abcdef"[c & 15];
			*--to = (uint8_t) "0123456789abcdef"[c >> 4];
			*--to = 'x';
			*--to = '\\';
		} else if (escape) {
			*--to = escape;
			*--to = '\\';
		} else {
			*--to = c;
		}
	}
	*--to = '"';
	assert(to == p);
	return behind;
}
