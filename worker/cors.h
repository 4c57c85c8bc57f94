/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cors.h -- pages of other origins that may post from a browser: those that the listener's
 * allowed_origins names (protocols.md 4.1). It gives nobody access: a preflight is answered without
 * a credential, since browsers send none, and the request behind it is judged like any other.
 */
#pragma once
#include <stdbool.h>
struct req;

/* For a route that takes POST, of an allowed origin: sets r->cors, which every answer of the route
 * carries. True: the request is a preflight, and that is all its answer needs; of a dialect that
 * answers any, it may have met no route. */
bool cors_run(struct req *r);
