/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_reader.h -- the thread that reads the spool's files back (spool_drain.h), as the loop asks:
 * one batch is out at a time, and what became of its rows comes back with it.
 */
#pragma once
#include "worker/spool_drain.h"
#include "worker/store_keeper.h"

struct spool_reader;
struct spool_reader *spool_reader_open(const struct store_dir *dir, struct store_state *state,
                                       msec_t dead_age, struct err *err) MUST_USE;
struct store_heir spool_reader_heir(struct spool_reader *r);
/* For up to `most` rows. Rings the bell when there is an answer; one question at a time. *held
 * becomes the reader's. */
void spool_reader_ask(struct spool_reader *r, struct spool_topics *held, unsigned most);
/* False: no answer yet. *batch: NULL if there is nothing to be read but what is held. */
bool spool_reader_take(struct spool_reader *r, struct spool_batch **batch);
/* With the fates of its rows. It is the reader's again. */
void spool_reader_put(struct spool_reader *r, struct spool_batch *batch);
/* What was found in files of others since the last time; each with its texts is the caller's. */
struct spool_found *spool_reader_found(struct spool_reader *r);
unsigned spool_reader_files(struct spool_reader *r); /* that it has, or is given */
/* It has none, and this worker's last one, of that number, has come and gone. */
bool spool_reader_is_empty(struct spool_reader *r, uint32_t number);
/* Takes what was put, leaves the files to the next worker. The batch that is out must be back. */
void spool_reader_close(struct spool_reader *r);
