/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headgatectl.c -- the operator's command: asks the running master over its control socket and
 * shows the answer. Knows nothing that the master does not say; changes nothing by itself.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include "conf/values.h"
#include "conf/yaml.h"
#include "master/ask.h"

enum { EXIT_NEGATIVE = 1, EXIT_USAGE = 2, ANSWER_MAX_BYTES = 4 * MIB };
/* The master answers at the time-out itself; who hears nothing even then waits in vain. */
static const msec_t PATIENCE_MS = 2000, STATUS_TIMEOUT_MS = 5000;
static const char default_socket[] = "/run/headgate/control.sock";

struct ctl {
	const char *socket_option, *conf_file;
	char socket[PATH_MAX];
	bool json, quiet, dry_run, color;
	msec_t timeout;
};

static const char usage_text[] =
	"usage: headgatectl [OPTION]... COMMAND\n"
	"commands:\n"
	"  status                           what runs; exit 1 when not ready\n"
	"  reload [--dry-run] [--timeout T] takes the configuration over and waits for the\n"
	"                                   result (default --timeout 50s)\n"
	"options:\n"
	"  --socket PATH   the control socket (default: $HEADGATE_SOCKET, the one that -c\n"
	"                  names, or /run/headgate/control.sock)\n"
	"  -c FILE         the configuration that names the socket\n"
	"  --json          the answer as it is\n"
	"  -q              errors only\n"
	"  --no-color      plain text (also NO_COLOR, or when stdout is no terminal)\n";

static int usage_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

static int usage_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("headgatectl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n%s", usage_text);
	va_end(ap);
	return EXIT_USAGE;
}

/* ---- asking ---- */

/* --socket, then the environment, then the file of -c, then the package's. 0 or an exit code. */
static int find_socket(struct ctl *c)
{
	const struct conf_load_in in = { .file = c->conf_file, .offline = true };
	const char *env = getenv("HEADGATE_SOCKET"), *path = default_socket;
	struct conf_report report;
	struct conf *conf = NULL;
	int code = 0;

	if (c->socket_option) {
		path = c->socket_option;
	} else if (c->conf_file) {
		conf_report_init(&report);
		conf = conf_load(&in, &report);
		if (conf) {
			path = conf->control.socket;
		} else {
			fwrite(report.text.p, 1, report.text.n, stderr);
			code = EX_CONFIG;
		}
		conf_report_done(&report);
	} else if (env && *env) {
		path = env;
	}
	if (!code &&
	    !realpath(
		    path,
		    c->socket)) /* a relative one too; what is not there is told as it was given */
		snprintf(c->socket, sizeof(c->socket), "%s", path);
	conf_free(conf);
	return code;
}

/* One line that names the socket, the unit and the group, whichever of them is the matter. */
static int say_unreachable(const struct ctl *c, const char *why, int error)
{
	if (error == EACCES || error == EPERM) {
		fprintf(stderr,
		        "headgatectl: %s: permission denied: only members of the group headgate "
		        "may ask (unit "
		        "headgate.service)\n",
		        c->socket);
		return EX_NOPERM;
	}
	if (error == EAGAIN || error == EWOULDBLOCK) {
		fprintf(stderr, "headgatectl: %s: headgate does not answer in time\n", c->socket);
		return EX_TEMPFAIL;
	}
	fprintf(stderr,
	        "headgatectl: %s: no headgate answers there: is the unit headgate.service running, "
	        "and are you "
	        "in the group headgate? (%s)\n",
	        c->socket, why);
	return EX_UNAVAILABLE;
}

