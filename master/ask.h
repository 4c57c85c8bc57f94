/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.h -- the other end of the control socket: one line to a running master, one line back. Used
 * by -t (does our own instance hold an address?) and by headgatectl. Blocks; never called from the
 * loop.
 */
#pragma once
#include "common/buf.h"
#include "common/err.h"

/* *answer gets the line without its end; it may be empty at a time-out. -1 with *err said and errno
 * set: ENOENT and ECONNREFUSED for nobody there, EACCES, EAGAIN for a time-out. */
int ask_master(const char *socket_path, struct bytes line, msec_t timeout, struct buf *answer,
               struct err *err) MUST_USE;
