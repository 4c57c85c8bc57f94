/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_private.h -- private to the dialects: the words that they share. What a client sent stands
 * in a reply only as req_refuse() left it: escaped, cut.
 */
#pragma once
#include "worker/dialects.h"
#include "worker/media.h"
#include "worker/route.h"

enum { DIALECT_MESSAGE_BYTES = 480 }; /* detail is 351 at most; with id and request id */
extern const char dialect_json[], dialect_protobuf[]; /* media types */

/* `id: text (request REQUEST-ID)`. */
void dialect_message_as(const struct req *r, const char *text, struct buf *out);
/* That as a line of text/plain. */
void dialect_line(const struct req *r, const char *text, struct reply *reply);
/* A whole body of text/plain in words of the dialect's own. */
void dialect_text_body(struct reply *reply, const char *text);
void dialect_json_text(struct buf *out, const char *text); /* quoted */
bool dialect_is_json(const struct req *r); /* the request */
/* The status of a success that the protocol has no word for. */
int dialect_status_or(enum verdict v, int success);

/* A dialect each. Plain is what has none. */
extern const struct dialect dialect_plain, dialect_generic, dialect_otlp, dialect_remote_write,
	dialect_loki, dialect_obstack, dialect_micromegas, dialect_moose, dialect_gateway;
/* OTLP's answers, for dialects that carry it: the message of a success, a Status of the text. */
void dialect_otlp_success(const struct req *r, struct reply *reply);
void dialect_otlp_status(const struct req *r, int code, const char *message, bool json,
                         struct reply *reply);
int dialect_otlp_code(int status); /* that of google.rpc.Status (protocols.md 4.4) */
