/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agree.c -- B18 of performance.md: scalar, sse2, avx2, the fast path on and off give one verdict,
 * one edit list and one output, for random messages, the fuzzers' seeds and the golden requests, as
 * they are and with some of their bytes changed. Says how many runs, and how many of them in a
 * second. Usage: agree [runs of each kind] [seed]; a disagreement ends it, its body in agree.body.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "proto/schema/common.pb-c.h"
#include "tests/golden/hex.h"
#include "tests/unit/proto/enrich_loki.h"
#include "tests/unit/proto/enrich_rw.h"
#include "tests/unit/proto/keep.h"
#include "tests/unit/proto/oracle.h"
#include "tests/unit/proto/print_json.h"
#include "tests/unit/proto/random_message.h"
#include "tests/unit/proto/random_rw.h"
#include "tests/unit/proto/transcode.h"

enum { POOL_MAX = 400, BODY_MAX = 4 * KIB, ROOM = 64 * KIB };

struct pool { /* bodies to begin with */
	uint8_t *p[POOL_MAX];
	size_t bytes[POOL_MAX], n;
};

static uint8_t current[ROOM];
static size_t current_n;
static struct random_message maker;

static uint32_t below(uint32_t n)
{
	return random_below(&maker, n);
}

static void on_abort(int number)
{
	int fd = open("agree.body", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	(void)number;
	if (fd < 0 || write(fd, current, current_n) < 0)
		_exit(2);
	_exit(1);
}

static void pool_add(struct pool *pool, struct bytes body)
{
	if (pool->n == POOL_MAX || body.n > BODY_MAX)
		return;
	pool->p[pool->n] = xcalloc(body.n + 1, 1);
	memcpy(pool->p[pool->n], body.p, body.n);
	pool->bytes[pool->n++] = body.n;
}

static struct bytes file_read(const char *folder, const char *name, uint8_t *room)
{
	char path[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return BYTES_NONE;
	n = read(fd, room, ROOM - 1);
	close(fd);
	if (n < 0)
		return BYTES_NONE;
	room[n] = '\0';
	return bytes_of(room, (size_t)n);
}

/* A seed's first byte picks settings. */
static void seeds_add(struct pool *pool, const char *folder)
{
	static uint8_t room[ROOM];
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct bytes seed = file_read(folder, entry->d_name, room);

		if (seed.n)
			pool_add(pool, bytes_from(seed, 1));
	}
	if (dir)
		closedir(dir);
}

/* request.hex or, of JSON, request.txt, behind lines that begin with @ or #. */
static void golden_add(struct pool *pool, const char *folder)
{
	static uint8_t room[ROOM], body[ROOM];
	const char *text = (const char *)room;
	bool is_hex = file_read(folder, "request.hex", room).n > 0;

	if (!is_hex && !file_read(folder, "request.txt", room).n)
		return;
	while ((*text == '@' || *text == '#') && strchr(text, '\n'))
		text = strchr(text, '\n') + 1;
	pool_add(pool, is_hex ? hex_bytes(text, body, sizeof(body)) : bytes_str(text));
}

static void goldens_add(struct pool *pool, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			golden_add(pool, path);
	}
	if (dir)
		closedir(dir);
}

/* Up to three changes: a bit, a byte, bytes gone, bytes of the same body once more. */
static void mutate(void)
{
	for (unsigned k = below(4); k > 0 && current_n > 0; k--) {
		size_t at = below((uint32_t)current_n), n = 1 + below(8);

		switch (below(4)) {
		case 0:
			current[at] ^= (uint8_t)(1 << below(8));
			break;
		case 1:
			current[at] = (uint8_t)below(256);
			break;
		case 2:
			n = min_size(n, current_n - at);
			memmove(current + at, current + at + n, current_n - at - n);
			current_n -= n;
			break;
		case 3:
			n = min_size(n, current_n - at);
			memmove(current + at + n, current + at, current_n - at);
			current_n += n;
			break;
		}
	}
}

static void take(struct bytes body)
{
	current_n = min_size(body.n, ROOM / 2);
	memcpy(current, body.p, current_n);
}

static void take_printed(enum signal signal)
{
	struct bytes body = random_message(&maker, oracle_root(signal), 5);
	ProtobufCMessage *m = oracle_unpack(signal, body);
	struct buf json;

	buf_init(&json, MIB);
	if (m) {
		print_strip(m);
		print_message(&(struct print){ .out = &json,
		                               .snake = below(2),
		                               .bare = below(2),
		                               .names = below(2),
		                               .spaced = below(2),
		                               .escaped = below(2) },
		              m);
		protobuf_c_message_free_unpacked(m, NULL);
	}
	take(buf_view(&json));
	buf_done(&json);
}

/* ---- kinds: each makes a body now and then, and judges one by all ways ---- */

static struct settings settings_any(void)
{
	struct settings s = settings_of((enum signal)below(3));

	s.stamp = below(4) > 0;
	s.utf8 = below(2) ? UTF8_REPAIR : UTF8_STRICT;
	return s;
}

static void otlp_make(void)
{
	take(random_message(&maker, oracle_root((enum signal)below(3)), 5));
}

static unsigned otlp_judge(struct bytes body)
{
	struct outcome o = enrich_all(settings_any(), body);

	outcome_done(&o);
	return 7;
}

