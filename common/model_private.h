/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_private.h -- what the files of the model parser share: the parser's state, and the
 * reading of JSON objects of configuration size. model.c reads the file and its columns,
 * model_type.c a column's type, model_enum.c the members of an enum.
 */
#pragma once
#include <jansson.h>
#include "common/model.h"
#include "common/pool.h"

struct model_parser {
	struct pool *pool;
	struct err *err;
	unsigned depth; /* types around the one at hand */
	size_t columns; /* made so far */
	size_t path_n;
	char path[256]; /* of the column at hand, dotted; cut if longer */
};

/* An order to search in: shorter ones first. */
static inline int model_name_compare(struct bytes a, struct bytes b)
{
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

/* Prefixed with the column at hand, if one is; -1. */
int model_error(struct model_parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Enters a column; what it returns is for model_leave(). */
size_t model_enter(struct model_parser *p, const char *name);
void model_leave(struct model_parser *p, size_t before);
/* Every member is one of these names; NULL ends them. */
int model_members_known(struct model_parser *p, const json_t *object, const char *const *names);
/* A name of 1..MODEL_NAME_MAX bytes, of the pool. */
int model_name(struct model_parser *p, const json_t *json, const char *what, struct bytes *out);
/* For look-ups: what is needed, and the order of names. Two columns of one name are refused. */
int model_index(struct model_parser *p, struct model_type *t);
/* Array of columns, as the file and nested types have them. */
int model_columns_parse(struct model_parser *p, const json_t *json, struct model_type *t);
struct model_column *model_columns_room(struct model_parser *p, size_t n); /* NULL: too many */
int model_type_parse(struct model_parser *p, const json_t *json, struct model_type *out);
int model_enum_parse(struct model_parser *p, const json_t *values, struct model_type *t);
