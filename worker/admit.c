/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admit.c -- may this body come? Judged from the head alone, in the order of protocols.md 1.2: what
 * the client could mend, then what its tenant may, then whether this worker can hold it. After this
 * stage the body is read; a client that waits for `100 Continue` has not sent a byte of it.
 */
#include "common/buf.h"
#include "common/loop.h"
#include "worker/audit.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/charge.h"
#include "worker/media.h"
#include "worker/models.h"
#include "worker/rates.h"
#include "worker/req.h"
#include "worker/route.h"
#include "worker/when.h"
#include "worker/worker.h"

enum { SHOWN_BYTES = 100 }; /* of a client's header in a refusal */

static enum step refuse_field(struct req *r, enum verdict v, struct bytes value)
{
	char text[160];
	struct buf b;

	buf_init_fixed(&b, text, sizeof(text) - 1);
	if (value.n)
		buf_escaped(&b, value, SHOWN_BYTES);
	else
		buf_str(&b, "none is given");
	text[b.n] = '\0';
	return req_refuse(r, v, text);
}

static bool type_fits(const struct format *f, struct bytes type)
{
	struct bytes wanted = bytes_str(f->type);
	const uint8_t *star = memchr(wanted.p, '*', wanted.n);
	size_t before = star ? (size_t)(star - wanted.p) : 0, behind = wanted.n - before - 1;

	if (strcmp(f->type, TYPE_ANY) == 0)
		return true;
	if (!star)
		return bytes_eq_nocase(type, wanted);
	return type.n > before + behind &&
	       bytes_eq_nocase(bytes_cut(type, before), bytes_cut(wanted, before)) &&
	       bytes_eq_nocase(bytes_from(type, type.n - behind), bytes_from(wanted, before + 1));
}

/* The format that a Content-Type means; NULL: none of the route's. */
static const struct format *find_format(const struct format *formats, struct bytes field)
{
	struct bytes type, proto;

	if (!media_parse(field, &type))
		return NULL;
	proto = media_parameter(field, "proto");
	for (const struct format *f = formats; f->type; f++)
		if (type_fits(f, type) &&
		    (!f->proto || !proto.p || bytes_eq(proto, bytes_str(f->proto))))
			return f;
	return NULL;
}

static const struct format *untyped_format(const struct format *f)
{
	while (f->type && !f->untyped)
		f++;
	return f->type ? f : NULL;
}

/* That of a route which asks for no type: a malformed one is as good as none. */
static const struct format *careless_format(const struct format *formats)
{
	const struct format *f = untyped_format(formats);

	return f && strcmp(f->type, TYPE_ANY) == 0 ? f : NULL;
}

static enum step check_model(struct req *r)
{
	if (!r->route->is_prefix)
		return STEP_NEXT;
	r->model = models_find(r->w->models, r->head.path);
	return r->model ? STEP_NEXT : req_refuse(r, V_MODEL);
}

static enum step check_type(struct req *r)
{
	const struct format *formats = r->route->protocol->formats;

	if (r->head.content_type_count > 1)
		return req_refuse(r, V_HTTP, "two Content-Type fields");
	if (r->head.content_type.n) /* an empty field says no more than none */
		r->format = find_format(formats, r->head.content_type);
	else
		r->format = untyped_format(formats);
	if (!r->format)
		r->format = careless_format(formats);
	return r->format ? STEP_NEXT : refuse_field(r, V_TYPE, r->head.content_type);
}

static enum step check_encoding(struct req *r)
{
	if (r->head.content_encoding_count > 1)
		return req_refuse(r, V_ENCODING, "two Content-Encoding fields");
	if (!encoding_find(r->head.content_encoding, &r->encoding) ||
	    !(r->route->protocol->encodings & (1u << r->encoding)))
		return refuse_field(r, V_ENCODING, r->head.content_encoding);
	return STEP_NEXT;
}

static enum step check_length(struct req *r)
{
	if (!r->head.has_length && !r->head.chunked)
		return req_refuse(r, V_LENGTH);
	r->body_limit = rates_body_limit(r, r->route->wire_limit);
	if (r->head.has_length && r->head.length > r->body_limit)
		return req_refuse(r, V_BODY_SIZE, (unsigned long long)r->head.length,
		                  (unsigned long long)r->body_limit);
	return STEP_NEXT;
}

static enum step check_tenant(struct req *r)
{
	char until[WHEN_RFC3339_BYTES];

	if (r->who.block_until <= loop_wall_ns() / 1000000000)
		return STEP_NEXT;
	when_rfc3339(r->who.block_until, until);
	return req_refuse(r, V_BLOCKED, r->who.tenant, until);
}

/* A draining worker takes what it can still answer before its end: a report may take all of
 * kafka.ack_deadline, and the client would rather ask the next worker now than be cut off. */
static bool ends_too_soon(const struct worker *w)
{
	return w->draining && loop_now() + w->conf->kafka.ack_deadline > w->drain_ends;
}

static enum step check_worker(struct req *r)
{
	const struct worker *w = r->w;

	if (ends_too_soon(w))
		return req_refuse(r, V_DRAINING);
	if (w->conf->audit.on_full == AUDIT_REFUSE && !audit_has_room(w->audit)) {
		req_why(r, "no room for an audit record (audit.on_full: refuse)");
		return req_refuse(r, V_OVERLOAD);
	}
	return STEP_NEXT;
}

/* body_run() allocates by what is charged here: a body of known length that is not wholly in the
 * connection's buffer yet. One that is stays there; chunks are charged as they come. */
static enum step charge_length(struct req *r)
{
	struct budget *budget = r->w->budget;
	uint64_t cap;

	if (!r->head.has_length || r->head.length <= r->in.n)
		return STEP_NEXT;
	cap = body_capacity(r->head.length);
	if (charge_impossible(r, r->head.length))
		return req_refuse(r, V_BODY_SIZE, (unsigned long long)r->head.length,
		                  (unsigned long long)budget_capacity(budget));
	if (!budget_take(budget, r->who.tenant_ordinal, r->charged, cap))
		return req_refuse(r, V_OVERLOAD);
	r->charged += cap;
	return STEP_NEXT;
}

enum step admit_run(struct req *r)
{
	/* in the order of protocols.md 1.2 */
	static enum step (*const checks[])(struct req * r) = {
		check_model, check_type,   check_encoding,  check_length,  check_tenant,
		rates_admit, check_worker, rates_in_flight, charge_length,
	};

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		enum step step = checks[i](r);

		if (step != STEP_NEXT)
			return step;
	}
	return STEP_NEXT;
}
