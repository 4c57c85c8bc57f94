/* SPDX-License-Identifier: Apache-2.0 */
/* Against an issuer on the same loop, which says what the test has put into `says`. */
#include "master/jwks.c"

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/unit/worker/jwt_maker.h"

enum { WAIT_MS = 20000 };

static struct {
	struct event event;
	unsigned port, requests;
	char paths[1000]; /* each with a blank behind */
	const char *status, *found, *keys; /* of discovery and of everything else */
} issuer;
static struct event_base *base;
static struct stats *stats;
static struct jwks *j;
static struct jwt_conf entries[4];
static struct conf conf;
static char url[64], other_url[64];
static unsigned published;
static json_t *sets; /* what was published last */
static EVP_PKEY *ec;
static msec_t now_ms;

static void answer(int fd)
{
	char head[4096], reply[20000], *end;
	ssize_t n = read(fd, head, sizeof(head) - 1);
	const char *body;

	cr_assert_gt(n, 0); /* a GET of ours comes in one piece */
	head[n] = '\0';
	cr_assert_eq(strncmp(head, "GET /", 5), 0);
	end = strchr(head + 5, ' ');
	*end = '\0';
	snprintf(issuer.paths + strlen(issuer.paths), sizeof(issuer.paths) - strlen(issuer.paths),
	         "%s ", head + 4);
	body = strstr(head, ".well-known") ? issuer.found : issuer.keys;
	issuer.requests++;
	n = snprintf(reply, sizeof(reply),
	             "HTTP/1.1 %s\r\nConnection: close\r\nLocation: http://127.0.0.1:%u/moved\r\n"
	             "Content-Length: %zu\r\n\r\n%s",
	             issuer.status, issuer.port, strlen(body), body);
	cr_assert_eq(write(fd, reply, (size_t)n), n);
	close(fd);
}

static void on_request(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	event_free(*(struct event **)arg);
	free(arg);
	answer(fd);
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	struct event **event = malloc(sizeof(struct event *));

	(void)what, (void)arg;
	cr_assert_geq(conn, 0);
	*event = event_new(base, conn, EV_READ, on_request, event);
	event_add(*event, NULL);
}

static void listen_on_loopback(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, n), 0);
	cr_assert_eq(listen(fd, 16), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr, &n), 0);
	issuer.port = ntohs(addr.sin_port);
	event_assign(&issuer.event, base, fd, EV_READ | EV_PERSIST, on_connection, NULL);
	event_add(&issuer.event, NULL);
}

static void on_test_publish(void *arg, int fd)
{
	struct err err = { "" };
	struct bytes text;

	(void)arg;
	published++;
	json_decref(sets);
	cr_assert_eq(sealed_map(fd, &text, &err), 0, "%s", err.text);
	sets = json_loadb((const char *)text.p, text.n, 0, NULL);
	munmap((void *)text.p, text.n);
	cr_assert_not_null(sets);
}

static void clock_at(msec_t ms)
{
	now_ms = ms;
	loop_set_clock(ms * 1000000, (1764000000 + ms / 1000) * INT64_C(1000000000));
}

static struct jwt_conf entry_of(const char *name, const char *who, const char *uri)
{
	return (struct jwt_conf){
		.name = name, .issuer = who, .jwks_uri = uri, .public_key_file = { .path = "" }
	};
}

static const char *found_text(const char *who)
{
	char *out = jwt_text();

	snprintf(out, JWT_TEXT_MAX, "{\"issuer\":\"%s\",\"jwks_uri\":\"http://127.0.0.1:%u/keys\"}",
	         who, issuer.port);
	return out;
}

static const char *keys_text(const char *kid)
{
	char *out = jwt_text();

	snprintf(out, JWT_TEXT_MAX, "{\"keys\":[%s]}", jwk_text(ec, kid));
	return out;
}

static void opens(void)
{
	const struct jwks_hooks hooks = { .publish = on_test_publish };
	struct err err = { "" };
	int fd;

	clock_at(1000);
	base = loop_open(&err);
	cr_assert_not_null(base, "%s", err.text);
	fd = stats_memfd(3, &err);
	stats = stats_map(fd, true, 3, &err);
	close(fd);
	listen_on_loopback();
	j = jwks_open(base, stats, &hooks, &err);
	cr_assert_not_null(j, "%s", err.text);
	ec = EVP_EC_gen("P-256");
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", issuer.port);
	snprintf(other_url, sizeof(other_url), "http://127.0.0.1:%u/other/", issuer.port);
	entries[0] = entry_of("corp", url, "");
	conf.auth.jwt.v = entries;
	conf.auth.jwt.n = 1;
	conf.auth.jwks.refresh = 3600000;
	conf.auth.jwks.refetch_floor = 10000;
	conf.auth.jwks.timeout = 20000; /* in real time */
	issuer.status = "200 OK";
	issuer.found = found_text(url);
	issuer.keys = keys_text("k");
}

