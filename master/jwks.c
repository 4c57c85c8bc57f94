/* SPDX-License-Identifier: Apache-2.0 */
#include "master/jwks.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/http_client.h"
#include "common/log.h"
#include "common/loop.h"
#include "master/control.h"
#include "master/jwks_set.h"

enum {
	ANSWER_MAX = 128 * KIB,
	SOURCES_MAX = 64, /* entries of auth.jwt: one bit each */
	PUBLISH_AFTER_MS = 20, /* so that issuers that answer together are one message */
	AGAIN_FLOORS = 3, /* with keys that serve, a failure is tried again after so many floors */
};
static const char discovery_path[] = "/.well-known/openid-configuration";

struct source {
	struct jwks *j;
	char *issuer, *uri; /* uri: as configured; "": by discovery */
	uint64_t entries; /* bit set: which of auth.jwt */
	json_t *keys; /* NULL: none was had yet */
	msec_t tried; /* when the last try began; 0: never */
	msec_t told; /* when the last one that has ended did; workers know no other */
	msec_t good; /* when the last good one did; 0: never */
	int64_t good_wall_s;
	bool ok; /* the last one was good */
	char failure[160]; /* else why not */
	struct http_call *call; /* NULL: none is on its way */
	struct event timer;
};

struct jwks {
	struct event_base *base;
	struct http_client *client;
	struct stats *stats;
	struct jwks_hooks hooks;
	msec_t refresh, floor, timeout;
	struct source *v[SOURCES_MAX];
	unsigned n;
	int fd; /* published; -1: nothing yet */
	struct event publish;
};

/* ---- to workers ---- */

static json_t *set_of(const struct source *s)
{
	json_t *o = json_pack("{s:s,s:s,s:I,s:b}", "issuer", s->issuer, "jwks_uri", s->uri,
	                      "tried_ms", (json_int_t)s->told, "ok", s->ok);

	if (!o || (s->keys && json_object_set(o, "keys", s->keys) < 0))
		out_of_memory();
	return o;
}

static void on_publish(evutil_socket_t fd, short what, void *arg)
{
	struct jwks *j = arg;
	json_t *sets = json_array();
	struct err err = { "" };
	char *text;
	int next;

	(void)fd, (void)what;
	for (unsigned i = 0; i < j->n; i++)
		if (json_array_append_new(sets, set_of(j->v[i])) < 0)
			out_of_memory();
	text = json_dumps(sets, JSON_COMPACT);
	json_decref(sets);
	if (!text)
		out_of_memory();
	next = sealed_memfd("jwks", bytes_str(text), &err);
	free(text);
	if (next < 0) {
		log_err("jwks", "key sets can't be passed on", KV_S("err", err.text));
		return;
	}
	close_fd_(&j->fd);
	j->fd = next;
	j->hooks.publish(j->hooks.arg, next);
}

static void arm(struct event *timer, msec_t in)
{
	struct timeval wait = { in / 1000, in % 1000 * 1000 };

	if (event_add(timer, &wait) < 0)
		out_of_memory();
}

/* ---- what is shown ---- */

static bool is_stale(const struct source *s)
{
	return s->tried && !s->ok && (!s->good || loop_now() - s->good >= s->j->refresh);
}

static void show(struct jwks *j)
{
	_Atomic uint64_t *flags = &stats_head(j->stats)->ready_flags;
	bool stale = false;

	for (unsigned i = 0; i < j->n; i++) {
		const struct source *s = j->v[i];

		stale |= is_stale(s);
		for (unsigned entry = 0; entry < SOURCES_MAX; entry++) {
			if (!(s->entries >> entry & 1))
				continue;
			stats_set(j->stats, STAT_JWKS_KEYS, entry, 0, json_array_size(s->keys));
			stats_set(j->stats, STAT_JWKS_SUCCESS, entry, 0, (uint64_t)s->good_wall_s);
		}
	}
	if (stale)
		atomic_fetch_or(flags, READY_JWKS_STALE);
	else
		atomic_fetch_and(flags, ~(uint64_t)READY_JWKS_STALE);
}

json_t *jwks_status(const struct jwks *j)
{
	json_t *list = json_array();

	for (unsigned i = 0; j && i < j->n; i++) {
		const struct source *s = j->v[i];
		json_t *o =
			json_pack("{s:s,s:s,s:I,s:b,s:o,s:o}", "issuer", s->issuer, "jwks_uri",
		                  s->uri, "keys", (json_int_t)json_array_size(s->keys), "ok", s->ok,
		                  "why", control_text(bytes_str(s->failure)), "last_success_s",
		                  s->good ? json_integer((json_int_t)s->good_wall_s) : json_null());

		json_array_append_new(list, o);
	}
	return list;
}

