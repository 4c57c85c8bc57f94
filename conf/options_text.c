/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options_text.c -- values of options back to text, compared, and what is allowed in words.
 */
#include "conf/options.h"

#include <stdio.h>

#include "conf/values.h"

static void number_text(const struct option *o, uint64_t v, struct buf *out)
{
	char text[32];

	if (o->type == OPT_MSEC)
		value_msec_text((msec_t)v, text, sizeof(text));
	else if (o->type == OPT_USEC)
		value_usec_text(v, text, sizeof(text));
	else if (o->type == OPT_SIZE || o->type == OPT_RATE)
		value_size_text(v, text, sizeof(text));
	else if (o->type == OPT_COUNT_AUTO && v == 0)
		snprintf(text, sizeof(text), "auto");
	else
		snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	buf_str(out, text);
	if (o->type == OPT_RATE || o->type == OPT_COUNT_RATE)
		buf_str(out, v ? "/s" : "");
	else if (o->type == OPT_PERCENT)
		buf_char(out, '%');
}

static void enum_text(const struct option *o, const void *member, struct buf *out)
{
	struct bytes word = BYTES_NONE;
	unsigned index;

	memcpy(&index, member, sizeof(index));
	if (option_word(o, index, &word))
		buf_bytes(out, word);
}

void option_text(const struct option *o, const void *base, struct buf *out)
{
	const void *member = option_member_const(o, base);
	uint64_t number;
	bool yes;

	switch (o->type) {
	case OPT_COUNT:
	case OPT_COUNT_AUTO:
	case OPT_MSEC:
	case OPT_USEC:
	case OPT_SIZE:
	case OPT_RATE:
	case OPT_COUNT_RATE:
	case OPT_PERCENT:
		memcpy(&number, member, sizeof(number));
		number_text(o, number, out);
		return;
	case OPT_BOOL:
		memcpy(&yes, member, sizeof(yes));
		buf_str(out, yes ? "true" : "false");
		return;
	case OPT_ENUM:
		enum_text(o, member, out);
		return;
	case OPT_TEXT:
		buf_str(out, *(const char *const *)member);
		return;
	case OPT_FILE_PUBLIC:
	case OPT_FILE_SECRET:
	case OPT_FILE_PATH:
		buf_str(out, ((const struct conf_file *)member)->path);
		return;
	case OPT_FILES:
		buf_str(out, ((const struct conf_files *)member)->path);
		return;
	case OPT_LIST:
	case OPT_LIST_ANY:
	case OPT_LISTS:
	case OPT_PAIRS:
	case OPT_TLS:
	case OPT_MAPS:
	case OPT_INCLUDE:
		break;
	}
	assert(!"not a value of one text");
}

/* ---- comparison ---- */

static bool file_same(const struct conf_file *a, const struct conf_file *b)
{
	return strcmp(a->path, b->path) == 0 && bytes_eq(a->content, b->content);
}

static bool files_same(const struct conf_files *a, const struct conf_files *b)
{
	for (size_t i = 0; i < min_size(a->n, b->n); i++)
		if (!file_same(&a->v[i], &b->v[i]))
			return false;
	return a->n == b->n && strcmp(a->path, b->path) == 0;
}

