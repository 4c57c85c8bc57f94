/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_extra.h -- rows of the configuration's own beside those of the source, whichever that is:
 * keys that the environment holds, the tenants that they and auth.default_tenant name. A row of the
 * source with that id wins. Called by tenants.c, which tells what the source puts and drops;
 * changes the set at a commit alone.
 */
#pragma once
#include "master/tenants_set.h"

struct extras;
struct extras *extras_new(void);
void extras_free(struct extras *x); /* NULL is fine */

/* From the next commit on these are conf's; not between begin and commit or abort. */
void extras_want(struct extras *x, const struct tenant_set *s, const struct conf *conf);

void extras_begin(struct extras *x, bool full);
void extras_saw(struct extras *x, enum row_kind kind, struct bytes id); /* the source has it */
/* The source has it no longer. True: then it is ours, and nothing is to be dropped. */
bool extras_lost(struct extras *x, enum row_kind kind, struct bytes id);
/* Stages what the source lacks, and drops what is not wanted any more: before set_apply(). */
void extras_put(struct extras *x, struct tenant_set *s);