static void closes(void)
{
	jwks_close(j);
	close(event_get_fd(&issuer.event));
	event_del(&issuer.event);
	json_decref(sets);
	stats_unmap(stats);
	EVP_PKEY_free(ec);
	loop_close(base);
}
TestSuite(jwks, .init = opens, .fini = closes);

static msec_t real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Turns the loop until so many sets were published. */
static void until(unsigned count)
{
	msec_t end = real_ms() + WAIT_MS;

	while (published < count) {
		cr_assert(real_ms() < end, "published %u, not %u", published, count);
		event_base_loop(base, EVLOOP_ONCE);
	}
}

/* The configuration is published at once, with what there is, and then with what came. */
static void configured(void)
{
	unsigned before = published;

	jwks_configure(j, &conf);
	while (j->n && j->v[0]->call)
		event_base_loop(base, EVLOOP_ONCE);
	on_publish(-1, 0, j);
	event_del(&j->publish);
	cr_assert_gt(published, before);
}

static const char *kid_of(size_t set)
{
	const json_t *keys = json_object_get(json_array_get(sets, set), "keys");
	const char *kid = json_string_value(json_object_get(json_array_get(keys, 0), "kid"));

	return kid ? kid : "";
}

static bool ok_of(size_t set)
{
	return json_is_true(json_object_get(json_array_get(sets, set), "ok"));
}

static void want(const char *who, const char *uri)
{
	char text[200];

	snprintf(text, sizeof(text), "%s\n%s", who, uri);
	jwks_want(j, bytes_str(text));
}

static bool flagged(void)
{
	return atomic_load(&stats_head(stats)->ready_flags) & READY_JWKS_STALE;
}

Test(jwks, keys_come_by_discovery_and_go_to_the_workers)
{
	configured();
	cr_assert_str_eq(issuer.paths, "/.well-known/openid-configuration /keys ");
	cr_assert_eq(json_array_size(sets), 1);
	cr_assert_str_eq(kid_of(0), "k");
	cr_assert(ok_of(0));
	cr_assert_eq(json_integer_value(json_object_get(json_array_get(sets, 0), "tried_ms")),
	             1000);
	cr_assert_geq(jwks_fd(j), 0);
	cr_assert_eq(stats_get(stats, STAT_JWKS_KEYS, 0, 0), 1);
	cr_assert_eq(stats_get(stats, STAT_JWKS_SUCCESS, 0, 0), 1764000001);
	cr_assert_not(flagged());
}

/* D9 */
Test(jwks, an_address_that_is_configured_needs_no_discovery)
{
	char keys[80];

	snprintf(keys, sizeof(keys), "%s/dex/keys", url);
	entries[0] = entry_of("corp", "https://dex.example.com", keys);
	configured();
	cr_assert_str_eq(issuer.paths, "/dex/keys ");
	cr_assert_str_eq(kid_of(0), "k");
}

Test(jwks, a_slash_at_the_end_of_an_issuer_is_one_in_its_discovery)
{
	entries[0] = entry_of("corp", other_url, "");
	issuer.found = found_text(other_url);
	configured();
	cr_assert_str_eq(issuer.paths, "/other/.well-known/openid-configuration /keys ");
	cr_assert(ok_of(0));
}

/* B11 */
Test(jwks, a_redirect_is_not_followed)
{
	issuer.status = "302 Found";
	configured();
	cr_assert_eq(issuer.requests, 1);
	cr_assert_not(ok_of(0));
	cr_assert_str_eq(kid_of(0), "");
	cr_assert_str_eq(j->v[0]->failure, "answered 302");
	cr_assert(flagged());
	cr_assert_eq(stats_get(stats, STAT_JWKS_SUCCESS, 0, 0), 0);
}

/* B9, F50 */
Test(jwks, workers_may_ask_once_in_a_floor)
{
	unsigned before;

	configured();
	before = published;
	for (unsigned i = 0; i < 100; i++)
		want(url, "");
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert_eq(issuer.requests, 2);
	issuer.keys = keys_text("new");
	clock_at(11000);
	for (unsigned i = 0; i < 100; i++)
		want(url, "");
	until(before + 1);
	cr_assert_eq(issuer.requests, 4);
	cr_assert_str_eq(kid_of(0), "new");
	want("https://nobody", "");
	want("", "");
	jwks_want(j, BYTES("no line feed"));
	jwks_want(j, BYTES(""));
	cr_assert_null(j->v[0]->call);
}

