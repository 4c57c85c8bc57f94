/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split.c -- messages in messages cut into parts: OTLP by Resource*, Scope*, item (a Metric by its
 * data points), Loki by stream and entry (records.md 1.3). In their order, each child goes whole
 * into the part at hand while it fits; one that does not is opened, and its own children follow. A
 * part repeats the envelope of each open message, which is all of its fields but the children; so
 * also the stamp, and each of several `resource` fields. Called by the produce stage.
 *
 * The plan and the writing are one walk, run twice: it decides by sizes alone, so the second time
 * it decides the same, and knows the length of each message that it opens.
 *
 * What holds no item goes along while it fits; a part of nothing else is none. Of a Metric that is
 * opened, those members of its oneof that another one follows are left out: no decoder sees them.
 */
#include "proto/split.h"

#include "proto/pb_read.h"

enum {
	LEVELS_MAX = 5, /* request, ResourceMetrics, ScopeMetrics, Metric, Sum */
	PREFIX_GROWTH = 9, /* of a length prefix, at most, whatever comes behind it */
	SLOTS_FIRST = 256,
	CHILD_BITS = 32, /* field numbers below it can be children */
	WIRE_MASK = 7,
	WIRE_MESSAGE = 2,
};
#define NOWHERE SIZE_MAX

/* ---- what is cut into what ---- */

struct shape { /* of a message */
	uint32_t children; /* bit set of field numbers: what it is cut into */
	const struct shape *inside; /* of a child; NULL: it is an item */
	bool is_choice; /* the children are members of a oneof: one message, maybe in pieces */
	bool is_indivisible; /* of a request: no item may be left out */
};

#define FIELD(number) (1u << (number))

static const struct shape of_scope = { .children = FIELD(2) };
static const struct shape of_resource = { .children = FIELD(2), .inside = &of_scope };
static const struct shape of_spans_or_logs = { .children = FIELD(1), .inside = &of_resource };

static const struct shape of_points = { .children = FIELD(1) };
static const struct shape of_metric = { .children = FIELD(5) | FIELD(7) | FIELD(9) | FIELD(10) |
	                                            FIELD(11),
	                                .inside = &of_points,
	                                .is_choice = true };
static const struct shape of_scope_metrics = { .children = FIELD(2), .inside = &of_metric };
static const struct shape of_resource_metrics = { .children = FIELD(2),
	                                          .inside = &of_scope_metrics };
static const struct shape of_metrics = { .children = FIELD(1), .inside = &of_resource_metrics };

static const struct shape of_stream = { .children = FIELD(2) };
static const struct shape of_push = { .children = FIELD(1),
	                              .inside = &of_stream,
	                              .is_indivisible = true };

static bool is_child(const struct shape *shape, uint32_t tag)
{
	uint32_t number = tag >> 3;

	return (tag & WIRE_MASK) == WIRE_MESSAGE && number < CHILD_BITS &&
	       shape->children >> number & 1;
}

struct counted { /* a message whose items are being counted */
	struct pb_cursor c;
	const struct shape *shape;
	uint32_t member; /* of a oneof: tag of the one seen last */
	uint64_t before; /* items, when it was opened */
};

/* As enrich() counts: of a oneof those of the last member, as decoders keep no others. */
static uint64_t items_of(const struct shape *shape, struct bytes message)
{
	struct counted open[LEVELS_MAX], *top = open;
	uint64_t items = 0;
	struct pb_field f;

	if (!message.n)
		return 0;
	*top = (struct counted){ .c = pb_cursor_of(message), .shape = shape };
	for (;;) {
		while (!top->shape->inside && pb_next(&top->c, &f))
			items += is_child(top->shape, f.tag);
		if (!pb_next(&top->c, &f)) {
			if (top-- == open)
				return items;
			continue;
		}
		if (!is_child(top->shape, f.tag))
			continue;
		if (top->shape->is_choice && top->member != f.tag) {
			top->member = f.tag;
			items = top->before;
		}
		top[1] = (struct counted){ .c = pb_cursor_of(f.bytes),
			                   .shape = top->shape->inside,
			                   .before = items };
		top++;
	}
}