/* The answer, or NULL and *code. */
static json_t *ask(const struct ctl *c, json_t *request, msec_t timeout, int *code)
{
	char *line = json_dumps(request, JSON_COMPACT);
	struct err err = { "" };
	json_t *answer = NULL;
	struct buf text;

	json_decref(request);
	if (!line)
		out_of_memory();
	buf_init(&text, ANSWER_MAX_BYTES);
	if (ask_master(c->socket, bytes_str(line), timeout, &text, &err) < 0) {
		*code = say_unreachable(c, err.text, errno);
	} else if (!(answer = json_loadb(text.p, text.n, 0, NULL))) {
		fprintf(stderr, "headgatectl: %s: the answer is no JSON: is it headgate's?\n",
		        c->socket);
		*code = EX_UNAVAILABLE;
	}
	buf_done(&text);
	free(line);
	return answer;
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static long long number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool is_set(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static void print_json(const json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
}

/* What an older or newer master says of a command that it does not know. */
static bool is_error(const struct ctl *c, const json_t *answer, int *code)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (!error)
		return false;
	if (c->json)
		print_json(answer);
	fprintf(stderr, "headgatectl: %s\n", error);
	*code = EXIT_NEGATIVE;
	return true;
}

/* ---- status ---- */

static void print_ready(const struct ctl *c, const json_t *a)
{
	const char *on = "", *off = "";
	json_t *why;
	size_t i;

	if (c->color) {
		on = is_set(a, "ready") ? "\033[32m" : "\033[31m";
		off = "\033[0m";
	}
	printf("%s%s%s", on, is_set(a, "ready") ? "ready" : "not ready", off);
	json_array_foreach(json_object_get(a, "not_ready"), i, why)
		printf("%s%s", i ? ", " : ": ", json_string_value(why));
	putchar('\n');
	json_array_foreach(json_object_get(a, "degraded"), i, why)
		printf("degraded: %s\n", json_string_value(why));
}

static void print_duration(long long s)
{
	if (s >= 86400)
		printf("%lldd%lldh", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		printf("%lldh%lldm", s / 3600, s % 3600 / 60);
	else
		printf("%lldm%llds", s / 60, s % 60);
}

static void print_status(const struct ctl *c, const json_t *a)
{
	const json_t *reload = json_object_get(a, "last_reload"),
		     *tenants = json_object_get(a, "tenants");
	json_t *e;
	size_t i;

	print_ready(c, a);
	printf("headgate %s, pid %lld, generation %lld, up ", text_of(a, "version"),
	       number_of(a, "pid"), number_of(a, "generation"));
	print_duration(number_of(a, "uptime_s"));
	printf("\nlast reload: %s at %s%s%s%s\n", text_of(reload, "result"), text_of(reload, "at"),
	       *text_of(reload, "why") ? ": " : "", text_of(reload, "why"),
	       is_set(reload, "running") ? " (one is running)" : "");
	printf("tenants: %s, %s, table %lld, %lld tenants, %lld tokens, %s",
	       text_of(tenants, "source"), text_of(tenants, "state"), number_of(tenants, "table"),
	       number_of(tenants, "tenants"), number_of(tenants, "tokens"),
	       is_set(tenants, "fresh") ? "fresh" : "not fresh");
	printf("%s%s\n", *text_of(tenants, "last_error") ? "; last error: " : "",
	       text_of(tenants, "last_error"));
	printf("sink: %s\n", text_of(a, "sink"));
	json_array_foreach(json_object_get(a, "listeners"), i, e)
		printf("listener %s: %s%s%s\n", text_of(e, "name"), text_of(e, "addr"),
	               is_set(e, "tls") ? " (TLS)" : "", is_set(e, "admin") ? " (admin)" : "");
	json_array_foreach(json_object_get(a, "workers"), i, e) printf(
		"worker %lld: %s, pid %lld, generation %lld, %lld MiB, table %lld\n",
		number_of(e, "slot"), text_of(e, "state"), number_of(e, "pid"),
		number_of(e, "generation"), number_of(e, "rss_bytes") / MIB, number_of(e, "table"));
	json_array_foreach(json_object_get(a, "certificates"), i, e)
		printf("certificate %s: until %s, %lld days left\n", text_of(e, "file"),
	               text_of(e, "not_after"), number_of(e, "days_left"));
}

static int run_status(const struct ctl *c)
{
	int code = EX_UNAVAILABLE;
	json_t *a = ask(c, json_pack("{s:s}", "do", "status"), STATUS_TIMEOUT_MS, &code);

	if (!a)
		return code;
	if (!is_error(c, a, &code)) {
		code = is_set(a, "ready") ? 0 : EXIT_NEGATIVE;
		if (c->json)
			print_json(a);
		else if (!c->quiet)
			print_status(c, a);
	}
	json_decref(a);
	return code;
}

/* ---- reload ---- */

static void print_lines(FILE *to, const char *text)
{
	size_t n = strlen(text);

	if (n)
		fprintf(to, "%s%s", text, text[n - 1] == '\n' ? "" : "\n");
}

static int reload_failed(const json_t *a)
{
	const char *result = text_of(a, "result");

	print_lines(stderr, text_of(a, "errors"));
	fprintf(stderr, "generation %lld stays live\n", number_of(a, "generation"));
	if (strcmp(result, "config") == 0)
		return EX_CONFIG;
	return strcmp(result, "timeout") == 0 ? EX_TEMPFAIL : EXIT_NEGATIVE;
}

static void print_reload(const json_t *a)
{
	if (strcmp(text_of(a, "result"), "dry_run") == 0) {
		printf("generation %lld, nothing was changed (--dry-run)\n",
		       number_of(a, "generation"));
		print_lines(stdout, text_of(a, "changes"));
		return;
	}
	printf("generation %lld -> %lld\n", number_of(a, "from"), number_of(a, "generation"));
	print_lines(stdout, text_of(a, "changes"));
	printf("%lld/%lld workers ready in %lld ms, old generation draining (%lld requests)\n",
	       number_of(a, "workers"), number_of(a, "workers"), number_of(a, "ready_ms"),
	       number_of(a, "draining_requests"));
}

static int run_reload(const struct ctl *c)
{
	json_t *request = json_pack("{s:s,s:I,s:b}", "do", "reload", "timeout_ms",
	                            (json_int_t)c->timeout, "dry_run", c->dry_run);
	int code = EX_UNAVAILABLE;
	json_t *a = ask(c, request, c->timeout + PATIENCE_MS, &code);

	if (!a)
		return code;
	if (!is_error(c, a, &code)) {
		if (c->json)
			print_json(a);
		if (!is_set(a, "ok"))
			code = reload_failed(a);
		else
			code = 0;
		if (!code && !c->json && !c->quiet) {
			print_lines(stderr, text_of(a, "warnings"));
			print_reload(a);
		}
	}
	json_decref(a);
	return code;
}

/* ---- the command line ---- */

static const struct command {
	const char *name;
	int (*run)(const struct ctl *c);
} commands[] = {
	{ "status", run_status },
	{ "reload", run_reload },
};

enum { OPT_SOCKET = 256, OPT_JSON, OPT_NO_COLOR, OPT_DRY_RUN, OPT_TIMEOUT, OPT_HELP };

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "quiet", no_argument, NULL, 'q' },
	{ "no-color", no_argument, NULL, OPT_NO_COLOR },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static int take_option(struct ctl *c, int option)
{
	struct err err = { "" };

	switch (option) {
	case OPT_SOCKET:
		c->socket_option = optarg;
		return 0;
	case 'c':
		c->conf_file = optarg;
		return 0;
	case OPT_JSON:
		c->json = true;
		return 0;
	case 'q':
		c->quiet = true;
		return 0;
	case OPT_NO_COLOR:
		c->color = false;
		return 0;
	case OPT_DRY_RUN:
		c->dry_run = true;
		return 0;
	case OPT_TIMEOUT:
		if (value_msec(bytes_str(optarg), &c->timeout, &err) < 0 || c->timeout < 1)
			return usage_error("--timeout '%s': %s", optarg,
			                   err.text[0] ? err.text : "it must be above 0");
		return 0;
	default:
		return usage_error("see the options");
	}
}

int main(int argc, char **argv)
{
	struct ctl c = { .timeout = 50000 };
	int option, code;

	c.color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	while ((option = getopt_long(argc, argv, "c:q", long_options, NULL)) != -1) {
		if (option == OPT_HELP) {
			fputs(usage_text, stdout);
			return 0;
		}
		code = take_option(&c, option);
		if (code)
			return code;
	}
	if (optind + 1 != argc)
		return usage_error("one command is wanted");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, argv[optind]) != 0)
			continue;
		code = find_socket(&c);
		if (!code)
			code = commands[i].run(&c);
		return fflush(stdout) != 0 && !code ? EX_IOERR : code;
	}
	return usage_error("unknown command '%s'", argv[optind]);
}
