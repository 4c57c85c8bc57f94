/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/inflate.c"

#include <zstd.h>

#include "tests/unit/worker/loki_bodies.h"

static struct request deflate_of(const void *p, size_t n)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	size_t cap = libdeflate_zlib_compress_bound(c, n);
	struct request z = { .p = malloc(cap) };

	z.n = libdeflate_zlib_compress(c, p, n, z.p, cap);
	cr_assert_gt(z.n, (size_t)0);
	libdeflate_free_compressor(c);
	return z;
}

static struct request raw_of(const void *p, size_t n)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	size_t cap = libdeflate_deflate_compress_bound(c, n);
	struct request z = { .p = malloc(cap) };

	z.n = libdeflate_deflate_compress(c, p, n, z.p, cap);
	cr_assert_gt(z.n, (size_t)0);
	libdeflate_free_compressor(c);
	return z;
}

static struct request zstd_frame(const void *p, size_t n, bool sized)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t cap = ZSTD_compressBound(n);
	struct request z = { .p = malloc(cap) };

	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, sized);
	z.n = ZSTD_compress2(c, z.p, cap, p, n);
	cr_assert_not(ZSTD_isError(z.n));
	ZSTD_freeCCtx(c);
	return z;
}

static struct request zstd_of(const void *p, size_t n)
{
	return zstd_frame(p, n, true);
}

static struct request stream_of(const void *p, size_t n) /* as a client that streams */
{
	return zstd_frame(p, n, false);
}

/* What clients send. */
static const struct {
	const char *field;
	struct request (*of)(const void *p, size_t n);
	enum encoding coding;
} codings[] = {
	{ GZIP, gzip_of, ENCODING_GZIP },
	{ "Content-Encoding: x-gzip\r\n", gzip_of, ENCODING_GZIP },
	{ "Content-Encoding: deflate\r\n", deflate_of, ENCODING_DEFLATE },
	{ "Content-Encoding: Deflate\r\n", raw_of, ENCODING_DEFLATE },
	{ "Content-Encoding: zlib\r\n", deflate_of, ENCODING_ZLIB },
	{ "Content-Encoding: zstd\r\n", zstd_of, ENCODING_ZSTD },
	{ "Content-Encoding: zstd\r\n", stream_of, ENCODING_ZSTD },
	{ SNAPPY, snappy_of, ENCODING_SNAPPY },
};

/* P8, protocols.md 1.3 */
Test(inflate, a_body_in_each_coding_gives_the_same_record)
{
	struct fixture *f = fixture_open();
	unsigned index;

	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", one_span, sizeof(one_span))),
	             200);
	index = f->r.route->index;
	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		struct request z = codings[i].of(one_span, sizeof(one_span));
		uint64_t before =
			stats_get(f->w.stats, STAT_REQUEST_DECODED_BYTES, index, codings[i].coding);

		cr_assert_eq(fixture_status(send_body(f, "/v1/traces", codings[i].field, z.p, z.n)),
		             200, "%s", f->sent);
		cr_assert_eq(f->r.encoding, codings[i].coding);
		cr_assert_eq(f->r.decoded_bytes, sizeof(one_span));
		cr_assert_eq(
			stats_get(f->w.stats, STAT_REQUEST_DECODED_BYTES, index, codings[i].coding),
			before + sizeof(one_span));
		cr_assert_eq(f->record_count, 2);
		cr_assert_eq(f->records[0].value_n, f->records[1].value_n);
		cr_assert_arr_eq(f->records[0].value, f->records[1].value, f->records[0].value_n);
		free(f->records[1].value);
		f->record_count = 1;
		free(z.p);
	}
	fixture_close(f);
}

