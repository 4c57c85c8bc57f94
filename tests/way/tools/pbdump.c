/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pbdump.c -- OTLP bodies as protobuf-c reads them, for the way tests: a second decoder beside that
 *of Python, and the library that C consumers use. Only for bodies the test made or the gateway
 *checked: protobuf-c has no depth limit.
 *
 *	pbdump traces|metrics|logs FILE...
 *
 * prints, a line each: `resource KEY=VALUE...` (attributes whose value is text), `item NAME` (of a
 *span or metric, the text of a log), `repacked yes|no` (packing what was unpacked gives the same
 *bytes). Exit status 1 if a file is no message of that kind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/schema/logs_service.pb-c.h"
#include "proto/schema/metrics_service.pb-c.h"
#include "proto/schema/trace_service.pb-c.h"

typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest traces_request;
typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest metrics_request;
typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceRequest logs_request;
typedef Opentelemetry__Proto__Common__V1__AnyValue any_value;

enum { FILE_MAX = 64 * 1024 * 1024 };

static const char *text_of(const any_value *v)
{
	if (!v || v->value_case != OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE)
		return NULL;
	return v->string_value;
}

static void print_resource(const Opentelemetry__Proto__Resource__V1__Resource *r)
{
	printf("resource");
	for (size_t i = 0; r && i < r->n_attributes; i++) {
		const char *text = text_of(r->attributes[i]->value);

		if (text)
			printf(" %s=%s", r->attributes[i]->key, text);
	}
	putchar('\n');
}

static void print_traces(const ProtobufCMessage *m)
{
	const traces_request *q = (const traces_request *)m;

	for (size_t i = 0; i < q->n_resource_spans; i++) {
		const Opentelemetry__Proto__Trace__V1__ResourceSpans *r = q->resource_spans[i];

		print_resource(r->resource);
		for (size_t j = 0; j < r->n_scope_spans; j++)
			for (size_t k = 0; k < r->scope_spans[j]->n_spans; k++)
				printf("item %s\n", r->scope_spans[j]->spans[k]->name);
	}
}

static void print_metrics(const ProtobufCMessage *m)
{
	const metrics_request *q = (const metrics_request *)m;

	for (size_t i = 0; i < q->n_resource_metrics; i++) {
		const Opentelemetry__Proto__Metrics__V1__ResourceMetrics *r =
			q->resource_metrics[i];

		print_resource(r->resource);
		for (size_t j = 0; j < r->n_scope_metrics; j++)
			for (size_t k = 0; k < r->scope_metrics[j]->n_metrics; k++)
				printf("item %s\n", r->scope_metrics[j]->metrics[k]->name);
	}
}

static void print_logs(const ProtobufCMessage *m)
{
	const logs_request *q = (const logs_request *)m;

	for (size_t i = 0; i < q->n_resource_logs; i++) {
		const Opentelemetry__Proto__Logs__V1__ResourceLogs *r = q->resource_logs[i];

		print_resource(r->resource);
		for (size_t j = 0; j < r->n_scope_logs; j++)
			for (size_t k = 0; k < r->scope_logs[j]->n_log_records; k++) {
				const char *text = text_of(r->scope_logs[j]->log_records[k]->body);

				printf("item %s\n", text ? text : "(no text)");
			}
	}
}

static const struct kind {
	const char *signal;
	const ProtobufCMessageDescriptor *descriptor;
	void (*print)(const ProtobufCMessage *m);
} kinds[] = {
	{ "traces",
	  &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor,
	  print_traces },
	{ "metrics",
	  &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor,
	  print_metrics },
	{ "logs",
	  &opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor,
	  print_logs },
};

static int dump(const struct kind *kind, const uint8_t *body, size_t n)
{
	ProtobufCMessage *m = protobuf_c_message_unpack(kind->descriptor, NULL, n, body);
	uint8_t *again;
	size_t again_n;

	if (!m)
		return -1;
	kind->print(m);
	again_n = protobuf_c_message_get_packed_size(m);
	again = malloc(again_n + 1);
	if (!again)
		abort();
	protobuf_c_message_pack(m, again);
	printf("repacked %s\n", again_n == n && memcmp(again, body, n) == 0 ? "yes" : "no");
	free(again);
	protobuf_c_message_free_unpacked(m, NULL);
	return 0;
}

static int dump_file(const struct kind *kind, const char *name)
{
	static uint8_t body[FILE_MAX];
	FILE *in = fopen(name, "rb");
	int rc = -1;
	size_t n;

	if (in) {
		n = fread(body, 1, FILE_MAX, in);
		if (!ferror(in) && n < FILE_MAX)
			rc = dump(kind, body, n);
		fclose(in);
	}
	if (rc < 0)
		fprintf(stderr, "pbdump: %s: not readable as %s\n", name, kind->signal);
	return rc;
}

int main(int argc, char **argv)
{
	int status = 0;

	for (size_t i = 0; argc > 2 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].signal) != 0)
			continue;
		for (int k = 2; k < argc; k++)
			if (dump_file(&kinds[i], argv[k]) < 0)
				status = 1;
		return status;
	}
	fprintf(stderr, "usage: pbdump traces|metrics|logs FILE...\n");
	return 2;
}
