/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_otlp.c -- OTLP: google.rpc.Status in the encoding of the request (protocols.md 4.3, 4.4).
 * protobuf-c packs these few messages; it unpacks none here.
 */
#include "worker/dialect_private.h"

#include "proto/schema/status.pb-c.h"
#include "proto/schema/trace_service.pb-c.h"

int dialect_otlp_code(int status)
{
	switch (status) {
	case 400:
		return 3; /* INVALID_ARGUMENT */
	case 401:
		return 16; /* UNAUTHENTICATED */
	case 403:
		return 7; /* PERMISSION_DENIED */
	case 404:
		return 12; /* UNIMPLEMENTED */
	case 429:
		return 8; /* RESOURCE_EXHAUSTED */
	case 502:
	case 503:
	case 504:
		return 14; /* UNAVAILABLE */
	}
	return 2; /* UNKNOWN */
}

/* What of the request a 400 is about. */
static const char *violated_field(const struct req *r)
{
	if (r->verdict == V_ORG)
		return "X-Scope-OrgID";
	return r->refused_at <= STAGE_ADMIT ? "head" : "body";
}

static void json_status(const struct req *r, const struct reply *reply, int code,
                        const char *message)
{
	struct buf *out = reply->body;

	buf_printf(out, "{\"code\":%d,\"message\":", code);
	dialect_json_text(out, message);
	if (reply->status == 400) {
		buf_printf(out,
		           ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","
		           "\"fieldViolations\":[{\"field\":\"%s\",\"description\":",
		           violated_field(r));
		dialect_json_text(out, dialect_text(r));
		buf_str(out, "}]}]");
	} else if (reply->retry_after) {
		buf_printf(out,
		           ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
		           "\"retryDelay\":\"%us\"}]",
		           reply->retry_after);
	}
	buf_char(out, '}');
}

static size_t pack_bad_request(const struct req *r, uint8_t *out, size_t cap)
{
	Google__Rpc__BadRequest__FieldViolation violation =
		GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
	Google__Rpc__BadRequest__FieldViolation *violations[] = { &violation };
	Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;

	violation.field = (char *)violated_field(r);
	violation.description = (char *)dialect_text(r);
	bad.field_violations = violations;
	bad.n_field_violations = 1;
	assert(google__rpc__bad_request__get_packed_size(&bad) <= cap);
	return google__rpc__bad_request__pack(&bad, out);
}

static size_t pack_retry_info(unsigned seconds, uint8_t *out, size_t cap)
{
	Google__Rpc__Duration delay = GOOGLE__RPC__DURATION__INIT;
	Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;

	delay.seconds = seconds;
	info.retry_delay = &delay;
	assert(google__rpc__retry_info__get_packed_size(&info) <= cap);
	return google__rpc__retry_info__pack(&info, out);
}

static void protobuf_status(const struct req *r, const struct reply *reply, int code,
                            const char *message)
{
	uint8_t detail[DIALECT_MESSAGE_BYTES], packed[3 * DIALECT_MESSAGE_BYTES];
	Google__Rpc__Any any = GOOGLE__RPC__ANY__INIT, *details[] = { &any };
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;

	status.code = code;
	status.message = (char *)message;
	any.value.data = detail;
	if (reply->status == 400) {
		any.type_url = (char *)"type.googleapis.com/google.rpc.BadRequest";
		any.value.len = pack_bad_request(r, detail, sizeof(detail));
	} else if (reply->retry_after) {
		any.type_url = (char *)"type.googleapis.com/google.rpc.RetryInfo";
		any.value.len = pack_retry_info(reply->retry_after, detail, sizeof(detail));
	}
	status.details = details;
	status.n_details = any.value.len > 0;
	assert(google__rpc__status__get_packed_size(&status) <= sizeof(packed));
	buf_add(reply->body, packed, google__rpc__status__pack(&status, packed));
}

/* Some items were too large for any record, and the rest is stored (protocols.md 4.3). */
static const char partial_text[] = "too large for one record: left out";

static void json_partial(enum signal signal, uint64_t rejected, struct buf *out)
{
	static const char *const members[SIGNAL_COUNT] = {
		[SIGNAL_TRACES] = "rejectedSpans",
		[SIGNAL_METRICS] = "rejectedDataPoints",
		[SIGNAL_LOGS] = "rejectedLogRecords",
	};

	assert(members[signal]);
	buf_printf(out, "{\"partialSuccess\":{\"%s\":\"%llu\",\"errorMessage\":\"%s\"}}",
	           members[signal], (unsigned long long)rejected, partial_text);
}

/* The responses of the three signals are one shape with one set of field numbers. */
static void protobuf_partial(uint64_t rejected, struct buf *out)
{
	Opentelemetry__Proto__Collector__Trace__V1__ExportTracePartialSuccess partial =
		OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__EXPORT_TRACE_PARTIAL_SUCCESS__INIT;
	Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse response =
		OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__EXPORT_TRACE_SERVICE_RESPONSE__INIT;
	uint8_t packed[sizeof(partial_text) + 32];

	partial.rejected_spans = (int64_t)rejected;
	partial.error_message = (char *)(uintptr_t)partial_text;
	response.partial_success = &partial;
	assert(protobuf_c_message_get_packed_size(&response.base) <= sizeof(packed));
	buf_add(out, packed, protobuf_c_message_pack(&response.base, packed));
}

void dialect_otlp_success(const struct req *r, struct reply *reply)
{
	uint64_t rejected = r->enriched.rejected;

	/* Exporters compare it with their own for equality: without parameters, on success too. */
	reply->content_type = dialect_is_json(r) ? dialect_json : dialect_protobuf;
	if (rejected && dialect_is_json(r))
		json_partial(r->signal, rejected, reply->body);
	else if (rejected)
		protobuf_partial(rejected, reply->body);
	else if (dialect_is_json(r))
		buf_str(reply->body, "{}"); /* in protobuf the empty message is no byte */
}

void dialect_otlp_status(const struct req *r, int code, const char *message, bool json,
                         struct reply *reply)
{
	reply->content_type = json ? dialect_json : dialect_protobuf;
	if (json)
		json_status(r, reply, code, message);
	else
		protobuf_status(r, reply, code, message);
}

static void otlp_render(const struct req *r, struct reply *reply)
{
	char message[DIALECT_MESSAGE_BYTES];
	struct buf b;

	if (verdict_is_success(r->verdict)) {
		dialect_otlp_success(r, reply);
		return;
	}
	buf_init_fixed(&b, message, sizeof(message) - 1);
	dialect_message_as(r, dialect_text(r), &b);
	message[b.n] = '\0';
	dialect_otlp_status(r, dialect_otlp_code(reply->status), message, dialect_is_json(r),
	                    reply);
}

static int otlp_status(const struct route *route, enum verdict v)
{
	(void)route;
	return verdict_get(v)->status;
}

const struct dialect dialect_otlp = { "otlp", otlp_status, otlp_render, .org = ORG_CHECKED };