/* ---- open messages ---- */

struct fields { /* of one message, which several fields of that around it may hold in pieces */
	struct pb_cursor piece;
	struct pb_cursor around; /* where more pieces may be */
	uint32_t tag; /* of these */
};

static bool fields_next(struct fields *fields, struct pb_field *f)
{
	while (!pb_next(&fields->piece, f)) {
		do {
			if (!pb_next(&fields->around, f))
				return false;
		} while (f->tag != fields->tag);
		fields->piece = pb_cursor_of(f->bytes);
	}
	return true;
}

struct level { /* an open message */
	const struct shape *shape;
	uint8_t tag; /* of its field */
	struct fields all, rest;
	size_t envelope; /* bytes */
	size_t envelope_at; /* in out, once it was written */
	size_t kids; /* bytes of its children in the part at hand */
	size_t slot; /* of its length in the part at hand; NOWHERE: it is not in it */
};

struct cut {
	const struct split_in *in;
	struct slices *parts;
	uint8_t *out; /* NULL: this is the plan */
	uint8_t *to; /* what is next is written here; NULL: to nowhere */
	struct bytes pending; /* to be written there first */
	size_t n; /* bytes of the parts before that at hand */
	uint64_t items; /* in it */
	size_t room; /* so many bytes surely fit into the innermost message; maybe some more */
	struct level levels[LEVELS_MAX];
	size_t depth;
	size_t *slots; /* of in->scratch: what the plan found out, in the order of the walk */
	size_t slot_count, slot_cap;
	uint64_t left_out; /* items */
	size_t left_out_bytes; /* of a part that could hold the first of them */
	bool is_over; /* more parts than slices */
};

static size_t slot_take(struct cut *c)
{
	if (!c->out && c->slot_count == c->slot_cap) {
		c->slot_cap = max_size(2 * c->slot_cap, SLOTS_FIRST);
		c->slots = scratch_room(c->in->scratch, c->slot_cap * sizeof(*c->slots));
	}
	return c->slot_count++;
}

/* ---- writing ---- */

static void flush(struct cut *c)
{
	if (c->pending.n)
		c->to = mempcpy(c->to, c->pending.p, c->pending.n);
	c->pending.n = 0;
}

/* Neighbours in the value are written at once. */
static void copy(struct cut *c, const uint8_t *from, const uint8_t *end)
{
	if (!c->to)
		return;
	if (c->pending.n && c->pending.p + c->pending.n == from) {
		c->pending.n += (size_t)(end - from);
		return;
	}
	flush(c);
	c->pending = bytes_of(from, (size_t)(end - from));
}

/* Looked for once: a message with many children may be in many parts. */
static void envelope_write(struct cut *c, struct level *l)
{
	struct fields all = l->all;
	struct pb_field f;

	flush(c);
	if (l->envelope_at != NOWHERE) {
		c->to = mempcpy(c->to, c->out + l->envelope_at, l->envelope);
		return;
	}
	l->envelope_at = (size_t)(c->to - c->out);
	while (fields_next(&all, &f))
		if (!is_child(l->shape, f.tag))
			copy(c, f.at, f.end);
	flush(c);
}

/* Its first child in the part at hand is about to come. */
static void level_begin(struct cut *c, struct level *l)
{
	l->slot = slot_take(c);
	if (!c->out)
		return;
	if (l == c->levels)
		c->to = c->slots[l->slot] ? c->out + c->n : NULL;
	if (!c->to)
		return;
	if (l > c->levels) {
		flush(c);
		*c->to++ = l->tag;
		c->to += pb_varint_write(c->slots[l->slot], c->to);
	}
	envelope_write(c, l);
}

/* Its last child in the part at hand was placed. */
static void level_end(struct cut *c, struct level *l)
{
	size_t bytes = l->envelope + l->kids;

	if (!c->out)
		c->slots[l->slot] = bytes;
	l[-1].kids += 1 + pb_varint_size(bytes) + bytes;
	l->kids = 0;
	l->slot = NOWHERE;
}

