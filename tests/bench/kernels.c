/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels.c -- B7 of performance.md: GB/s of validate + UTF-8 + stamp + emit for each ISA, against
 * memcpy and protobuf-c's unpack + pack, in interleaved rounds; allocations counted by interposing
 * malloc. One JSON line for each kernel and body; B7h are the bodies off the fast path. Usage:
 * kernels [rounds] [ms per turn] [name], h for B7h
 */
#include <stdio.h>
#include <time.h>

#include "common/isa.h"
#include "proto/edits.h"
#include "proto/otlp.h"
#include "proto/remote_write.h"
#include "proto/schema/remote_write.pb-c.h"
#include "proto/schema/remote_write_v2.pb-c.h"
#include "tests/unit/proto/oracle.h"

static uint64_t allocations;

#if !defined(HEADGATE_ASAN)
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
	allocations++;
	return __libc_realloc(p, n);
}
#endif

enum { ROOM = 8 * MIB };

struct writer { /* backwards, so that lengths are known when they are written */
	uint8_t *start, *p;
};

static void put(struct writer *w, const void *bytes, size_t n)
{
	w->p -= n;
	assert(w->p >= w->start);
	memcpy(w->p, bytes, n);
}

static void put_varint(struct writer *w, uint64_t v)
{
	uint8_t varint[10];

	put(w, varint, pb_varint_write(v, varint));
}

static void put_field(struct writer *w, unsigned number, unsigned wire)
{
	put_varint(w, number << 3 | wire);
}

static void put_string(struct writer *w, unsigned number, const char *text)
{
	put(w, text, strlen(text));
	put_varint(w, strlen(text));
	put_field(w, number, 2);
}

static void put_close(struct writer *w, unsigned number, const uint8_t *end)
{
	put_varint(w, (uint64_t)(end - w->p));
	put_field(w, number, 2);
}

static void put_u64(struct writer *w, unsigned number, uint64_t v)
{
	put(w, &v, 8);
	put_field(w, number, 1);
}

/* KeyValue as field `number`: a text, or an integer if text is NULL. */
static void put_pair(struct writer *w, unsigned number, const char *key, const char *text,
                     uint64_t v)
{
	const uint8_t *end = w->p, *value = w->p;

	if (text) {
		put_string(w, 1, text);
	} else {
		put_varint(w, v);
		put_field(w, 3, 0);
	}
	put_close(w, 2, value);
	put_string(w, 1, key);
	put_close(w, number, end);
}

static void put_resource(struct writer *w)
{
	const uint8_t *end = w->p;

	put_pair(w, 1, "host.name", "worker-7.example.net", 0);
	put_pair(w, 1, "telemetry.sdk.language", "go", 0);
	put_pair(w, 1, "service.version", "1.42.0", 0);
	put_pair(w, 1, "service.name", "checkout", 0);
	put_close(w, 1, end);
}

static void put_span(struct writer *w, unsigned i)
{
	static const char *const keys[] = { "http.request.method", "url.scheme",
		                            "server.address",      "http.route",
		                            "user_agent.original", "network.peer.address",
		                            "rpc.service",         "thread.name" };
	static const char *const values[] = { "GET",
		                              "https",
		                              "checkout.example.net",
		                              "/api/v1/cart/{id}/items",
		                              "Mozilla/5.0 (X11; Linux x86_64)",
		                              "203.0.113.77",
		                              "shop.Cart",
		                              "http-nio-8080-exec-12" };
	uint64_t id[2] = { 0x9e3779b97f4a7c15u * (i + 1), 0xc2b2ae3d27d4eb4fu * (i + 7) };
	const uint8_t *end = w->p, *status;
	uint32_t flags = 0x101;

	put(w, &flags, 4);
	put_field(w, 16, 5);
	status = w->p;
	put_varint(w, 1);
	put_field(w, 3, 0);
	put_close(w, 15, status);
	put_pair(w, 9, "server.port", NULL, 443);
	put_pair(w, 9, "http.response.status_code", NULL, 200);
	for (size_t k = ARRAY_LEN(keys); k-- > 0;)
		put_pair(w, 9, keys[k], values[k], 0);
	put_u64(w, 8, 1764000000123456789u + i);
	put_u64(w, 7, 1764000000023456789u + i);
	put_varint(w, 2);
	put_field(w, 6, 0);
	put_string(w, 5, "GET /api/v1/cart/{id}/items");
	put(w, id, 8);
	put_varint(w, 8);
	put_field(w, 4, 2);
	put(w, id + 1, 8);
	put_varint(w, 8);
	put_field(w, 2, 2);
	put(w, id, 16);
	put_varint(w, 16);
	put_field(w, 1, 2);
	put_close(w, 2, end);
}

