/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.h -- where records go while Kafka takes none (faults.md 10): to SQLite files in spool.dir,
 * whose commit is an answer as good as a delivery report. They go to Kafka from there when it takes
 * them again, marked headgate-replayed. Called by sink.c alone, at the two places that every record
 * passes; for no other sink than Kafka.
 */
#pragma once
#include "worker/sink.h"
struct spool;

struct spool *spool_open(struct worker *w, struct err *err) MUST_USE;
/* The sink is closed: nothing of it is under way any more. */
void spool_close(struct spool *s); /* NULL is fine */

/* Each says whether the record is the spool's now; record_settle() ends it there. */
/* Before the sink gets it: it could not store it now, or others of its topic wait. */
bool spool_goes_first(struct spool *s, struct record *rec);
/* The sink refused it, or gave it back, for a fault that passes. */
bool spool_takes_back(struct spool *s, struct record *rec, enum verdict v);

/* A record that came in by a client was stored by the sink. */
void spool_hears(struct spool *s, unsigned topic);
/* One of a parcel with a row has ended; it is the spool's again. */
void spool_row_ended(struct spool *s, struct record *rec, enum delivery how, enum verdict v);
/* A worker has ended, and left its files. */
void spool_gone(struct spool *s);
