/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.h -- what workers are to serve, on its way from tenants.c, which builds and owns it, to
 * talk.c, which sends it: a base, and the delta of what changed since.
 */
#pragma once
#include "common/base.h"

struct tables {
	int base_fd, delta_fd; /* delta -1: none */
	uint64_t base; /* generation of the base */
	uint64_t generation; /* of the delta, else of the base; 0: nothing was loaded yet */
};