/* The standard body: 200 spans of 10 attributes in one Scope of one Resource. */
static void put_standard(struct writer *w, unsigned spans)
{
	const uint8_t *end = w->p, *scope;

	while (spans-- > 0)
		put_span(w, spans);
	scope = w->p;
	put_string(w, 1, "io.example.instrumentation");
	put_close(w, 1, scope);
	put_close(w, 2, end);
	put_resource(w);
	put_close(w, 1, end);
}

/* Attributes whose text is of other scripts and short, one by one. */
static void put_scripts(struct writer *w)
{
	static const char *const texts[] = { "\xe4\xb8\x96\xe7\x95\x8c",
		                             "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82",
		                             "\xf0\x9f\x98\x80",
		                             "Gr\xc3\xbc\xc3\x9f: K\xc3\xb6ln" };
	const uint8_t *end = w->p;

	for (unsigned i = 0; i < 400; i++) {
		const uint8_t *span = w->p;

		for (unsigned k = 0; k < 10; k++)
			put_pair(w, 9, texts[(i + k) % 4], texts[k % 4], 0);
		put_close(w, 2, span);
	}
	put_close(w, 2, end);
	put_resource(w);
	put_close(w, 1, end);
}

/* Attributes of lists in lists, 20 messages deep, with a word inside. */
static void put_nested(struct writer *w)
{
	const uint8_t *end = w->p;

	for (unsigned i = 0; i < 1000; i++) {
		const uint8_t *span = w->p, *pair = w->p, *value = w->p;

		put_string(w, 1, "word");
		for (unsigned k = 0; k < 8; k++) {
			put_close(w, 1, value);
			put_close(w, 5, value);
		}
		put_close(w, 2, value);
		put_string(w, 1, "list");
		put_close(w, 9, pair);
		put_close(w, 2, span);
	}
	put_close(w, 2, end);
	put_resource(w);
	put_close(w, 1, end);
}

/* Attributes of one list of many words and numbers. */
static void put_wide(struct writer *w)
{
	static const char *const words[] = { "alpha", "a longer one of them", "x", "gamma-7" };
	const uint8_t *end = w->p;

	for (unsigned i = 0; i < 200; i++) {
		const uint8_t *span = w->p, *pair = w->p, *value = w->p;

		for (unsigned k = 0; k < 40; k++) {
			const uint8_t *element = w->p;

			if (k % 5) {
				put_string(w, 1, words[(i + k) % ARRAY_LEN(words)]);
			} else {
				put_varint(w, i * k);
				put_field(w, 3, 0);
			}
			put_close(w, 1, element);
		}
		put_close(w, 5, value);
		put_close(w, 2, value);
		put_string(w, 1, "list");
		put_close(w, 9, pair);
		put_close(w, 2, span);
	}
	put_close(w, 2, end);
	put_resource(w);
	put_close(w, 1, end);
}

/* A map as field `number`, as logs carry what was JSON: texts, numbers and maps of the same form.
 */
static void put_map(struct writer *w, unsigned i, unsigned depth)
{
	const uint8_t *end = w->p, *pair, *value;

	for (unsigned k = 0; depth > 1 && k < 2; k++) {
		pair = value = w->p;
		put_map(w, i + k, depth - 1);
		put_close(w, 2, value);
		put_string(w, 1, "request");
		put_close(w, 1, pair);
	}
	put_pair(w, 1, "duration_ms", NULL, i * 77);
	put_pair(w, 1, "path", "/api/v1/cart/17/items", 0);
	put_pair(w, 1, "user", i % 3 ? "Grace Hopper" : "Andr\xc3\xa9 Weil", 0);
	put_pair(w, 1, "retries", NULL, i % 4);
	put_close(w, 6, end);
}

