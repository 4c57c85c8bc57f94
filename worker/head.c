/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head.c -- the head stage: waits for a whole head, gives the request its id and its times, and
 * takes from the head what every later stage may want. What a head must look like is http_head.c's
 * matter.
 */
#include <errno.h>
#include <sys/random.h>
#include "common/loop.h"
#include "worker/client_address.h"
#include "worker/worker.h"

enum { ID_TIME_BYTES = 6, ID_RANDOM_BYTES = 10, TRACEPARENT_BYTES = 55 };

/* One system call for some hundred requests. */
static void random_take(struct id_source *ids, uint8_t *out, size_t n)
{
	if (ids->left < n) {
		for (ids->left = 0; ids->left < sizeof(ids->random);) {
			ssize_t got = getrandom(ids->random + ids->left,
			                        sizeof(ids->random) - ids->left, 0);

			if (got > 0)
				ids->left += (size_t)got;
			else if (errno != EINTR)
				abort(); /* since Linux 3.17 it cannot fail otherwise */
		}
	}
	ids->left -= n;
	memcpy(out, ids->random + ids->left, n);
}

static void request_begin(struct req *r)
{
	uint8_t id[ID_TIME_BYTES + ID_RANDOM_BYTES];
	uint64_t ms;

	r->started_ns = loop_now_ns();
	r->received = loop_wall_ns();
	ms = (uint64_t)r->received / 1000000;
	for (unsigned i = 0; i < ID_TIME_BYTES; i++)
		id[i] = (uint8_t)(ms >> 8 * (ID_TIME_BYTES - 1 - i));
	random_take(&r->w->ids, id + ID_TIME_BYTES, ID_RANDOM_BYTES);
	hex_encode(id, sizeof(id), r->request_id);
}

static bool request_id_ok(struct bytes id)
{
	for (size_t i = 0; i < id.n; i++) {
		uint8_t c = id.p[i], letter = c | 0x20;

		if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '.' &&
		    c != '_' && c != '-')
			return false;
	}
	return id.n >= 1 && id.n <= 64;
}

/* n lower-case hex digits, not all of them `not_all`. */
static bool trace_field(const uint8_t *p, size_t n, uint8_t not_all)
{
	bool other = false;

	for (size_t i = 0; i < n; i++) {
		if (!(p[i] >= '0' && p[i] <= '9') && !(p[i] >= 'a' && p[i] <= 'f'))
			return false;
		other |= p[i] != not_all;
	}
	return other;
}

/* operations.md 8; BYTES_NONE if invalid. Of a later version the four known fields are taken. */
static struct bytes traceparent_parse(struct bytes v)
{
	if (v.n < TRACEPARENT_BYTES || v.p[2] != '-' || v.p[35] != '-' || v.p[52] != '-' ||
	    !trace_field(v.p, 2, 'f') || !trace_field(v.p + 3, 32, '0') ||
	    !trace_field(v.p + 36, 16, '0') || !trace_field(v.p + 53, 2, '\0'))
		return BYTES_NONE;
	if (v.n > TRACEPARENT_BYTES &&
	    (bytes_eq(bytes_of(v.p, 2), BYTES("00")) || v.p[TRACEPARENT_BYTES] != '-'))
		return BYTES_NONE;
	return bytes_of(v.p, TRACEPARENT_BYTES);
}

/* A field that differs from a configured credential header by _ for - alone. */
static bool has_token_twin(const struct req *r)
{
	const struct conf_list *names = &r->w->conf->auth.token_headers;

	for (size_t i = 0; i < names->n; i++) {
		struct bytes ours = bytes_str(names->v[i]);

		for (unsigned k = 0; k < r->head.field_count; k++) {
			struct bytes name = r->head.fields[k].name;

			if (name.n == ours.n && http_field_is_twin(name, ours) &&
			    !bytes_eq_nocase(name, ours))
				return true;
		}
	}
	return false;
}

static enum step head_refuse(struct req *r, enum verdict v, const char *why, uint64_t limit)
{
	if (v == V_HEAD_SIZE)
		return req_refuse(r, v, why, (unsigned long long)limit);
	return req_refuse(r, v, why); /* V_HTTP's text takes it, the others' take nothing */
}

enum step head_run(struct req *r)
{
	enum verdict v = V_NONE;
	const char *why = "";
	uint64_t limit = 0;
	struct bytes id;

	if (!r->request_id[0])
		request_begin(r);
	switch (http_head_parse(r->in, &r->head_scanned, &r->head, &v, &why, &limit)) {
	case HEAD_MORE:
		return r->eof ? req_refuse(r, V_GONE) : STEP_BYTES;
	case HEAD_BAD:
		return head_refuse(r, v, why, limit);
	case HEAD_OK:
		break;
	}
	r->keep = r->head.bytes;
	req_take(r, r->head.bytes);
	if (has_token_twin(r))
		return head_refuse(r, V_HTTP, "field name with _ for -", 0);
	client_address_take(r);
	id = http_field_only(&r->head, "x-request-id");
	r->client_request_id = request_id_ok(id) ? id : BYTES_NONE;
	r->traceparent = traceparent_parse(http_field_only(&r->head, "traceparent"));
	return STEP_NEXT;
}