/* ---- one source ---- */

static void arm_next(struct source *s)
{
	struct jwks *j = s->j;
	msec_t after = j->refresh, since = loop_now() - s->tried;

	if (!s->ok && s->keys && AGAIN_FLOORS * j->floor < after)
		after = AGAIN_FLOORS * j->floor;
	else if (!s->ok)
		after = j->floor;
	arm(&s->timer, since < after ? after - since : 1);
}

static void done(struct source *s)
{
	s->told = s->tried;
	arm_next(s);
	arm(&s->j->publish, PUBLISH_AFTER_MS);
	show(s->j);
}

static void fail(struct source *s, const char *why)
{
	s->ok = false;
	snprintf(s->failure, sizeof(s->failure), "%s", why);
	log_warn("jwks", "no keys of an issuer, retrying", KV_S("issuer", s->issuer),
	         KV_S("err", s->failure), KV_U("keys", json_array_size(s->keys)));
	done(s);
}

static void succeed(struct source *s, json_t *keys)
{
	bool same = s->keys && json_equal(s->keys, keys);

	json_decref(s->keys);
	s->keys = keys;
	s->ok = true;
	s->failure[0] = '\0';
	s->good = s->tried;
	s->good_wall_s = loop_wall_ns() / 1000000000;
	if (!same)
		log_info("jwks", "keys of an issuer", KV_S("issuer", s->issuer),
		         KV_U("keys", json_array_size(keys)));
	done(s);
}

/* Whether there is a body to read; false: it has been told. */
static bool has_body(struct source *s, const struct http_client_answer *answer)
{
	char why[64];

	s->call = NULL;
	if (answer->status == 200)
		return true;
	snprintf(why, sizeof(why), "answered %d", answer->status);
	fail(s, answer->status ? why : answer->failure);
	return false;
}

static void on_keys(void *arg, const struct http_client_answer *answer)
{
	struct source *s = arg;
	const char *why;
	json_t *keys;

	if (!has_body(s, answer))
		return;
	keys = jwks_set_read(answer->body, &why);
	if (keys)
		succeed(s, keys);
	else
		fail(s, why);
}

static void get(struct source *s, const char *url,
                void (*answered)(void *arg, const struct http_client_answer *answer))
{
	static const char *const fields[] = { "Accept: application/json", NULL };
	const struct http_get what = { .url = url,
		                       .fields = fields,
		                       .timeout = s->j->timeout,
		                       .body_max = ANSWER_MAX,
		                       .answered = answered,
		                       .arg = s };

	s->call = http_client_get(s->j->client, &what);
}

static void on_discovery(void *arg, const struct http_client_answer *answer)
{
	struct source *s = arg;
	bool secure = strncmp(s->issuer, "https://", 8) == 0;
	char uri[JWKS_URI_MAX + 1];
	const char *why;

	if (!has_body(s, answer))
		return;
	why = jwks_discovered(answer->body, s->issuer, secure, uri);
	if (why)
		fail(s, why);
	else
		get(s, uri, on_keys);
}

static void begin(struct source *s)
{
	char url[JWKS_URI_MAX + sizeof(discovery_path)];
	size_t n = strlen(s->issuer);

	if (s->call)
		return;
	event_del(&s->timer);
	s->tried = loop_now();
	if (*s->uri) {
		get(s, s->uri, on_keys);
		return;
	}
	n -= n && s->issuer[n - 1] == '/'; /* OpenID Connect Discovery 4.1 */
	snprintf(url, sizeof(url), "%.*s%s", (int)n, s->issuer, discovery_path);
	get(s, url, on_discovery);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	begin(arg);
}

/* Now, or when its floor lets it. */
static void soon(struct source *s)
{
	msec_t since = loop_now() - s->tried;

	if (s->call)
		return;
	if (!s->tried || since >= s->j->floor)
		begin(s);
	else
		arm(&s->timer, s->j->floor - since);
}

static struct source *source_new(struct jwks *j, const struct jwt_conf *conf)
{
	struct source *s = xcalloc(1, sizeof(*s));

	s->j = j;
	s->issuer = strdup(conf->issuer);
	s->uri = strdup(conf->jwks_uri);
	if (!s->issuer || !s->uri)
		out_of_memory();
	event_assign(&s->timer, j->base, -1, 0, on_timer, s);
	return s;
}

