/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_body.c -- the body stage: gets the wire bytes of one request body into one piece of memory.
 * With Content-Length they are received straight into a buffer of that size, or used where they lie
 * if the connection's buffer holds all of them. A chunked body (RFC 9112 7.1) is read by a machine
 * that takes byte after byte of sizes, extensions and trailers, and chunk data in one piece; its
 * buffer grows by class, and the budget is asked before. Admit has judged Content-Length already.
 */
#include "common/bytes.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/dialects.h"
#include "worker/rates.h"
#include "worker/route.h"
#include "worker/worker.h"

enum { SIZE_DIGITS_MAX = 16, EXTENSION_MAX = 256, TRAILERS_MAX = 64, TRAILERS_BYTES_MAX = 8 * KIB };

static const uint64_t CHUNK_MAX = UINT64_C(1) << 53; /* as for Content-Length */

/* r->chunk.state */
enum body_state {
	BODY_START,
	BODY_LENGTH,
	CHUNK_SIZE, /* line counts its digits */
	CHUNK_EXT_NAME, /* from here line counts the extension's bytes */
	CHUNK_EXT_NAME_MORE,
	CHUNK_EXT_VALUE,
	CHUNK_EXT_VALUE_MORE,
	CHUNK_EXT_QUOTED,
	CHUNK_EXT_ESCAPED,
	CHUNK_EXT_END, /* after the closing quote */
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER_START, /* line counts the bytes of all trailers */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	BODY_LAST_LF,
	BODY_END,
};

static const char continue_line[] = "HTTP/1.1 100 Continue\r\n\r\n";

static enum step framing(struct req *r, const char *why)
{
	return req_refuse(r, V_FRAMING, why);
}

static bool answers_cut(const struct req *r)
{
	return r->route && dialect_get(r->route->dialect)->answers_cut;
}

static bool charge(struct req *r, uint64_t bytes)
{
	if (!budget_take(r->w->budget, r->who.tenant_ordinal, r->charged, bytes))
		return false;
	r->charged += bytes;
	return true;
}

/* What the request holds stays while it gets more: with it, this may never fit, and a client that
 * is told to try again would do so for ever. */
static enum step charge_refused(struct req *r, uint64_t bytes)
{
	uint64_t all;

	if (__builtin_add_overflow(r->charged, bytes, &all))
		all = UINT64_MAX;
	if (budget_impossible(r->w->budget, all))
		return req_refuse(r, V_BODY_SIZE, (unsigned long long)all,
		                  (unsigned long long)budget_capacity(r->w->budget));
	return req_refuse(r, V_OVERLOAD);
}

/* Nothing more can be done with what is there. */
static enum step need_bytes(struct req *r)
{
	if (r->eof && answers_cut(r)) /* one half of the connection may be left */
		return framing(r, "it ends too early");
	if (r->eof)
		return req_refuse(r, V_GONE);
	if (r->head.expect_continue && !r->continue_sent && r->wire_bytes == 0 &&
	    r->chunk.state <= CHUNK_SIZE && r->chunk.line == 0) {
		r->continue_sent = true;
		r->out = bytes_of(continue_line, sizeof(continue_line) - 1);
	}
	return STEP_BYTES;
}

/* ---- Content-Length ---- */

static enum step length_start(struct req *r)
{
	uint64_t length = r->head.length, needed;

	if (length <= r->in.n) {
		r->body = bytes_of(r->in.p, length);
		r->keep += length; /* it lies behind the head, and must stay there */
		r->wire_bytes = length;
		req_take(r, length);
		return STEP_NEXT;
	}
	needed = body_capacity(length);
	if (needed > r->charged && !charge(r, needed - r->charged)) /* admit may have charged it */
		return charge_refused(r, needed - r->charged);
	r->body_mem = body_get(r->w->bodies, length);
	if (r->in.n)
		memcpy(r->body_mem->data, r->in.p, r->in.n);
	r->wire_bytes = r->in.n;
	r->fill.at = r->body_mem->data + r->in.n;
	r->fill.room = r->chunk.left = length - r->in.n;
	req_take(r, r->in.n);
	r->chunk.state = BODY_LENGTH;
	return need_bytes(r);
}

/* Counts what conn received into the body's own memory. */
static void filled(struct req *r)
{
	r->wire_bytes += r->chunk.left - r->fill.room;
	r->chunk.left = r->fill.room;
}

static enum step length_more(struct req *r)
{
	filled(r);
	if (r->chunk.left)
		return need_bytes(r);
	r->body = bytes_of(r->body_mem->data, r->wire_bytes);
	return STEP_NEXT;
}

/* ---- chunked ---- */

