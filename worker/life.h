/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.h -- a worker process from its first message to its exit code. Called by worker/main.c alone.
 */
#pragma once
#include "common/channel.h"
#include "worker/worker.h"

/* Receives what the master sends up to START, sets up, closes the sandbox, says READY, serves,
 * drains, and returns the exit code: 0 drained, 70 could not set up (FAILED was sent), 71 system. */
int worker_live(struct worker *w, int channel);
