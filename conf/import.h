/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import.h -- what the files share that read an upstream's environment (compatibility.md 1, 3, 5):
 * variables become options below those of the files, each with the variable as its origin. No
 * message shows a value. Private to conf/; not linked into the worker.
 */
#pragma once
#include "conf/load.h"

struct variable {
	const char *name; /* NULL: nobody's, import_env itself says it */
	const char *text; /* NULL: it is not set, or empty */
};
static const struct variable IMPLIED = { NULL, NULL };

/* Whether an upstream's variable of that name is known here and has an effect. */
struct upstream {
	const char *name;
	void (*import)(struct loader *l);
	bool (*knows)(const char *variable);
};
extern const struct upstream import_micromegas, import_moose;

struct variable variable_of(const char *name);
static inline bool is_given(struct variable v)
{
	return v.text != NULL;
}
struct place place_of_variable(struct loader *l, struct variable v);
#define BAD_VARIABLE(l, v, ...) report_error((l)->r, place_of_variable((l), (v)), __VA_ARGS__)

/* The option of that path becomes text, unless it was given already. */
void import_option(struct loader *l, const char *path, struct variable from, const char *text);
/* One more item of a list, behind those that were given, unless it is there. */
void import_item(struct loader *l, const char *path, struct variable from, const char *text);
/* One more element of a list of maps, with its defaults; NULL, and the error said, if there are as many
 * as may be. Then its keys, by the place of the element. */
void *import_map(struct loader *l, const char *path, struct variable from, size_t *index);
void import_key(struct loader *l, const char *path, size_t index, void *map, const char *key,
                struct variable from, const char *text);
/* The entry of auth.jwt with that name, or NULL. */
struct jwt_conf *import_find_jwt(const struct loader *l, const char *name, size_t *index);
/* A listener of that name, if none was given. */
void import_listener(struct loader *l, const char *name, struct variable from, const char *listen,
                     const char *dialect);

/* import_keys.c: MICROMEGAS_API_KEYS, and the one key of Moose. */
void import_api_keys(struct loader *l, struct variable v);
void import_moose_key(struct loader *l, struct variable v);
