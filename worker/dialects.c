/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialects.c -- the dialects in one array, what they share, and the two of few words: plain text, and
 * generic routes. A refusal reads `id: text (request REQUEST-ID)` (protocols.md 1.4).
 */
#include "worker/dialect_private.h"

#include "worker/listener.h"

enum { PLAIN_MAX = 512 }; /* bytes of a plain body, LF included (protocols.md 1.4) */

const char dialect_json[] = "application/json", dialect_protobuf[] = "application/x-protobuf";

const char *dialect_text(const struct req *r)
{
	const char *text = verdict_get(r->verdict)->text;

	if (r->detail[0])
		return r->detail;
	return strchr(text, '%') ? "" : text;
}

void dialect_message_as(const struct req *r, const char *text, struct buf *out)
{
	buf_str(out, verdict_get(r->verdict)->id);
	if (*text)
		buf_printf(out, ": %s", text);
	if (r->request_id[0])
		buf_printf(out, " (request %s)", r->request_id);
}

void dialect_json_text(struct buf *out, const char *text)
{
	buf_char(out, '"');
	buf_json(out, bytes_str(text), SIZE_MAX);
	buf_char(out, '"');
}

bool dialect_is_json(const struct req *r)
{
	return media_is(r->head.content_type, dialect_json);
}

int dialect_status_or(enum verdict v, int success)
{
	int status = verdict_get(v)->status;

	return status == 200 ? success : status;
}

void dialect_line(const struct req *r, const char *text, struct reply *reply)
{
	char line[PLAIN_MAX];
	struct buf b;

	buf_init_fixed(&b, line, sizeof(line) - 1);
	dialect_message_as(r, text, &b);
	buf_bytes(reply->body, buf_view(&b));
	buf_char(reply->body, '\n');
	reply->content_type = "text/plain; charset=utf-8";
}

void dialect_text_body(struct reply *reply, const char *text)
{
	buf_str(reply->body, text);
	reply->content_type = "text/plain; charset=utf-8";
}

/* ---- plain, generic, remote_write ---- */

static int plain_status(const struct route *route, enum verdict v)
{
	(void)route;
	return verdict_get(v)->status;
}

static int generic_status(const struct route *route, enum verdict v)
{
	(void)route;
	return dialect_status_or(v, 202);
}

/* Prometheus: nothing to say is said by the status alone. */
static int remote_write_status(const struct route *route, enum verdict v)
{
	(void)route;
	return dialect_status_or(v, 204);
}

static void plain_render(const struct req *r, struct reply *reply)
{
	if (!verdict_is_success(r->verdict)) /* pages bring their own body */
		dialect_line(r, dialect_text(r), reply);
}

const struct dialect dialect_plain = { "plain", plain_status, plain_render, .org = ORG_CHECKED };
const struct dialect dialect_generic = { "generic", generic_status, plain_render,
	                                 .org = ORG_CHECKED };
const struct dialect dialect_remote_write = { "remote_write", remote_write_status, plain_render,
	                                      .org = ORG_CHECKED };

/* ---- the array ---- */

static const struct dialect *const dialects[] = {
	[DIALECT_PLAIN] = &dialect_plain,
	[DIALECT_GENERIC] = &dialect_generic,
	[DIALECT_OTLP] = &dialect_otlp,
	[DIALECT_REMOTE_WRITE] = &dialect_remote_write,
	[DIALECT_LOKI] = &dialect_loki,
	[DIALECT_OBSTACK] = &dialect_obstack,
	[DIALECT_MICROMEGAS] = &dialect_micromegas,
	[DIALECT_MOOSE] = &dialect_moose,
	[DIALECT_GATEWAY] = &dialect_gateway,
};

const struct dialect *dialect_get(enum dialect_id id)
{
	return dialects[id];
}

const struct dialect *dialect_of(const struct req *r)
{
	if (r->route)
		return dialect_get(r->route->dialect);
	if (r->listener->conf && r->listener->conf->dialect == LISTENER_MOOSE)
		return &dialect_moose;
	/* A misspelt path of OTLP: its exporters log what they can decode. */
	if (media_is(r->head.content_type, dialect_protobuf) || dialect_is_json(r))
		return &dialect_otlp;
	return &dialect_plain;
}