/* P8, F43 */
Test(inflate, a_byte_too_few_or_too_many_is_refused_in_each_coding)
{
	struct fixture *f = fixture_open();

	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		struct request z = codings[i].of(one_span, sizeof(one_span));
		uint8_t more[256] = { 0 };

		memcpy(more, z.p, z.n);
		for (size_t n = 0; n <= z.n + 1; n++) {
			if (n == z.n)
				continue;
			cr_assert_eq(fixture_status(
					     send_body(f, "/v1/traces", codings[i].field, more, n)),
			             400, "%s%zu of %zu", codings[i].field, n, z.n);
			cr_assert_eq(f->r.verdict, V_INFLATE);
			cr_assert(strstr(f->r.detail, encoding_name(codings[i].coding)), "%s",
			          f->r.detail);
		}
		free(z.p);
	}
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

/* P7, F42: on every route */
Test(inflate, a_bomb_of_each_coding_is_413_and_the_largest_body_is_judged)
{
	static const char *const paths[] = { "/v1/traces", "/v1/metrics", "/v1/logs" };
	struct fixture *f = fixture_new();
	uint8_t *zeros = xcalloc(4 * MIB + 1, 1);

	f->conf.limits.inflated = 4 * MIB;
	f->conf.limits.worker_bytes = 12 * MIB;
	fixture_start(f, -1, -1);
	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		struct request bomb = codings[i].of(zeros, 4 * MIB + 1),
			       largest = codings[i].of(zeros, 4 * MIB);

		for (size_t k = 0; k < ARRAY_LEN(paths); k++) {
			cr_assert_eq(fixture_status(send_body(f, paths[k], codings[i].field, bomb.p,
			                                      bomb.n)),
			             413, "%s", codings[i].field);
			cr_assert_eq(f->r.verdict, V_INFLATED_SIZE);
			cr_assert_eq(fixture_status(send_body(f, paths[k], codings[i].field,
			                                      largest.p, largest.n)),
			             400);
			cr_assert_eq(f->r.verdict, V_INVALID);
			cr_assert_eq(f->r.decoded_bytes, 4 * MIB);
			cr_assert_eq(budget_used(f->w.budget), 0);
		}
		free(bomb.p);
		free(largest.p);
	}
	free(zeros);
	fixture_close(f);
}

/* F42 */
Test(inflate, a_window_of_2_gib_is_refused_and_no_byte_is_charged)
{
	static const uint8_t large[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1 << 3 | 1, 0, 0, 'x'
	};
	static const struct format any = { .type = "a/b" };
	static const struct route route = { .inflated_limit = 64 * MIB };
	struct fixture *f = fixture_open();

	fixture_begin(f, &f->public);
	f->r.route = &route;
	f->r.format = &any;
	f->r.encoding = ENCODING_ZSTD;
	f->r.who.known = true;
	f->r.at = STAGE_INFLATE;
	f->r.body = bytes_of(large, sizeof(large));
	cr_assert_eq(inflate_run(&f->r), STEP_REPLY);
	cr_assert_eq(f->r.verdict, V_INFLATE);
	cr_assert(strstr(f->r.detail, "zstd: a window over 8 MiB"), "%s", f->r.detail);
	cr_assert_eq(f->r.charged, 0);
	cr_assert_null(f->r.body_mem);
	req_finish(&f->r);
	fixture_close(f);
}

/* P6, PC1: vmagent, whose first try is zstd, goes on with snappy only after 415 (or 400) */
Test(inflate, remote_write_takes_no_coding_but_the_block)
{
	static const char *const others[] = { GZIP,
		                              "Content-Encoding: deflate\r\n",
		                              "Content-Encoding: zlib\r\n",
		                              "Content-Encoding: zstd\r\n",
		                              "Content-Encoding: gzip, snappy\r\n",
		                              "Content-Encoding: lz4\r\n" };
	struct fixture *f = fixture_open_all();
	struct request z = zstd_of(prom_v1, sizeof(prom_v1));
	char fields[256];

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		snprintf(fields, sizeof(fields), PROTOBUF "%s", others[i]);
		cr_assert_eq(fixture_status(send_bytes(f, "/api/v1/write", fields, z.p, z.n)), 415,
		             "%s", others[i]);
		cr_assert_eq(f->r.verdict, V_ENCODING);
		cr_assert_eq(fixture_status(send_bytes(f, "/api/v1/write", fields, "x", 1)), 415);
	}
	cr_assert_eq(fixture_status(send_block(f, "/api/v1/write", PROTOBUF SNAPPY, prom_v1,
	                                       sizeof(prom_v1))),
	             204);
	free(z.p);
	fixture_close(f);
}

