/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits of generated requests of remote_write and pushes of Loki, cut at many limits: what
 * oracle_split.h says must hold of each.
 */
#include "proto/split.h"

#include <criterion/criterion.h>

#include "tests/unit/proto/oracle_split.h"
#include "tests/unit/proto/random_rw.h"

static void text_put(struct random_message *r, uint32_t number, const char *text)
{
	size_t from;

	random_tag(r, number, 2);
	from = r->n;
	random_bytes(r, text, strlen(text));
	random_close(r, from);
}

static void pair_put(struct random_message *r)
{
	size_t from;

	random_tag(r, 3, 2);
	from = r->n;
	text_put(r, 1, random_below(r, 5) ? "trace_id" : "tenant_id");
	text_put(r, 2, "0102030405");
	random_close(r, from);
}

static void entry_put(struct random_message *r)
{
	size_t from, line;

	random_tag(r, 2, 2);
	from = r->n;
	if (random_below(r, 10)) {
		random_tag(r, 1, 2);
		line = r->n;
		random_tag(r, 1, 0);
		random_put_varint(r, 1764000000, 10);
		random_tag(r, 2, 0);
		random_put_varint(r, random_below(r, 1000000000), 10);
		random_close(r, line);
	}
	random_tag(r, 2, 2);
	line = r->n;
	random_text(r);
	random_close(r, line);
	for (uint32_t n = random_below(r, 3); n > 0; n--)
		pair_put(r);
	if (r->odd && random_below(r, 4) == 0)
		random_unknown(r);
	random_close(r, from);
}

static void stream_put(struct random_message *r)
{
	static const char *const labels[] = { "{a=\"b\"}", "{}", "{ tenant_id=\"x\", zone=\"1\" }",
		                              "{job=\"a longer one\", app=\"\\\"\", z=`y`}" };
	bool early = r->odd && random_below(r, 3) == 0;
	size_t from;

	random_tag(r, 1, 2);
	from = r->n;
	if (early)
		entry_put(r);
	if (r->odd && random_below(r, 4) == 0)
		text_put(r, 1, "{overridden=\"1\"}");
	text_put(r, 1, labels[random_below(r, random_below(r, 40) ? 1 : ARRAY_LEN(labels))]);
	for (uint32_t n = random_below(r, 5); n > 0; n--) {
		entry_put(r);
		if (r->odd && random_below(r, 8) == 0)
			random_unknown(r);
	}
	if (random_below(r, 2)) {
		random_tag(r, 3, 0);
		random_put_varint(r, 12345, 10);
	}
	random_close(r, from);
}

static struct bytes random_push(struct random_message *r)
{
	r->n = 0;
	for (uint32_t n = 1 + random_below(r, 5); n > 0; n--) {
		stream_put(r);
		if (r->odd && random_below(r, 4) == 0)
			random_unknown(r);
	}
	return bytes_of(r->out, r->n);
}

static struct bytes random_of(struct random_message *r, enum split_kind kind)
{
	return kind == OF_LOKI ? random_push(r) : random_rw(r, kind == OF_RW1 ? 1 : 2);
}

static void many(enum split_kind kind, bool odd)
{
	static struct random_message r;
	unsigned cuts = 0, refusals = 0;

	r.seed = 88172645463325252u;
	r.odd = odd;
	for (unsigned i = 0; i < 300; i++) {
		struct split_value v = split_enrich(kind, i % 2, random_of(&r, kind));

		for (size_t limit = 0; v.p && limit < v.n + 3; limit += 1 + v.n / 40) {
			struct split_done d =
				split_judge(kind, i % 2, bytes_of(v.p, v.n), v.items, limit);

			cuts += d.parts.n > 1;
			refusals += d.answer == SPLIT_ITEM;
			split_free(&d);
		}
		free(v.p);
	}
	cr_expect(cuts > 500 && refusals > 500, "%u %u", cuts, refusals);
}

/* R5 */
Test(split_oracle, requests_of_1_0_as_senders_write_them_come_through)
{
	many(OF_RW1, false);
}

Test(split_oracle, requests_of_1_0_of_every_shape_come_through)
{
	many(OF_RW1, true);
}

Test(split_oracle, requests_of_2_0_as_senders_write_them_come_through)
{
	many(OF_RW2, false);
}

Test(split_oracle, requests_of_2_0_of_every_shape_come_through)
{
	many(OF_RW2, true);
}

/* R6 */
Test(split_oracle, pushes_of_loki_as_clients_write_them_come_through)
{
	many(OF_LOKI, false);
}

Test(split_oracle, pushes_of_loki_of_every_shape_come_through)
{
	many(OF_LOKI, true);
}
