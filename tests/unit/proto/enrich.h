/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrich.h -- runs a body through enrich() as the worker would, for tests and fuzzers: in memory
 * that ends BODY_SLACK behind it, by every kernel of this CPU, with and without the fast path, over
 * hostile slack. All of them must give one answer (B18 of performance.md).
 */
#pragma once
#include <stdio.h>
#include "common/isa.h"
#include "proto/edits.h"
#include "proto/otlp.h"

struct outcome {
	enum verdict verdict;
	struct enriched e;
	struct edits edits;
	uint8_t *value; /* heap; NULL unless accepted or empty */
	size_t value_n;
};

struct settings {
	enum signal signal;
	bool stamp; /* false: record.enrich is header */
	enum utf8_mode utf8;
	unsigned depth, resources_max;
	const char *name, *tenant; /* NULL: tenant_id, acme */
};

static inline struct settings settings_of(enum signal signal)
{
	return (struct settings){
		.signal = signal, .stamp = true, .depth = 64, .resources_max = 10000
	};
}

static inline const struct protocol *otlp_of(enum signal signal)
{
	return signal == SIGNAL_TRACES    ? &protocol_otlp_traces
	       : signal == SIGNAL_METRICS ? &protocol_otlp_metrics
	                                  : &protocol_otlp_logs;
}

static inline struct bytes stamp_of(struct settings s, uint8_t *out, size_t cap)
{
	struct bytes name = bytes_str(s.name ? s.name : "tenant_id");

	return bytes_of(out, otlp_of(s.signal)->formats->stamp(
				     name, bytes_str(s.tenant ? s.tenant : "acme"), out, cap));
}

static inline struct outcome enrich_once(struct settings s, struct bytes body, bool exact,
                                         uint8_t slack)
{
	uint8_t stamp[700];
	struct enrich_in in = { .stamp_name = bytes_str(s.name ? s.name : "tenant_id"),
		                .utf8 = s.utf8,
		                .depth = s.depth,
		                .resources_max = s.resources_max };
	uint8_t *copy = xcalloc(body.n + BODY_SLACK, 1);
	struct outcome o = { 0 };

	if (body.n)
		memcpy(copy, body.p, body.n);
	memset(copy + body.n, slack, BODY_SLACK);
	in.body = bytes_of(copy, body.n);
	if (s.stamp)
		in.stamp = stamp_of(s, stamp, sizeof(stamp));
	protocols_open();
	edits_init(&o.edits);
	o.e.edits = &o.edits;
	o.verdict = otlp_enrich(s.signal, exact, &in, &o.e);
	if (o.verdict == V_ACCEPTED || o.verdict == V_EMPTY) {
		o.value_n = edits_out_bytes(&o.edits, body.n);
		o.value = xcalloc(o.value_n + 1, 1);
		edits_emit(&o.edits, in.body, o.value);
	}
	free(copy);
	return o;
}

static inline void outcome_done(struct outcome *o)
{
	edits_done(&o->edits);
	free(o->value);
	o->value = NULL;
}

static inline void must_agree(const struct outcome *a, const struct outcome *b, const char *with)
{
	bool same = a->verdict == b->verdict && a->value_n == b->value_n &&
	            a->e.items == b->e.items && a->e.spoofed == b->e.spoofed &&
	            a->e.repaired == b->e.repaired && !strcmp(a->e.reason, b->e.reason) &&
	            a->edits.n == b->edits.n &&
	            (!a->value || !memcmp(a->value, b->value, a->value_n));

	for (size_t i = 0; same && a->value && i < a->edits.n; i++)
		same = a->edits.list[i].at == b->edits.list[i].at &&
		       a->edits.list[i].del == b->edits.list[i].del;
	if (same)
		return;
	fprintf(stderr,
	        "%s disagrees: verdict %d %d, items %ju %ju, value %zu %zu, edits %zu "
	        "%zu\n%s\n%s\n",
	        with, (int)a->verdict, (int)b->verdict, (uintmax_t)a->e.items,
	        (uintmax_t)b->e.items, a->value_n, b->value_n, a->edits.n, b->edits.n, a->e.reason,
	        b->e.reason);
	abort();
}

/* By every way there is. outcome_done() afterwards. */
static inline struct outcome enrich_all(struct settings s, struct bytes body)
{
	enum isa before = isa_get();
	struct outcome first = enrich_once(s, body, true, 0x00);

	for (int isa = ISA_SCALAR; isa < ISA_COUNT && isa_force((enum isa)isa); isa++)
		for (int exact = 0; exact < 2; exact++) {
			struct outcome other = enrich_once(s, body, exact, isa % 2 ? 0x7f : 0xff);

			must_agree(&first, &other, isa_name((enum isa)isa));
			outcome_done(&other);
		}
	isa_force(before);
	return first;
}