/* Room for `needed` bytes in all. Both buffers are charged while both are there. */
static enum step grow(struct req *r, uint64_t needed)
{
	struct body *old = r->body_mem, *wider;
	uint64_t wanted = needed, bytes;

	if (old && needed <= old->cap)
		return STEP_NEXT;
	if (old) /* so that many small chunks cost no more than twice the copying */
		wanted = max_size(needed, min_size(2 * old->cap, r->body_limit));
	bytes = body_capacity(wanted);
	if (!charge(r, bytes)) { /* an eighth more still bounds the copying */
		wanted = max_size(needed, old ? old->cap + old->cap / 8 : 0);
		bytes = body_capacity(wanted);
		if (!charge(r, bytes))
			return charge_refused(r, bytes);
	}
	wider = body_get(r->w->bodies, wanted);
	if (old) {
		memcpy(wider->data, old->data, r->wire_bytes);
		budget_give(r->w->budget, r->who.tenant_ordinal, old->cap);
		r->charged -= old->cap;
		body_put(r->w->bodies, old);
	}
	r->body_mem = wider;
	return STEP_NEXT;
}

/* After the CRLF of a chunk's first line. */
static enum step chunk_begin(struct req *r)
{
	uint64_t needed = r->wire_bytes + r->chunk.left;
	enum step step;

	r->chunk.line = 0;
	if (r->chunk.left == 0) {
		r->chunk.state = TRAILER_START;
		return STEP_NEXT;
	}
	if (needed > r->body_limit)
		return req_refuse(r, V_BODY_SIZE, (unsigned long long)needed,
		                  (unsigned long long)r->body_limit);
	step = grow(r, needed);
	r->chunk.state = CHUNK_DATA;
	return step;
}

/* STEP_NEXT: the chunk is whole. */
static enum step chunk_data(struct req *r)
{
	size_t n;

	if (r->fill.at) {
		filled(r);
	} else {
		n = min_size(r->in.n, r->chunk.left);
		if (n)
			memcpy(r->body_mem->data + r->wire_bytes, r->in.p, n);
		r->wire_bytes += n;
		r->chunk.left -= n;
		req_take(r, n);
	}
	if (r->chunk.left) { /* the rest of the chunk, not a byte more */
		r->fill.at = r->body_mem->data + r->wire_bytes;
		r->fill.room = r->chunk.left;
		return need_bytes(r);
	}
	r->fill.at = NULL;
	r->chunk.state = CHUNK_DATA_CR;
	return STEP_NEXT;
}

static bool is_token(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The digits of a chunk's size, and what may follow them. */
static const char *size_byte(struct req *r, uint8_t c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (++r->chunk.line > SIZE_DIGITS_MAX)
			return "chunk size of too many digits";
		if (r->chunk.line == 1)
			r->chunk.left = 0;
		r->chunk.left = r->chunk.left << 4 | (unsigned)digit;
		return r->chunk.left > CHUNK_MAX ? "chunk size out of range" : NULL;
	}
	if (r->chunk.line == 0 || (c != '\r' && c != ';'))
		return "bad chunk size";
	r->chunk.line = 0;
	r->chunk.state = c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXT_NAME;
	return NULL;
}

/* chunk-ext = *( ";" chunk-ext-name [ "=" chunk-ext-val ] ), without the blanks that RFC 9112 7.1.1
 * calls bad. The value is a token or a quoted string. */
static const char *extension_byte(struct req *r, uint8_t c)
{
	enum body_state state = (enum body_state)r->chunk.state, next = state;

	if (++r->chunk.line > EXTENSION_MAX)
		return "chunk extension too long";
	if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
		return c == '\n' ? "bare LF in a chunk extension"
		                 : "control byte in a chunk extension";
	switch ((int)state) {
	case CHUNK_EXT_NAME:
	case CHUNK_EXT_NAME_MORE:
		if (is_token(c))
			next = CHUNK_EXT_NAME_MORE;
		else if (state == CHUNK_EXT_NAME_MORE && c == '=')
			next = CHUNK_EXT_VALUE;
		else if (state == CHUNK_EXT_NAME_MORE && (c == '\r' || c == ';'))
			next = c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXT_NAME;
		else
			return "bad chunk extension";
		break;
	case CHUNK_EXT_VALUE:
	case CHUNK_EXT_VALUE_MORE:
	case CHUNK_EXT_END:
		if (state != CHUNK_EXT_END && is_token(c))
			next = CHUNK_EXT_VALUE_MORE;
		else if (state == CHUNK_EXT_VALUE && c == '"')
			next = CHUNK_EXT_QUOTED;
		else if (state != CHUNK_EXT_VALUE && (c == '\r' || c == ';'))
			next = c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXT_NAME;
		else
			return "bad chunk extension";
		break;
	case CHUNK_EXT_QUOTED:
		if (c == '\r')
			return "bare CR in a chunk extension";
		next = c == '"' ? CHUNK_EXT_END : c == '\\' ? CHUNK_EXT_ESCAPED : CHUNK_EXT_QUOTED;
		break;
	case CHUNK_EXT_ESCAPED:
		if (c == '\r')
			return "bare CR in a chunk extension";
		next = CHUNK_EXT_QUOTED;
		break;
	}
	r->chunk.state = next;
	return NULL;
}

