/* SPDX-License-Identifier: Apache-2.0 */
#include "common/last_errors.h"

enum { READS_MAX = 4 }; /* of a line that changes meanwhile */

_Static_assert(sizeof(struct last_error) == sizeof(((struct error_slot *)NULL)->words),
               "a line is whole words");

static bool slot_take(struct error_slot *s, uint64_t *seq)
{
	*seq = atomic_load_explicit(&s->seq, memory_order_relaxed);
	return !(*seq & 1) && atomic_compare_exchange_strong(&s->seq, seq, *seq + 1);
}

static void slot_write(struct error_slot *s, const struct last_error *line)
{
	uint64_t seq;

	if (!slot_take(s, &seq))
		return;
	atomic_thread_fence(memory_order_release); /* odd is seen before any of the words */
	words_store(s->words, line, sizeof(*line));
	atomic_store_explicit(&s->seq, seq + 2, memory_order_release);
}

static bool slot_read(const struct error_slot *s, struct last_error *out)
{
	for (unsigned i = 0; i < READS_MAX; i++) {
		uint64_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);

		if (seq == 0 || seq & 1)
			return false;
		words_load(out, s->words, sizeof(*out));
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&s->seq, memory_order_relaxed) != seq)
			continue;
		out->module[sizeof(out->module) - 1] = '\0';
		out->text[sizeof(out->text) - 1] = '\0';
		return true;
	}
	return false;
}

void last_errors_add(struct last_errors *ring, const struct last_error *line)
{
	uint64_t next = atomic_fetch_add(&ring->next, 1);

	slot_write(&ring->v[next % LAST_ERRORS], line);
}

void last_errors_keep(struct last_errors *to, const struct last_errors *from)
{
	struct last_error line, old;

	for (unsigned i = 0; i < LAST_ERRORS; i++) {
		unsigned place = 0;
		unix_ns oldest = INT64_MAX;

		if (!slot_read(&from->v[i], &line))
			continue;
		for (unsigned k = 0; k < LAST_ERRORS; k++) {
			unix_ns at = slot_read(&to->v[k], &old) ? old.at : INT64_MIN;

			if (at < oldest) {
				oldest = at;
				place = k;
			}
		}
		if (line.at > oldest)
			slot_write(&to->v[place], &line);
		atomic_fetch_add(&to->next, 1);
	}
}

unsigned last_errors_merge(struct last_error list[static LAST_ERRORS], unsigned n,
                           const struct last_errors *ring)
{
	struct last_error line;

	/* Most processes have none: then only the head's first page is touched. */
	if (atomic_load_explicit(&ring->next, memory_order_acquire) == 0)
		return n;
	for (unsigned i = 0; i < LAST_ERRORS; i++) {
		unsigned at = n;

		if (!slot_read(&ring->v[i], &line))
			continue;
		while (at > 0 && list[at - 1].at < line.at)
			at--;
		if (at == LAST_ERRORS)
			continue;
		if (n < LAST_ERRORS)
			n++;
		memmove(&list[at + 1], &list[at], (n - 1 - at) * sizeof(list[0]));
		list[at] = line;
	}
	return n;
}
