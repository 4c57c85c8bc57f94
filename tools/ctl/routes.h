/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes.h -- the worker program's table of routes, for `routes ls` and `ls`.
 */
#pragma once
#include "common/buf.h"
#include "tools/ctl/ctl.h"

/* An array of routes (worker/tool.c); NULL and *code, said. */
json_t *routes_ask(struct ctl *c, int *code) MUST_USE;
/* The distinct topics of a route's formats, as a text that ends with NUL. */
void routes_topics(const json_t *route, struct buf *b);
