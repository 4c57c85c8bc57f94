/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_keeper.h -- the thread that keeps the store's folder in order while another one writes: it
 * closes files that are full, takes over those of dead workers, puts aside what cannot be read,
 * drops what is too old, and knows how much lies there.
 */
#pragma once
#include "worker/store_file.h"
#include "worker/store_state.h"

struct store_keeper;
struct store_keeper *store_keeper_open(const struct store_dir *dir, struct store_state *state,
                                       const struct store_bounds *bounds, struct err *err) MUST_USE;
/* f is its own from here on. */
void store_keeper_finish(struct store_keeper *k, struct store_file *f);
/* Somebody may have died: looks for files whose lock is free. It does so once at its start. */
void store_keeper_adopt(struct store_keeper *k);
/* Closes what it was given; what readers hold up is left to the next worker. */
void store_keeper_close(struct store_keeper *k);