/* protocols.md 1.3: a coding of its own to the client, and none of ours */
Test(inflate, a_framed_stream_on_otlp_is_400_and_lz4_is_415)
{
	struct fixture *f = fixture_open();
	static const uint8_t framed[] = "\xff\x06\0\0sNaPpY\x01\x05\0\0\0\0\0\0x";

	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", SNAPPY, framed, sizeof(framed) - 1)),
	             400);
	cr_assert_eq(f->r.verdict, V_INFLATE);
	cr_assert(strstr(f->r.detail, "framed"), "%s", f->r.detail);
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "Content-Encoding: lz4\r\n", framed,
	                                      sizeof(framed) - 1)),
	             415);
	cr_assert_eq(
		fixture_status(send_body(f, "/v1/traces", "Content-Encoding: x-snappy-framed\r\n",
	                                 framed, sizeof(framed) - 1)),
		415);
	fixture_close(f);
}

Test(inflate, gzip_and_identity_give_the_same_record)
{
	struct fixture *f = fixture_open();

	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", one_span, sizeof(one_span))),
	             200);
	cr_assert_eq(fixture_status(send_gzip(f, "/v1/traces", one_span, sizeof(one_span))), 200);
	cr_assert_eq(f->r.decoded_bytes, sizeof(one_span));
	cr_assert_eq(f->record_count, 2);
	cr_assert_eq(f->records[0].value_n, f->records[1].value_n);
	cr_assert_arr_eq(f->records[0].value, f->records[1].value, f->records[0].value_n);
	fixture_close(f);
}

/* P8 */
Test(inflate, two_members_are_one_body_and_a_byte_after_them_is_refused)
{
	struct fixture *f = fixture_open();
	struct request a = gzip_of(one_span, 20), b = gzip_of(one_span + 20, sizeof(one_span) - 20);
	uint8_t both[256];

	memcpy(both, a.p, a.n);
	memcpy(both + a.n, b.p, b.n);
	both[a.n + b.n] = 0;
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, both, a.n + b.n)), 200);
	cr_assert_eq(f->r.decoded_bytes, sizeof(one_span));
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, both, a.n + b.n + 1)), 400);
	cr_assert_eq(f->r.verdict, V_INFLATE);
	free(a.p);
	free(b.p);
	fixture_close(f);
}

Test(inflate, every_truncation_and_every_broken_byte_of_a_body_is_refused)
{
	struct fixture *f = fixture_open();
	struct request z = gzip_of(one_span, sizeof(one_span));

	for (size_t n = 0; n < z.n; n++)
		cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, z.p, n)), 400, "%zu",
		             n);
	for (size_t i = z.n - 8; i < z.n; i++) { /* CRC and size */
		z.p[i] ^= 1;
		cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, z.p, z.n)), 400, "%zu",
		             i);
		z.p[i] ^= 1;
	}
	cr_assert_eq(f->record_count, 0);
	free(z.p);
	fixture_close(f);
}