static void source_free(struct source *s)
{
	if (s->call)
		http_call_cancel(s->call);
	event_del(&s->timer);
	json_decref(s->keys);
	free(s->issuer);
	free(s->uri);
	free(s);
}

/* ---- the whole ---- */

static struct source *find(struct jwks *j, struct bytes issuer, struct bytes uri)
{
	for (unsigned i = 0; i < j->n; i++)
		if (bytes_eq(bytes_str(j->v[i]->issuer), issuer) &&
		    bytes_eq(bytes_str(j->v[i]->uri), uri))
			return j->v[i];
	return NULL;
}

/* Those that no entry names any more go. */
static void sweep(struct jwks *j)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < j->n; i++) {
		if (j->v[i]->entries)
			j->v[kept++] = j->v[i];
		else
			source_free(j->v[i]);
	}
	j->n = kept;
}

/* New ones stand behind the old ones, and may be as many. */
static void add_entries(struct jwks *j, const struct conf *conf, struct source **fresh,
                        unsigned *fresh_count)
{
	for (size_t i = 0; i < conf->auth.jwt.n; i++) {
		const struct jwt_conf *jwt = &conf->auth.jwt.v[i];
		struct source *s = find(j, bytes_str(jwt->issuer), bytes_str(jwt->jwks_uri));

		if (jwt_has_key(jwt))
			continue;
		for (unsigned k = 0; k < *fresh_count && !s; k++)
			if (strcmp(fresh[k]->issuer, jwt->issuer) == 0 &&
			    strcmp(fresh[k]->uri, jwt->jwks_uri) == 0)
				s = fresh[k];
		if (!s)
			s = fresh[(*fresh_count)++] = source_new(j, jwt);
		s->entries |= UINT64_C(1) << i;
	}
}

void jwks_configure(struct jwks *j, const struct conf *conf)
{
	struct source *fresh[SOURCES_MAX];
	unsigned fresh_count = 0;

	assert(conf->auth.jwt.n <= SOURCES_MAX);
	j->refresh = conf->auth.jwks.refresh;
	j->floor = conf->auth.jwks.refetch_floor;
	j->timeout = conf->auth.jwks.timeout;
	for (unsigned i = 0; i < j->n; i++)
		j->v[i]->entries = 0;
	for (unsigned entry = 0; entry < SOURCES_MAX; entry++) { /* show() knows those of today */
		stats_set(j->stats, STAT_JWKS_KEYS, entry, 0, 0);
		stats_set(j->stats, STAT_JWKS_SUCCESS, entry, 0, 0);
	}
	add_entries(j, conf, fresh, &fresh_count);
	sweep(j);
	for (unsigned i = 0; i < fresh_count; i++) {
		j->v[j->n++] = fresh[i];
		begin(fresh[i]);
	}
	for (unsigned i = 0; i < j->n; i++)
		if (!j->v[i]->call) /* by the times of this configuration */
			arm_next(j->v[i]);
	arm(&j->publish, PUBLISH_AFTER_MS);
	show(j);
}

void jwks_want(struct jwks *j, struct bytes source)
{
	const uint8_t *lf = source.n ? memchr(source.p, '\n', source.n) : NULL;
	struct source *s;

	if (!lf)
		return;
	s = find(j, bytes_of(source.p, (size_t)(lf - source.p)),
	         bytes_of(lf + 1, source.n - (size_t)(lf - source.p) - 1));
	if (s) /* else of a generation that drains: its request is told so in time */
		soon(s);
}

int jwks_fd(const struct jwks *j)
{
	return j->fd;
}

struct jwks *jwks_open(struct event_base *base, struct stats *stats, const struct jwks_hooks *hooks,
                       struct err *err)
{
	struct jwks *j = xcalloc(1, sizeof(*j));

	j->base = base;
	j->stats = stats;
	j->hooks = *hooks;
	j->fd = -1;
	j->client = http_client_open(base, err);
	if (!j->client) {
		free(j);
		return NULL;
	}
	event_assign(&j->publish, base, -1, 0, on_publish, j);
	return j;
}

void jwks_close(struct jwks *j)
{
	if (!j)
		return;
	for (unsigned i = 0; i < j->n; i++)
		source_free(j->v[i]);
	event_del(&j->publish);
	http_client_close(j->client);
	close_fd_(&j->fd);
	free(j);
}
