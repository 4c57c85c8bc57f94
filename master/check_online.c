/* SPDX-License-Identifier: Apache-2.0 */
#include "master/check_online.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "common/buf.h"
#include "common/loop.h"
#include "master/check.h"
#include "master/jwks.h"
#include "master/program.h"
#include "master/tenants.h"

enum {
	LOOK_MS = 20, /* whether all have answered */
	ASK_MS = 60000, /* each has shorter times of its own; a large table takes seconds */
	SAID_MAX = 4 * MIB,
	TEXT_BYTES = 1024,
};

struct online {
	const struct conf *conf;
	struct conf_report *report;
	const char *file;
	struct event_base *base;
	struct jwks *jwks;
	struct tenants *tenants;
	struct stats *own;
	struct event look;
	msec_t until;
};

static void tell(struct online *o, bool is_error, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Libraries say more than one line, and others' words may hold anything: a server's before it knows
 * our encoding, or a character that some buffer cut. */
static void tell(struct online *o, bool is_error, const char *fmt, ...)
{
	char text[TEXT_BYTES];
	size_t n, bytes;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = strlen(text);
	for (char *p = text; *p; p += bytes) {
		bytes = utf8_sequence((const uint8_t *)p, n - (size_t)(p - text));
		if (bytes == 0)
			*p = '?';
		else if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
		bytes = max_size(bytes, 1);
	}
	for (; n && text[n - 1] == ' '; n--)
		text[n - 1] = '\0';
	check_say(o->report, is_error, o->file, text);
}

/* ---- the database ---- */

static void on_publish(void *arg, const struct tables *now)
{
	(void)arg, (void)now;
}

static void on_audit(void *arg, const char *what, struct bytes tenant, struct bytes token)
{
	(void)arg, (void)what, (void)tenant, (void)token;
}

/* One attempt is the answer: the service would try again. */
static bool tenants_answered(const struct online *o)
{
	struct tenants_status s;

	if (!o->tenants)
		return true;
	tenants_status(o->tenants, &s);
	return s.age_ms >= 0 || strcmp(s.state, "away") == 0 || strcmp(s.state, "refused") == 0;
}

static void judge_tenants(struct online *o)
{
	uint64_t flags = atomic_load(&stats_head(o->own)->ready_flags), skipped = 0;
	struct tenants_status s;

	if (!o->tenants)
		return;
	tenants_status(o->tenants, &s);
	if (s.age_ms < 0) {
		tell(o, true, "tenants.dsn: %s",
		     s.last_error[0] ? s.last_error : "the tenants could not be read in time");
		return;
	}
	for (enum skip_reason why = 0; why <= SKIP_OTHER; why++)
		skipped += stats_get(o->own, STAT_ROWS_SKIPPED, why, 0);
	if (!stats_get(o->own, STAT_NOTIFY_PROBE, 0, 0))
		tell(o, false,
		     "tenants.dsn: a notification of our own did not come back (a pooler, or a "
		     "replica?): changes are found by polling, after tenants.poll");
	if (flags & READY_SUBSCRIBED)
		tell(o, false,
		     "tenants.dsn: logical replication writes the tables: no bell rings for "
		     "changes, all is read each 30 s");
	if (flags & READY_OVER_LIMIT)
		tell(o, false,
		     "tenants.dsn: more rows than limits.max_tenants or limits.max_tokens: the "
		     "rest is left out");
	if (skipped)
		tell(o, false,
		     "tenants.dsn: %llu rows are left out, a log at level info says which",
		     (unsigned long long)skipped);
}

/* ---- issuers ---- */

static void on_keys(void *arg, int fd)
{
	(void)arg, (void)fd;
}

static bool jwks_answered(const struct online *o)
{
	json_t *list = jwks_status(o->jwks), *source;
	bool all = true;
	size_t i;

	json_array_foreach(list, i, source)
		all = all && (json_is_true(json_object_get(source, "ok")) ||
		              *json_string_value(json_object_get(source, "why")));
	json_decref(list);
	return all;
}

static void judge_jwks(struct online *o)
{
	json_t *list = jwks_status(o->jwks), *source;
	size_t i;

	json_array_foreach(list, i, source) {
		const char *issuer = json_string_value(json_object_get(source, "issuer"));
		const char *why = json_string_value(json_object_get(source, "why"));

		if (!json_is_true(json_object_get(source, "ok")))
			tell(o, true, "auth.jwt: no keys of the issuer '%s': %s", issuer,
			     *why ? why : "no answer in time");
		else if (!json_integer_value(json_object_get(source, "keys")))
			tell(o, false, "auth.jwt: the issuer '%s' has no key that could be used",
			     issuer);
	}
	json_decref(list);
}

/* ---- both, at a time ---- */

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct online *o = arg;

	(void)fd, (void)what;
	if ((jwks_answered(o) && tenants_answered(o)) || loop_now() >= o->until)
		loop_stop(o->base);
}