/* P7 */
Test(inflate, a_bomb_is_413_and_costs_no_more_than_the_limit)
{
	struct fixture *f = fixture_open();
	size_t n = 64 * MIB + 1;
	uint8_t *zeros = xcalloc(n, 1);
	struct request bomb = gzip_of(zeros, n), largest = gzip_of(zeros, n - 1);

	cr_assert_lt(bomb.n, (size_t)70000);
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, bomb.p, bomb.n)), 413);
	cr_assert_eq(f->r.verdict, V_INFLATED_SIZE);
	/* exactly the limit is inflated, and then judged: zeros are no protobuf */
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, largest.p, largest.n)), 400);
	cr_assert_eq(f->r.verdict, V_INVALID);
	cr_assert_eq(f->r.decoded_bytes, 64 * MIB);
	free(zeros);
	free(bomb.p);
	free(largest.p);
	fixture_close(f);
}

/* B20 */
Test(inflate, a_false_size_in_the_trailer_is_never_believed)
{
	struct fixture *f = fixture_open();
	struct request z = gzip_of(one_span, sizeof(one_span));
	static const uint8_t sizes[][4] = { { 0, 0, 0, 0 },
		                            { 1, 0, 0, 0 },
		                            { 0xff, 0xff, 0xff, 0xff } };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		memcpy(z.p + z.n - 4, sizes[i], 4);
		cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, z.p, z.n)), 400);
		cr_assert_eq(f->r.verdict, V_INFLATE);
	}
	free(z.p);
	fixture_close(f);
}

Test(inflate, a_guess_that_was_too_small_is_followed_by_the_limit)
{
	struct fixture *f = fixture_new();
	uint8_t *zeros = xcalloc(MIB, 1);

	f->conf.limits.inflated = MIB;
	fixture_start(f, -1, -1);
	/* 1000:1, so 16 x wire is too small; not valid, but inflated whole */
	cr_assert_eq(fixture_status(send_gzip(f, "/v1/traces", zeros, MIB)), 400);
	cr_assert_eq(f->r.verdict, V_INVALID);
	cr_assert_eq(f->r.decoded_bytes, MIB);
	free(zeros);
	fixture_close(f);
}

Test(inflate, output_is_charged_before_it_is_written)
{
	struct fixture *f = fixture_new();
	uint8_t *zeros = xcalloc(4 * MIB, 1);

	f->conf.limits.worker_bytes = 6 * MIB;
	f->conf.limits.inflated = 4 * MIB;
	fixture_start(f, -1, -1);
	cr_assert(budget_take(f->w.budget, 2, 0, 4 * MIB));
	cr_assert_eq(fixture_status(send_gzip(f, "/v1/traces", zeros, 4 * MIB)), 503);
	cr_assert_eq(f->r.verdict, V_OVERLOAD);
	budget_give(f->w.budget, 2, 4 * MIB);
	cr_assert_eq(fixture_status(send_gzip(f, "/v1/traces", zeros, 4 * MIB)), 400);
	free(zeros);
	fixture_close(f);
}

Test(inflate, a_body_that_says_its_size_needs_no_buffer_of_the_limit)
{
	struct fixture *f = fixture_new();
	uint8_t *zeros = xcalloc(MIB, 1);

	f->conf.limits.worker_bytes = 6 * MIB;
	f->conf.limits.inflated = 4 * MIB;
	fixture_start(f, -1, -1);
	cr_assert(budget_take(f->w.budget, 2, 0, 4 * MIB));
	/* 1000:1, and 1 MiB is all there is room for */
	cr_assert_eq(fixture_status(send_gzip(f, "/v1/traces", zeros, MIB)), 400);
	cr_assert_eq(f->r.verdict, V_INVALID);
	cr_assert_eq(f->r.decoded_bytes, MIB);
	budget_give(f->w.budget, 2, 4 * MIB);
	free(zeros);
	fixture_close(f);
}

