/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_tool.h -- headgate-worker run as a tool: what only that program knows, routes and topics
 * (worker/tool.h). It gets the checked configuration as a worker does, in a sealed memfd.
 */
#pragma once
#include "tools/ctl/ctl.h"

/* argv after the program's name, ends with NULL. full: files that options name are read too (the
 * brokers' secrets). An array of what it said, with its exit code in *code (a topic was refused,
 * say); NULL if it could say nothing, said. */
json_t *worker_tool_run(struct ctl *c, const char *const *argv, bool full, int *code) MUST_USE;
/* The same for a configuration of defaults: what this version can, whatever is configured. */
json_t *worker_tool_defaults(const char *const *argv, int *code) MUST_USE;
