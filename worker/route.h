/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.h -- path and method to what happens. One table per process, built from the configuration;
 * paths match exactly, undecoded, but for one trailing slash.
 */
#pragma once
#include "common/err.h"
#include "proto/protocol.h"
struct req;
struct worker;
struct conf;

/* The last index is of no route: requests refused before one was found count there, named "none". */
enum { ROUTES_MAX = 32, ROUTE_NONE = ROUTES_MAX - 1 };

struct route {
	const char *name;  /* metrics, logs, the headgate-route header */
	unsigned index;    /* DIM_ROUTE */
	const char *const *paths;
	bool get, post;    /* HEAD wherever GET is */
	bool admin;        /* on admin listeners only; else on ingest listeners only */
	bool both;         /* on both: /health */
	const struct protocol *protocol; /* NULL: run answers at once */
	enum step (*run)(struct req *r); /* /health, /ready, admin pages: sets verdict and reply body */
	enum dialect_id dialect;
	unsigned topics[FORMATS_MAX]; /* index of the topic of each format */
	enum utf8_mode utf8;
	uint64_t wire_limit, inflated_limit;
	uint64_t record_max;     /* bytes of one record: key, value, headers, 512 */
};

struct routes;
struct routes *routes_open(const struct worker *w) MUST_USE;
void routes_close(struct routes *rs);
const char *routes_name(const struct routes *rs, unsigned index); /* NULL beyond the last */
const struct route *routes_get(const struct routes *rs, unsigned index);
/* The topic of a record of this format, one of the route's protocol: an index, and its name. */
unsigned route_topic(const struct route *route, const struct format *format);
const char *routes_topic_name(const struct routes *rs, unsigned topic);
/* Distinct topics of enabled routes, in order; count <= ROUTES_MAX. */
unsigned routes_topics(const struct routes *rs, const char **names);
const char *route_allow(const struct route *route); /* the Allow header's value */
int routes_code(const struct routes *rs, unsigned index, enum verdict v); /* after the dialect's mapping */
