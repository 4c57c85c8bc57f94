/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letters_model.c -- two passes over a body that was read once already: how many objects there
 * are and how much they take, then the letters.
 */
#include "worker/dead_letters_model.h"

#include "proto/json.h"
#include "worker/when.h"

enum {
	ERROR_BYTES = 255, /* of the text, each escaped by 6 at most */
	FRAME_BYTES = 512 + 6 * ERROR_BYTES, /* names, time and topic */
	ESCAPE_FACTOR = 2, /* JSON's own bytes that need it: quotes, backslashes, line breaks */
};
static const char syntax_prefix[] = "Invalid JSON: ";

/* Calls fn for each object of the body, as Moose does: what is none is passed over. False: no JSON. */
static bool each_object(const struct model_letters *m,
                        void (*fn)(void *arg, struct bytes object), void *arg)
{
	struct json j;
	bool is_array, first = true;

	json_init(&j, m->body, UTF8_STRICT);
	is_array = json_peek(&j) == '[';
	if (is_array)
		json_open(&j);
	while (is_array ? json_element(&j, first) : first) {
		const uint8_t *start;

		first = false;
		json_peek(&j);
		start = j.p;
		if (!json_skip(&j, m->depth))
			return false;
		if (*start == '{')
			fn(arg, bytes_of(start, (size_t)(j.p - start)));
	}
	return !j.error && json_end(&j);
}

static size_t frame_bytes(const struct model_letters *m)
{
	return FRAME_BYTES + strlen(m->topic);
}

static bool fits(const struct model_letters *m, struct bytes object)
{
	return frame_bytes(m) + object.n <= m->limit;
}

struct sums {
	struct model_letters *m;
	size_t bytes, largest;
};

static void add_up(void *arg, struct bytes object)
{
	struct sums *s = arg;

	s->m->objects++;
	if (!fits(s->m, object) || s->m->count == LETTERS_MAX)
		return;
	s->m->count++;
	s->bytes += object.n;
	s->largest = max_size(s->largest, object.n);
}

bool model_letters_count(struct model_letters *m)
{
	struct sums s = { .m = m };

	m->objects = m->count = 0;
	if (!each_object(m, add_up, &s))
		return false;
	m->shown = 0;
	m->bytes = 0;
	if (m->count) {
		m->shown = (m->limit - frame_bytes(m) - s.largest) / ESCAPE_FACTOR;
		m->shown = min_size(m->shown, LETTERS_BODY_BYTES / ESCAPE_FACTOR / m->count);
		m->shown = min_size(m->shown, m->body.n);
		m->bytes = s.bytes + m->count * (frame_bytes(m) + ESCAPE_FACTOR * m->shown);
	}
	return true;
}

struct writing {
	const struct model_letters *m;
	struct buf *out;
	struct slices *slices;
	char when[WHEN_RFC3339_US_BYTES];
};

static void write_letter(void *arg, struct bytes object)
{
	struct writing *w = arg;
	const struct model_letters *m = w->m;
	const char *error = m->error;
	size_t from = w->out->n;

	if (!fits(m, object) || w->slices->n == m->count)
		return;
	if (strncmp(error, syntax_prefix, strlen(syntax_prefix)) == 0)
		error += strlen(syntax_prefix);
	buf_str(w->out, "{\"originalRecord\":");
	buf_bytes(w->out, object);
	buf_str(w->out, ",\"errorMessage\":\"");
	buf_json(w->out, bytes_str(error), ERROR_BYTES);
	buf_str(w->out, "\",\"errorType\":\"ValidationError\",\"failedAt\":\"");
	buf_str(w->out, w->when);
	buf_str(w->out, "\",\"source\":\"api\",\"requestBody\":\"");
	buf_json(w->out, m->body, m->shown);
	buf_str(w->out, "\",\"topic\":\"");
	buf_json(w->out, bytes_str(m->topic), SIZE_MAX);
	buf_str(w->out, "\"}");
	assert(!w->out->failed);
	slices_add(w->slices, from, w->out->n - from, 0); /* far below SLICES_MAX */
}

void model_letters_write(const struct model_letters *m, struct buf *out, struct slices *slices)
{
	struct writing w = { .m = m, .out = out, .slices = slices };

	when_rfc3339_us(m->failed_at, w.when);
	each_object(m, write_letter, &w);
}
