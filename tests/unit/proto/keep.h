/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep.h -- OTLP/JSON that stays JSON, as the worker handles it, for tests and fuzzers: in memory
 * that ends BODY_SLACK behind it, over hostile slack, by every kernel of this CPU; all must give
 * one answer (B18 of performance.md). keep_judge() holds it against the same body as protobuf.
 */
#pragma once
#include "tests/unit/proto/oracle.h"
#include "tests/unit/proto/transcode.h"

static inline const struct format *kept_format(enum signal signal)
{
	return signal == SIGNAL_TRACES    ? &protocol_otlp_traces_kept.formats[1]
	       : signal == SIGNAL_METRICS ? &protocol_otlp_metrics_kept.formats[1]
	       : signal == SIGNAL_LOGS    ? &protocol_otlp_logs_kept.formats[1]
	                                  : &protocol_otlp_any_kept.formats[1];
}

static inline struct outcome keep_once(struct settings s, struct bytes body, uint8_t slack)
{
	struct bytes name = bytes_str(s.name ? s.name : "tenant_id");
	struct enrich_in in = { .stamp_name = name,
		                .utf8 = s.utf8,
		                .depth = s.depth,
		                .resources_max = s.resources_max };
	uint8_t *copy = xcalloc(body.n + BODY_SLACK, 1);
	uint8_t stamp[700];
	struct outcome o = { .e.signal = s.signal };

	if (body.n)
		memcpy(copy, body.p, body.n);
	memset(copy + body.n, slack, BODY_SLACK);
	in.body = bytes_of(copy, body.n);
	protocols_open();
	if (s.stamp)
		in.stamp = bytes_of(stamp, kept_format(s.signal)->stamp(
						   name, bytes_str(s.tenant ? s.tenant : "acme"),
						   stamp, sizeof(stamp)));
	edits_init(&o.edits);
	o.e.edits = &o.edits;
	o.verdict = kept_format(s.signal)->enrich(&in, &o.e);
	if (o.verdict == V_ACCEPTED || o.verdict == V_EMPTY) {
		o.value_n = edits_out_bytes(&o.edits, body.n);
		o.value = xcalloc(o.value_n + 1, 1);
		edits_emit(&o.edits, in.body, o.value);
	}
	free(copy);
	return o;
}

/* By every way there is. outcome_done() afterwards. */
static inline struct outcome keep_all(struct settings s, struct bytes body)
{
	static const uint8_t slacks[] = { '"', '}', 0xff, '\\' };
	enum isa before = isa_get();
	struct outcome first, other;

	isa_force(ISA_SCALAR);
	first = keep_once(s, body, 0x00);
	for (int isa = ISA_SCALAR; isa < ISA_COUNT && isa_force((enum isa)isa); isa++)
		for (size_t i = 0; i < ARRAY_LEN(slacks); i++) {
			other = keep_once(s, body, slacks[i]);
			must_agree(&first, &other, isa_name((enum isa)isa));
			outcome_done(&other);
		}
	isa_force(before);
	return first;
}

static inline void keep_must(bool holds, const char *what, struct bytes body,
                             const struct outcome *kept)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n%.*s\n%.*s\n%s\n", what, (int)body.n,
	        (const char *)body.p, (int)kept->value_n, (const char *)kept->value,
	        kept->e.reason);
	abort();
}

/* The kept value is the JSON of what protobuf would hold, stamp and all, and no more is to be done
 * to it. */
static inline void keep_judge_value(struct settings s, struct bytes body,
                                    const struct outcome *kept, const struct outcome *proto)
{
	struct bytes value = bytes_of(kept->value, kept->value_n);
	struct transcoded t;
	struct outcome again;

	s.utf8 = UTF8_STRICT;
	t = transcode_once(s, value, 4 * value.n + 64, 0xff);
	keep_must(t.result == TRANSCODE_OK, "the value is valid JSON", body, kept);
	keep_must(oracle_equal(kept->e.signal, bytes_of(proto->value, proto->value_n),
	                       bytes_of(t.out, t.n), NULL, NULL),
	          "decoded, the value is what protobuf would hold", body, kept);
	transcoded_done(&t);
	again = keep_once(s, value, 0xff);
	keep_must(again.verdict == V_ACCEPTED && again.value_n == value.n &&
	                  !memcmp(again.value, value.p, value.n),
	          "kept once more it stays as it is", body, kept);
	outcome_done(&again);
	s.stamp = false;
	again = keep_once(s, value, 0xff);
	keep_must(again.verdict == V_ACCEPTED && again.edits.n == 0,
	          "and without a stamp nothing is edited", body, kept);
	outcome_done(&again);
}

/* Whatever the body is: the verdict, the reason and the counts are those of its protobuf. Of
 * unknown members, which do not become protobuf, the text is mended too. */
static inline void keep_judge(struct settings s, struct bytes body)
{
	struct outcome kept = keep_all(s, body), proto;
	struct transcoded t = transcode_once(s, body, 4 * body.n + 64, 0x00);

	keep_must((kept.verdict == V_INVALID) == (kept.e.reason[0] != '\0'),
	          "a reason if and only if invalid", body, &kept);
	if (t.result != TRANSCODE_OK) {
		keep_must(kept.verdict == V_INVALID && !strcmp(kept.e.reason, t.e.reason),
		          "refused as a transcoder refuses it", body, &kept);
		outcome_done(&kept);
		transcoded_done(&t);
		return;
	}
	s.signal = t.e.signal;
	if (s.signal == SIGNAL_EVENTS) /* nothing told which: nothing is in it */
		s.signal = SIGNAL_TRACES;
	else
		keep_must(kept.e.signal == s.signal, "the signal", body, &kept);
	proto = enrich_once(s, bytes_of(t.out, t.n), true, 0xff);
	keep_must(kept.verdict == proto.verdict ||
	                  (proto.verdict == V_COUNT && !strcmp(proto.e.counted_what, "edits")),
	          "the verdict", body, &kept);
	if (kept.verdict == V_COUNT && proto.verdict == V_COUNT)
		keep_must(!strcmp(kept.e.counted_what, proto.e.counted_what) &&
		                  kept.e.counted == proto.e.counted,
		          "what was counted", body, &kept);
	if (kept.verdict == V_ACCEPTED && proto.verdict == V_ACCEPTED) {
		keep_must(kept.e.items == proto.e.items && kept.e.spoofed == proto.e.spoofed &&
		                  kept.e.repaired >= proto.e.repaired,
		          "the counts", body, &kept);
		keep_judge_value(s, body, &kept, &proto);
	}
	outcome_done(&proto);
	outcome_done(&kept);
	transcoded_done(&t);
}
