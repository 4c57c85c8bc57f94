/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_otlp_json.c -- libFuzzer over OTLP/JSON on its way to protobuf. The first byte picks signal,
 * UTF-8 mode and depth; the rest is a body. What must hold for any bytes:
 *   - scalar, sse2, avx2, whatever lies behind the body, however often there was no room: one
 * answer, within 4 times the body and 64 bytes (B18; tests/unit/proto/transcode.h);
 *   - what comes out, the walker and protobuf-c accept;
 *   - printed as JSON by its descriptors and transcoded again it is the same message.
 */
#include "tests/unit/proto/oracle.h"
#include "tests/unit/proto/print_json.h"
#include "tests/unit/proto/transcode.h"

enum { PICK_REPAIR = 4, PICK_TIGHT = 8, PICK_SPELLING = 16, TIGHT = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

/* The value, with its text mended, is a request that the walker takes; its bytes in o. */
static struct outcome enriched(struct settings s, const struct transcoded *t)
{
	struct outcome o;

	s.stamp = false;
	s.signal = t->e.signal;
	o = enrich_all(s, bytes_of(t->out, t->n));
	must(o.verdict == V_ACCEPTED || o.verdict == V_EMPTY || o.verdict == V_COUNT,
	     "what comes out is valid");
	return o;
}

static void again(enum signal signal, const struct outcome *o, bool spelling)
{
	ProtobufCMessage *m = oracle_unpack(signal, bytes_of(o->value, o->value_n));
	struct settings s = settings_of(signal);
	struct transcoded t;
	struct buf json;
	size_t n;
	uint8_t *packed;

	must(m != NULL, "protobuf-c accepts the value");
	print_strip(m);
	packed = oracle_pack(m, &n);
	buf_init(&json, 16 * MIB);
	print_message(&(struct print){ .out = &json,
	                               .snake = spelling,
	                               .bare = spelling,
	                               .names = spelling,
	                               .spaced = spelling },
	              m);
	s.depth = PB_DEPTH_MAX;
	t = transcode_once(s, buf_view(&json), 4 * json.n + 64, 0);
	must(t.result == TRANSCODE_OK, "a printed message is valid");
	must(oracle_equal(signal, bytes_of(packed, n), bytes_of(t.out, t.n), NULL, NULL),
	     "printed and transcoded again it is the same message");
	transcoded_done(&t);
	buf_done(&json);
	free(packed);
	protobuf_c_message_free_unpacked(m, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct settings s;
	struct transcoded t;
	struct bytes body;

	if (n == 0)
		return 0;
	s = settings_of((enum signal)(data[0] % 4)); /* SIGNAL_EVENTS: the route of any */
	s.utf8 = data[0] & PICK_REPAIR ? UTF8_REPAIR : UTF8_STRICT;
	s.depth = data[0] & PICK_TIGHT ? TIGHT : 64;
	body = bytes_of(data + 1, n - 1);
	t = transcode_all(s, body);
	must((t.result == TRANSCODE_INVALID) == (t.e.reason[0] != '\0'),
	     "a reason if and only if invalid");
	if (t.result == TRANSCODE_OK && t.e.signal != SIGNAL_EVENTS) {
		struct outcome o = enriched(s, &t);

		if (o.value)
			again(t.e.signal, &o, data[0] & PICK_SPELLING);
		outcome_done(&o);
	}
	transcoded_done(&t);
	return 0;
}
