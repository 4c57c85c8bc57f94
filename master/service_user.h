/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service_user.h -- whose eyes -t and -T look with. Which secrets can be read, and which must not
 * be open to another group, depends on who reads: root would call good what the service can't read,
 * and wrong what is its own. Called by main.c for these two only; whoever starts the master has
 * chosen.
 */
#pragma once
#include "common/base.h"
#include "common/err.h"

/* By root, for a file of the package's folder: this process becomes the user that the package runs
 * the service as, and keeps nothing but ports below 1024. Else nothing happens. -1 and *err said.
 */
int service_user_become(const char *file, struct err *err) MUST_USE;
