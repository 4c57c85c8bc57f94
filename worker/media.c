/* SPDX-License-Identifier: Apache-2.0 */
/*
 * media.c -- one pass over a Content-Type field; a cursor that only moves forward.
 */
#include "worker/media.h"

static bool is_token_byte(uint8_t c)
{
	bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

	return alnum || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static struct bytes skip_blanks(struct bytes s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = bytes_from(s, 1);
	return s;
}

/* Moves past a token; false if there is none. */
static bool take_token(struct bytes *s)
{
	size_t n = 0;

	while (n < s->n && is_token_byte(s->p[n]))
		n++;
	*s = bytes_from(*s, n);
	return n > 0;
}

static bool take_quoted(struct bytes *s)
{
	for (size_t n = 1; n < s->n; n++) {
		if (s->p[n] == '"') {
			*s = bytes_from(*s, n + 1);
			return true;
		}
		n += s->p[n] == '\\';
	}
	return false;
}

static bool take_byte(struct bytes *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	*s = bytes_from(*s, 1);
	return true;
}

bool media_parse(struct bytes field, struct bytes *type)
{
	struct bytes all = bytes_trim(field), s = all;
	size_t n;

	if (!take_token(&s) || !take_byte(&s, '/') || !take_token(&s))
		return false;
	n = all.n - s.n;
	while ((s = skip_blanks(s)).n) {
		if (!take_byte(&s, ';'))
			return false;
		s = skip_blanks(s);
		if (!s.n || s.p[0] == ';')
			continue; /* RFC 9110 5.6.6: a parameter may be absent */
		if (!take_token(&s) || !take_byte(&s, '='))
			return false;
		if (!(s.n && s.p[0] == '"' ? take_quoted(&s) : take_token(&s)))
			return false;
	}
	*type = bytes_of(all.p, n);
	return true;
}

bool media_is(struct bytes field, const char *type)
{
	struct bytes got;

	return media_parse(field, &got) && bytes_eq_nocase(got, bytes_str(type));
}
