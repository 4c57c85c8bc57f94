/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transcode.h -- runs OTLP/JSON through the transcoder as the worker would, for tests and fuzzers:
 * a body that ends BODY_SLACK before its memory does, hostile slack, every kernel of this CPU,
 * buffers that are too small first. All must give one answer (B18 of performance.md), and nothing
 * may be written behind the room that was given.
 */
#pragma once
#include "proto/otlp_json.h"
#include "tests/unit/proto/enrich.h"

struct transcoded {
	enum transcode result; /* never TRANSCODE_ROOM */
	struct enriched e;
	uint8_t *out; /* heap, BODY_SLACK bytes behind n; NULL unless OK */
	size_t n;
};

static inline transcode_fn transcode_of(enum signal signal)
{
	return signal == SIGNAL_TRACES    ? otlp_json_traces
	       : signal == SIGNAL_METRICS ? otlp_json_metrics
	       : signal == SIGNAL_LOGS    ? otlp_json_logs
	                                  : otlp_json_any;
}

/* With exactly cap bytes of room. */
static inline struct transcoded transcode_once(struct settings s, struct bytes body, size_t cap,
                                               uint8_t slack)
{
	struct enrich_in in = { .utf8 = s.utf8, .depth = s.depth };
	uint8_t *copy = xcalloc(body.n + BODY_SLACK, 1);
	uint8_t *out = xcalloc(cap + 1, 1);
	struct transcoded t = { .e.signal = s.signal };

	if (body.n)
		memcpy(copy, body.p, body.n);
	memset(copy + body.n, slack, BODY_SLACK);
	out[cap] = 0xa5;
	in.body = bytes_of(copy, body.n);
	protocols_open();
	t.result = transcode_of(s.signal)(&in, out, cap, &t.n, &t.e);
	if (out[cap] != 0xa5 || (t.result == TRANSCODE_OK && t.n > cap))
		abort(); /* wrote behind its room */
	if (t.result == TRANSCODE_OK) {
		t.out = xcalloc(t.n + BODY_SLACK, 1);
		memcpy(t.out, out, t.n);
	}
	free(out);
	free(copy);
	return t;
}

static inline void transcoded_done(struct transcoded *t)
{
	free(t->out);
	t->out = NULL;
}

static inline void transcodes_agree(const struct transcoded *a, const struct transcoded *b,
                                    const char *with)
{
	if (a->result == b->result && a->n == b->n && a->e.signal == b->e.signal &&
	    !strcmp(a->e.reason, b->e.reason) && (!a->out || !memcmp(a->out, b->out, a->n)))
		return;
	fprintf(stderr, "%s disagrees: result %d %d, %zu %zu bytes\n%s\n%s\n", with, (int)a->result,
	        (int)b->result, a->n, b->n, a->e.reason, b->e.reason);
	abort();
}

/* By every way there is. transcoded_done() afterwards. */
static inline struct transcoded transcode_all(struct settings s, struct bytes body)
{
	static const uint8_t slacks[] = { 0x00, '"', '}', '0', 0xff, '\\' };
	size_t bound, small = 1;
	enum isa before = isa_get();
	struct transcoded first, other;

	transcode_room(&(struct enrich_in){ .body = body }, &bound);
	isa_force(ISA_SCALAR);
	first = transcode_once(s, body, bound, 0x00);
	if (first.result == TRANSCODE_ROOM)
		abort(); /* the bound is a promise */
	for (int isa = ISA_SCALAR; isa < ISA_COUNT && isa_force((enum isa)isa); isa++)
		for (size_t i = 0; i < ARRAY_LEN(slacks); i++) {
			other = transcode_once(s, body, bound, slacks[i]);
			transcodes_agree(&first, &other, isa_name((enum isa)isa));
			transcoded_done(&other);
		}
	isa_force(before);
	do { /* as the worker: larger and larger, until there is room */
		other = transcode_once(s, body, min_size(small, bound), 0x7b);
		small = small * 3 + 1;
	} while (other.result == TRANSCODE_ROOM);
	transcodes_agree(&first, &other, "more room");
	transcoded_done(&other);
	return first;
}
