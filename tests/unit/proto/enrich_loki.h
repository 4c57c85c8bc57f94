/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrich_loki.h -- a Loki push as the worker handles it, for tests and fuzzers: JSON is transcoded
 * (into buffers that are too small first), the message is enriched, in memory that ends BODY_SLACK
 * behind it, over hostile slack, by every kernel of this CPU. All must give one answer (B18).
 */
#pragma once
#include <stdio.h>
#include "common/isa.h"
#include "proto/edits.h"
#include "proto/loki.h"

enum loki_form { LOKI_PROTOBUF, LOKI_JSON, LOKI_LEGACY };

struct loki_settings {
	enum loki_form form;
	bool stamp; /* false: record.enrich is header */
	bool into_entries;
	enum utf8_mode utf8;
	const char *name, *tenant; /* NULL: tenant_id, acme */
};

struct loki_outcome {
	enum verdict verdict;
	struct enriched e;
	struct edits edits;
	uint8_t *message; /* heap: what was enriched; NULL if it was not transcoded */
	size_t message_n;
	uint8_t *value; /* heap; NULL unless accepted or empty */
	size_t value_n;
};

static inline struct loki_settings loki_settings_of(enum loki_form form)
{
	return (struct loki_settings){ .form = form, .stamp = true, .utf8 = UTF8_REPAIR };
}

static inline const struct protocol *loki_protocol(struct loki_settings s)
{
	if (s.form == LOKI_LEGACY)
		return s.into_entries ? &protocol_loki_legacy_entries : &protocol_loki_legacy;
	return s.into_entries ? &protocol_loki_entries : &protocol_loki;
}

/* A copy with slack behind it. */
static inline uint8_t *loki_copy(struct bytes body, uint8_t slack)
{
	uint8_t *copy = xcalloc(body.n + BODY_SLACK, 1);

	if (body.n)
		memcpy(copy, body.p, body.n);
	memset(copy + body.n, slack, BODY_SLACK);
	return copy;
}

/* From `room` bytes on, larger and larger; nothing is written behind them. */
static inline bool loki_transcoded(struct loki_settings s, struct enrich_in *in, size_t room,
                                   struct loki_outcome *o)
{
	enum transcode result;
	size_t bound;

	transcode_room(in, &bound);
	do {
		size_t cap = min_size(room, bound);

		free(o->message);
		o->message = xcalloc(cap + BODY_SLACK, 1);
		memset(o->message + cap, 0xa5, BODY_SLACK);
		result = loki_protocol(s)->formats[0].transcode(in, o->message, cap, &o->message_n,
		                                                &o->e);
		for (size_t i = 0; i < BODY_SLACK; i++)
			if (o->message[cap + i] != 0xa5)
				abort(); /* wrote behind its room */
		if (result == TRANSCODE_ROOM && cap == bound)
			abort(); /* the bound is a promise */
		room = room * 3 + 1;
	} while (result == TRANSCODE_ROOM);
	return result == TRANSCODE_OK;
}

static inline struct loki_outcome loki_once(struct loki_settings s, struct bytes body, bool exact,
                                            uint8_t slack, size_t room)
{
	uint8_t stamp[700];
	struct bytes name = bytes_str(s.name ? s.name : "tenant_id");
	struct enrich_in in = { .stamp_name = name, .utf8 = s.utf8, .depth = 64 };
	uint8_t *copy = loki_copy(body, slack);
	struct loki_outcome o = { .verdict = V_INVALID };

	protocols_open();
	edits_init(&o.edits);
	o.e.edits = &o.edits;
	in.body = bytes_of(copy, body.n);
	if (s.stamp)
		in.stamp = bytes_of(stamp, loki_protocol(s)->formats[0].stamp(
						   name, bytes_str(s.tenant ? s.tenant : "acme"),
						   stamp, sizeof(stamp)));
	if (s.form == LOKI_PROTOBUF || loki_transcoded(s, &in, room, &o)) {
		if (s.form == LOKI_PROTOBUF) {
			o.message = loki_copy(body, slack);
			o.message_n = body.n;
		}
		memset(o.message + o.message_n, slack, BODY_SLACK);
		in.body = bytes_of(o.message, o.message_n);
		o.verdict = loki_enrich(s.into_entries, exact, &in, &o.e);
	}
	if (o.verdict == V_ACCEPTED || o.verdict == V_EMPTY) {
		o.value_n = edits_out_bytes(&o.edits, o.message_n);
		o.value = xcalloc(o.value_n + 1, 1);
		edits_emit(&o.edits, in.body, o.value);
	}
	free(copy);
	return o;
}

static inline void loki_outcome_done(struct loki_outcome *o)
{
	edits_done(&o->edits);
	free(o->value);
	free(o->message);
	o->value = o->message = NULL;
}

static inline void loki_must_agree(const struct loki_outcome *a, const struct loki_outcome *b,
                                   const char *with)
{
	bool same = a->verdict == b->verdict && a->value_n == b->value_n &&
	            a->e.spoofed == b->e.spoofed && a->e.repaired == b->e.repaired &&
	            a->e.items == b->e.items && !strcmp(a->e.reason, b->e.reason) &&
	            (!a->value || !memcmp(a->value, b->value, a->value_n));

	if (same)
		return;
	fprintf(stderr, "%s disagrees: verdict %d %d, items %ju %ju, value %zu %zu\n%s\n%s\n", with,
	        (int)a->verdict, (int)b->verdict, (uintmax_t)a->e.items, (uintmax_t)b->e.items,
	        a->value_n, b->value_n, a->e.reason, b->e.reason);
	abort();
}

/* By every way there is. loki_outcome_done() afterwards. */
static inline struct loki_outcome loki_all(struct loki_settings s, struct bytes body)
{
	static const uint8_t slacks[] = { 0xff, '"', '}', '\\' };
	enum isa before = isa_get();
	struct loki_outcome first;

	isa_force(ISA_SCALAR);
	first = loki_once(s, body, true, 0x00, 4 * body.n + 64);
	for (int isa = ISA_SCALAR; isa < ISA_COUNT && isa_force((enum isa)isa); isa++)
		for (size_t i = 0; i < ARRAY_LEN(slacks); i++) {
			struct loki_outcome other =
				loki_once(s, body, i % 2, slacks[i], i ? body.n : 1);

			loki_must_agree(&first, &other, isa_name((enum isa)isa));
			loki_outcome_done(&other);
		}
	isa_force(before);
	return first;
}