static void put_maps(struct writer *w)
{
	const uint8_t *end = w->p;

	for (unsigned i = 0; i < 200; i++) {
		const uint8_t *span = w->p, *pair = w->p, *value = w->p;

		put_map(w, i, 3);
		put_close(w, 2, value);
		put_string(w, 1, "body");
		put_close(w, 9, pair);
		put_close(w, 2, span);
	}
	put_close(w, 2, end);
	put_resource(w);
	put_close(w, 1, end);
}

/* Fields of a later version only, of every wire type. */
static void put_unknown(struct writer *w)
{
	const uint8_t *end = w->p;
	uint32_t fixed = 7;

	for (unsigned i = 0; i < 400; i++) {
		const uint8_t *span = w->p;

		for (unsigned k = 0; k < 8; k++) {
			put_string(w, 30 + k, "a text of some later version");
			put_varint(w, (uint64_t)i * 1000003u * k);
			put_field(w, 40 + k, 0);
			put_u64(w, 50 + k, i);
			put(w, &fixed, sizeof(fixed));
			put_field(w, 5000 + k, 5);
		}
		put_close(w, 2, span);
	}
	put_close(w, 2, end);
	put_resource(w);
	put_close(w, 1, end);
}

/* Off the fast path: long and non-ASCII text, nested values, unknown fields. */
static void put_hostile(struct writer *w)
{
	static const char text[] =
		"Gr\xc3\xbc\xc3\x9f"
		"e aus K\xc3\xb6ln, \xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x98\x80 - "
		"une phrase assez longue pour d\xc3\xa9passer une ligne, \xd0\xb8 \xd0\xb5\xd1\x89"
		"\xd1\x91 \xd0\xbd\xd0\xb5\xd0\xbc\xd0\xbd\xd0\xbe\xd0\xb3\xd0\xbe; and more of "
		"it.";
	const uint8_t *end = w->p;

	for (unsigned i = 0; i < 200; i++) {
		const uint8_t *span = w->p, *pair, *value;

		put_string(w, 900, "an unknown field of some later version");
		for (unsigned k = 0; k < 2; k++)
			put_pair(w, 9, "message.text", text, 0);
		pair = value = w->p;
		for (unsigned k = 0; k < 5; k++) {
			const uint8_t *element = w->p;

			put_string(w, 1, "element of a list");
			put_close(w, 1, element);
		}
		put_close(w, 5, value);
		put_close(w, 2, value);
		put_string(w, 1, "list");
		put_close(w, 9, pair);
		put_string(w, 5, text);
		put_close(w, 2, span);
	}
	put_close(w, 2, end);
	put_resource(w);
	put_close(w, 1, end);
}

static void put_label(struct writer *w, const char *name, const char *value)
{
	const uint8_t *end = w->p;

	put_string(w, 2, value);
	put_string(w, 1, name);
	put_close(w, 1, end);
}

static const char *const label_names[] = { "__name__", "cluster",  "container", "instance",
	                                   "job",      "location", "namespace", "pod" };

static void label_value(unsigned series, unsigned label, char out[64])
{
	static const char *const values[] = { "container_network_receive_total",
		                              "eu-west-%u",
		                              "app-%u",
		                              "10.0.%u.17:9100",
		                              "cadvisor",
		                              "rack-%u",
		                              "team-%u",
		                              "checkout-x%05u" };
	static const unsigned kinds[] = { 1, 2, 40, 250, 1, 20, 12, 100000 };

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(out, 64, values[label], series % kinds[label]);
#pragma GCC diagnostic pop
}

/* Sample of a TimeSeries: 1.0 and 2.0 agree on it. */
static void put_sample(struct writer *w, unsigned i)
{
	const uint8_t *end = w->p;
	double value = i * 1.37;
	uint64_t bits;

	memcpy(&bits, &value, 8);
	put_varint(w, 1764000000000u + i);
	put_field(w, 2, 0);
	put_u64(w, 1, bits);
	put_close(w, 2, end);
}

/* remote_write 1.0: 2000 series of 8 labels and one sample. Hostile: off the fast path, a label of
 * another script and one of 150 bytes in each. */
