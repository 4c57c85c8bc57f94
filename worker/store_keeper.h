/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_keeper.h -- the thread that keeps the store's folder in order while another one writes: it
 * closes files that are full, takes over those of dead workers, puts aside what cannot be read,
 * drops what is too old, and knows how much lies there.
 */
#pragma once
#include "worker/store_file.h"
#include "worker/store_state.h"

/* Whoever gets the files that were written, or left by the dead, open and locked as they are: the
 * spool's, to be drained. Called by the store's threads. */
struct store_heir {
	void (*take)(void *arg, struct store_file *f);
	void *arg;
};

struct store_keeper;
/* heir: NULL for none, then the keeper closes them itself. */
struct store_keeper *store_keeper_open(const struct store_dir *dir, struct store_state *state,
                                       const struct store_bounds *bounds,
                                       const struct store_heir *heir, struct err *err) MUST_USE;
/* f is its own from here on. */
void store_keeper_finish(struct store_keeper *k, struct store_file *f);
/* The same after an error: it is not written again. */
int store_keeper_fail(struct store_keeper *k, struct store_file *f, struct err *err) MUST_USE;
/* Somebody may have died: looks for files whose lock is free. It does so once at its start. */
void store_keeper_adopt(struct store_keeper *k);
/* Closes what it was given; what readers hold up is left to the next worker. */
void store_keeper_close(struct store_keeper *k);
