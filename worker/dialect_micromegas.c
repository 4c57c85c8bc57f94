/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_micromegas.c -- micromegas' answers (compatibility.md 3): texts of its own, on the OTLP
 * routes inside google.rpc.Status, else as they are.
 */
#include "worker/dialect_private.h"

#include <stdio.h>
#include "worker/worker.h"

static bool is_otlp(const struct route *route)
{
	return route->protocol->formats[1].type != NULL; /* insert_* and webhook take anything */
}

/* Its sinks up to 0.32 drop what is answered 4xx, and would lose data over a spent rate. */
static int micromegas_status(const struct route *route, enum verdict v)
{
	int status = dialect_status_or(v, 200);

	return status == 429 && route ? route->rate_status : status;
}

static const char *credential_text(const struct req *r)
{
	if (r->w->conf->compat.micromegas_401_texts == TEXTS_2025) {
		if (r->credential == CREDENTIAL_NONE)
			return "Missing authorization header";
		if (r->credential == CREDENTIAL_SCHEME)
			return "Invalid authorization format, expected: Bearer <token>";
	}
	return "Invalid token";
}

/* What the client sent is at fault, and all that it was told of that. */
static const char *invalid_text(const struct req *r, char *mem, size_t cap)
{
	if (!is_otlp(r->route))
		return r->route->protocol->signal == SIGNAL_OPAQUE ? "Bad request"
		                                                   : dialect_text(r);
	if (r->refused_at <= STAGE_ADMIT) /* not what it sent, but what it said of itself */
		return dialect_text(r);
	snprintf(mem, cap, "parse error (%s): %s", signal_name(r->signal), dialect_text(r));
	return mem;
}

static const char *text_of(const struct req *r, int status, char *mem, size_t cap)
{
	if (r->verdict == V_TYPE)
		return "Content-Type must be application/x-protobuf or application/json";
	if (r->verdict == V_AUTH_UNAVAILABLE)
		return "Auth provider unavailable";
	switch (status) {
	case 400:
		return invalid_text(r, mem, cap);
	case 401:
		return credential_text(r);
	case 403:
		return "Forbidden";
	case 413:
		return "length limit exceeded";
	case 503:
		return "Service unavailable";
	}
	return dialect_text(r);
}

/* As google.rpc.Status. What a request of no type it knows can read is the protocol's first
 * encoding. */
static void status_render(const struct req *r, const char *text, struct reply *reply)
{
	enum { INVALID_ARGUMENT = 3 }; /* here a 415 is one */
	int code = reply->status == 415 ? INVALID_ARGUMENT : dialect_otlp_code(reply->status);

	dialect_otlp_status(r, code, text, r->verdict != V_TYPE && dialect_is_json(r), reply);
}

static void micromegas_render(const struct req *r, struct reply *reply)
{
	bool plain = r->w->conf->compat.micromegas_otlp_plain_errors &&
	             (reply->status == 401 || reply->status == 413);
	char mem[DIALECT_MESSAGE_BYTES];
	const char *text;

	if (verdict_is_success(r->verdict)) {
		if (is_otlp(r->route))
			dialect_otlp_success(r, reply);
		return;
	}
	if (r->verdict == V_ENCODING)
		buf_str(reply->fields, "Accept-Encoding: gzip\r\n");
	text = text_of(r, reply->status, mem, sizeof(mem));
	if (is_otlp(r->route) && !plain)
		status_render(r, text, reply);
	else
		dialect_text_body(reply, text);
}

const struct dialect dialect_micromegas = { "micromegas", micromegas_status, micromegas_render,
	                                    .org = ORG_CHECKED, .exact_bearer = true };