static void put_v1(struct writer *w, bool hostile)
{
	char value[64];

	for (unsigned i = 2000; i-- > 0;) {
		const uint8_t *end = w->p;

		put_sample(w, i);
		if (hostile) {
			put_label(w, "url",
			          "/api/v1/checkout/with/a/rather/long/path/of/many/segments/so/"
			          "that/its/length/needs/two/bytes/on/the/wire/and/a/query?a=1&b="
			          "2&c=3&d=4&e=5&f=6");
			put_label(w, "title",
			          "Gr\xc3\xbc\xc3\x9f"
			          "e aus K\xc3\xb6ln, \xe4\xb8\x96\xe7\x95\x8c");
		}
		for (unsigned k = ARRAY_LEN(label_names); k-- > 0;) {
			label_value(i, k, value);
			put_label(w, label_names[k], value);
		}
		put_close(w, 1, end);
	}
}

/* The same as remote_write 2.0. */
static void put_v2(struct writer *w)
{
	enum { LABELS = ARRAY_LEN(label_names), SERIES = 2000 };
	static uint32_t refs[SERIES][LABELS];
	static char texts[SERIES * LABELS][64];
	unsigned n = 0;

	for (unsigned i = 0; i < SERIES; i++)
		for (unsigned k = 0; k < LABELS; k++) {
			char value[64];
			unsigned at = 0;

			label_value(i, k, value);
			while (at < n && strcmp(texts[at], value))
				at++;
			if (at == n)
				strcpy(texts[n++], value);
			refs[i][k] = 1 + LABELS + at;
		}
	for (unsigned i = SERIES; i-- > 0;) {
		const uint8_t *end = w->p, *list;

		put_sample(w, i);
		list = w->p;
		for (unsigned k = LABELS; k-- > 0;) {
			put_varint(w, refs[i][k]);
			put_varint(w, 1 + k);
		}
		put_close(w, 1, list);
		put_close(w, 5, end);
	}
	while (n-- > 0)
		put_string(w, 4, texts[n]);
	for (unsigned k = LABELS; k-- > 0;)
		put_string(w, 4, label_names[k]);
	put_string(w, 4, "");
}

static void put_otlp_200(struct writer *w)
{
	put_standard(w, 200);
}

static void put_otlp_2000(struct writer *w)
{
	put_standard(w, 2000);
}

static void put_v1_standard(struct writer *w)
{
	put_v1(w, false);
}

static void put_v1_hostile(struct writer *w)
{
	put_v1(w, true);
}

struct bench {
	const char *body_name;
	void (*put)(struct writer *w);
	const struct format *format;
	bool header; /* record.enrich: validate, no stamp */
	bool hostile; /* B7h */
	struct bytes body, stamp;
	uint8_t *out;
	struct edits edits;
	struct scratch scratch;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void headgate_once(struct bench *b)
{
	struct enrich_in in = { .body = b->body,
		                .stamp = b->stamp,
		                .stamp_name = BYTES("tenant_id"),
		                .depth = 64,
		                .resources_max = 10000,
		                .scratch = &b->scratch };
	struct enriched out = { .edits = &b->edits };

