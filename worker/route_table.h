/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_table.h -- private to route.c and route_table.c: what the table of routes consists of.
 */
#pragma once
#include "worker/route.h"
#include "worker/topic_table.h"

enum { PATHS_MAX = 128, TOPIC_BYTES = 249 };
#define TENANT_WORD "{tenant}" /* in a prefix */


struct path {
	struct bytes text;
	const struct route *route;
};
/* A topic as configured. */
struct route_topic {
	struct route_topic *next;
	char *text; /* prefix and name */
	const char *record_format; /* of all its records, or NULL: Obstack's, which has several */
	bool has_tenant; /* text holds {tenant}: no topic yet */
	bool is_raw;
	uint64_t record_max; /* the largest of its routes */
	unsigned index; /* of topics; without has_tenant */
};

/* Pages: answered by the worker itself. */
struct page {
	const char *name, *path;
	bool admin, both; /* on admin listeners only; on both kinds; else on ingest listeners only */
	bool moose;       /* on ingest listeners with Moose's rules only */
	bool open;        /* without the admin listener's token */
	enum step (*run)(struct req *r);
};

struct wish { /* what a route's topics are made of, when all of it is known */
	const char *topics[FORMATS_MAX];
	const char *prefix;
};

struct routes {
	struct route v[ROUTES_MAX];
	const struct page *page[ROUTES_MAX]; /* NULL: a protocol's route */
	unsigned count;
	struct path paths[PATHS_MAX];
	unsigned path_count;
	struct route_topic *route_topics, *dead_letters, *usage; /* NULL: off */
	struct topic_table *topics;
	const struct route_topic **topic_facts; /* by index in topics */
	unsigned topic_facts_count;
	struct wish wishes[ROUTES_MAX];
	const char *own_paths[ROUTES_MAX][2]; /* what route.paths points into, where it is one */
	struct models *models;
	const char *model_paths[3];
	char *model_prefix; /* with the path prefix */
};

/* The index of that name among topics, and what it is. */
unsigned route_table_topic(struct routes *rs, struct bytes name, const struct route_topic *t);
int route_table_fill(struct routes *rs, struct worker *w, struct err *err) MUST_USE;
void route_table_add_page(struct routes *rs, const struct page *page, const struct conf *conf);
