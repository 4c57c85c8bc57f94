/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_value.c -- is this scalar a value of that type (compatibility.md 5)? What is accepted is
 * written as it came, but for strings that stand for numbers: those become numbers. A value that
 * passes here is one that the consumer's own parser takes: nothing is accepted because it is nearly
 * right. Brackets are model.c's.
 */
#include "proto/model_form.h"
#include "proto/model_private.h"

struct bytes model_meant(struct json_text text, uint8_t local[static SHORT_TEXT])
{
	if (!text.escaped)
		return text.raw;
	if (text.raw.n > SHORT_TEXT)
		return BYTES_NONE;
	return bytes_of(local, json_unescape(text, local));
}

/* ---- integers ---- */

static const struct range { /* largest magnitudes, without a sign */
	unsigned bits;
	const char *of_unsigned, *of_signed, *below_zero;
} ranges[] = {
	/* clang-format off */
	{ 8,   "255", "127", "128" },
	{ 16,  "65535", "32767", "32768" },
	{ 32,  "4294967295", "2147483647", "2147483648" },
	{ 64,  "18446744073709551615", "9223372036854775807", "9223372036854775808" },
	{ 128, "340282366920938463463374607431768211455",
	       "170141183460469231731687303715884105727",
	       "170141183460469231731687303715884105728" },
	{ 256, "115792089237316195423570985008687907853269984665640564039457584007913129639935",
	       "57896044618658097711785492504343953926634992332820282019728792003956564819967",
	       "57896044618658097711785492504343953926634992332820282019728792003956564819968" },
	/* clang-format on */
};

/* An integer, by its digits. */
static bool in_range(const struct model_type *t, struct bytes b)
{
	bool negative = b.p[0] == '-';
	const struct range *r = ranges;
	struct bytes most;

	while (r->bits != t->bits)
		r++;
	if (negative && !t->is_signed)
		return false;
	most = bytes_str(negative ? r->below_zero : t->is_signed ? r->of_signed : r->of_unsigned);
	b = bytes_from(b, negative);
	return b.n < most.n || (b.n == most.n && memcmp(b.p, most.p, b.n) <= 0);
}

/* ---- strings ---- */

static bool keep_string(struct model_pass *m)
{
	model_emit(m, m->text.raw.p - 1, m->text.raw.n + 2);
	return true;
}

static bool refuse_format(struct model_pass *m, const char *what)
{
	m->why_what = what;
	return model_refuse(m, WHY_FORMAT, NULL);
}

static bool write_number(struct model_pass *m, struct bytes b)
{
	model_put(m, b.p, b.n);
	return true;
}

static bool fixed_string(struct model_pass *m, const struct model_type *t)
{
	struct text_reader r = text_reader_of(m->text);
	uint64_t n = 0;

	if (!m->text.escaped)
		n = m->text.raw.n;
	else
		while (text_next(&r) >= 0)
			n++;
	m->why_n = n;
	return n <= t->n ? keep_string(m) : model_refuse(m, WHY_LENGTH, t);
}

bool model_string(struct model_pass *m, const struct model_type *t)
{
	uint8_t local[SHORT_TEXT], odd[FORM_FLOAT_MAX];
	struct bytes b;

	if (t->kind == MODEL_STRING)
		return keep_string(m);
	if (t->kind == MODEL_FIXED_STRING)
		return fixed_string(m, t);
	b = model_meant(m->text, local);
	switch (t->kind) {
	case MODEL_INT:
		if (form_is_integer(b) && in_range(t, b))
			return write_number(m, b);
		break;
	case MODEL_FLOAT:
		b = form_float_of(b, odd);
		if (b.n)
			return write_number(m, b);
		break;
	case MODEL_DECIMAL:
		return form_is_decimal(b) ? keep_string(m) : refuse_format(m, "decimal");
	case MODEL_DATE_TIME:
		return form_is_date_time(b) ? keep_string(m) : refuse_format(m, "date");
	case MODEL_DATE:
		return form_is_date(b) ? keep_string(m) : refuse_format(m, "date");
	case MODEL_IPV4:
		return form_is_ipv4(b) ? keep_string(m) : refuse_format(m, "IPv4");
	case MODEL_IPV6:
		return form_is_ipv6(b) ? keep_string(m) : refuse_format(m, "IPv6");
	case MODEL_UUID:
		if (form_is_uuid(b))
			return keep_string(m);
		break;
	case MODEL_ENUM:
		if (m->text.raw.n && !b.n)
			return model_refuse(m, WHY_ENUM, t); /* longer than any */
		return model_choice_has_text(t, b) ? keep_string(m) : model_refuse(m, WHY_ENUM, t);
	case MODEL_STRING:
	case MODEL_FIXED_STRING:
	case MODEL_BOOLEAN:
	case MODEL_BIG_INT:
	case MODEL_BYTES:
	case MODEL_JSON:
	case MODEL_ARRAY:
	case MODEL_MAP:
	case MODEL_NESTED:
	case MODEL_GEO:
		break;
	}
	return model_refuse(m, WHY_TYPE, t);
}

