/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_enum.c -- the members of an enum: read from a model file, and looked up for each value of a
 * body, in logarithmic time, since a file may name many and a body hold millions.
 */
#include <stdio.h>

#include "common/model_private.h"

static struct bytes choice_text(const struct model_choice *c)
{
	return c->is_int ? c->name : c->text;
}

static int compare_texts(const void *a, const void *b, void *arg)
{
	const struct model_choice *v = arg, *x = &v[*(const unsigned *)a],
				  *y = &v[*(const unsigned *)b];
	struct bytes s = choice_text(x), t = choice_text(y);

	return model_name_compare(s, t);
}

/* Numbers first. */
static int compare_numbers(const void *a, const void *b, void *arg)
{
	const struct model_choice *v = arg, *x = &v[*(const unsigned *)a],
				  *y = &v[*(const unsigned *)b];

	if (x->is_int != y->is_int)
		return x->is_int ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static const unsigned *choices_sorted(struct model_parser *p, const struct model_type *t,
                                      int (*compare)(const void *a, const void *b, void *arg))
{
	unsigned *order = pool_alloc(p->pool, t->choice_count * sizeof(*order));

	for (unsigned i = 0; i < t->choice_count; i++)
		order[i] = i;
	qsort_r(order, t->choice_count, sizeof(*order), compare, t->choices);
	return order;
}

static int choice_parse(struct model_parser *p, const json_t *json, struct model_choice *c)
{
	const json_t *value = json_object_get(json, "value");
	const json_t *number = json_object_get(value, "Int");
	const json_t *text = json_object_get(value, "String");

	if (model_name(p, json_object_get(json, "name"), "the name of an enum's member", &c->name) <
	    0)
		return -1;
	if (json_object_size(value) == 1 && json_is_integer(number) &&
	    json_integer_value(number) >= INT16_MIN && json_integer_value(number) <= INT16_MAX) {
		c->is_int = true;
		c->number = json_integer_value(number);
		return 0;
	}
	if (json_object_size(value) == 1 && json_is_string(text) &&
	    json_string_length(text) <= MODEL_NAME_MAX) {
		c->text = pool_dup(p->pool,
		                   bytes_of(json_string_value(text), json_string_length(text)));
		return 0;
	}
	return model_error(p,
	                   "the value of an enum's member is {\"Int\": %d..%d} or {\"String\": a "
	                   "text of at most %d bytes}",
	                   INT16_MIN, INT16_MAX, MODEL_NAME_MAX);
}

int model_enum_parse(struct model_parser *p, const json_t *values, struct model_type *t)
{
	t->kind = MODEL_ENUM;
	snprintf(t->name, sizeof(t->name), "Enum");
	t->choice_count = json_array_size(values);
	if (!t->choice_count)
		return model_error(p, "the values of an enum are an array of one or more");
	t->choices = pool_zalloc(p->pool, t->choice_count * sizeof(*t->choices));
	for (size_t i = 0; i < t->choice_count; i++)
		if (choice_parse(p, json_array_get(values, i), &t->choices[i]) < 0)
			return -1;
	t->by_text = choices_sorted(p, t, compare_texts);
	t->by_number = choices_sorted(p, t, compare_numbers);
	return 0;
}

bool model_choice_has_text(const struct model_type *t, struct bytes text)
{
	size_t low = 0, high = t->choice_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = model_name_compare(text, choice_text(&t->choices[t->by_text[middle]]));

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

bool model_choice_has_number(const struct model_type *t, int64_t number)
{
	size_t low = 0, high = t->choice_count;

	if (number >= 0 && (uint64_t)number < t->choice_count && !t->choices[number].is_int)
		return true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct model_choice *c = &t->choices[t->by_number[middle]];

		if (c->is_int && c->number == number)
			return true;
		if (!c->is_int || c->number > number) /* texts stand last */
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}
