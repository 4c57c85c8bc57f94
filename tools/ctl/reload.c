/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload.c -- headgatectl reload: has the master take the configuration over, waits and says what
 * became of it (operations.md 4). What a reload does is the master's.
 */
#include <string.h>
#include "tools/ctl/commands.h"

/* The master answers at the time-out itself; who hears nothing even then waits in vain. */
static const msec_t PATIENCE_MS = 2000, TIMEOUT_DEFAULT_MS = 50000;

static const struct command_option reload_options[] = {
	{ "dry-run", NULL, "checks and shows the changes, changes nothing", 0 },
	{ "timeout", "T", "waits that long for the result (50s)", 0 },
	{ 0 },
};

static int reload_failed(const json_t *a)
{
	const char *result = json_text_of(a, "result");

	ctl_lines(stderr, json_text_of(a, "errors"));
	fprintf(stderr, "generation %lld stays live\n", json_number_of(a, "generation"));
	if (strcmp(result, "config") == 0)
		return EX_CONFIG;
	return strcmp(result, "timeout") == 0 ? EX_TEMPFAIL : EXIT_NEGATIVE;
}

static void print_reload(const json_t *a)
{
	if (strcmp(json_text_of(a, "result"), "dry_run") == 0) {
		printf("generation %lld, nothing was changed (--dry-run)\n",
		       json_number_of(a, "generation"));
		ctl_lines(stdout, json_text_of(a, "changes"));
		return;
	}
	printf("generation %lld -> %lld\n", json_number_of(a, "from"),
	       json_number_of(a, "generation"));
	ctl_lines(stdout, json_text_of(a, "changes"));
	printf("%lld/%lld workers ready in %lld ms, old generation draining (%lld requests)\n",
	       json_number_of(a, "workers"), json_number_of(a, "workers"),
	       json_number_of(a, "ready_ms"), json_number_of(a, "draining_requests"));
}

static int reload_run(struct ctl *c)
{
	int code = EX_UNAVAILABLE;
	msec_t timeout = TIMEOUT_DEFAULT_MS;
	json_t *a;

	if (ctl_msec(c, "timeout", &timeout) != 0)
		return EXIT_USAGE;
	a = ctl_ask(c,
	            json_pack("{s:s,s:I,s:b}", "do", "reload", "timeout_ms", (json_int_t)timeout,
	                      "dry_run", ctl_given(c, "dry-run")),
	            timeout + PATIENCE_MS, &code);
	if (!a)
		return code;
	if (!ctl_is_error(c, a, &code)) {
		if (c->json)
			ctl_json(json_incref(a));
		code = json_is_set(a, "ok") ? 0 : reload_failed(a);
		if (!code && !c->json && !c->quiet) {
			ctl_lines(stderr, json_text_of(a, "warnings"));
			print_reload(a);
		}
	}
	json_decref(a);
	return code;
}

const struct command command_reload = {
	.name = "reload",
	.args = "",
	.help = "takes the configuration over and waits for the result",
	.options = reload_options,
	.run = reload_run,
};