static bool list_same(const struct conf_list *a, const struct conf_list *b)
{
	for (size_t i = 0; i < min_size(a->n, b->n); i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return a->n == b->n;
}

static bool lists_same(const struct conf_lists *a, const struct conf_lists *b)
{
	for (size_t i = 0; i < min_size(a->n, b->n); i++)
		if (strcmp(a->v[i].key, b->v[i].key) != 0 ||
		    !list_same(&a->v[i].list, &b->v[i].list))
			return false;
	return a->n == b->n;
}

static bool pairs_same(const struct conf_pairs *a, const struct conf_pairs *b)
{
	for (size_t i = 0; i < min_size(a->n, b->n); i++)
		if (strcmp(a->v[i].key, b->v[i].key) != 0 ||
		    strcmp(a->v[i].value, b->v[i].value) != 0)
			return false;
	return a->n == b->n;
}

static bool tls_same(const struct tls_conf *a, const struct tls_conf *b)
{
	for (size_t i = 0; i < min_size(a->pairs.n, b->pairs.n); i++)
		if (!file_same(&a->pairs.v[i].cert_file, &b->pairs.v[i].cert_file) ||
		    !file_same(&a->pairs.v[i].key_file, &b->pairs.v[i].key_file))
			return false;
	return a->pairs.n == b->pairs.n && a->min_version == b->min_version;
}

/* Recursion ends here: an element holds no list of maps. */
static bool maps_same(const struct option *o, const void *a, const void *b)
{
	const struct option_maps *kind = option_maps_of(o);
	struct maps ma = maps_get(o, a), mb = maps_get(o, b);

	for (size_t i = 0; i < min_size(ma.n, mb.n); i++)
		for (size_t k = 0; k < kind->table->n; k++)
			if (!option_same(&kind->table->v[k], maps_at(kind, ma, i),
			                 maps_at(kind, mb, i)))
				return false;
	return ma.n == mb.n;
}

bool option_same(const struct option *o, const void *a, const void *b)
{
	const void *ma = option_member_const(o, a), *mb = option_member_const(o, b);

	switch (o->type) {
	case OPT_COUNT:
	case OPT_COUNT_AUTO:
	case OPT_MSEC:
	case OPT_USEC:
	case OPT_SIZE:
	case OPT_RATE:
	case OPT_COUNT_RATE:
	case OPT_PERCENT:
		return memcmp(ma, mb, sizeof(uint64_t)) == 0;
	case OPT_BOOL:
		return *(const bool *)ma == *(const bool *)mb;
	case OPT_ENUM:
		return memcmp(ma, mb, sizeof(unsigned)) == 0;
	case OPT_TEXT:
		return strcmp(*(const char *const *)ma, *(const char *const *)mb) == 0;
	case OPT_FILE_PUBLIC:
	case OPT_FILE_SECRET:
	case OPT_FILE_PATH:
		return file_same(ma, mb);
	case OPT_FILES:
		return files_same(ma, mb);
	case OPT_LIST:
	case OPT_LIST_ANY:
		return list_same(ma, mb);
	case OPT_LISTS:
		return lists_same(ma, mb);
	case OPT_PAIRS:
		return pairs_same(ma, mb);
	case OPT_TLS:
		return tls_same(ma, mb);
	case OPT_MAPS:
		return maps_same(o, a, b);
	case OPT_INCLUDE:
		break;
	}
	return true;
}

void option_range(const struct option *o, struct buf *out)
{
	struct bytes word;

	switch (o->type) {
	case OPT_COUNT:
	case OPT_COUNT_AUTO:
	case OPT_MSEC:
	case OPT_USEC:
	case OPT_SIZE:
	case OPT_RATE:
	case OPT_COUNT_RATE:
	case OPT_PERCENT:
		buf_printf(out, "%s..%s%s", o->min, o->max,
		           o->type == OPT_COUNT_AUTO ? ", or auto" : "");
		return;
	case OPT_BOOL:
		buf_str(out, "true, false");
		return;
	case OPT_ENUM:
		for (unsigned i = 0, n = 0; option_word(o, i, &word); i++) {
			if (!word.n)
				continue;
			buf_str(out, n++ ? ", " : "");
			buf_bytes(out, word);
		}
		return;
	case OPT_TEXT:
		buf_printf(out, "%s..%s bytes", o->min, o->max);
		if (*o->words && !option_has_lines(o))
			buf_printf(out, " of [%s]", o->words);
		return;
	case OPT_LIST:
		buf_printf(out, "a list of %s..%s texts", o->min, o->max);
		return;
	case OPT_LIST_ANY:
		buf_printf(out, "a list of %s..%s texts, or any", o->min, o->max);
		return;
	case OPT_LISTS:
		buf_printf(out, "a map of lists of %s..%s texts", o->min, o->max);
		return;
	case OPT_FILE_PUBLIC:
	case OPT_FILE_SECRET:
	case OPT_FILE_PATH:
		buf_str(out, "an absolute path");
		return;
	case OPT_FILES:
		buf_str(out, "an absolute path, or \"\"");
		return;
	case OPT_MAPS:
		buf_printf(out, "a list of %s..%s maps", o->min, o->max);
		return;
	case OPT_PAIRS:
	case OPT_TLS:
	case OPT_INCLUDE:
		return;
	}
}

void option_about(const struct option *o, struct buf *out)
{
	char text[256];
	struct buf range;

	buf_init_fixed(&range, text, sizeof(text) - 1);
	option_range(o, &range);
	text[range.n] = '\0';
	buf_str(out, o->doc);
	if (range.n)
		buf_printf(out, " [%s]", text);
	if (o->append)
		buf_str(out, " The lists of several files are joined.");
	if (o->restart)
		buf_str(out, " A change needs a restart.");
}
