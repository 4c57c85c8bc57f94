/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/decode.c"

#include <criterion/criterion.h>
#include <jansson.h>

static struct buf out;

static void set_up(void)
{
	buf_init(&out, MIB);
}

static void tear_down(void)
{
	buf_done(&out);
}

TestSuite(decode, .init = set_up, .fini = tear_down);

static const char *text(void)
{
	buf_char(&out, '\0');
	return out.p;
}

static const char *base64_of(struct bytes b)
{
	buf_reset(&out);
	decode_base64(&out, b);
	return text();
}

Test(decode, base64_is_padded)
{
	cr_expect_str_eq(base64_of(BYTES("")), "");
	cr_expect_str_eq(base64_of(BYTES("f")), "Zg==");
	cr_expect_str_eq(base64_of(BYTES("fo")), "Zm8=");
	cr_expect_str_eq(base64_of(BYTES("foobar")), "Zm9vYmFy");
	cr_expect_str_eq(base64_of(BYTES("\xff\xef")), "/+8=");
}

Test(decode, a_log_record_reads_as_proto3_json)
{
	/* ResourceLogs { ScopeLogs { LogRecord { time 1, severity 9, body "a\"b" , trace_id 16 }}}
	 */
	static const uint8_t value[] = {
		0x0a, 0x2a, 0x12, 0x28, 0x12, 0x26, 0x09, 1,   0,   0,    0,  0,    0,    0, 0,
		0x10, 9,    0x2a, 5,    0x0a, 3,    'a',  '"', 'b', 0x4a, 16, 1,    2,    3, 4,
		5,    6,    7,    8,    9,    10,   11,   12,  13,  14,   15, 0xff, 0x38, 0,
	};
	const char *why = decode_value("otlp_proto", "logs", bytes_of(value, sizeof(value)), &out);

	cr_assert_null(why, "%s", why);
	cr_expect_str_eq(text(),
	                 "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":"
	                 "\"1\",\"severityNumber\":9,\"body\":{\"stringValue\":\"a\\\"b\"},"
	                 "\"traceId\":\"0102030405060708090a0b0c0d0e0fff\"}]}]}]}");
}

Test(decode, doubles_are_the_shortest_that_read_back_and_nan_is_a_word)
{
	static const double values[] = { 0.1, 1e300, -2.5, 1.0 / 3 };
	struct buf one;

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		buf_init(&one, 100);
		put_double(&one, values[i]);
		buf_char(&one, '\0');
		cr_expect_eq(strtod(one.p, NULL), values[i], "%s", one.p);
		buf_done(&one);
	}
	put_double(&out, 0.1);
	put_double(&out, NAN);
	put_double(&out, -INFINITY);
	cr_expect_str_eq(text(), "0.1\"NaN\"\"-Infinity\"");
}

Test(decode, every_kind_of_field_of_remote_write_is_told)
{
	Prometheus__WriteRequest request = PROMETHEUS__WRITE_REQUEST__INIT;
	Prometheus__TimeSeries series = PROMETHEUS__TIME_SERIES__INIT, *all[] = { &series };
	Prometheus__Histogram h = PROMETHEUS__HISTOGRAM__INIT, *hs[] = { &h };
	Prometheus__BucketSpan span = PROMETHEUS__BUCKET_SPAN__INIT, *spans[] = { &span };
	int64_t deltas[] = { -3, 4 };
	uint8_t wire[256];
	json_t *o;
	size_t n;

	span.offset = -1;
	span.length = 2;
	h.count_case = PROMETHEUS__HISTOGRAM__COUNT_COUNT_INT;
	h.count_int = 0; /* the chosen member of a oneof is told even so */
	h.sum = 1.5;
	h.schema = -4;
	h.n_positive_spans = 1;
	h.positive_spans = spans;
	h.n_positive_deltas = 2;
	h.positive_deltas = deltas;
	series.n_histograms = 1;
	series.histograms = hs;
	request.n_timeseries = 1;
	request.timeseries = all;
	n = prometheus__write_request__pack(&request, wire);
	cr_assert_null(decode_value("prom_rw1", "metrics", bytes_of(wire, n), &out));
	o = json_loadb(out.p, out.n, 0, NULL);
	cr_assert(o, "%.*s", (int)out.n, out.p);
	cr_expect_str_eq(text(),
	                 "{\"timeseries\":[{\"histograms\":[{\"countInt\":\"0\",\"sum\":1.5,"
	                 "\"schema\":-4,\"positiveSpans\":[{\"offset\":-1,\"length\":2}],"
	                 "\"positiveDeltas\":[\"-3\",\"4\"]}]}]}");
	json_decref(o);
}

Test(decode, what_it_cannot_read_is_said_and_nothing_is_appended)
{
	static uint8_t large[VALUE_MAX_BYTES + 1];

	cr_expect(decode_value("no_such_format", "logs", BYTES(""), &out));
	cr_expect(decode_value("otlp_proto", "events", BYTES(""), &out));
	cr_expect(decode_value("", "logs", BYTES(""), &out));
	cr_expect(decode_value("prom_rw1", "metrics", BYTES("\xff"), &out));
	cr_expect(decode_value("prom_rw1", "metrics", BYTES("\x0a\x05x"), &out));
	cr_expect(decode_value("prom_rw1", "metrics", BYTES("\x0b"), &out), "a group");
	/* a label whose name holds a NUL, where protobuf-c's text would end */
	cr_expect(decode_value("prom_rw1", "metrics", BYTES("\x0a\x07\x0a\x05\x0a\x03"
	                                                    "a\0b"),
	                       &out));
	cr_expect(decode_value("prom_rw1", "metrics", bytes_of(large, sizeof(large)), &out));
	cr_expect_eq(out.n, 0);
}

Test(decode, a_message_deeper_than_the_gateway_takes_is_not_unpacked)
{
	/* AnyValue { array_value { values { array_value ... */
	static uint8_t body[8000];
	size_t at = sizeof(body), n = 0;

	for (unsigned level = 0; level < 400; level++) {
		uint8_t tag = level % 2 ? 0x2a : 0x0a; /* array_value 5, values 1 */

		if (n >= 0x80) {
			body[--at] = (uint8_t)(n >> 7);
			body[--at] = (uint8_t)(n & 0x7f) | 0x80;
			n += 2;
		} else {
			body[--at] = (uint8_t)n;
			n++;
		}
		body[--at] = tag;
		n++;
	}
	cr_expect_not(is_bounded(&opentelemetry__proto__common__v1__any_value__descriptor,
	                         bytes_of(body + at, n), DEPTH_MAX));
	cr_expect(is_bounded(&opentelemetry__proto__common__v1__any_value__descriptor,
	                     bytes_of(body + at, n), 400));
}
