/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h -- the control socket (operations.md 7): unix, mode 0660, one JSON object a line,
 * answered by JSON lines; no HTTP. Parses and bounds what comes; what a command does is master.c's
 * and reload.c's. A client is known by a handle, which may have gone when its answer comes.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"
struct event_base;
struct json_t;

struct control; /* private to control.c */

struct control_client {
	uint64_t handle;
	int64_t uid; /* by SO_PEERCRED */
};
struct control_reload {
	msec_t timeout;
	bool dry_run;
};
struct control_hooks { /* each answers now or later, once */
	void (*status)(void *arg, const struct control_client *from);
	void (*reload)(void *arg, const struct control_client *from,
	               const struct control_reload *what);
	void (*sync)(void *arg, const struct control_client *from, msec_t timeout);
	void (*reopen)(void *arg, const struct control_client *from);
	/* Its own bounds of what are the hook's: lines follow until the hook or the client ends it. */
	void (*tap)(void *arg, const struct control_client *from, const struct json_t *what);
	void (*gone)(void *arg, uint64_t client); /* this handle is nobody's any more; may be NULL */
	void *arg;
};

/* A path that a living process answers at is in use: *err says so. */
struct control *control_open(struct event_base *base, const char *path,
                             const struct control_hooks *hooks, struct err *err) MUST_USE;
void control_close(struct control *c); /* unlinks the path */
/* Takes the object; adds "schema":1. Nothing happens if the client has gone. */
void control_answer(struct control *c, uint64_t handle, struct json_t *object);
/* JSON of somebody else's, without an end of line. */
void control_line(struct control *c, uint64_t handle, struct bytes line);
void control_answer_error(struct control *c, uint64_t handle, const char *text);
/* A JSON string of any bytes: paths, a file's lines and a database's words need not be UTF-8, and
 * jansson makes nothing of what is not. Never NULL. */
struct json_t *control_text(struct bytes text);