/* ---- numbers ---- */

static bool keep_number(struct model_pass *m)
{
	model_emit(m, m->number.p, m->number.n);
	return true;
}

static bool integer(struct model_pass *m, const struct model_type *t)
{
	if (!form_is_integer(m->number)) /* a fraction or an exponent: readers stop there */
		return model_refuse(m, WHY_RANGE, t);
	if (m->number.p[0] == '-' && !t->is_signed) {
		if (!bytes_eq(m->number, BYTES("-0")))
			return model_refuse(m, WHY_NEGATIVE, t);
		model_emit(m, m->number.p + 1, 1); /* readers of these want no sign */
		return true;
	}
	return in_range(t, m->number) ? keep_number(m) : model_refuse(m, WHY_RANGE, t);
}

static bool choice(struct model_pass *m, const struct model_type *t)
{
	uint64_t magnitude;
	bool negative;

	if (!form_is_integer(m->number))
		return model_refuse(m, WHY_TYPE, t);
	if (!json_to_integer(m->number, &negative, &magnitude) || magnitude > INT32_MAX)
		return model_refuse(m, WHY_ENUM, t); /* larger than any */
	return model_choice_has_number(t, negative ? -(int64_t)magnitude : (int64_t)magnitude)
	               ? keep_number(m)
	               : model_refuse(m, WHY_ENUM, t);
}

bool model_number(struct model_pass *m, const struct model_type *t)
{
	switch (t->kind) {
	case MODEL_INT:
		return integer(m, t);
	case MODEL_FLOAT:
	case MODEL_DECIMAL:
		return keep_number(m);
	case MODEL_BIG_INT:
		if (form_is_integer(m->number))
			return keep_number(m);
		break;
	case MODEL_ENUM:
		return choice(m, t);
	case MODEL_BOOLEAN:
	case MODEL_STRING:
	case MODEL_FIXED_STRING:
	case MODEL_BYTES:
	case MODEL_DATE_TIME:
	case MODEL_DATE:
	case MODEL_UUID:
	case MODEL_IPV4:
	case MODEL_IPV6:
	case MODEL_JSON:
	case MODEL_ARRAY:
	case MODEL_MAP:
	case MODEL_NESTED:
	case MODEL_GEO:
		break;
	}
	return model_refuse(m, WHY_TYPE, t);
}

/* ---- keys of maps ---- */

/* Where the name ends is where a reader has come to. */
static bool refuse_key(struct model_pass *m, enum model_why why, const struct model_type *t,
                       struct json_text name)
{
	m->why_text = name;
	model_refuse(m, why, t);
	m->why_at = name.raw.p + name.raw.n + 1;
	return false;
}

static bool refuse_key_form(struct model_pass *m, const char *what, struct json_text name)
{
	m->why_what = what;
	return refuse_key(m, WHY_KEY, NULL, name);
}

static bool integer_key(struct model_pass *m, const struct model_type *t, struct json_text name,
                        struct bytes b)
{
	if (!form_is_integer(b))
		return refuse_key_form(m, "integer", name);
	if (b.p[0] == '-' && !t->is_signed)
		return refuse_key(m, WHY_KEY_SIGN, t, name);
	return in_range(t, b) || refuse_key(m, WHY_KEY_RANGE, t, name);
}

bool model_key(struct model_pass *m, const struct model_type *t, struct json_text name)
{
	uint8_t local[SHORT_TEXT];
	struct bytes b;

	if (t->kind == MODEL_STRING)
		return true;
	b = model_meant(name, local);
	if (t->kind == MODEL_INT)
		return integer_key(m, t, name, b);
	if (t->kind == MODEL_FLOAT)
		return form_is_float(b) || refuse_key_form(m, "float", name);
	if (t->kind == MODEL_IPV4)
		return form_is_ipv4(b) || refuse_key_form(m, "IPv4", name);
	if (t->kind == MODEL_IPV6)
		return form_is_ipv6(b) || refuse_key_form(m, "IPv6", name);
	assert(t->kind == MODEL_UUID); /* model_type.c lets no other be a key */
	return form_is_uuid(b) || refuse_key_form(m, "UUID", name);
}
