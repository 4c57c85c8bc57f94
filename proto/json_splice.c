/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_splice.c -- see json_splice.h. A part takes a comma with it: the one before it, if a part
 * before it stays, else the one behind. Edits come in the order of the body.
 */
#include "proto/json_splice.h"

static void cut(struct json_splice *s, const uint8_t *from, const uint8_t *to, struct bytes ins)
{
	edits_add(s->edits, (size_t)(from - s->body), (size_t)(to - from), ins);
}

void json_splice_begin(struct json_splice *s, const uint8_t *start)
{
	if (s->gone)
		cut(s, s->gone, start, BYTES_NONE);
	s->gone = NULL;
	s->start = start;
	s->edits_then = s->edits->n;
}

void json_splice_end(struct json_splice *s, const uint8_t *end, bool leaves)
{
	if (leaves) {
		edits_truncate(s->edits, s->edits_then);
		if (s->stays)
			cut(s, s->end, end, BYTES_NONE);
		else
			s->gone = s->start;
	}
	s->stays |= !leaves;
	s->end = end;
}

void json_splice_close(struct json_splice *s, struct bytes last)
{
	if (s->gone) {
		cut(s, s->gone, s->end, last);
	} else if (last.n) {
		if (s->stays)
			cut(s, s->end, s->end, BYTES(","));
		cut(s, s->end, s->end, last);
	}
}
