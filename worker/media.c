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

/* The next parameter, moving past it; false: the field is malformed there. name.n = 0: an absent
 * one (RFC 9110 5.6.6). Blanks around `=` are none of the RFC's, but senders write them. */
static bool take_parameter(struct bytes *s, struct bytes *name, struct bytes *value)
{
	const uint8_t *start;

	*name = *value = BYTES_NONE;
	if (!take_byte(s, ';'))
		return false;
	*s = skip_blanks(*s);
	if (!s->n || s->p[0] == ';')
		return true;
	start = s->p;
	if (!take_token(s))
		return false;
	*name = bytes_of(start, (size_t)(s->p - start));
	*s = skip_blanks(*s);
	if (!take_byte(s, '='))
		return false;
	*s = skip_blanks(*s);
	start = s->p;
	if (s->n && s->p[0] == '"') {
		if (!take_quoted(s))
			return false;
		*value = bytes_of(start + 1, (size_t)(s->p - start) - 2);
		return true;
	}
	if (!take_token(s))
		return false;
	*value = bytes_of(start, (size_t)(s->p - start));
	return true;
}

static bool take_type(struct bytes *s)
{
	return take_token(s) && take_byte(s, '/') && take_token(s);
}

bool media_parse(struct bytes field, struct bytes *type)
{
	struct bytes all = bytes_trim(field), s = all, name, value;
	size_t n;

	if (!take_type(&s))
		return false;
	n = all.n - s.n;
	while ((s = skip_blanks(s)).n)
		if (!take_parameter(&s, &name, &value))
			return false;
	*type = bytes_of(all.p, n);
	return true;
}

struct bytes media_parameter(struct bytes field, const char *wanted)
{
	struct bytes s = bytes_trim(field), name, value;

	if (!take_type(&s))
		return BYTES_NONE;
	while ((s = skip_blanks(s)).n) {
		if (!take_parameter(&s, &name, &value))
			return BYTES_NONE;
		if (bytes_eq_nocase(name, bytes_str(wanted)))
			return value;
	}
	return BYTES_NONE;
}

bool media_is(struct bytes field, const char *type)
{
	struct bytes got;

	return media_parse(field, &got) && bytes_eq_nocase(got, bytes_str(type));
}
