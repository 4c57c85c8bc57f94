/* SPDX-License-Identifier: Apache-2.0 */
/*
 * models.h -- the data models of protocols.models.dir: which one a path means, and its topics
 * (compatibility.md 5). Made once from the configuration; matched after auth, so that a stranger
 * learns nothing of them.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"
#include "common/model.h"
struct conf;
struct models;
struct route_topic;

struct model_entry {
	const struct model *model;
	const char *topic;             /* with namespace */
	const char *destination;       /* without it: `headgatectl ls` */
	const char *dead_letter_topic; /* NULL: none */
	const char *path;              /* below ingest/, with the version if it has one */
	struct route_topic *route_topic, *dead_letters; /* set by worker/route_table.c */
};

/* The master has checked the files with the same parser; an error here is one of ours. */
struct models *models_open(const struct conf *conf, struct err *err) MUST_USE;
void models_close(struct models *m); /* NULL is fine */
size_t models_count(const struct models *m);
struct model_entry *models_at(struct models *m, size_t i); /* by name, then version */
/* The model that a request's path means, with or without protocols.models.path_prefix; ASCII case
 * does not matter. NULL: none. */
const struct model_entry *models_find(const struct models *m, struct bytes path);
