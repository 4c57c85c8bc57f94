/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h -- the worker program: where it lies, what it is told of the configuration, and a run
 * of it as a tool (worker/tool.h) for `-t --online` and headgatectl. Workers themselves are
 * spawn.c's.
 */
#pragma once
#include "common/buf.h"
#include "conf/conf.h"

/* Beside our own file while that lies in a build tree, else where the package put it. An fd for
 * fexecve(). */
int program_open(char *path, size_t cap, struct err *err) MUST_USE;
/* The configuration, packed and sealed, without how to reach the database: it never speaks to that.
 */
int program_conf(const struct conf *conf, struct err *err) MUST_USE;
/* Runs it with these arguments (NULL ends them) to its end, with what it says in *out; -1 with *err
 * said if that is nothing but a failure. *status: as of waitpid(). Blocks. */
int program_run(const struct conf *conf, const char *const *args, struct buf *out, int *status,
                struct err *err) MUST_USE;