Test(inflate, a_record_does_not_keep_a_buffer_of_the_limit)
{
	enum { COPIES = 100 };
	struct fixture *f = fixture_new();
	uint8_t all[COPIES * sizeof(one_span)], both[2 * sizeof(all)];
	size_t last = sizeof(one_span);
	struct request a, b, q;

	for (size_t i = 0; i < COPIES; i++)
		memcpy(all + i * sizeof(one_span), one_span, sizeof(one_span));
	a = gzip_of(all, sizeof(all) - last);
	b = gzip_of(all, last); /* the size in the trailer is that of the last member */
	memcpy(both, a.p, a.n);
	memcpy(both + a.n, b.p, b.n);
	f->conf.record.enrich = ENRICH_HEADER;
	f->conf.limits.inflated = MIB;
	fixture_start(f, -1, -1);
	q = request_of("/v1/traces", ACME PROTOBUF GZIP, both, a.n + b.n);
	fixture_begin(f, &f->public);
	fixture_feed(f, q.p, q.n - 1);
	cr_assert_eq(stages_run(&f->r), STEP_BYTES);
	fixture_feed(f, q.p + q.n - 1, 1);
	cr_assert_eq(body_run(&f->r), STEP_NEXT);
	cr_assert_eq(inflate_run(&f->r), STEP_NEXT);
	/* the most that so few bytes can become */
	cr_assert_eq(f->r.body_mem->cap, body_capacity(1032 * (a.n + b.n)));
	cr_assert_gt(f->r.body_mem->cap, 10 * sizeof(all));
	cr_assert_eq(enrich_run(&f->r), STEP_NEXT);
	cr_assert_eq(f->r.body.n, sizeof(all));
	cr_assert_arr_eq(f->r.body.p, all, sizeof(all));
	cr_assert_eq(f->r.charged, body_capacity(sizeof(all)));
	cr_assert_eq(budget_used(f->w.budget), f->r.charged);
	f->r.verdict = V_GONE;
	req_finish(&f->r);
	free(a.p);
	free(b.p);
	free(q.p);
	fixture_close(f);
}

Test(inflate, what_no_budget_could_hold_is_413)
{
	struct fixture *f = fixture_new();
	uint8_t *zeros = xcalloc(4 * MIB, 1);

	f->conf.limits.worker_bytes = 2 * MIB;
	fixture_start(f, -1, -1);
	cr_assert_eq(fixture_status(send_gzip(f, "/v1/traces", zeros, 4 * MIB)), 413);
	cr_assert_eq(f->r.verdict, V_INFLATED_SIZE);
	free(zeros);
	fixture_close(f);
}

Test(inflate, the_limit_holds_for_bodies_that_were_never_deflated)
{
	struct fixture *f = fixture_new();

	f->conf.limits.inflated = sizeof(one_span) - 1;
	fixture_start(f, -1, -1);
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", one_span, sizeof(one_span))),
	             413);
	cr_assert_eq(f->r.verdict, V_INFLATED_SIZE);
	fixture_close(f);
}

/* The wire bytes go back as soon as they are not needed. */
Test(inflate, the_wire_buffer_is_given_back)
{
	struct fixture *f = fixture_open();
	struct request z = gzip_of(one_span, sizeof(one_span)), q;

	q = request_of("/v1/traces", ACME PROTOBUF GZIP, z.p, z.n);
	f->sink_says = V_OVERLOAD;
	fixture_begin(f, &f->public);
	fixture_feed(f, q.p, q.n - 1); /* so that the body gets a buffer of its own */
	cr_assert_eq(stages_run(&f->r), STEP_BYTES);
	cr_assert_eq(f->r.charged, body_capacity(z.n));
	fixture_feed(f, q.p + q.n - 1, 1);
	cr_assert_eq(body_run(&f->r), STEP_NEXT);
	cr_assert_eq(inflate_run(&f->r), STEP_NEXT);
	cr_assert_eq(f->r.charged, f->r.body_mem->cap);
	cr_assert_eq(budget_used(f->w.budget), f->r.charged);
	f->r.verdict = V_GONE;
	req_finish(&f->r);
	free(z.p);
	free(q.p);
	fixture_close(f);
}