/* Workers judge by the sets of a newer try: one that another issuer's answer takes along must not
 * look like it. */
Test(jwks, a_try_that_is_on_its_way_is_not_told_as_done)
{
	const json_t *tried;

	configured();
	clock_at(11000);
	want(url, "");
	cr_assert_not_null(j->v[0]->call);
	on_publish(-1, 0, j);
	tried = json_object_get(json_array_get(sets, 0), "tried_ms");
	cr_assert_eq(json_integer_value(tried), 1000);
	until(published + 1);
	tried = json_object_get(json_array_get(sets, 0), "tried_ms");
	cr_assert_eq(json_integer_value(tried), 11000);
}

/* F50 */
Test(jwks, keys_outlive_an_outage)
{
	configured();
	issuer.status = "503 Service Unavailable";
	clock_at(11000);
	want(url, "");
	until(published + 1);
	cr_assert_not(ok_of(0));
	cr_assert_str_eq(kid_of(0), "k");
	cr_assert_not(flagged()); /* they are no older than they may be */
	clock_at(3700000);
	want(url, "");
	until(published + 1);
	cr_assert(flagged());
	issuer.status = "200 OK";
	clock_at(3720000);
	want(url, "");
	until(published + 1);
	cr_assert(ok_of(0));
	cr_assert_not(flagged());
}

Test(jwks, a_set_that_cannot_be_read_is_a_failure)
{
	configured();
	issuer.keys = "{\"keys\":[]}";
	clock_at(11000);
	want(url, "");
	until(published + 1);
	cr_assert_not(ok_of(0));
	cr_assert_str_eq(kid_of(0), "k");
	cr_assert_str_eq(j->v[0]->failure, "its set has no key for RS256 or ES256");
}

Test(jwks, a_reload_keeps_what_it_names_again)
{
	char keys[80];
	struct source *first;

	snprintf(keys, sizeof(keys), "%s/k", url);
	configured();
	first = j->v[0];
	entries[0] = entry_of("two", "https://two", keys);
	entries[1] = entry_of("corp", url, "");
	entries[2] = entry_of("corp-too", url, "");
	entries[3] = entry_of("file", "https://file", "");
	entries[3].public_key_file.path = "/a.pem";
	conf.auth.jwt.n = 4;
	clock_at(2000);
	jwks_configure(j, &conf);
	cr_assert_eq(j->n, 2);
	cr_assert_eq(j->v[0], first);
	cr_assert_eq(first->entries, 6);
	cr_assert_eq(issuer.requests, 2);
	while (j->v[1]->call)
		event_base_loop(base, EVLOOP_ONCE);
	cr_assert_eq(issuer.requests, 3);
	cr_assert_eq(stats_get(stats, STAT_JWKS_KEYS, 2, 0), 1);
	conf.auth.jwt.n = 1;
	jwks_configure(j, &conf);
	cr_assert_eq(j->n, 1);
	cr_assert_str_eq(j->v[0]->issuer, "https://two");
	cr_assert_eq(stats_get(stats, STAT_JWKS_KEYS, 0, 0), 1);
	cr_assert_eq(stats_get(stats, STAT_JWKS_KEYS, 2, 0), 0, "the entry has gone");
	conf.auth.jwt.n = 0;
	jwks_configure(j, &conf);
	cr_assert_eq(j->n, 0);
	until(published + 1);
	cr_assert_eq(json_array_size(sets), 0);
}

Test(jwks, status_shows_each_issuer)
{
	json_t *list, *one;

	configured();
	list = jwks_status(j);
	one = json_array_get(list, 0);
	cr_assert_str_eq(json_string_value(json_object_get(one, "issuer")), url);
	cr_assert_eq(json_integer_value(json_object_get(one, "keys")), 1);
	cr_assert(json_is_true(json_object_get(one, "ok")));
	cr_assert_eq(json_integer_value(json_object_get(one, "last_success_s")), 1764000001);
	json_decref(list);
}

/* It quotes names of foreign certificates, and is cut. */
Test(jwks, a_failure_that_is_cut_within_a_character_is_shown)
{
	json_t *list;

	jwks_configure(j, &conf);
	http_call_cancel(j->v[0]->call);
	j->v[0]->call = NULL;
	fail(j->v[0], "subject name 'M\xc3");
	list = jwks_status(j);
	cr_assert_eq(json_array_size(list), 1);
	cr_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "why")),
	                 "subject name 'M?");
	json_decref(list);
}

Test(jwks, it_ends_while_an_issuer_is_asked)
{
	jwks_configure(j, &conf);
	cr_assert_not_null(j->v[0]->call);
}
