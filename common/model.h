/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h -- the schema of a data model (compatibility.md 5): a model file made a tree, checked.
 * The master reads it to refuse a bad file at load, by name, line and path; a worker's
 * proto/model.c judges objects by it. Read-only once made, so that what is looked up while a body
 * is read was sorted here.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"
struct pool;

enum model_kind {
	MODEL_BOOLEAN,
	MODEL_STRING,
	MODEL_FIXED_STRING, /* n: bytes */
	MODEL_INT, /* bits 8..256; is_signed */
	MODEL_BIG_INT,
	MODEL_FLOAT, /* bits 32, 64 */
	MODEL_BYTES,
	MODEL_DECIMAL,
	MODEL_DATE_TIME,
	MODEL_DATE,
	MODEL_UUID,
	MODEL_IPV4,
	MODEL_IPV6,
	MODEL_JSON, /* columns: the typed paths */
	MODEL_ENUM,
	MODEL_ARRAY, /* element */
	MODEL_MAP, /* key, element */
	MODEL_NESTED, /* columns; named tuples too */
	MODEL_GEO, /* n: how many arrays around a point: Point 0, Ring 1, Polygon 2, MultiPolygon 3
	            */
};
enum {
	MODEL_BYTES_MAX = MIB, /* of a file */
	MODEL_COLUMNS_MAX = 4096, /* with all that are nested, and typed paths */
	MODEL_DEPTH_MAX = 32, /* types in types */
	MODEL_NAME_MAX = 512, /* bytes: of a column, a typed path, a member of an enum */
};

struct model_column;
struct model_type {
	enum model_kind kind;
	bool nullable;
	bool is_signed;
	bool is_jwt; /* MODEL_NESTED: the claims of the verified JWT, never the client's */
	unsigned bits, n;
	char name[24]; /* as refusals show it: UInt8, FixedString(16) */
	struct model_type *element, *key;
	struct model_column *columns;
	size_t column_count;
	const unsigned *by_name; /* places in columns: by name, typed paths by component */
	const uint64_t *needed; /* bit set of columns: absent ones are missing */
	bool has_claims; /* a column takes the claims of the verified JWT */
	struct model_choice {
		struct bytes name;
		bool is_int;
		int64_t number;
		struct bytes text;
	} *choices; /* MODEL_ENUM */
	size_t choice_count;
	const unsigned *by_text, *by_number; /* places in choices */
};
struct model_column {
	struct bytes name; /* of a typed path: dotted */
	struct model_type type;
	bool required;
	bool has_default; /* a required one may be absent then */
	bool is_derived; /* materialized or alias: stripped */
	struct bytes claims_name; /* it takes the claims: its name and the colon, as JSON; n 0: no */
};
struct model {
	const char *name;
	const char *version; /* "": none */
	const char *path; /* own path below ingest/; "": the name */
	const char *topic; /* "": the name, with the version */
	const char *dead_letter_queue; /* "": none */
	bool allow_extra_fields;
	bool has_schema_id;
	uint32_t schema_id;
	struct model_type root; /* MODEL_NESTED: the columns as a type */
	struct model_column *columns; /* those of root */
	size_t column_count;
	struct pool *pool; /* all of the above */
};

/* The model of a file's text. NULL with *err: what is wrong, and where in it. */
struct model *model_parse(struct bytes json, struct err *err) MUST_USE;
void model_free(struct model *m); /* NULL is fine */

/* Below ingest/: its own path or its name, and its version behind, unless the path ends with it. */
const char *model_path(const struct model *m, struct pool *pool);
/* Its own topic, or its name, with the version: 1.0 is 1_0. */
const char *model_topic(const struct model *m, struct pool *pool);

/* The place of a nested type's column of this name; column_count: none has it. */
size_t model_column_find(const struct model_type *t, struct bytes name);
/* A string that stands for a member of an enum: the name of a number, or the text itself. */
bool model_choice_has_text(const struct model_type *t, struct bytes text);
/* A number that does: its own, or the place of a text, from 0. */
bool model_choice_has_number(const struct model_type *t, int64_t number);
