/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.c -- the last stage: one head, one body, one send. The dialect says status and body, this
 * file how HTTP carries them. A page may bring its own body, whole or part by part (r->more): then
 * each part is a turn of its own, so that a long page holds up nobody.
 */
#include "common/buf.h"
#include "common/loop.h"
#include "worker/dialects.h"
#include "worker/req.h"
#include "worker/route.h"
#include "worker/when.h"
#include "worker/worker.h"

enum {
	BODY_BYTES =
		5 * KIB, /* of a dialect's body: two texts of 351, were each byte escaped by 6 */
	HEAD_BYTES = 640 + REPLY_FIELDS, /* of a reply's head, but for r->cors and a challenge */
	RETRY_MAX_S = 5, /* protocols.md 1.4: 1..5, or some exporters give up */
	CHUNK_LINE = 10, /* 8 hex digits, CR, LF */
	PAGE_BYTES_MAX = 16 * MIB, /* of one part of a page */
};

static const char *status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 202:
		return "Accepted";
	case 204:
		return "No Content";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 411:
		return "Length Required";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 422:
		return "Unprocessable Content";
	case 429:
		return "Too Many Requests";
	case 431:
		return "Request Header Fields Too Large";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	}
	return "Status"; /* a reason phrase means nothing (RFC 9112 4) */
}

/* Spread, so that those who were refused together do not come back together: the last digit of the
 * request's id is random. */
static unsigned retry_after(const struct req *r)
{
	uint8_t digit = (uint8_t)r->request_id[31];

	if (!(verdict_get(r->verdict)->flags & VF_RETRY))
		return 0;
	if (r->retry_wait)
		return r->retry_wait;
	if (r->verdict == V_NOT_READY)
		return 1;
	return 1 + digit % RETRY_MAX_S;
}

static bool closes(const struct req *r)
{
	return r->close_after || r->last_on_connection || !r->head.keep_alive || r->w->draining ||
	       (verdict_get(r->verdict)->flags & VF_CLOSE) ||
	       (r->more &&
	        r->head.minor == 0); /* HTTP/1.0 has no chunks: the end of the body is EOF */
}

static void field(struct buf *b, const char *name, const char *value)
{
	buf_str(b, name);
	buf_str(b, ": ");
	buf_str(b, value);
	buf_str(b, "\r\n");
}

/* remote_write 2.0: a 2xx without them is a failure to Prometheus, and so is a false count. All or
 * nothing was written. */
static void write_written(const struct req *r, const struct reply *reply, struct buf *b)
{
	static const char *const names[WRITTEN_COUNT] = {
		[WRITTEN_SAMPLES] = "X-Prometheus-Remote-Write-Samples-Written: ",
		[WRITTEN_HISTOGRAMS] = "X-Prometheus-Remote-Write-Histograms-Written: ",
		[WRITTEN_EXEMPLARS] = "X-Prometheus-Remote-Write-Exemplars-Written: ",
	};
	bool success = verdict_is_success(r->verdict);

	if (!success && reply->status != 400 && reply->status != 413 && reply->status != 429 &&
	    reply->status != 503)
		return;
	for (unsigned i = 0; i < WRITTEN_COUNT; i++) {
		buf_str(b, names[i]);
		buf_u64(b, success ? r->enriched.written[i] : 0);
		buf_str(b, "\r\n");
	}
}

static void write_fields(const struct req *r, const struct reply *reply, struct buf *b)
{
	if (reply->content_type)
		field(b, "Content-Type", reply->content_type);
	if (r->page_policy)
		field(b, "Content-Security-Policy", r->page_policy);
	if (reply->retry_after) {
		buf_str(b, "Retry-After: ");
		buf_u64(b, reply->retry_after);
		buf_str(b, "\r\n");
	}
	if (r->format && r->format->written)
		write_written(r, reply, b);
	if (r->who.challenge && r->who.denial == reply->status)
		field(b, "WWW-Authenticate", r->who.challenge); /* the provider's */
	else if (reply->status == 401)
		field(b, "WWW-Authenticate", "Bearer");
	buf_bytes(b, buf_view(reply->fields));
	if (r->verdict == V_METHOD && reply->status == 405) /* to some it is an unknown path */
		field(b, "Allow", route_allow(r->route));
	if (r->client_request_id.n || r->request_id[0]) {
		buf_str(b, "X-Request-Id: ");
		if (r->client_request_id.n)
			buf_bytes(b, r->client_request_id);
		else
			buf_str(b, r->request_id);
		buf_str(b, "\r\n");
	}
	buf_bytes(b, r->cors);
	if (r->close_after)
		field(b, "Connection", "close");
	else if (r->head.minor == 0)
		field(b, "Connection", "keep-alive"); /* HTTP/1.0 closes unless told so */
}

