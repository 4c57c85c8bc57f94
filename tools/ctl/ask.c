/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.c -- headgatectl's way to the running master: which socket, one request, one answer, and in
 * one line what is the matter when there is none. Knows no command.
 */
#include <errno.h>
#include <string.h>
#include "master/ask.h"
#include "tools/ctl/ctl.h"

enum { ANSWER_MAX_BYTES = 4 * MIB };
static const char default_socket[] = "/run/headgate/control.sock";

/* --socket, then the file of -c, then the environment, then the package's. */
int ctl_find_socket(struct ctl *c)
{
	const char *env = getenv("HEADGATE_SOCKET"), *path = default_socket;
	const struct conf *conf;
	int code = 0;

	if (c->socket[0])
		return 0;
	if (c->socket_option) {
		path = c->socket_option;
	} else if (c->conf_file) {
		conf = ctl_conf(c, &code);
		if (!conf)
			return code;
		path = conf->control.socket;
	} else if (env && *env) {
		path = env;
	}
	/* A relative one too; what is not there is told as it was given. */
	if (!realpath(path, c->socket))
		snprintf(c->socket, sizeof(c->socket), "%s", path);
	return 0;
}

/* One line that names the socket, the unit and the group, whichever of them is the matter. */
static int say_unreachable(const struct ctl *c, const char *why, int error)
{
	if (error == EACCES || error == EPERM)
		return ctl_fail(EX_NOPERM,
		                "%s: permission denied: only members of the group headgate may ask "
		                "(unit headgate.service)",
		                c->socket);
	if (error == EAGAIN || error == EWOULDBLOCK)
		return ctl_fail(EX_TEMPFAIL, "%s: headgate does not answer in time", c->socket);
	return ctl_fail(EX_UNAVAILABLE,
	                "%s: no headgate answers there: is the unit headgate.service running, and "
	                "are you in the group headgate? (%s)",
	                c->socket, why);
}

static json_t *ask(struct ctl *c, json_t *request, msec_t timeout, bool aloud, int *code)
{
	char *line = json_dumps(request, JSON_COMPACT);
	struct err err = { "" };
	json_t *answer = NULL;
	struct buf text;

	json_decref(request);
	if (!line)
		out_of_memory();
	buf_init(&text, ANSWER_MAX_BYTES);
	errno = 0;
	if (ask_master(c->socket, bytes_str(line), timeout, &text, &err) < 0) {
		if (aloud)
			*code = say_unreachable(c, err.text, errno);
	} else {
		answer = json_loadb(text.p, text.n, 0, NULL);
		if (!answer && aloud)
			*code = ctl_fail(EX_UNAVAILABLE,
			                 "%s: the answer is no JSON: is it headgate's?", c->socket);
	}
	buf_done(&text);
	free(line);
	return answer;
}

json_t *ctl_ask(struct ctl *c, json_t *request, msec_t timeout, int *code)
{
	*code = ctl_find_socket(c);
	if (!*code)
		return ask(c, request, timeout, true, code);
	json_decref(request);
	return NULL;
}

json_t *ctl_try(struct ctl *c, json_t *request, msec_t timeout)
{
	int code = ctl_find_socket(c);

	if (!code)
		return ask(c, request, timeout, false, &code);
	json_decref(request);
	return NULL;
}

/* What an older or newer master says of a command that it does not know. */
bool ctl_is_error(const struct ctl *c, const json_t *answer, int *code)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (!error)
		return false;
	if (c->json)
		ctl_json(json_deep_copy(answer));
	*code = ctl_fail(EXIT_NEGATIVE, "%s", error);
	return true;
}
