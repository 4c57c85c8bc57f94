/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flights.c -- few are in the air at a time and each costs far more than a step of a chain, so: one
 * array of chains.
 */
#include "worker/flights.h"

enum { CHAINS = 1024, WAITERS_FIRST = 4 };

struct flight {
	struct flight *next;
	uint8_t digest[TOKEN_DIGEST_BYTES];
	uint64_t *handles;
	size_t count, cap;
};

struct flights {
	struct flight *chains[CHAINS];
	size_t count;
};

struct flights *flights_new(void)
{
	return xcalloc(1, sizeof(struct flights));
}

static void flight_free(struct flight *f)
{
	free(f->handles);
	free(f);
}

void flights_free(struct flights *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < CHAINS; i++) {
		for (struct flight *at = f->chains[i], *next; at; at = next) {
			next = at->next;
			flight_free(at);
		}
	}
	free(f);
}

static size_t chain_of(const uint8_t *digest)
{
	uint32_t word;

	memcpy(&word, digest, sizeof(word));
	return word % CHAINS;
}

static struct flight *find(const struct flights *f, const uint8_t *digest)
{
	struct flight *at = f->chains[chain_of(digest)];

	while (at && memcmp(at->digest, digest, TOKEN_DIGEST_BYTES) != 0)
		at = at->next;
	return at;
}

bool flights_has(const struct flights *f, const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	return find(f, digest) != NULL;
}

static struct flight *start(struct flights *f, const uint8_t *digest)
{
	struct flight *new;

	if (f->count == FLIGHTS_MAX)
		return NULL;
	new = xcalloc(1, sizeof(*new));
	memcpy(new->digest, digest, TOKEN_DIGEST_BYTES);
	new->next = f->chains[chain_of(digest)];
	f->chains[chain_of(digest)] = new;
	f->count++;
	return new;
}

bool flights_wait(struct flights *f, const uint8_t digest[static TOKEN_DIGEST_BYTES], uint64_t handle)
{
	struct flight *at = find(f, digest);

	if (!at && !(at = start(f, digest)))
		return false;
	if (at->count == FLIGHT_WAITERS_MAX)
		return false;
	if (at->count == at->cap) {
		at->cap = at->cap ? 2 * at->cap : WAITERS_FIRST;
		at->handles = xrealloc(at->handles, at->cap, sizeof(*at->handles));
	}
	at->handles[at->count++] = handle;
	return true;
}

void flights_land(struct flights *f, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                  void (*told)(void *arg, uint64_t handle), void *arg)
{
	struct flight **at = &f->chains[chain_of(digest)], *landed;

	while (*at && memcmp((*at)->digest, digest, TOKEN_DIGEST_BYTES) != 0)
		at = &(*at)->next;
	landed = *at;
	if (!landed)
		return;
	*at = landed->next;
	f->count--;
	for (size_t i = 0; i < landed->count; i++)
		told(arg, landed->handles[i]);
	flight_free(landed);
}

size_t flights_count(const struct flights *f)
{
	return f->count;
}
