/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/wait.h"

#include <string.h>

static const msec_t TIMEOUT_DEFAULT_MS = 10000;
static const msec_t TIMEOUT_MAX_MS = 3600000; /* the master's */
static const msec_t PATIENCE_MS = 2000; /* the master answers at the time-out itself */

/* "slot 1 (pid 4711), slot 3 (pid 4713)" */
static void name_late(const json_t *answer)
{
	const char *separator = "";
	struct buf text;
	json_t *late;
	size_t i;

	buf_init(&text, 64 * KIB);
	json_array_foreach(json_object_get(answer, "late"), i, late) {
		buf_printf(&text, "%sslot %lld (pid %lld)", separator, json_number_of(late, "slot"),
		           json_number_of(late, "pid"));
		separator = ", ";
	}
	buf_char(&text, '\0');
	ctl_error("late: %s", text.p);
	buf_done(&text);
}

static int say_timeout(const char *done, const json_t *answer)
{
	if (!json_is_set(answer, "read"))
		return ctl_fail(EX_TEMPFAIL,
		                "%s, but the gateway did not read its tenants anew in time%s%s",
		                done, *json_text_of(answer, "why") ? ": " : "",
		                json_text_of(answer, "why"));
	ctl_error("%s, but only %lld of %lld workers confirmed it after %lld ms", done,
	          json_number_of(answer, "confirmed"), json_number_of(answer, "workers"),
	          json_number_of(answer, "ms"));
	name_late(answer);
	return EX_TEMPFAIL;
}

/* What the answer means, in words unless --json has it all. */
static int judge(struct ctl *c, FILE *to, const char *done, const char *verb,
                 const json_t *answer)
{
	const char *result = json_text_of(answer, "result");

	if (strcmp(result, "timeout") == 0)
		return say_timeout(done, answer);
	if (strcmp(result, "ok") != 0)
		return ctl_fail(EXIT_NEGATIVE, "%s, but the gateway refuses its tenants: %s", done,
		                json_text_of(answer, "why"));
	if (!c->json && !c->quiet)
		fprintf(to, "%s: %s by %lld/%lld workers after %lld ms\n", done, verb,
		        json_number_of(answer, "confirmed"), json_number_of(answer, "workers"),
		        json_number_of(answer, "ms"));
	ctl_note(c, "of this host; other hosts are not covered");
	return 0;
}

static int take_timeout(const struct ctl *c, msec_t *timeout)
{
	*timeout = TIMEOUT_DEFAULT_MS;
	if (ctl_msec(c, "timeout", timeout) != 0)
		return EXIT_USAGE;
	if (*timeout > TIMEOUT_MAX_MS)
		return ctl_usage(c, "--timeout '%s': at most 1h", ctl_value(c, "timeout"));
	return 0;
}

int ctl_wait_check(const struct ctl *c)
{
	msec_t timeout;

	return take_timeout(c, &timeout);
}

int ctl_wait_for(struct ctl *c, FILE *to, const char *done, const char *verb, json_t *out)
{
	msec_t timeout;
	json_t *answer;
	int code = take_timeout(c, &timeout);

	if (code)
		return code;
	answer = ctl_ask(c, json_pack("{s:s,s:I}", "do", "sync", "timeout_ms", (json_int_t)timeout),
	                 timeout + PATIENCE_MS, &code);
	if (!answer) {
		ctl_error("%s, but whether the workers know it can't be told", done);
		return code;
	}
	if (json_object_get(answer, "error"))
		code = ctl_fail(EXIT_NEGATIVE, "%s, but the gateway says: %s", done,
		                json_text_of(answer, "error"));
	else
		code = judge(c, to, done, verb, answer);
	json_object_set_new(out, "wait", answer);
	return code;
}

int ctl_wait(struct ctl *c, const char *done, const char *verb, json_t *out)
{
	int code = 0;

	if (ctl_given(c, "wait"))
		code = ctl_wait_for(c, stdout, done, verb, out);
	else if (!c->json && !c->quiet)
		printf("%s\n", done);
	if (c->json)
		ctl_json(out);
	else
		json_decref(out);
	return code;
}
