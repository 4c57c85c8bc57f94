/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn.h -- from a place to a process: fork, exec of the worker program from its descriptor, and
 * the messages a worker gets before START (channel.def). Called by workers.c alone.
 */
#pragma once
#include "master/workers.h"

/* Fills pid and channel. The child holds nothing but stdin and stdout on /dev/null, stderr and the
 * channel as CHANNEL_FD. */
int spawn_process(struct proc *p, struct err *err) MUST_USE;
/* Sends what fits into the channel; call again when it can be written, until setup_done. */
int spawn_setup(struct proc *p, struct err *err) MUST_USE;
