/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tool.h -- headgate-worker as a tool of headgatectl: what only this program knows (routes,
 * topics), told in JSON lines on stdout. Descriptor 3 is the packed configuration, sealed, as a
 * worker gets it; no channel, no sandbox, no loop.
 *
 *   headgate-worker --routes
 *   headgate-worker --topics list
 *   headgate-worker --topics create PARTITIONS REPLICATION      -1: as the brokers are set
 */
#pragma once
#include "worker/worker.h"

bool tool_is(int argc, char **argv);
/* The exit code: 0; 1 something was refused; 69 no broker; 78 its configuration is refused. What
 * went wrong as a whole is a line {"error":"..."} on stdout. */
int tool_run(struct worker *w, int argc, char **argv);

/* topics_tool.c. create: those that are missing are made. */
struct topics_wish {
	bool create;
	int partitions, replication; /* -1: the brokers' default */
};
int topics_tool(struct worker *w, const struct topics_wish *wish);
int tool_error(int code, const char *text); /* the line; returns the code */
