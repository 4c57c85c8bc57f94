/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrich_rw.h -- enrich.h's ways for remote_write: a body in memory that ends BODY_SLACK behind it,
 * by every kernel of this CPU, with and without the fast path, over hostile slack. All of them must
 * give one answer (B18 of performance.md).
 */
#pragma once
#include <stdio.h>
#include "common/isa.h"
#include "proto/edits.h"
#include "proto/remote_write.h"

struct rw_outcome {
	enum verdict verdict;
	struct enriched e;
	struct edits edits;
	uint8_t *value; /* heap; NULL unless accepted or empty */
	size_t value_n;
};

struct rw_settings {
	unsigned version; /* 1 or 2 */
	bool stamp; /* false: record.enrich is header */
	const char *name, *tenant; /* NULL: tenant_id, acme */
};

static inline struct rw_settings rw_settings_of(unsigned version)
{
	return (struct rw_settings){ .version = version, .stamp = true };
}

static inline struct rw_outcome rw_once(struct rw_settings s, struct bytes body, bool exact,
                                        uint8_t slack)
{
	static struct scratch scratch;
	uint8_t stamp[700];
	struct bytes name = bytes_str(s.name ? s.name : "tenant_id");
	struct enrich_in in = { .stamp_name = name, .depth = 64, .scratch = &scratch };
	uint8_t *copy = xcalloc(body.n + BODY_SLACK, 1);
	struct rw_outcome o = { 0 };

	if (body.n)
		memcpy(copy, body.p, body.n);
	memset(copy + body.n, slack, BODY_SLACK);
	in.body = bytes_of(copy, body.n);
	if (s.stamp)
		in.stamp = bytes_of(stamp, protocol_remote_write.formats[s.version - 1].stamp(
						   name, bytes_str(s.tenant ? s.tenant : "acme"),
						   stamp, sizeof(stamp)));
	protocols_open();
	edits_init(&o.edits);
	o.e.edits = &o.edits;
	o.verdict = remote_write_enrich(s.version, exact, &in, &o.e);
	if (o.verdict == V_ACCEPTED || o.verdict == V_EMPTY) {
		o.value_n = edits_out_bytes(&o.edits, body.n);
		o.value = xcalloc(o.value_n + 1, 1);
		edits_emit(&o.edits, in.body, o.value);
	}
	free(copy);
	free(take_ptr(&scratch.p)); /* each run in fresh memory, so that none leans on another */
	scratch.bytes = 0;
	return o;
}

static inline void rw_outcome_done(struct rw_outcome *o)
{
	edits_done(&o->edits);
	free(o->value);
	o->value = NULL;
}

static inline void rw_must_agree(const struct rw_outcome *a, const struct rw_outcome *b,
                                 const char *with)
{
	bool same = a->verdict == b->verdict && a->value_n == b->value_n &&
	            a->e.spoofed == b->e.spoofed && !strcmp(a->e.reason, b->e.reason) &&
	            a->edits.n == b->edits.n &&
	            (!a->value || !memcmp(a->value, b->value, a->value_n));

	if (a->value)
		same = same && a->e.items == b->e.items &&
		       !memcmp(a->e.written, b->e.written, sizeof(a->e.written));
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

/* By every way there is. rw_outcome_done() afterwards. */
static inline struct rw_outcome rw_all(struct rw_settings s, struct bytes body)
{
	enum isa before = isa_get();
	struct rw_outcome first = rw_once(s, body, true, 0x00);

	for (int isa = ISA_SCALAR; isa < ISA_COUNT && isa_force((enum isa)isa); isa++)
		for (int exact = 0; exact < 2; exact++) {
			struct rw_outcome other = rw_once(s, body, exact, isa % 2 ? 0x7f : 0xff);

			rw_must_agree(&first, &other, isa_name((enum isa)isa));
			rw_outcome_done(&other);
		}
	isa_force(before);
	return first;
}
