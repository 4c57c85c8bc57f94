/* SPDX-License-Identifier: Apache-2.0 */
#include "common/facts.h"

enum { READS_MAX = 100 }; /* they change once a second at most, in microseconds */

void facts_set(struct facts *f, struct bytes text)
{
	uint32_t seq = atomic_load_explicit(&f->seq, memory_order_relaxed);

	assert(text.n <= FACTS_MAX);
	atomic_store_explicit(&f->seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&f->bytes, (uint32_t)text.n, memory_order_relaxed);
	words_store(f->words, text.p, text.n);
	atomic_store_explicit(&f->seq, seq + 2, memory_order_release);
}

char *facts_get(const struct facts *f)
{
	for (unsigned i = 0; i < READS_MAX; i++) {
		uint32_t seq = atomic_load_explicit(&f->seq, memory_order_acquire);
		size_t n = atomic_load_explicit(&f->bytes, memory_order_relaxed);
		char *text;

		if (seq == 0)
			return NULL;
		if (seq & 1 || n > FACTS_MAX)
			continue;
		text = xcalloc(n + 1, 1);
		words_load(text, f->words, n);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&f->seq, memory_order_relaxed) == seq)
			return text;
		free(text);
	}
	return NULL;
}
