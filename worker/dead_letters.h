/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letters.h -- bodies of authenticated clients that are no valid data, kept for whoever wants to
 * know what they sent (records.md 1.5): one record of the body to dead_letters.topic, or, of a data
 * model with a queue, one for each object (compatibility.md 5). Nobody waits for them, and nothing
 * is refused for want of them: what does not fit is counted as dropped.
 */
#pragma once
#include "worker/req.h"
struct dead_letters;

struct dead_letters *dead_letters_open(struct worker *w);
void dead_letters_close(struct dead_letters *d); /* NULL is fine */
/* After a stage has answered the request with 400 for its body, which it still has; by the thread
 * beside the loop too. */
void dead_letters_take(struct req *r);
