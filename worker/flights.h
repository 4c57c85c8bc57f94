/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flights.h -- questions about credentials that are being answered elsewhere: one for each digest,
 * however many requests wait for it (single flight). Requests are known by handle: whoever has gone
 * meanwhile is not found.
 */
#pragma once
#include "common/base.h"
#include "common/token.h"

enum { FLIGHTS_MAX = 4096, FLIGHT_WAITERS_MAX = 65536 }; /* of a worker; beyond: 503 */

struct flights;
struct flights *flights_new(void);
void flights_free(struct flights *f); /* NULL is fine */
bool flights_has(const struct flights *f, const uint8_t digest[static TOKEN_DIGEST_BYTES]);
/* The request waits for the answer, whether the question was asked before or not; false: too many. */
bool flights_wait(struct flights *f, const uint8_t digest[static TOKEN_DIGEST_BYTES], uint64_t handle);
/* The answer is there: each waiter is told, in the order they came, and the question is no more, so
 * that told may ask it again. */
void flights_land(struct flights *f, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                  void (*told)(void *arg, uint64_t handle), void *arg);
size_t flights_count(const struct flights *f);
