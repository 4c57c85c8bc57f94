/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_dead.h -- the folder dead/ of the spool: records that were acknowledged from the spool and
 * that Kafka then refused for good, where no topic of dead letters takes them. Its files are like
 * those of a store, with a table `dead` beside `record`; each is dropped when it is older than
 * spool.max_age, or by hand. For the thread of spool_reader.c; blocks.
 */
#pragma once
#include "worker/spool_file.h"
#include "worker/store_state.h"

struct spool_dead;
struct spool_dead *spool_dead_open(const struct store_dir *spool, struct store_state *state,
                                   msec_t age);
/* Those of the rows whose fate is SPOOL_DEAD, synced. How many; -1 with *err said and none kept. */
int64_t spool_dead_add(struct spool_dead *d, const struct spool_row *rows, unsigned count,
                       struct err *err) MUST_USE;
/* From time to time: closes the file for readers, drops old ones. */
void spool_dead_tend(struct spool_dead *d);
void spool_dead_close(struct spool_dead *d);