/* protocols.md 1.3: real handlers undo the block without the header too */
Test(inflate, a_block_is_one_with_and_without_its_header)
{
	static const char *const fields[] = { PROTOBUF SNAPPY, PROTOBUF,
		                              PROTOBUF "Content-Encoding: Identity\r\n" };
	struct fixture *f = fixture_open_all();
	unsigned index;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		cr_assert_eq(fixture_status(send_block(f, "/api/v1/write", fields[i], prom_v1,
		                                       sizeof(prom_v1))),
		             204, "%s", f->sent);
		cr_assert_eq(f->r.decoded_bytes, sizeof(prom_v1));
		cr_assert_eq(f->r.encoding, ENCODING_SNAPPY);
	}
	cr_assert_eq(f->record_count, 3);
	index = f->r.route->index;
	cr_assert_eq(stats_get(f->w.stats, STAT_REQUEST_DECODED_BYTES, index, ENCODING_SNAPPY),
	             3 * sizeof(prom_v1));
	cr_assert_eq(stats_get(f->w.stats, STAT_REQUEST_DECODED_BYTES, index, ENCODING_IDENTITY),
	             0);
	fixture_close(f);
}

/* P7, F42 */
Test(inflate, a_block_that_declares_too_much_is_413_and_no_byte_is_charged)
{
	struct fixture *f = fixture_new();
	static const uint8_t four_gib[] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'x' };

	f->conf.protocols.remote_write.enabled = true;
	f->conf.limits.worker_bytes =
		2 * MIB; /* so that asking for 64 MiB would be 413 by budget */
	fixture_start(f, -1, -1);
	fixture_begin(f, &f->public);
	f->r.route = routes_get(f->w.routes, 3);
	cr_assert_str_eq(f->r.route->name, "remote_write");
	f->r.format = f->r.route->protocol->formats;
	f->r.at = STAGE_INFLATE;
	f->r.body = bytes_of(four_gib, sizeof(four_gib));
	cr_assert_eq(inflate_run(&f->r), STEP_REPLY);
	cr_assert_eq(f->r.verdict, V_INFLATED_SIZE);
	cr_assert(strstr(f->r.detail, "67108864"), "%s", f->r.detail); /* the route's limit */
	cr_assert_eq(f->r.charged, 0);
	cr_assert_null(f->r.body_mem);
	req_finish(&f->r);
	fixture_close(f);
}

/* P7, PC1 */
Test(inflate, what_is_no_block_is_400_and_says_why)
{
	static const struct {
		struct bytes body;
		const char *detail;
	} cases[] = {
		{ { NULL, 0 }, "0 bytes" },
		{ { (const uint8_t *)"\xff\x06\0\0sNaPpY", 10 }, "framed" },
		{ { (const uint8_t *)"\x80\x80\x80\x01\0x", 6 }, "cannot reach" },
		{ { (const uint8_t *)"\xff\xff\xff\xff\xff\xff", 6 }, "no length" },
		{ { (const uint8_t *)"\x02\0x", 3 }, "corrupt" },
		{ { (const uint8_t *)"\x01\0xy", 4 }, "trailing" },
	};
	struct fixture *f = fixture_open_all();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int with = 0; with < 2; with++) {
			const char *fields = with ? PROTOBUF SNAPPY : PROTOBUF;

			cr_assert_eq(fixture_status(send_bytes(f, "/api/v1/write", fields,
			                                       cases[i].body.p, cases[i].body.n)),
			             400, "%zu", i);
			cr_assert_eq(f->r.verdict, V_INFLATE);
			cr_assert(strstr(f->r.detail, cases[i].detail), "%s", f->r.detail);
		}
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

