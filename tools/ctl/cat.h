/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cat.h -- the rows of a store's folder as JSON lines, for `cat` and `spool export`.
 */
#pragma once
#include "tools/ctl/ctl.h"

/* By the options tenant, signal, number, since and raw of the command; an exit code, said. */
int cat_folder(struct ctl *c, const char *dir, bool follows) MUST_USE;
