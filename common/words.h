/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.h -- bytes that another process may read while they are written: copied as whole words, so
 * that no compiler makes two reads of one and no race is undefined. Who reads must find out by
 * other means (a count before and behind) whether what it has got is of one moment.
 */
#pragma once
#include <stdatomic.h>
#include <string.h>
#include "common/base.h"

typedef _Atomic uint64_t shared_word;

static inline size_t word_count(size_t bytes)
{
	return (bytes + sizeof(uint64_t) - 1) / sizeof(uint64_t);
}

/* The last word is filled up with zeros. */
static inline void words_store(shared_word *to, const void *from, size_t bytes)
{
	for (size_t i = 0; i < word_count(bytes); i++) {
		size_t at = i * sizeof(uint64_t);
		uint64_t word = 0;

		memcpy(&word, (const uint8_t *)from + at, min_size(bytes - at, sizeof(word)));
		atomic_store_explicit(&to[i], word, memory_order_relaxed);
	}
}

static inline void words_load(void *to, const shared_word *from, size_t bytes)
{
	for (size_t i = 0; i < word_count(bytes); i++) {
		size_t at = i * sizeof(uint64_t);
		uint64_t word = atomic_load_explicit(&from[i], memory_order_relaxed);

		memcpy((uint8_t *)to + at, &word, min_size(bytes - at, sizeof(word)));
	}
}