/* Keys first: their client wants to be there before the first thread, which asks for the database's
 * addresses. */
static int ask(struct online *o, struct err *err)
{
	const struct timeval each = { 0, LOOK_MS * 1000 };
	const struct jwks_hooks keys = { .publish = on_keys };
	const struct tenants_hooks tenants = { .publish = on_publish, .audit = on_audit };

	o->jwks = jwks_open(o->base, o->own, &keys, err);
	if (!o->jwks)
		return -1;
	jwks_configure(o->jwks, o->conf);
	if (o->conf->tenants.source == TENANTS_POSTGRES &&
	    !(o->tenants = tenants_open(o->base, o->conf, o->own, &tenants, err)))
		return -1;
	o->until = loop_now() + ASK_MS;
	if (event_assign(&o->look, o->base, -1, EV_PERSIST, on_look, o) < 0 ||
	    event_add(&o->look, &each) < 0)
		out_of_memory();
	loop_run(o->base);
	event_del(&o->look);
	return 0;
}

static void ask_both(struct online *o)
{
	unsigned slots = (unsigned)o->conf->metrics.max_tenants + 2;
	struct err err = { "" };
	autoclose int fd = stats_memfd(slots, &err);

	o->own = fd >= 0 ? stats_map(fd, true, slots, &err) : NULL;
	o->base = o->own ? loop_open(&err) : NULL;
	if (o->base && ask(o, &err) == 0) {
		judge_tenants(o);
		judge_jwks(o);
	} else {
		tell(o, true, "%s", err.text);
	}
	tenants_close(o->tenants);
	jwks_close(o->jwks);
	loop_close(o->base);
	if (o->own)
		stats_unmap(o->own);
}

/* ---- topics: only the worker program speaks to brokers ---- */

static uint64_t number_of(const json_t *topic, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(topic, key));
}

/* "otlp_logs, loki"; "" for a topic of no route: dead letters, usage. */
static void name_routes(const json_t *topic, char *out, size_t cap)
{
	const json_t *route;
	size_t i, n = 0;

	out[0] = '\0';
	json_array_foreach(json_object_get(topic, "routes"), i, route)
		if (n < cap)
			n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? ", " : "",
			                      json_string_value(route));
}

static void judge_topic(struct online *o, const json_t *topic)
{
	const char *name = json_string_value(json_object_get(topic, "topic"));
	uint64_t wanted = number_of(topic, "wanted_max_message_bytes");
	uint64_t headroom = wanted - number_of(topic, "record_max_bytes");
	uint64_t told[] = { number_of(topic, "max_message_bytes"),
		            number_of(topic, "request_max_bytes") };
	uint64_t least = wanted;
	char routes[512];

	name_routes(topic, routes, sizeof(routes));
	if (!json_is_true(json_object_get(topic, "exists"))) {
		tell(o, false, "the topic '%s' is not there%s%s%s: headgatectl topics create", name,
		     *routes ? ", " : "", routes, *routes ? " answer 503" : "");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		if (told[i] && told[i] < least)
			least = told[i];
	if (least == wanted)
		return;
	tell(o, false,
	     "the topic '%s' lowers what a record may have from %llu to %llu bytes (%s): its "
	     "max.message.bytes is %llu, the brokers' socket.request.max.bytes %llu; set both to "
	     "%llu at least, or record_max_bytes to %llu",
	     name, (unsigned long long)(wanted - headroom),
	     (unsigned long long)(least > headroom ? least - headroom : 0), routes,
	     (unsigned long long)told[0], (unsigned long long)told[1], (unsigned long long)wanted,
	     (unsigned long long)(least > headroom ? least - headroom : 0));
}

/* Lines of JSON: a topic each, or {"error"} and no more. */
static void judge_topics(struct online *o, struct bytes rest)
{
	while (rest.n) {
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;
		json_t *line = json_loadb((const char *)rest.p, n, 0, NULL);
		const char *error = json_string_value(json_object_get(line, "error"));

		if (json_is_string(json_object_get(line, "topic")))
			judge_topic(o, line);
		else
			tell(o, true, "kafka.brokers: %s",
			     error ? error : "the worker program says no JSON");
		json_decref(line);
		rest = bytes_from(rest, end ? n + 1 : n);
	}
}

static void ask_topics(struct online *o)
{
	static const char *const args[] = { "--topics", "list", NULL };
	struct err err = { "" };
	struct buf said;
	int status;

	buf_init(&said, SAID_MAX);
	if (program_run(o->conf, args, &said, &status, &err) < 0)
		tell(o, true, "kafka.brokers: %s", err.text);
	else
		judge_topics(o, buf_view(&said));
	buf_done(&said);
}

void check_online(const struct conf *conf, struct conf_report *r, const char *file)
{
	struct online o = { .conf = conf, .report = r, .file = file };

	ask_both(&o);
	if (conf->sink == SINK_KAFKA)
		ask_topics(&o);
}
