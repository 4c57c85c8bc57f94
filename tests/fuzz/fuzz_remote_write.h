/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_remote_write.h -- what the fuzzers of 1.0 and 2.0 share. The first byte picks enrichment and
 * tenant, the rest is a body. What must hold for any bytes:
 *   - scalar, sse2, avx2, fast path on and off: one verdict, one edit list, one output (B18);
 *   - what is accepted, protobuf-c accepts, and the rules over its trees too, with the same counts;
 *     what they accept is refused for its bytes alone;
 *   - the value is protobuf-c's unpack + remove + add + sort + pack, and is accepted again.
 */
#pragma once
#include "tests/unit/proto/enrich_rw.h"
#include "tests/unit/proto/oracle_rw.h"

enum {
	PICK_HEADER = 1,
	PICK_NAME = 2,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

static bool is_success(const struct rw_outcome *o)
{
	return o->verdict == V_ACCEPTED || o->verdict == V_EMPTY;
}

/* By the walker's words: those of the rules never name a byte. */
static bool is_malformed(const struct rw_outcome *o)
{
	return o->verdict == V_INVALID && strstr(o->e.reason, " (byte ");
}

static void must_be_accepted_again(struct rw_settings s, const struct rw_outcome *o)
{
	struct rw_settings header = { .version = s.version };
	struct rw_outcome again = rw_once(header, bytes_of(o->value, o->value_n), false, 0xff);

	must(again.verdict == o->verdict && again.e.items == o->e.items,
	     "the value is valid and holds the same items");
	must(again.edits.n == 0, "with its labels sorted and no field to remove");
	rw_outcome_done(&again);
}

static void judge_success(struct rw_settings s, struct bytes body, const struct rw_outcome *o,
                          const ProtobufCMessage *m)
{
	uint64_t counts[3], items;

	must(m && oracle_rw_valid(s.version, m, body.n), "the rules accept what is accepted");
	oracle_rw_count(s.version, m, counts, &items);
	must(items == o->e.items && (items > 0) == (o->verdict == V_ACCEPTED), "the items");
	must(s.version == 1 || !memcmp(counts, o->e.written, sizeof(counts)), "the counts");
	must(oracle_rw_equal(s.version, body, bytes_of(o->value, o->value_n),
	                     s.stamp ? s.name : NULL, s.tenant),
	     "the value equals unpack + remove + add + sort + pack");
	must_be_accepted_again(s, o);
}

static int fuzz(unsigned version, const uint8_t *data, size_t n)
{
	struct rw_settings s = { .version = version };
	struct rw_outcome o;
	ProtobufCMessage *m;
	struct bytes body;

	if (n == 0)
		return 0;
	s.stamp = !(data[0] & PICK_HEADER);
	s.name = data[0] & PICK_NAME ? "a" : "tenant_id";
	s.tenant = data[0] & PICK_NAME ? "b" : "acme";
	body = bytes_of(data + 1, n - 1);
	o = rw_all(s, body);
	m = oracle_rw_unpack(version, body);
	must(is_success(&o) || o.verdict == V_INVALID || o.verdict == V_COUNT,
	     "a verdict of enrich()");
	must((o.verdict == V_INVALID) == (o.e.reason[0] != '\0'),
	     "a reason if and only if invalid");
	if (is_success(&o))
		judge_success(s, body, &o, m);
	else if (m && o.verdict == V_INVALID && !is_malformed(&o))
		must(!oracle_rw_valid(version, m, body.n), "what the rules accept is accepted");
	protobuf_c_message_free_unpacked(m, &sized);
	rw_outcome_done(&o);
	return 0;
}
