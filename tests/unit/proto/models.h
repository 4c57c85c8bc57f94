/* SPDX-License-Identifier: Apache-2.0 */
/*
 * models.h -- runs a body of JSON events through the transcoder of data models as the worker would,
 * for tests and fuzzers: a body that ends BODY_SLACK before its memory does, hostile slack, every
 * kernel of this CPU, buffers that are too small first. All must give one answer (B18 of
 * performance.md), nothing may be written behind the room that was given, and what is said to be
 * enough must be exactly enough.
 */
#pragma once
#include <stdio.h>
#include "common/isa.h"
#include "proto/model.h"

struct model_settings {
	const struct model *model;
	bool stamp;
	const char *name, *tenant;
	unsigned depth;
	const char *claims; /* NULL: none */
	bool client_claims_win;
};

struct judged {
	enum transcode result; /* never TRANSCODE_ROOM */
	enum verdict verdict; /* of enrich(), after TRANSCODE_OK */
	struct enriched e; /* e.slices is of this struct */
	struct slices slices;
	uint8_t *out; /* heap; NULL unless OK */
	size_t n;
};

static inline struct model_settings model_settings_of(const struct model *model)
{
	return (struct model_settings){ model, true, "tenant_id", "acme", 64, NULL, false };
}

/* With exactly cap bytes of room; *enough is what it says is needed. */
static inline struct judged judge_once(struct model_settings s, struct bytes body, size_t cap,
                                       uint8_t slack, size_t *enough)
{
	const struct format *format = protocol_models.formats;
	struct scratch scratch = { 0 };
	uint8_t stamp[512];
	struct enrich_in in = { .stamp_name = bytes_str(s.name),
		                .utf8 = UTF8_STRICT,
		                .depth = s.depth,
		                .scratch = &scratch,
		                .model = s.model,
		                .claims = s.claims ? bytes_str(s.claims) : BYTES_NONE,
		                .client_claims_win = s.client_claims_win };
	uint8_t *copy = xcalloc(body.n + BODY_SLACK, 1), *out = xcalloc(cap + 1, 1);
	struct judged j = { .verdict = V_INVALID };

	if (body.n)
		memcpy(copy, body.p, body.n);
	memset(copy + body.n, slack, BODY_SLACK);
	out[cap] = 0xa5;
	in.body = bytes_of(copy, body.n);
	if (s.stamp)
		in.stamp = bytes_of(stamp, format->stamp(in.stamp_name, bytes_str(s.tenant), stamp,
		                                         sizeof(stamp)));
	j.e.slices = &j.slices;
	j.result = format->transcode(&in, out, cap, &j.n, &j.e);
	if (out[cap] != 0xa5 || (j.result == TRANSCODE_OK && j.n > cap))
		abort(); /* wrote behind its room */
	*enough = j.n;
	if (j.result == TRANSCODE_OK) {
		in.body = bytes_of(out, j.n);
		j.verdict = format->enrich(&in, &j.e);
		j.out = xcalloc(j.n + 1, 1);
		memcpy(j.out, out, j.n);
	}
	free(out);
	free(copy);
	free(scratch.p);
	return j;
}

static inline void judged_done(struct judged *j)
{
	free(j->out);
	slices_done(&j->slices);
	j->out = NULL;
}

static inline void judged_agree(const struct judged *a, const struct judged *b, const char *with)
{
	if (a->result == b->result && a->verdict == b->verdict && a->n == b->n &&
	    a->e.spoofed == b->e.spoofed && a->e.items == b->e.items &&
	    a->e.is_syntax == b->e.is_syntax && a->e.is_tenant == b->e.is_tenant &&
	    !strcmp(a->e.reason, b->e.reason) && a->slices.n == b->slices.n &&
	    (!a->slices.n ||
	     !memcmp(a->slices.v, b->slices.v, a->slices.n * sizeof(*a->slices.v))) &&
	    (!a->out || !memcmp(a->out, b->out, a->n)))
		return;
	fprintf(stderr, "%s disagrees: result %d %d, %zu %zu bytes\n%s\n%s\n", with, (int)a->result,
	        (int)b->result, a->n, b->n, a->e.reason, b->e.reason);
	abort();
}

/* Every object has its stamp, its schema id and the claims more than the body. */
static inline size_t judge_bound(struct model_settings s, struct bytes body)
{
	size_t claims = s.claims ? 2 * strlen(s.claims) : 0;

	return body.n + (body.n / 2 + 1) * (64 + claims);
}

/* By every way there is. judged_done() afterwards. */
static inline struct judged judge_all(struct model_settings s, struct bytes body)
{
	static const uint8_t slacks[] = { 0x00, '"', '}', '0', 0xff, '\\' };
	size_t bound = judge_bound(s, body), enough;
	enum isa before = isa_get();
	struct judged first, other;

	isa_force(ISA_SCALAR);
	first = judge_once(s, body, bound, 0x00, &enough);
	if (first.result == TRANSCODE_ROOM)
		abort();
	for (int isa = ISA_SCALAR; isa < ISA_COUNT && isa_force((enum isa)isa); isa++)
		for (size_t i = 0; i < ARRAY_LEN(slacks); i++) {
			other = judge_once(s, body, bound, slacks[i], &enough);
			judged_agree(&first, &other, isa_name((enum isa)isa));
			judged_done(&other);
		}
	isa_force(before);
	for (unsigned i = 0; first.result == TRANSCODE_OK && first.n && i < 4; i++) {
		size_t small[] = { 0, 1, first.n / 2, first.n - 1 };

		other = judge_once(s, body, small[i], 0x7b, &enough);
		if (other.result != TRANSCODE_ROOM || enough != first.n)
			abort(); /* what is enough must be known after one attempt */
		judged_done(&other);
	}
	other = judge_once(s, body, first.n, 0x7b, &enough);
	judged_agree(&first, &other, "exactly enough room");
	judged_done(&other);
	return first;
}