static void part_end(struct cut *c)
{
	struct level *root = c->levels;
	size_t bytes;

	if (root->slot == NOWHERE)
		return;
	for (struct level *l = root + c->depth - 1; l > root; l--)
		if (l->slot != NOWHERE)
			level_end(c, l);
	bytes = c->items ? root->envelope + root->kids : 0;
	if (c->out) {
		flush(c);
	} else {
		c->slots[root->slot] = bytes;
		c->is_over |= bytes && !slices_add(c->parts, c->n, bytes, c->items);
	}
	c->n += bytes;
	c->items = 0;
	c->room = 0;
	c->to = NULL;
	root->kids = 0;
	root->slot = NOWHERE;
}

/* ---- the walk ---- */

/* NOWHERE: there are no children. */
static size_t envelope_bytes(const struct shape *shape, struct fields all)
{
	bool is_childless = true;
	size_t bytes = 0;
	struct pb_field f;

	while (fields_next(&all, &f)) {
		if (is_child(shape, f.tag))
			is_childless = false;
		else
			bytes += (size_t)(f.end - f.at);
	}
	return is_childless ? NOWHERE : bytes;
}

/* False, and nothing done: there are no children. */
static bool level_push(struct cut *c, const struct shape *shape, uint32_t tag, struct fields all)
{
	struct level *l = &c->levels[c->depth];
	size_t slot = slot_take(c);

	*l = (struct level){ .shape = shape,
		             .tag = (uint8_t)tag,
		             .all = all,
		             .rest = all,
		             .envelope_at = NOWHERE,
		             .slot = NOWHERE };
	if (!c->out)
		c->slots[slot] = envelope_bytes(shape, all);
	l->envelope = c->slots[slot];
	if (l->envelope == NOWHERE)
		return false;
	c->depth++;
	c->room = 0;
	return true;
}

static void level_pop(struct cut *c)
{
	struct level *l = &c->levels[c->depth - 1];

	if (c->depth == 1)
		part_end(c);
	else if (l->slot != NOWHERE)
		level_end(c, l);
	c->depth--;
	c->room = 0;
}

/* The pieces that a decoder merges: those of the last member, behind the last other one. */
static struct fields last_member(const struct shape *shape, struct bytes message)
{
	struct pb_cursor c = pb_cursor_of(message);
	struct fields found = { 0 };
	struct pb_field f;

	while (pb_next(&c, &f))
		if (is_child(shape, f.tag) && f.tag != found.tag) {
			found.tag = f.tag;
			found.around.p = f.at;
		}
	found.around.end = message.p + message.n;
	return found;
}

/* False, and nothing done: there is nothing to cut it into. */
static bool level_open(struct cut *c, const struct shape *shape, const struct pb_field *f)
{
	struct fields all = { .piece = pb_cursor_of(f->bytes) };

	if (!level_push(c, shape, f->tag, all))
		return false;
	if (!shape->is_choice)
		return true;
	c->levels[c->depth - 1].rest = (struct fields){ 0 };
	all = last_member(shape, f->bytes);
	if (level_push(c, shape->inside, all.tag, all))
		return true;
	c->depth--;
	return false;
}

/* Of a part with so many more in the innermost message: that at hand, or one of nothing else. */
static size_t part_bytes(const struct cut *c, size_t bytes, bool is_alone)
{
	for (size_t i = c->depth; i-- > 0;) {
		bytes += c->levels[i].envelope + (is_alone ? 0 : c->levels[i].kids);
		if (i)
			bytes += 1 + pb_varint_size(bytes);
	}
	return bytes;
}

static bool fits(struct cut *c, size_t bytes)
{
	size_t all = part_bytes(c, bytes, false), spare = c->depth * PREFIX_GROWTH;

	if (all > c->in->limit)
		return false;
	c->room = c->in->limit - all > spare ? c->in->limit - all - spare : 0;
	return true;
}

