/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_labels.h -- the label text of a Loki stream, a PromQL label set (protocols.md 6): parsed
 * into its pairs, and written. A pair is a slice of the text. Pure, no memory but the caller's;
 * used by loki.c and loki_splice.c, and by loki_json_labels.c, which writes texts.
 */
#pragma once
#include "common/bytes.h"

enum {
	LABELS_MAX = 256, /* pairs of one stream: sorting and memory are bounded by it */
	LABEL_NAME_MAX = 1024, /* bytes of a name, as written and mended: Loki's default */
	LABELS_ODD_MAX = 16 * KIB, /* of one stream: room for names that have to be unescaped */
	LABELS_TEXT_MAX = 1 << 24, /* bytes of a text */
	LABEL_GROWTH = 4, /* a byte of a value is at most that many when written */
};

struct label {
	const uint8_t *start, *end; /* the pair: from its name to behind its value */
	struct bytes name; /* as written, without quotes */
	struct bytes meant; /* the name, unescaped and mended */
	bool is_empty; /* the value is: as if the label were absent */
};

enum labels_error {
	LABELS_OK,
	LABELS_SYNTAX, /* why, at */
	LABELS_TWICE, /* at: the label whose name came before */
	LABELS_MANY,
	LABELS_NAME_LONG, /* at */
};

struct labels {
	enum labels_error error;
	const char *why;
	const uint8_t *at;
	unsigned n;
	struct label v[LABELS_MAX]; /* as they stand in the text */
	size_t odd_n;
	uint8_t odd[LABELS_ODD_MAX]; /* where `meant` is not a slice of the text */
};

/* False: error is set. Broken UTF-8 inside quotes passes; it counts as U+FFFD in names. */
bool labels_parse(struct bytes text, struct labels *out) MUST_USE;
/* In byte order. */
int label_compare(struct bytes a, struct bytes b);

/* ---- order: names sorted by insertion; already sorted ones cost one comparison each ---- */

struct order {
	unsigned n;
	uint16_t list[LABELS_MAX]; /* indices of names, sorted */
	struct bytes names[LABELS_MAX]; /* by index, as they came */
	uint64_t keys[LABELS_MAX]; /* their first bytes: a smaller key is a smaller name */
};
/* Adds the name of the next index, o->n. False: it was there; it comes behind the other one. */
bool order_add(struct order *o, struct bytes name);

/* ---- writing ---- */

/* Whether a name needs no quotes. */
bool label_is_bare(struct bytes name);
/* How many bytes more than n + 2 the text at p is in quotes. */
size_t label_quote_growth(const uint8_t *p, size_t n);
/* Puts the n bytes at p into quotes, escaped, in place: behind the n + 2 + growth bytes. */
uint8_t *label_quote(uint8_t *p, size_t n, size_t growth);
