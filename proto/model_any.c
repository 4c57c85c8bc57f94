/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_any.c -- values that no model describes: the inside of a Json column, and members that
 * nobody declared where extra ones are welcome. They pass as they are, but compact, and without a
 * member twice, which no consumer could keep apart. In a Json column typed paths must be found.
 */
#include "proto/model_private.h"

bool model_any_value(struct model_pass *m)
{
	uint8_t c = json_peek(&m->j);
	const uint8_t *at = m->j.p;

	if (c == '{')
		return model_push(m, FRAME_ANY_OBJECT) != NULL;
	if (c == '[')
		return model_push(m, FRAME_ANY_ARRAY) != NULL;
	if (!model_read_scalar(m, c))
		return false;
	model_emit(m, at, (size_t)(m->j.p - at));
	return true;
}

static int component_compare(struct bytes path, size_t behind, struct bytes name)
{
	struct bytes rest = bytes_from(path, behind);
	const uint8_t *dot = memchr(rest.p, '.', rest.n);
	size_t n = dot ? (size_t)(dot - rest.p) : rest.n;
	int order = memcmp(rest.p, name.p, min_size(n, name.n));

	return order ? order : (n > name.n) - (n < name.n);
}

/* The first of the typed paths from low on whose component at hand is not below the name, or not
 * below and not equal. */
static size_t bound(const struct model_frame *f, size_t low, struct bytes name, bool is_upper)
{
	size_t high = f->paths_end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct bytes path = f->type->columns[f->type->by_name[middle]].name;
		int order = component_compare(path, f->path_skip, name);

		if (order < 0 || (is_upper && order == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A member that typed paths may go through: one that ends here is found unless it is null; the
 * others go on in the object. */
static bool typed_member(struct model_pass *m, struct model_frame *f)
{
	uint8_t local[SHORT_TEXT];
	struct bytes name = model_meant(f->name, local);
	size_t low, high, behind = f->path_skip + name.n;
	uint8_t c = json_peek(&m->j);
	struct model_frame *inner;

	if (f->name.raw.n && !name.n) /* longer than any */
		return model_any_value(m);
	low = bound(f, f->paths, name, false);
	high = bound(f, low, name, true);
	if (low < high && f->type->columns[f->type->by_name[low]].name.n == behind) {
		if (c != 'n')
			model_mark(m, f->seen, f->type->by_name[low]);
		low++;
	}
	if (low == high || c != '{')
		return model_any_value(m);
	inner = model_push(m, FRAME_ANY_OBJECT);
	if (!inner)
		return false;
	inner->type = f->type;
	inner->seen = f->seen;
	inner->paths = low;
	inner->paths_end = high;
	inner->path_skip = behind + 1;
	return true;
}

bool model_any_member(struct model_pass *m, struct model_frame *f)
{
	if (!model_keep_name(m, f->name))
		return false;
	model_emit_name(m, f);
	return f->paths < f->paths_end ? typed_member(m, f) : model_any_value(m);
}