Test(inflate, a_block_is_charged_what_it_declares_before_it_is_written)
{
	struct fixture *f = fixture_new();
	uint8_t *zeros = xcalloc(MIB, 1);

	f->conf.protocols.remote_write.enabled = true;
	f->conf.limits.worker_bytes = 6 * MIB;
	fixture_start(f, -1, -1);
	cr_assert(budget_take(f->w.budget, 2, 0, 11 * MIB / 2));
	cr_assert_eq(fixture_status(send_block(f, "/api/v1/write", PROTOBUF, zeros, MIB)), 503);
	cr_assert_eq(f->r.verdict, V_OVERLOAD);
	budget_give(f->w.budget, 2, 11 * MIB / 2);
	cr_assert(budget_take(f->w.budget, 2, 0, 4 * MIB));
	/* 1 MiB is all that it needs: inflated whole, and then judged */
	cr_assert_eq(fixture_status(send_block(f, "/api/v1/write", PROTOBUF, zeros, MIB)), 400);
	cr_assert_eq(f->r.verdict, V_INVALID);
	cr_assert_eq(f->r.decoded_bytes, MIB);
	budget_give(f->w.budget, 2, 4 * MIB);
	free(zeros);
	fixture_close(f);
}

Test(inflate, a_block_of_exactly_the_limit_is_taken_and_one_byte_more_is_413)
{
	struct fixture *f = fixture_new();
	uint8_t *zeros = xcalloc(MIB + 1, 1);

	f->conf.protocols.remote_write.enabled = true;
	f->conf.limits.inflated = MIB;
	fixture_start(f, -1, -1);
	cr_assert_eq(fixture_status(send_block(f, "/api/v1/write", PROTOBUF, zeros, MIB)), 400);
	cr_assert_eq(f->r.verdict, V_INVALID);
	cr_assert_eq(fixture_status(send_block(f, "/api/v1/write", PROTOBUF, zeros, MIB + 1)), 413);
	cr_assert_eq(f->r.verdict, V_INFLATED_SIZE);
	free(zeros);
	fixture_close(f);
}

Test(inflate, the_buffer_of_a_block_is_given_back)
{
	struct fixture *f = fixture_open_all();
	struct request z = snappy_of(prom_v1, sizeof(prom_v1)), q;

	q = request_of("/api/v1/write", ACME PROTOBUF, z.p, z.n);
	fixture_begin(f, &f->public);
	fixture_feed(f, q.p, q.n - 1);
	cr_assert_eq(stages_run(&f->r), STEP_BYTES);
	fixture_feed(f, q.p + q.n - 1, 1);
	cr_assert_eq(body_run(&f->r), STEP_NEXT);
	cr_assert_eq(inflate_run(&f->r), STEP_NEXT);
	cr_assert_eq(f->r.body.n, sizeof(prom_v1));
	cr_assert_arr_eq(f->r.body.p, prom_v1, sizeof(prom_v1));
	cr_assert_eq(f->r.charged, f->r.body_mem->cap);
	cr_assert_eq(budget_used(f->w.budget), f->r.charged);
	f->r.verdict = V_GONE;
	req_finish(&f->r);
	free(z.p);
	free(q.p);
	fixture_close(f);
}

/* The coding that is said is undone first, then the block: what Loki's clients send. */
Test(inflate, a_coding_may_lie_around_a_block)
{
	static const struct format block = { .type = "a/b", .block = true };
	static const struct route route = { .inflated_limit = MIB };
	struct fixture *f = fixture_open();
	struct request z = snappy_of(prom_v1, sizeof(prom_v1)), gz = gzip_of(z.p, z.n);

	fixture_begin(f, &f->public);
	f->r.route = &route;
	f->r.format = &block;
	f->r.encoding = ENCODING_GZIP;
	f->r.at = STAGE_INFLATE;
	f->r.body = bytes_of(gz.p, gz.n);
	cr_assert_eq(inflate_run(&f->r), STEP_NEXT);
	cr_assert_eq(f->r.decoded_bytes, sizeof(prom_v1));
	cr_assert_arr_eq(f->r.body.p, prom_v1, sizeof(prom_v1));
	cr_assert_eq(f->r.encoding, ENCODING_GZIP);
	cr_assert_eq(budget_used(f->w.budget), f->r.body_mem->cap);
	f->r.verdict = V_GONE;
	req_finish(&f->r);
	free(z.p);
	free(gz.p);
	fixture_close(f);
}