static void write_head(const struct req *r, const struct reply *reply, size_t body_bytes,
                       struct buf *b)
{
	char date[WHEN_HTTP_BYTES];

	when_http(loop_wall_ns() / 1000000000, date);
	buf_str(b, "HTTP/1.1 ");
	buf_u64(b, (uint64_t)reply->status);
	buf_char(b, ' ');
	buf_str(b, status_text(reply->status));
	buf_str(b, "\r\n");
	field(b, "Date", date);
	write_fields(r, reply, b);
	if (reply->status == 204) {
		/* no body, and no length (RFC 9110 8.6) */
	} else if (!r->more) {
		buf_str(b, "Content-Length: ");
		buf_u64(b, body_bytes);
		buf_str(b, "\r\n");
	} else if (r->head.minor > 0) {
		field(b, "Transfer-Encoding", "chunked");
	}
	buf_str(b, "\r\n");
}

/* A page does not fit the memory that every request has; req_finish() gives it back. */
static void let_reply_grow(struct req *r)
{
	buf_init(&r->reply, PAGE_BYTES_MAX + CHUNK_LINE + HEAD_BYTES + r->cors.n);
}

static size_t challenge_bytes(const struct req *r)
{
	return r->who.challenge ? strlen(r->who.challenge) : 0;
}

static void render(struct req *r)
{
	const struct dialect *dialect = dialect_of(r);
	char text[BODY_BYTES], lines[REPLY_FIELDS];
	struct buf body, fields;
	struct reply reply = { .status = dialect->status(r->route, r->verdict),
		               .body = &body,
		               .fields = &fields };
	struct bytes whole;

	buf_init_fixed(&body, text, sizeof(text));
	buf_init_fixed(&fields, lines, sizeof(lines));
	reply.retry_after = r->retry_after = retry_after(r);
	if (r->page_type)
		reply.content_type = r->page_type;
	else
		dialect->render(r, &reply);
	if (reply.status == 204) { /* it has no body, and so no type of one */
		buf_reset(&body);
		reply.content_type = NULL;
	}
	assert(!fields.failed);
	assert(!body.failed); /* BODY_BYTES holds every dialect's longest text */
	whole = r->page_type ? r->page : buf_view(&body);
	r->close_after = closes(r);
	if (r->more || HEAD_BYTES + r->cors.n + challenge_bytes(r) + whole.n > sizeof(r->reply_mem))
		let_reply_grow(r);
	write_head(r, &reply, whole.n, &r->reply);
	if (r->head.method != HTTP_HEAD)
		buf_bytes(&r->reply, whole);
	assert(!r->reply.failed);
	r->out = buf_view(&r->reply);
	r->reply_rendered = true;
}

/* The next part of a page, as a chunk; the length is known only behind it, so its line is filled in
 * later: leading zeros are allowed. */
static void next_part(struct req *r)
{
	bool chunked = r->head.minor > 0;
	char line[CHUNK_LINE + 1];
	size_t from;
	bool again;

	buf_reset(&r->reply);
	if (chunked)
		buf_str(&r->reply, "00000000\r\n");
	from = r->reply.n;
	again = r->more(r);
	if (r->reply.failed) { /* a cut page must not look whole: no last chunk, EOF instead */
		again = false;
		chunked = false;
		r->close_after = true;
		buf_reset(&r->reply);
	}
	if (chunked && r->reply.n > from) {
		hex_encode((const uint8_t[]){ (uint8_t)((r->reply.n - from) >> 24),
		                              (uint8_t)((r->reply.n - from) >> 16),
		                              (uint8_t)((r->reply.n - from) >> 8),
		                              (uint8_t)(r->reply.n - from) },
		           4, line);
		memcpy(r->reply.p, line, 8);
		buf_str(&r->reply, "\r\n");
	} else if (chunked) {
		buf_reset(&r->reply); /* a chunk of no bytes would be the last */
	}
	if (chunked && !again)
		buf_str(&r->reply, "0\r\n\r\n");
	if (!again)
		r->more = NULL;
	r->out = buf_view(&r->reply);
}

enum step reply_run(struct req *r)
{
	if (r->verdict == V_GONE) { /* nobody is there to read it */
		r->close_after = true;
		r->out = BYTES_NONE;
		return STEP_NEXT;
	}
	if (r->out.n) /* the rest of a `100 Continue`, or of this reply */
		return STEP_ROOM;
	if (!r->reply_rendered) {
		render(r);
		return STEP_ROOM;
	}
	if (!r->more || r->head.method == HTTP_HEAD)
		return STEP_NEXT;
	next_part(r);
	return STEP_ROOM;
}
