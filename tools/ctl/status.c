/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c -- headgatectl status: what the master says of itself, for people or as it is. Changes
 * nothing.
 */
#include "tools/ctl/commands.h"

static const msec_t STATUS_TIMEOUT_MS = 5000;
enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

static void print_ready(const struct ctl *c, const json_t *a)
{
	bool ready = json_is_set(a, "ready");
	json_t *why;
	size_t i;

	printf("%s%s%s", ctl_color(c, ready ? "32" : "31"), ready ? "ready" : "not ready",
	       ctl_color(c, NULL));
	json_array_foreach(json_object_get(a, "not_ready"), i, why)
		printf("%s%s", i ? ", " : ": ", json_string_value(why));
	putchar('\n');
	json_array_foreach(json_object_get(a, "degraded"), i, why)
		printf("degraded: %s\n", json_string_value(why));
}

static void print_duration(long long s)
{
	if (s >= DAY_S)
		printf("%lldd%lldh", s / DAY_S, s % DAY_S / HOUR_S);
	else if (s >= HOUR_S)
		printf("%lldh%lldm", s / HOUR_S, s % HOUR_S / MINUTE_S);
	else
		printf("%lldm%llds", s / MINUTE_S, s % MINUTE_S);
}

static void print_tenants(const json_t *tenants)
{
	const char *error = json_text_of(tenants, "last_error");

	printf("tenants: %s, %s, table %lld, %lld tenants, %lld tokens, %s",
	       json_text_of(tenants, "source"), json_text_of(tenants, "state"),
	       json_number_of(tenants, "table"), json_number_of(tenants, "tenants"),
	       json_number_of(tenants, "tokens"),
	       json_is_set(tenants, "fresh") ? "fresh" : "not fresh");
	printf("%s%s\n", *error ? "; last error: " : "", error);
}

static void print_lists(const json_t *a)
{
	json_t *e;
	size_t i;

	json_array_foreach(json_object_get(a, "listeners"), i, e)
		printf("listener %s: %s%s%s\n", json_text_of(e, "name"), json_text_of(e, "addr"),
		       json_is_set(e, "tls") ? " (TLS)" : "",
		       json_is_set(e, "admin") ? " (admin)" : "");
	json_array_foreach(json_object_get(a, "workers"), i, e)
		printf("worker %lld: %s, pid %lld, generation %lld, %lld MiB, table %lld\n",
		       json_number_of(e, "slot"), json_text_of(e, "state"),
		       json_number_of(e, "pid"), json_number_of(e, "generation"),
		       json_number_of(e, "rss_bytes") / MIB, json_number_of(e, "table"));
	json_array_foreach(json_object_get(a, "jwks"), i, e)
		printf("issuer %s: %lld keys%s%s\n", json_text_of(e, "issuer"),
		       json_number_of(e, "keys"), *json_text_of(e, "why") ? ", can't be refreshed: " : "",
		       json_text_of(e, "why"));
	json_array_foreach(json_object_get(a, "certificates"), i, e)
		printf("certificate %s: until %s, %lld days left\n", json_text_of(e, "file"),
		       json_text_of(e, "not_after"), json_number_of(e, "days_left"));
}

static void print_status(const struct ctl *c, const json_t *a)
{
	const json_t *reload = json_object_get(a, "last_reload");
	const char *why = json_text_of(reload, "why");

	print_ready(c, a);
	printf("headgate %s, pid %lld, generation %lld, up ", json_text_of(a, "version"),
	       json_number_of(a, "pid"), json_number_of(a, "generation"));
	print_duration(json_number_of(a, "uptime_s"));
	printf("\nlast reload: %s at %s%s%s%s\n", json_text_of(reload, "result"),
	       json_text_of(reload, "at"), *why ? ": " : "", why,
	       json_is_set(reload, "running") ? " (one is running)" : "");
	print_tenants(json_object_get(a, "tenants"));
	printf("sink: %s\n", json_text_of(a, "sink"));
	print_lists(a);
}

static int status_run(struct ctl *c)
{
	int code = EX_UNAVAILABLE;
	json_t *a = ctl_ask(c, json_pack("{s:s}", "do", "status"), STATUS_TIMEOUT_MS, &code);

	if (!a)
		return code;
	if (!ctl_is_error(c, a, &code)) {
		code = json_is_set(a, "ready") ? 0 : EXIT_NEGATIVE;
		if (c->json)
			ctl_json(json_incref(a));
		else if (!c->quiet)
			print_status(c, a);
	}
	json_decref(a);
	return code;
}

const struct command command_status = {
	.name = "status",
	.args = "",
	.help = "what runs; exit 1 when not ready",
	.run = status_run,
};
