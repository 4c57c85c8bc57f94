/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep_loki.h -- Loki JSON that stays JSON, as the worker handles it, for tests and fuzzers: in
 * memory that ends BODY_SLACK behind it, over hostile slack, by every kernel of this CPU; all must
 * give one answer (B18). loki_keep_judge() holds it against the same push as protobuf.
 */
#pragma once
#include "proto/schema/loki.pb-c.h"
#include "tests/unit/proto/enrich_loki.h"

static inline const struct format *loki_kept_format(struct loki_settings s)
{
	if (s.form == LOKI_LEGACY)
		return &protocol_loki_legacy_kept.formats[0];
	return s.into_entries ? &protocol_loki_entries_kept.formats[0]
	                      : &protocol_loki_kept.formats[0];
}

static inline struct loki_outcome loki_keep_once(struct loki_settings s, struct bytes body,
                                                 uint8_t slack)
{
	uint8_t stamp[700];
	struct bytes name = bytes_str(s.name ? s.name : "tenant_id");
	struct scratch scratch = { 0 };
	struct enrich_in in = {
		.stamp_name = name, .utf8 = s.utf8, .depth = 64, .scratch = &scratch
	};
	uint8_t *copy = loki_copy(body, slack);
	struct loki_outcome o = { .verdict = V_INVALID };

	protocols_open();
	edits_init(&o.edits);
	o.e.edits = &o.edits;
	in.body = bytes_of(copy, body.n);
	if (s.stamp)
		in.stamp = bytes_of(stamp, loki_kept_format(s)->stamp(
						   name, bytes_str(s.tenant ? s.tenant : "acme"),
						   stamp, sizeof(stamp)));
	o.verdict = loki_kept_format(s)->enrich(&in, &o.e);
	if (o.verdict == V_ACCEPTED || o.verdict == V_EMPTY) {
		o.value_n = edits_out_bytes(&o.edits, body.n);
		o.value = xcalloc(o.value_n + 1, 1);
		edits_emit(&o.edits, in.body, o.value);
	}
	scratch_trim(&scratch, 0);
	free(copy);
	return o;
}

/* By every way there is. loki_outcome_done() afterwards. */
static inline struct loki_outcome loki_keep_all(struct loki_settings s, struct bytes body)
{
	static const uint8_t slacks[] = { 0xff, '"', '}', '\\' };
	enum isa before = isa_get();
	struct loki_outcome first, other;

	isa_force(ISA_SCALAR);
	first = loki_keep_once(s, body, 0x00);
	for (int isa = ISA_SCALAR; isa < ISA_COUNT && isa_force((enum isa)isa); isa++)
		for (size_t i = 0; i < ARRAY_LEN(slacks); i++) {
			other = loki_keep_once(s, body, slacks[i]);
			loki_must_agree(&first, &other, isa_name((enum isa)isa));
			loki_outcome_done(&other);
		}
	isa_force(before);
	return first;
}

static inline void loki_keep_must(bool holds, const char *what, struct bytes body,
                                  const struct loki_outcome *kept, const struct loki_outcome *proto)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n%.*s\n%.*s\nkept: %d %s\nprotobuf: %d %s\n", what,
	        (int)body.n, (const char *)body.p, (int)kept->value_n, (const char *)kept->value,
	        (int)kept->verdict, kept->e.reason, (int)proto->verdict, proto->e.reason);
	abort();
}

/* Whatever the prefixes of lengths are. */
static inline bool loki_same_push(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n)
{
	Logproto__PushRequest *x = logproto__push_request__unpack(NULL, a_n, a);
	Logproto__PushRequest *y = logproto__push_request__unpack(NULL, b_n, b);
	bool same = false;

	if (x && y) {
		size_t n = logproto__push_request__get_packed_size(x);
		uint8_t *p = xcalloc(n + 1, 1), *q = xcalloc(n + 1, 1);

		if (logproto__push_request__get_packed_size(y) == n) {
			logproto__push_request__pack(x, p);
			logproto__push_request__pack(y, q);
			same = memcmp(p, q, n) == 0;
		}
		free(p);
		free(q);
	}
	logproto__push_request__free_unpacked(x, NULL);
	logproto__push_request__free_unpacked(y, NULL);
	return same;
}

/* The kept value is the JSON of what protobuf would hold, stamp and all, and no more is to be done
 * to it. */
static inline void loki_keep_judge_value(struct loki_settings s, struct bytes body,
                                         const struct loki_outcome *kept,
                                         const struct loki_outcome *proto)
{
	struct bytes value = bytes_of(kept->value, kept->value_n);
	struct loki_outcome again;

	s.utf8 = UTF8_STRICT;
	again = loki_keep_once(s, value, 0xff);
	loki_keep_must(again.verdict == V_ACCEPTED && again.value_n == value.n &&
	                       !memcmp(again.value, value.p, value.n),
	               "kept once more it stays as it is", body, kept, proto);
	loki_outcome_done(&again);
	s.stamp = false;
	again = loki_keep_once(s, value, 0xff);
	loki_keep_must(again.verdict == V_ACCEPTED && again.edits.n == 0,
	               "and without a stamp nothing is edited", body, kept, proto);
	loki_outcome_done(&again);
	again = loki_once(s, value, false, 0xff, 4 * value.n + 64);
	loki_keep_must(again.verdict == V_ACCEPTED && loki_same_push(again.value, again.value_n,
	                                                             proto->value, proto->value_n),
	               "decoded, the value is what protobuf would hold", body, kept, proto);
	loki_outcome_done(&again);
}

/* Whatever the push is: the verdict, the reason and the counts are those of its protobuf. Of
 * unknown members, and of labels without a value, which do not become protobuf, the text is mended
 * too. */
static inline void loki_keep_judge(struct loki_settings s, struct bytes body)
{
	struct loki_outcome kept, proto;
	bool counted;

	if (s.form == LOKI_LEGACY) /* its entries have no place for a stamp */
		s.into_entries = false;
	kept = loki_keep_all(s, body);
	proto = loki_once(s, body, true, 0x00, 4 * body.n + 64);
	counted = proto.verdict == V_COUNT && !strcmp(proto.e.counted_what, "edits");
	loki_keep_must(kept.verdict == proto.verdict || counted, "the verdict", body, &kept,
	               &proto);
	loki_keep_must(!strcmp(kept.e.reason, proto.e.reason), "the reason", body, &kept, &proto);
	if (kept.verdict == V_ACCEPTED && !counted) {
		loki_keep_must(kept.e.items == proto.e.items && kept.e.spoofed == proto.e.spoofed &&
		                       kept.e.repaired >= proto.e.repaired,
		               "the counts", body, &kept, &proto);
		loki_keep_judge_value(s, body, &kept, &proto);
	}
	loki_outcome_done(&kept);
	loki_outcome_done(&proto);
}