static void expect_push(struct fixture *f, const char *fields, struct request q)
{
	cr_assert_eq(fixture_status(send_bytes(f, LOKI_PUSH, fields, q.p, q.n)), 204, "%s%s",
	             fields, f->sent);
	cr_assert_eq(f->record_count, 1);
	cr_assert_eq(f->records[0].value_n, sizeof(loki_value));
	cr_assert_arr_eq(f->records[0].value, loki_value, sizeof(loki_value));
	fixture_forget_records(f);
}

/* P6, P8, protocols.md 6: the type decides, so snappy says nothing; other codings lie around it */
Test(inflate, a_push_of_loki_comes_as_json_or_a_block_in_four_codings)
{
	static const struct {
		const char *field;
		struct request (*of)(const void *p, size_t n);
	} around[] = { { GZIP, gzip_of },
		       { "Content-Encoding: deflate\r\n", deflate_of },
		       { "Content-Encoding: deflate\r\n", raw_of },
		       { "Content-Encoding: zstd\r\n", zstd_of } };
	struct fixture *f = fixture_open_all();
	struct request block = snappy_of(loki_push, sizeof(loki_push));
	const struct request text = { (uint8_t *)(uintptr_t)loki_text, sizeof(loki_text) - 1 };
	char fields[256];

	for (int json = 0; json < 2; json++) {
		const char *type = json ? LOKI_JSON_TYPE : LOKI_TYPE;
		struct request q = json ? text : block;

		expect_push(f, type, q);
		snprintf(fields, sizeof(fields), "%s" SNAPPY, type);
		expect_push(f, fields, q);
		cr_assert_eq(f->r.encoding, json ? ENCODING_IDENTITY : ENCODING_SNAPPY);
		for (size_t i = 0; i < ARRAY_LEN(around); i++) {
			struct request z = around[i].of(q.p, q.n);

			snprintf(fields, sizeof(fields), "%s%s", type, around[i].field);
			expect_push(f, fields, z);
			free(z.p);
		}
	}
	free(block.p);
	fixture_close(f);
}

/* P6, PC7 */
Test(inflate, what_is_in_no_coding_of_loki_is_400)
{
	static const char *const codings_[] = { "Content-Encoding: zlib\r\n", "Content-Encoding: lz4\r\n",
		                                "Content-Encoding: gzip, snappy\r\n" };
	struct fixture *f = fixture_open_all();
	struct request gz = gzip_of(loki_text, sizeof(loki_text) - 1);
	char fields[256];

	for (size_t i = 0; i < ARRAY_LEN(codings_); i++) {
		snprintf(fields, sizeof(fields), LOKI_JSON_TYPE "%s", codings_[i]);
		cr_assert_eq(fixture_status(send_bytes(f, LOKI_PUSH, fields, loki_text,
		                                       sizeof(loki_text) - 1)),
		             400);
		cr_assert_eq(f->r.verdict, V_ENCODING);
	}
	cr_assert_eq(fixture_status(send_bytes(f, LOKI_PUSH, LOKI_JSON_TYPE SNAPPY, gz.p, gz.n)), 400);
	cr_assert_eq(f->r.verdict, V_INVALID);
	cr_assert_eq(fixture_status(send_bytes(f, LOKI_PUSH, "Content-Type: application/jsonn\r\n",
	                                       loki_text, sizeof(loki_text) - 1)),
	             400);
	cr_assert_eq(f->r.verdict, V_INFLATE);
	cr_assert_eq(fixture_status(send_bytes(f, LOKI_PUSH, "", loki_text, sizeof(loki_text) - 1)),
	             400);
	cr_assert_eq(f->r.verdict, V_TYPE);
	cr_assert_eq(f->record_count, 0);
	free(gz.p);
	fixture_close(f);
}
