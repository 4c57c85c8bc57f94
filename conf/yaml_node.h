/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_node.h -- the strict reader of small YAML files of ours: a tree of nodes, each with its
 * place. Refused with a message in the report: duplicate keys (naming both), anchors, aliases,
 *`<<`, tags, second documents, keys that are no scalars, NUL in a text, nesting over 32. The only
 *door to libyaml; not linked into the worker. Expands nothing and knows no option.
 *
 *	struct report *r = report_new();
 *	const struct yaml_node *root = yaml_read(r, path, 16 * MIB), *list;
 *
 *	if (root && node_is(r, root, NODE_MAP) && node_keys(r, root, allowed))
 *		list = node_get(root, "tenants"); ...
 *	if (report_errors(r)) report_text(r, "tenants not applied", &out);
 */
#pragma once
#include "conf/report.h"

enum node_kind { NODE_SCALAR, NODE_MAP, NODE_LIST };

struct yaml_node {
	enum node_kind kind;
	bool plain; /* a scalar that is neither quoted nor a block */
	const char *text; /* a scalar's, NUL-terminated, never NUL inside; "" of the others */
	struct place at; /* its first character; an empty value: where it should be */
	struct yaml_node *key; /* in a map: the key of this value, a scalar; else NULL */
	struct yaml_node *first; /* children in order, */
	struct yaml_node *next; /* by this */
	size_t count; /* of children */
};

/* The tree lives in the report. NULL for a file that is empty (no error), and for one that cannot
 * be read or parsed or is over max_bytes (an error). A duplicate key is an error, but the tree
 * stands. */
struct yaml_node *yaml_read(struct report *r, const char *path, size_t max_bytes);
/* The same from memory: the text must live as long as the report. */
struct yaml_node *yaml_read_text(struct report *r, const char *path, struct bytes text);

/* The value of a key, NULL if it is not there (or map is no map). */
struct yaml_node *node_get(const struct yaml_node *map, const char *key);

/* These say what is wrong in the report, at its place, and then return false or NULL. */
bool node_is(struct report *r, const struct yaml_node *n, enum node_kind kind);
/* Every key is one of allowed (sorted, ends with NULL); else error with did-you-mean and help. */
bool node_keys(struct report *r, const struct yaml_node *map, const char *const *allowed);
/* A scalar's text; plain yes no on off true false null ~ want quotes, nothing at all wants "". */
const char *node_string(struct report *r, const struct yaml_node *n);
bool node_bool(struct report *r, const struct yaml_node *n, bool *out);
bool node_u64(struct report *r, const struct yaml_node *n, uint64_t min, uint64_t max,
              uint64_t *out);
/* Any parser of conf/values.h: node_value(r, n, value_size, &bytes). */
#define node_value(r, n, parse, out)                                                               \
	__extension__({                                                                            \
		struct err why_ = { "" };                                                          \
		const char *text_ = node_scalar_((r), (n));                                        \
		bool ok_ = text_ && (parse)(bytes_str(text_), (out), &why_) == 0;                  \
                                                                                                   \
		if (text_ && !ok_)                                                                 \
			report_error((r), (n)->at, "'%s': %s", text_, why_.text);                  \
		ok_;                                                                               \
	})
const char *node_scalar_(struct report *r, const struct yaml_node *n);

const char *yaml_library_version(void); /* of libyaml, as it runs; for -v */
