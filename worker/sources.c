/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sources.c -- sets of eight lines, chosen by a keyed hash of the address, each line a source and
 * its word of the GCRA. The least word of a set is the source that has been quiet the longest.
 */
#include "worker/sources.h"

#include <string.h>
#include <sys/random.h>

enum { SETS = 1024, WAYS = 8, NET_BYTES = 8 };

struct line {
	uint64_t source; /* 0: free */
	gcra_word word;
};

struct sources {
	uint64_t key;
	struct line lines[SETS][WAYS];
};

struct sources *sources_new(struct err *err)
{
	struct sources *s = xcalloc(1, sizeof(*s));

	if (getrandom(&s->key, sizeof(s->key), 0) == (ssize_t)sizeof(s->key)) {
		s->key |= 1;
		return s;
	}
	free(s);
	err_errno(err, "no random number for the budgets of sources");
	return NULL;
}

void sources_free(struct sources *s)
{
	free(s);
}

/* An IPv4 address stands in the last four bytes, behind 12 that are the same for all. */
static uint64_t source_of(const uint8_t client[static 16])
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };
	uint64_t source = 0;

	if (memcmp(client, v4, sizeof(v4)) == 0)
		memcpy(&source, client + sizeof(v4), 16 - sizeof(v4));
	else
		memcpy(&source, client, NET_BYTES);
	return source ? source : UINT64_MAX;
}

static struct line *line_of(struct sources *s, uint64_t source)
{
	struct line *set = s->lines[source * s->key >> 54], *quiet = &set[0];

	_Static_assert(SETS == 1 << 10, "the shift above");
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].source == source)
			return &set[i];
		if (set[i].word < quiet->word)
			quiet = &set[i];
	}
	quiet->source = source;
	quiet->word = 0;
	return quiet;
}

bool sources_take(struct sources *s, const uint8_t client[static 16], const struct gcra_rate *rate,
                  int64_t now_ns)
{
	return gcra_take(&line_of(s, source_of(client))->word, rate, 0, 1, now_ns) == 0;
}