/* A value with values inside, as the body of a log line. */
static void nested_make(void)
{
	static const uint8_t tags[] = { 0x2a, 0x12, 0x12, 0x0a }; /* from LogRecord.body outwards */

	maker.n = 0;
	random_fields(&maker, &opentelemetry__proto__common__v1__any_value__descriptor,
	              (int)below(6));
	take(bytes_of(maker.out, maker.n));
	for (size_t i = 0; i < sizeof(tags); i++) {
		uint8_t head[11] = { tags[i] };
		size_t n = 1 + pb_varint_write(current_n, head + 1);

		memmove(current + n, current, current_n);
		memcpy(current, head, n);
		current_n += n;
	}
}

static unsigned nested_judge(struct bytes body)
{
	struct settings s = settings_any();
	struct outcome o;

	s.signal = SIGNAL_LOGS;
	s.depth = below(2) ? s.depth : 4 + below(12);
	o = enrich_all(s, body);
	outcome_done(&o);
	return 7;
}

static void json_make(void)
{
	take_printed((enum signal)below(3));
}

static unsigned json_judge(struct bytes body)
{
	struct settings s = settings_any();
	struct transcoded t = transcode_all(s, body);

	if (t.result == TRANSCODE_OK) {
		struct outcome o;

		s.signal = t.e.signal;
		o = enrich_all(s, bytes_of(t.out, t.n));
		outcome_done(&o);
	}
	transcoded_done(&t);
	return 20;
}

static unsigned kept_judge(struct bytes body)
{
	struct outcome o = keep_all(settings_any(), body);

	outcome_done(&o);
	return 13;
}

static void rw1_make(void)
{
	take(random_rw(&maker, 1));
}

static void rw2_make(void)
{
	take(random_rw(&maker, 2));
}

static unsigned rw_judge(unsigned version, struct bytes body)
{
	struct rw_outcome o =
		rw_all((struct rw_settings){ .version = version, .stamp = below(4) > 0 }, body);

	rw_outcome_done(&o);
	return 7;
}

static unsigned rw1_judge(struct bytes body)
{
	return rw_judge(1, body);
}

static unsigned rw2_judge(struct bytes body)
{
	return rw_judge(2, body);
}

static unsigned loki_judge_by(enum loki_form form, struct bytes body)
{
	struct loki_settings s = { .form = form,
		                   .stamp = below(4) > 0,
		                   .into_entries = below(2),
		                   .utf8 = below(2) ? UTF8_REPAIR : UTF8_STRICT };
	struct loki_outcome o = loki_all(s, body);

	loki_outcome_done(&o);
	return 13;
}

static unsigned loki_proto_judge(struct bytes body)
{
	return loki_judge_by(LOKI_PROTOBUF, body);
}

static unsigned loki_json_judge(struct bytes body)
{
	return loki_judge_by(below(4) ? LOKI_JSON : LOKI_LEGACY, body);
}

static const struct kind {
	const char *name, *seeds, *golden;
	void (*make)(void); /* NULL: seeds and goldens alone */
	unsigned (*judge)(struct bytes body); /* the ways that agreed */
} kinds[] = {
	{ "otlp", "pb_walk", "otlp_proto", otlp_make, otlp_judge },
	{ "otlp, nested values", "pb_walk", "otlp_proto", nested_make, nested_judge },
	{ "otlp json", "otlp_json", "otlp_json", json_make, json_judge },
	{ "otlp json, kept", "otlp_json_keep", "otlp_json", json_make, kept_judge },
	{ "remote_write 1.0", "remote_write", "remote_write", rw1_make, rw1_judge },
	{ "remote_write 2.0", "remote_write_v2", "remote_write", rw2_make, rw2_judge },
	{ "loki", "loki", "loki_proto", NULL, loki_proto_judge },
	{ "loki json", "loki_json", "loki_json", NULL, loki_json_judge },
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(const struct kind *k, uint64_t wanted)
{
	struct pool pool = { .n = 0 };
	uint64_t bodies = 0, runs = 0;
	char folder[128];
	double start = now();

	snprintf(folder, sizeof(folder), "tests/fuzz/seeds/%s", k->seeds);
	seeds_add(&pool, folder);
	snprintf(folder, sizeof(folder), "tests/golden/%s", k->golden);
	goldens_add(&pool, folder);
	assert(pool.n > 10);
	for (; runs < wanted; bodies++) {
		uint32_t of_pool = below((uint32_t)pool.n);

		maker.odd = below(3) == 0;
		maker.broken = below(4) == 0;
		if (bodies < pool.n) {
			take(bytes_of(pool.p[bodies], pool.bytes[bodies]));
		} else {
			if (k->make && below(2))
				k->make();
			else
				take(bytes_of(pool.p[of_pool], pool.bytes[of_pool]));
			mutate();
		}
		runs += k->judge(bytes_of(current, current_n));
	}
	printf("{\"figure\":\"B18\",\"kind\":\"%s\",\"begun_with\":%zu,\"bodies\":%llu,\"runs\":%"
	       "llu,"
	       "\"runs_per_s\":%.0f,\"disagreed\":0}\n",
	       k->name, pool.n, (unsigned long long)bodies, (unsigned long long)runs,
	       (double)runs / (now() - start));
	fflush(stdout);
	for (size_t i = 0; i < pool.n; i++)
		free(pool.p[i]);
}

int main(int argc, char **argv)
{
	uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;

	maker.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 20261125;
	signal(SIGABRT, on_abort);
	protocols_open();
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		run(&kinds[i], wanted);
	return 0;
}
