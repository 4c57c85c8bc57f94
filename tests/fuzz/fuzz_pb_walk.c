/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pb_walk.c -- libFuzzer over the wire walker and the OTLP splice. The first byte picks
 * signal, UTF-8 mode, enrichment and limits; the rest is a body. What must hold for any bytes:
 *   - scalar, sse2, avx2, fast path on and off: one verdict, one edit list, one output (B18);
 *   - what is accepted, protobuf-c accepts, and so is what it became;
 *   - the splice equals protobuf-c's unpack + remove + add + pack.
 */
#include "tests/unit/proto/enrich.h"
#include "tests/unit/proto/oracle.h"

enum {
	PICK_REPAIR = 4,
	PICK_HEADER = 8,
	PICK_TIGHT = 16,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

/* By the walker again, strictly: whatever was repaired is UTF-8 now, whatever was cut in still
 * fits. */
static bool is_valid(enum signal signal, const struct outcome *o)
{
	struct settings s = settings_of(signal);
	struct outcome again;
	bool valid;

	s.stamp = false;
	s.depth = PB_DEPTH_MAX;
	again = enrich_once(s, bytes_of(o->value, o->value_n), false, 0xff);
	valid = again.verdict == o->verdict && again.e.items == o->e.items;
	outcome_done(&again);
	return valid;
}

static void judge(struct settings s, struct bytes body, const struct outcome *o)
{
	struct bytes value = bytes_of(o->value, o->value_n);
	ProtobufCMessage *m = oracle_unpack(s.signal, value);

	must(m != NULL, "protobuf-c accepts the value");
	protobuf_c_message_free_unpacked(m, NULL);
	must(is_valid(s.signal, o), "the value is valid and holds the same items");
	/* protobuf-c ends a key at its NUL: to it this would be the reserved name */
	if (o->e.repaired || memmem(body.p, body.n, "tenant_id", 10))
		return;
	must(oracle_equal(s.signal, body, value, s.stamp ? "tenant_id" : NULL, "acme"),
	     "the splice equals unpack + remove + add + pack");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct settings s;
	struct outcome o;
	struct bytes body;

	if (n == 0)
		return 0;
	s = settings_of((enum signal)(data[0] % 4 % 3));
	s.utf8 = data[0] & PICK_REPAIR ? UTF8_REPAIR : UTF8_STRICT;
	s.stamp = !(data[0] & PICK_HEADER);
	if (data[0] & PICK_TIGHT) {
		s.depth = 7;
		s.resources_max = 2;
	}
	body = bytes_of(data + 1, n - 1);
	o = enrich_all(s, body);
	must(o.verdict == V_ACCEPTED || o.verdict == V_EMPTY || o.verdict == V_INVALID ||
	             o.verdict == V_COUNT,
	     "a verdict of enrich()");
	must((o.verdict == V_INVALID) == (o.e.reason[0] != '\0'),
	     "a reason if and only if invalid");
	if (o.value)
		judge(s, body, &o);
	outcome_done(&o);
	return 0;
}