	edits_reset(&b->edits);
	if (b->format->enrich(&in, &out) != V_ACCEPTED)
		abort();
	if (b->edits.n)
		edits_emit(&b->edits, b->body, b->out);
}

static void memcpy_once(struct bench *b)
{
	memcpy(b->out, b->body.p, b->body.n);
	__asm__ volatile("" : : "r"(b->out) : "memory");
}

static void protobuf_c_once(struct bench *b)
{
	ProtobufCMessage *m;

	if (b->format != &protocol_otlp_traces.formats[0]) {
		m = protobuf_c_message_unpack(
			b->format == protocol_remote_write.formats
				? &prometheus__write_request__descriptor
				: &io__prometheus__write__v2__request__descriptor,
			NULL, b->body.n, b->body.p);
	} else {
		m = oracle_unpack(SIGNAL_TRACES, b->body);
		oracle_enrich(m, "tenant_id", "acme");
	}
	protobuf_c_message_pack(m, b->out);
	protobuf_c_message_free_unpacked(m, NULL);
}

struct kernel {
	const char *name;
	enum isa isa;
	void (*once)(struct bench *b);
	double best, sum;
	uint64_t allocations, calls;
};

static void turn(struct kernel *k, struct bench *b, int64_t ns)
{
	int64_t start, spent;
	uint64_t before, calls = 0;
	double gbps;

	isa_force(k->isa);
	k->once(b); /* warm */
	before = allocations;
	start = now_ns();
	do {
		for (int i = 0; i < 16; i++)
			k->once(b);
		calls += 16;
		spent = now_ns() - start;
	} while (spent < ns);
	gbps = (double)b->body.n * (double)calls / (double)spent;
	k->best = gbps > k->best ? gbps : k->best;
	k->sum += gbps;
	k->allocations += allocations - before;
	k->calls += calls;
}

static void run(struct bench *b, int rounds, int64_t ns)
{
	struct kernel kernels[] = {
		{ .name = "memcpy", .isa = ISA_SCALAR, .once = memcpy_once },
		{ .name = "headgate", .isa = ISA_AVX2, .once = headgate_once },
		{ .name = "headgate", .isa = ISA_SSE2, .once = headgate_once },
		{ .name = "headgate", .isa = ISA_SCALAR, .once = headgate_once },
		{ .name = "protobuf-c unpack+pack", .isa = ISA_SCALAR, .once = protobuf_c_once },
	};

	for (int r = 0; r < rounds; r++)
		for (size_t i = 0; i < ARRAY_LEN(kernels); i++)
			if (isa_force(kernels[i].isa))
				turn(&kernels[i], b, ns);
	for (size_t i = 0; i < ARRAY_LEN(kernels); i++) {
		const struct kernel *k = &kernels[i];

		printf("{\"figure\":\"B7%s\",\"body\":\"%s\",\"bytes\":%zu,\"kernel\":\"%s\","
		       "\"isa\":"
		       "\"%s\","
		       "\"gb_per_s_mean\":%.3f,\"gb_per_s_best\":%.3f,\"allocations_per_call\":%."
		       "3f}\n",
		       b->hostile ? "h" : "", b->body_name, b->body.n, k->name,
		       k->once == headgate_once ? isa_name(k->isa) : "-", k->sum / rounds, k->best,
		       k->calls ? (double)k->allocations / (double)k->calls : 0);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 5;
	int64_t ns = (argc > 2 ? atoi(argv[2]) : 200) * INT64_C(1000000);
	const struct format *otlp = &protocol_otlp_traces.formats[0];
	const struct format *rw = protocol_remote_write.formats;
	struct bench benches[] = {
		{ .body_name = "otlp-200x10", .put = put_otlp_200, .format = otlp },
		{ .body_name = "otlp-2000x10", .put = put_otlp_2000, .format = otlp },
		{ .body_name = "hostile", .put = put_hostile, .format = otlp, .hostile = true },
		{ .body_name = "h-scripts", .put = put_scripts, .format = otlp, .hostile = true },
		{ .body_name = "h-nested", .put = put_nested, .format = otlp, .hostile = true },
		{ .body_name = "h-wide", .put = put_wide, .format = otlp, .hostile = true },
		{ .body_name = "h-maps", .put = put_maps, .format = otlp, .hostile = true },
		{ .body_name = "h-unknown", .put = put_unknown, .format = otlp, .hostile = true },
		{ .body_name = "rw1-2000x8", .put = put_v1_standard, .format = &rw[0] },
		{ .body_name = "rw1-2000x8-header",
		  .put = put_v1_standard,
		  .format = &rw[0],
		  .header = true },
		{ .body_name = "h-rw1", .put = put_v1_hostile, .format = &rw[0], .hostile = true },
		{ .body_name = "rw2-2000x8", .put = put_v2, .format = &rw[1] },
		{ .body_name = "rw2-2000x8-header",
		  .put = put_v2,
		  .format = &rw[1],
		  .header = true },
	};
	uint8_t stamp[256];

	protocols_open();
	for (size_t i = 0; i < ARRAY_LEN(benches); i++) {
		struct bench *b = &benches[i];
		uint8_t *room = xcalloc(ROOM + BODY_SLACK, 1);
		struct writer w = { .start = room, .p = room + ROOM };

		if (argc > 3 && strncmp(b->body_name, argv[3], strlen(argv[3])))
			continue;
		b->out = xcalloc(ROOM, 1);
		b->put(&w);
		b->body = bytes_of(w.p, (size_t)(room + ROOM - w.p));
		if (!b->header)
			b->stamp =
				bytes_of(stamp, b->format->stamp(BYTES("tenant_id"), BYTES("acme"),
			                                         stamp, sizeof(stamp)));
		edits_init(&b->edits);
		run(b, rounds, ns);
		edits_done(&b->edits);
		free(b->scratch.p);
		free(b->out);
		free(room);
	}
	return 0;
}
