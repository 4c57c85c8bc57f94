/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/samples.c"

#include <criterion/criterion.h>
#include <jansson.h>

static struct buf make(const struct sample *s)
{
	struct sample_at at = { .now = 1764000000123456789, .id = "the-id" };
	struct buf body;

	memset(at.random, 7, sizeof(at.random));
	buf_init(&body, MIB);
	s->make(&at, &body);
	cr_assert(!body.failed && body.n, "%s", s->name);
	return body;
}

static const struct sample *find(const char *name)
{
	const struct sample *s = samples;

	while (strcmp(s->name, name) != 0)
		s++;
	return s;
}

Test(samples, each_has_its_id_in_the_body)
{
	for (const struct sample *s = samples; s->name; s++) {
		struct buf body = make(s);

		cr_expect(memmem(body.p, body.n, "the-id", 6), "%s", s->name);
		cr_expect(s->path[0] == '/' && s->type, "%s", s->name);
		buf_done(&body);
	}
}

Test(samples, those_of_json_are_json)
{
	for (const struct sample *s = samples; s->name; s++) {
		struct buf body;
		json_t *o;

		if (strcmp(s->type, "application/json") != 0)
			continue;
		body = make(s);
		o = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
		cr_expect(json_object_size(o) == 1, "%s: %.*s", s->name, (int)body.n, body.p);
		json_decref(o);
		buf_done(&body);
	}
}

Test(samples, a_span_has_ids_of_16_and_8_bytes)
{
	struct buf body = make(find("otlp_traces"));
	OTLP(Collector__Trace__V1__ExportTraceServiceRequest) *m =
		opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(
			NULL, body.n, (const uint8_t *)body.p);

	cr_assert(m);
	cr_expect_eq(m->resource_spans[0]->scope_spans[0]->spans[0]->trace_id.len, 16);
	cr_expect_eq(m->resource_spans[0]->scope_spans[0]->spans[0]->span_id.len, 8);
	protobuf_c_message_free_unpacked(&m->base, NULL);
	buf_done(&body);
}

/* The labels of 1.0 are sorted, as a sender's are. */
Test(samples, remote_write_has_sorted_labels_and_a_snappy_block)
{
	struct buf body = make(find("remote_write_1.0"));
	char plain[1024];
	size_t n = sizeof(plain);
	Prometheus__WriteRequest *m;

	cr_assert_eq(snappy_uncompress(body.p, body.n, plain, &n), SNAPPY_OK);
	m = prometheus__write_request__unpack(NULL, n, (const uint8_t *)plain);
	cr_assert(m && m->n_timeseries == 1);
	for (size_t i = 1; i < m->timeseries[0]->n_labels; i++)
		cr_expect_lt(strcmp(m->timeseries[0]->labels[i - 1]->name,
		                    m->timeseries[0]->labels[i]->name),
		             0);
	cr_expect_eq(m->timeseries[0]->samples[0]->timestamp, 1764000000123);
	protobuf_c_message_free_unpacked(&m->base, NULL);
	buf_done(&body);
}

Test(samples, the_symbols_of_2_0_begin_with_the_empty_one_and_every_reference_is_one)
{
	struct buf body = make(find("remote_write_2.0"));
	char plain[1024];
	size_t n = sizeof(plain);
	Io__Prometheus__Write__V2__Request *m;

	cr_assert_eq(snappy_uncompress(body.p, body.n, plain, &n), SNAPPY_OK);
	m = io__prometheus__write__v2__request__unpack(NULL, n, (const uint8_t *)plain);
	cr_assert(m && m->n_symbols && m->n_timeseries == 1);
	cr_expect_str_eq(m->symbols[0], "");
	cr_expect_eq(m->timeseries[0]->n_labels_refs % 2, 0);
	for (size_t i = 0; i < m->timeseries[0]->n_labels_refs; i++)
		cr_expect_lt(m->timeseries[0]->labels_refs[i], m->n_symbols);
	cr_expect_lt(m->timeseries[0]->metadata->help_ref, m->n_symbols);
	protobuf_c_message_free_unpacked(&m->base, NULL);
	buf_done(&body);
}

/* Both push the same: the one in a snappy block. */
Test(samples, loki_has_a_label_text_and_the_time_of_now)
{
	struct buf body = make(find("loki"));
	char plain[1024];
	size_t n = sizeof(plain);
	Logproto__PushRequest *m;

	cr_assert_eq(snappy_uncompress(body.p, body.n, plain, &n), SNAPPY_OK);
	m = logproto__push_request__unpack(NULL, n, (const uint8_t *)plain);
	cr_assert(m && m->n_streams == 1 && m->streams[0]->n_entries == 1);
	cr_expect_str_eq(m->streams[0]->labels, "{service_name=\"headgatectl\"}");
	cr_expect_eq(m->streams[0]->entries[0]->timestamp->seconds, 1764000000);
	protobuf_c_message_free_unpacked(&m->base, NULL);
	buf_done(&body);
	body = make(find("loki_json"));
	cr_expect(memmem(body.p, body.n, "[[\"1764000000", 13));
	buf_done(&body);
}