/* Trailers are fields like any other, checked, then thrown away: nothing is ever merged. */
static const char *trailer_byte(struct req *r, uint8_t c)
{
	enum body_state state = (enum body_state)r->chunk.state;

	if (++r->chunk.line > TRAILERS_BYTES_MAX)
		return "trailers too long";
	switch ((int)state) {
	case TRAILER_START:
		if (c == '\r') {
			r->chunk.state = BODY_LAST_LF;
			return NULL;
		}
		if (++r->chunk.trailers > TRAILERS_MAX)
			return "too many trailers";
		r->chunk.state = TRAILER_NAME;
		return is_token(c) ? NULL : "bad trailer";
	case TRAILER_NAME:
		if (c == ':')
			r->chunk.state = TRAILER_VALUE;
		return c == ':' || is_token(c) ? NULL : "bad trailer";
	case TRAILER_VALUE:
		if (c == '\r')
			r->chunk.state = TRAILER_LF;
		else if ((c < ' ' && c != '\t') || c == 0x7f)
			return c == '\n' ? "bare LF in a trailer" : "control byte in a trailer";
		break;
	}
	return NULL;
}

/* One byte of framing; NULL, or what is wrong with it. */
static const char *framing_byte(struct req *r, uint8_t c)
{
	switch ((enum body_state)r->chunk.state) {
	case CHUNK_SIZE:
		return size_byte(r, c);
	case CHUNK_EXT_NAME:
	case CHUNK_EXT_NAME_MORE:
	case CHUNK_EXT_VALUE:
	case CHUNK_EXT_VALUE_MORE:
	case CHUNK_EXT_QUOTED:
	case CHUNK_EXT_ESCAPED:
	case CHUNK_EXT_END:
		return extension_byte(r, c);
	case CHUNK_DATA_CR:
		r->chunk.state = CHUNK_DATA_LF;
		return c == '\r' ? NULL : "chunk data not followed by CRLF";
	case CHUNK_DATA_LF:
		r->chunk.state = CHUNK_SIZE;
		r->chunk.line = 0;
		return c == '\n' ? NULL : "chunk data not followed by CRLF";
	case TRAILER_START:
	case TRAILER_NAME:
	case TRAILER_VALUE:
		return trailer_byte(r, c);
	case TRAILER_LF:
		r->chunk.state = TRAILER_START;
		return c == '\n' ? NULL : "bare CR in a trailer";
	case BODY_LAST_LF:
		r->chunk.state = BODY_END;
		return c == '\n' ? NULL : "bare CR after the last chunk";
	case CHUNK_SIZE_LF: /* chunk_begin() follows: chunked_more() */
	case BODY_START:
	case BODY_LENGTH:
	case CHUNK_DATA:
	case BODY_END:
		break;
	}
	assert(!"not a state of framing");
	return NULL;
}

static enum step chunked_byte(struct req *r)
{
	uint8_t c = r->in.p[0];
	const char *why;

	req_take(r, 1);
	if (r->chunk.state == CHUNK_SIZE_LF)
		return c == '\n' ? chunk_begin(r) : framing(r, "bare CR after a chunk size");
	why = framing_byte(r, c);
	return why ? framing(r, why) : STEP_NEXT;
}

static enum step chunked_more(struct req *r)
{
	while (r->chunk.state != BODY_END) {
		enum step step;

		if (r->chunk.state == CHUNK_DATA)
			step = chunk_data(r);
		else if (r->in.n == 0)
			return need_bytes(r);
		else
			step = chunked_byte(r);
		if (step != STEP_NEXT)
			return step;
	}
	r->body = r->body_mem ? bytes_of(r->body_mem->data, r->wire_bytes) : BYTES_NONE;
	r->body_ended = true;
	return rates_wire(r);
}

enum step body_run(struct req *r)
{
	if (r->chunk.state == BODY_START) {
		req_current(r);
		if (r->head.chunked)
			r->chunk.state = CHUNK_SIZE;
		else
			return length_start(r); /* without Content-Length it is 0 (RFC 9112 6.3) */
	}
	return r->chunk.state == BODY_LENGTH ? length_more(r) : chunked_more(r);
}