static void place(struct cut *c, const struct pb_field *f)
{
	struct level *top = &c->levels[c->depth - 1];
	const struct shape *inside = top->shape->inside;

	if (top->slot == NOWHERE)
		for (struct level *l = c->levels; l <= top; l++)
			if (l->slot == NOWHERE)
				level_begin(c, l);
	copy(c, f->at, f->end);
	top->kids += (size_t)(f->end - f->at);
	c->items += inside ? items_of(inside, f->bytes) : 1;
}

/* It may not fit. */
static void child(struct cut *c, const struct pb_field *f)
{
	const struct shape *inside = c->levels[c->depth - 1].shape->inside;
	size_t bytes = (size_t)(f->end - f->at);

	if (!fits(c, bytes)) {
		size_t alone = part_bytes(c, bytes, true);

		if (inside && level_open(c, inside, f))
			return;
		if (alone > c->in->limit) {
			if (!inside && !c->left_out++)
				c->left_out_bytes = alone;
			return;
		}
		part_end(c);
	}
	place(c, f);
}

/* Children that surely fit, up to f, which may not. False: there are no more. Where millions of
 * them are, this is where the time goes. */
static bool row_place(struct cut *c, struct pb_field *f)
{
	struct level *top = &c->levels[c->depth - 1];
	const struct shape *inside = top->shape->inside;
	const uint8_t *from = NULL, *end = NULL;
	struct fields rest = top->rest;
	size_t room = c->room, kids = top->kids;
	bool more;

	while ((more = fields_next(&rest, f))) {
		size_t bytes = (size_t)(f->end - f->at);

		if (!is_child(top->shape, f->tag))
			continue;
		if (bytes > room)
			break;
		room -= bytes;
		kids += bytes;
		c->items += inside ? items_of(inside, f->bytes) : 1;
		if (f->at != end) {
			copy(c, from, end);
			from = f->at;
		}
		end = f->end;
	}
	copy(c, from, end);
	top->rest = rest;
	top->kids = kids;
	c->room = room;
	return more;
}

static void walk(struct cut *c, const struct shape *request)
{
	struct pb_field f;

	level_push(c, request, 0, (struct fields){ .piece = pb_cursor_of(c->in->value) });
	while (c->depth && !c->is_over) {
		if (row_place(c, &f))
			child(c, &f);
		else
			level_pop(c);
	}
}

static enum split cut(const struct shape *request, const struct split_in *in, uint8_t *out,
                      size_t cap, size_t *n, struct slices *parts, uint64_t *rejected)
{
	struct cut plan = { .in = in,
		            .parts = parts,
		            .slots = in->scratch->p,
		            .slot_cap = in->scratch->bytes / sizeof(*plan.slots) };
	struct cut writing = { .in = in, .out = out };

	parts->n = 0;
	walk(&plan, request);
	*rejected = request->is_indivisible ? 0 : plan.left_out;
	if (plan.is_over)
		return SPLIT_COUNT;
	if (!parts->n || (request->is_indivisible && plan.left_out)) {
		*n = plan.left_out ? plan.left_out_bytes : in->value.n;
		return SPLIT_ITEM;
	}
	*n = plan.n;
	if (plan.n > cap)
		return SPLIT_ROOM;
	writing.slots = plan.slots;
	walk(&writing, request);
	assert(writing.n == plan.n && writing.slot_count == plan.slot_count);
	return SPLIT_OK;
}

/* ---- the formats ---- */

enum split split_otlp(const struct split_in *in, uint8_t *out, size_t cap, size_t *n,
                      struct slices *parts, uint64_t *rejected)
{
	return cut(in->signal == SIGNAL_METRICS ? &of_metrics : &of_spans_or_logs, in, out, cap, n,
	           parts, rejected);
}

enum split split_loki(const struct split_in *in, uint8_t *out, size_t cap, size_t *n,
                      struct slices *parts, uint64_t *rejected)
{
	return cut(&of_push, in, out, cap, n, parts, rejected);
}
