/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs.c -- `logs reopen`: the gateway opens its access and audit log anew, after somebody has moved
 * them; SIGUSR1 for who may not signal the service. It moves no file itself.
 */
#include "tools/ctl/commands.h"

static const msec_t PATIENCE_MS = 10000; /* files are opened, no more */

static void say_file(const char *what, const char *path)
{
	ctl_member(what, 6, *path ? path : "(the journal, or stderr)");
}

static int run_reopen(struct ctl *c)
{
	int code = EX_UNAVAILABLE;
	json_t *a = ctl_ask(c, json_pack("{s:s}", "do", "reopen"), PATIENCE_MS, &code);

	if (!a)
		return code;
	if (!ctl_is_error(c, a, &code)) {
		code = 0;
		if (c->json) {
			ctl_json(json_incref(a));
		} else if (!c->quiet) {
			say_file("access", json_text_of(a, "access_file"));
			say_file("audit", json_text_of(a, "audit_file"));
		}
	}
	json_decref(a);
	return code;
}

const struct command command_logs_reopen = {
	.name = "logs reopen",
	.args = "",
	.help = "opens the access and audit log anew, as SIGUSR1 does",
	.run = run_reopen,
};
