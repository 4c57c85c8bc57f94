/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialects.c -- plain text, Loki's words in it, and OTLP's google.rpc.Status in the encoding of the
 * request (protocols.md 4.3, 4.4). A refusal reads `id: text (request REQUEST-ID)`. What a client
 * sent stands in it only as req_refuse() left it: escaped, cut. protobuf-c packs these few
 * messages; it unpacks none here.
 */
#include "worker/dialects.h"

#include "proto/schema/status.pb-c.h"
#include "worker/media.h"
#include "worker/route.h"

enum {
	MESSAGE_BYTES = 400, /* detail is 255 at most; with id and request id */
	SHOWN_BYTES = 50, /* of a client's header, each up to four */
	PLAIN_MAX = 512, /* of a plain body, LF included (protocols.md 1.4) */
};

static const char type_json[] = "application/json", type_protobuf[] = "application/x-protobuf";

const char *dialect_text(const struct req *r)
{
	const char *text = verdict_get(r->verdict)->text;

	if (r->detail[0])
		return r->detail;
	return strchr(text, '%') ? "" : text;
}

/* In a dialect's own words, or in those of the verdict. */
static void write_message_as(const struct req *r, const char *text, struct buf *out)
{
	buf_str(out, verdict_get(r->verdict)->id);
	if (*text)
		buf_printf(out, ": %s", text);
	if (r->request_id[0])
		buf_printf(out, " (request %s)", r->request_id);
}

static void write_message(const struct req *r, struct buf *out)
{
	write_message_as(r, dialect_text(r), out);
}

/* Prometheus: nothing to say is said by the status alone. */
static int remote_write_status(enum verdict v)
{
	int status = verdict_get(v)->status;

	return status == 200 ? 204 : status;
}

/* Its senders repeat on a 415 for ever (protocols.md 1.4). */
static int loki_status(enum verdict v)
{
	if (v == V_TYPE || v == V_ENCODING)
		return 400;
	return remote_write_status(v);
}

static int obstack_status(enum verdict v)
{
	int status = verdict_get(v)->status;

	if (v == V_TENANT_SUSPENDED)
		return 401;
	return status == 200 ? 202 : status;
}

static int own_status(enum verdict v)
{
	return verdict_get(v)->status;
}

/* ---- plain ---- */

static void plain_line(const struct req *r, const char *text, struct reply *reply)
{
	char line[PLAIN_MAX];
	struct buf b;

	buf_init_fixed(&b, line, sizeof(line) - 1);
	write_message_as(r, text, &b);
	buf_bytes(reply->body, buf_view(&b));
	buf_char(reply->body, '\n');
	reply->content_type = "text/plain; charset=utf-8";
}

static void plain_render(const struct req *r, struct reply *reply)
{
	if (verdict_is_success(r->verdict))
		return; /* pages bring their own body */
	plain_line(r, dialect_text(r), reply);
}

/* ---- Loki (protocols.md 6): its words, as far as it has some ---- */

static void loki_render(const struct req *r, struct reply *reply)
{
	char text[MESSAGE_BYTES];
	struct buf b;

	buf_init_fixed(&b, text, sizeof(text) - 1);
	if (r->verdict == V_ENCODING && r->head.content_encoding_count == 1) {
		buf_str(&b, "Content-Encoding \"");
		buf_escaped(&b, r->head.content_encoding, SHOWN_BYTES);
		buf_str(&b, "\" not supported");
	} else if (r->verdict == V_BODY_SIZE || r->verdict == V_INFLATED_SIZE) {
		buf_printf(&b, "request body too large: %s", dialect_text(r));
	} else {
		plain_render(r, reply);
		return;
	}
	text[b.n] = '\0';
	plain_line(r, text, reply);
}

/* ---- OTLP ---- */

static int rpc_code(int status)
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

static void json_text(struct buf *out, const char *text)
{
	buf_char(out, '"');
	buf_json(out, bytes_str(text), SIZE_MAX);
	buf_char(out, '"');
}

static void json_status(const struct req *r, const struct reply *reply, const char *message)
{
	struct buf *out = reply->body;

	buf_printf(out, "{\"code\":%d,\"message\":", rpc_code(reply->status));
	json_text(out, message);
	if (reply->status == 400) {
		buf_printf(out,
		           ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","
		           "\"fieldViolations\":[{\"field\":\"%s\",\"description\":",
		           violated_field(r));
		json_text(out, dialect_text(r));
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

static void protobuf_status(const struct req *r, const struct reply *reply, const char *message)
{
	uint8_t detail[MESSAGE_BYTES], packed[3 * MESSAGE_BYTES];
	Google__Rpc__Any any = GOOGLE__RPC__ANY__INIT, *details[] = { &any };
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;

	status.code = rpc_code(reply->status);
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

static bool is_json(const struct req *r)
{
	return media_is(r->head.content_type, type_json);
}

static void otlp_success(const struct req *r, struct reply *reply)
{
	/* Exporters compare it with their own for equality: without parameters, on success too. */
	reply->content_type = is_json(r) ? type_json : type_protobuf;
	if (is_json(r))
		buf_str(reply->body, "{}"); /* in protobuf the empty message is no byte */
}

static void otlp_render(const struct req *r, struct reply *reply)
{
	bool json = is_json(r);
	char message[MESSAGE_BYTES];
	struct buf b;

	if (verdict_is_success(r->verdict)) {
		otlp_success(r, reply);
		return;
	}
	reply->content_type = json ? type_json : type_protobuf;
	buf_init_fixed(&b, message, sizeof(message) - 1);
	write_message(r, &b);
	message[b.n] = '\0';
	if (json)
		json_status(r, reply, message);
	else
		protobuf_status(r, reply, message);
}

/* ---- Obstack (compatibility.md 2): {"detail", "type"}, without the verdict's id ---- */

static void obstack_render(const struct req *r, struct reply *reply)
{
	/* Its exporters parse the body of a 202. */
	if (verdict_is_success(r->verdict)) {
		if (r->route->protocol->dialect == DIALECT_OTLP)
			otlp_success(r, reply);
		return;
	}
	reply->content_type = type_json;
	buf_str(reply->body, "{\"detail\":");
	json_text(reply->body, reply->status == 401 ? "Authentication failed" : dialect_text(r));
	buf_printf(reply->body, ",\"type\":\"%s\"}",
	           reply->status == 400   ? "validation_error"
	           : reply->status == 503 ? "application_error"
	                                  : "http_exception");
}

static const struct dialect dialects[] = {
	[DIALECT_PLAIN] = { "plain", own_status, plain_render },
	[DIALECT_OTLP] = { "otlp", own_status, otlp_render },
	[DIALECT_REMOTE_WRITE] = { "remote_write", remote_write_status, plain_render },
	[DIALECT_LOKI] = { "loki", loki_status, loki_render },
	[DIALECT_OBSTACK] = { "obstack", obstack_status, obstack_render },
};

const struct dialect *dialect_get(enum dialect_id id)
{
	return &dialects[id];
}

const struct dialect *dialect_of(const struct req *r)
{
	if (r->route)
		return dialect_get(r->route->dialect);
	/* A misspelt path of OTLP: its exporters log what they can decode. */
	if (media_is(r->head.content_type, type_protobuf) ||
	    media_is(r->head.content_type, type_json))
		return dialect_get(DIALECT_OTLP);
	return dialect_get(DIALECT_PLAIN);
}
