/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c -- headgate, the master: its command line (operations.md 1), and the runs that serve
 * nobody: -t checks, -T prints the configuration, -v the versions. Never daemonises.
 */
#include <event2/event.h>
#include <getopt.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include "common/http_client.h"
#include "common/log.h"
#include "conf/yaml_node.h"
#include "master/check_online.h"
#include "master/master.h"
#include "master/program.h"
#include "master/service_user.h"

enum { EXIT_USAGE = 2, SETS_MAX = 256, GRACE_MAX_S = 30, DUMP_MAX_BYTES = 16 * MIB };

static const char default_file[] = "/etc/headgate/headgate.yaml";

enum mode { MODE_RUN, MODE_TEST, MODE_DUMP, MODE_VERSION };

struct command_line {
	enum mode mode;
	struct master_args args;
	struct conf_set sets[SETS_MAX];
	char grace[24]; /* http.drain_timeout, of --shutdown-grace-period-seconds */
	bool quiet, offline, online, deny_warnings, json;
	enum conf_dump dump;
};

static const char usage_text[] =
	"usage: headgate [-c FILE] [-o path=value]... [-t | -T | -v] [-q]\n"
	"                [--debug=MODULE,...] [--disable-auth[=any-address]]\n"
	"                [--ingestion-listen-addr=ADDRESS]\n"
	"                [--shutdown-grace-period-seconds=N]\n"
	"  -c FILE   configuration (default /etc/headgate/headgate.yaml); also --config\n"
	"  -o P=V    sets one option, as limits.body=8MiB; never a secret\n"
	"  -t        checks everything and exits; --offline: syntax and names only;\n"
	"            --online: database, brokers and issuers too; --deny-warnings, --json\n"
	"  -T        prints the effective configuration; --diff: what differs from the\n"
	"            defaults; --defaults: the default tree\n"
	"  -v        versions of both programs and their libraries; also --version\n"
	"  -q        errors only; also --quiet\n"
	"  --help    these lines\n";

/* ---- the command line ---- */

enum {
	OPT_DEBUG = 256,
	OPT_DISABLE_AUTH,
	OPT_LISTEN,
	OPT_GRACE,
	OPT_OFFLINE,
	OPT_ONLINE,
	OPT_DENY_WARNINGS,
	OPT_JSON,
	OPT_DIFF,
	OPT_DEFAULTS,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "debug", required_argument, NULL, OPT_DEBUG },
	{ "disable-auth", optional_argument, NULL, OPT_DISABLE_AUTH },
	{ "ingestion-listen-addr", required_argument, NULL, OPT_LISTEN },
	{ "listen-endpoint-http", required_argument, NULL, OPT_LISTEN },
	{ "shutdown-grace-period-seconds", required_argument, NULL, OPT_GRACE },
	{ "offline", no_argument, NULL, OPT_OFFLINE },
	{ "online", no_argument, NULL, OPT_ONLINE },
	{ "deny-warnings", no_argument, NULL, OPT_DENY_WARNINGS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "diff", no_argument, NULL, OPT_DIFF },
	{ "defaults", no_argument, NULL, OPT_DEFAULTS },
	{ "quiet", no_argument, NULL, 'q' },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

/* --disable_auth is --disable-auth: `_` for `-` in the names of long options. */
static void plain_names(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		for (char *p = argv[i]; strncmp(argv[i], "--", 2) == 0 && *p && *p != '='; p++)
			if (*p == '_')
				*p = '-';
}

static int usage_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

static int usage_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("headgate: ", stderr);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n%s", usage_text);
	va_end(ap);
	return -1;
}

static int set_option(struct command_line *l, const char *path, const char *value)
{
	if (l->args.set_count == SETS_MAX)
		return usage_error("more than 256 -o");
	l->sets[l->args.set_count++] = (struct conf_set){ path, value };
	return 0;
}

/* Of a wrong one only the part before '=' is shown: the rest may be a secret in the wrong place. */
static int add_set(struct command_line *l, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return usage_error("-o wants path=value");
	*equals = '\0';
	return set_option(l, text, equals + 1);
}

/* micromegas' own option. */
static int set_grace(struct command_line *l, const char *text)
{
	uint64_t seconds;

	if (!bytes_to_u64(bytes_str(text), GRACE_MAX_S, &seconds) || !seconds)
		return usage_error("--shutdown-grace-period-seconds takes 1 to %d: '%s'",
		                   GRACE_MAX_S, text);
	snprintf(l->grace, sizeof(l->grace), "%llus", (unsigned long long)seconds);
	return set_option(l, "http.drain_timeout", l->grace);
}

static int set_mode(struct command_line *l, enum mode mode)
{
	if (l->mode != MODE_RUN && l->mode != mode)
		return usage_error("only one of -t, -T and -v");
	l->mode = mode;
	return 0;
}

static int disable_auth(struct command_line *l, const char *value)
{
	if (value && strcmp(value, "any-address") != 0)
		return usage_error("--disable-auth takes no value but any-address: '%s'", value);
	l->args.disable_auth = true;
	l->args.any_address = value != NULL;
	return 0;
}

static int take_option(struct command_line *l, int option)
{
	switch (option) {
	case 'c':
		l->args.file = optarg;
		return 0;
	case 'o':
		return add_set(l, optarg);
	case 't':
		return set_mode(l, MODE_TEST);
	case 'T':
		return set_mode(l, MODE_DUMP);
	case 'v':
		return set_mode(l, MODE_VERSION);
	case 'q':
		l->quiet = true;
		return 0;
	case OPT_DEBUG:
		l->args.debug_modules = optarg;
		return 0;
	case OPT_DISABLE_AUTH:
		return disable_auth(l, optarg);
	case OPT_LISTEN:
		return set_option(l, "listeners[0].listen", optarg);
	case OPT_GRACE:
		return set_grace(l, optarg);
	case OPT_OFFLINE:
		l->offline = true;
		return 0;
	case OPT_ONLINE:
		l->online = true;
		return 0;
	case OPT_DENY_WARNINGS:
		l->deny_warnings = true;
		return 0;
	case OPT_JSON:
		l->json = true;
		return 0;
	case OPT_DIFF:
		l->dump = CONF_DUMP_DIFF;
		return 0;
	case OPT_DEFAULTS:
		l->dump = CONF_DUMP_DEFAULTS;
		return 0;
	default:
		return usage_error("see the options");
	}
}

static int parse(int argc, char **argv, struct command_line *l)
{
	int option;

	plain_names(argc, argv);
	while ((option = getopt_long(argc, argv, "c:o:tTvq", long_options, NULL)) != -1) {
		if (option == OPT_HELP) {
			fputs(usage_text, stdout);
			exit(EXIT_SUCCESS);
		}
		if (take_option(l, option) < 0)
			return -1;
	}
	if (optind < argc)
		return usage_error("unexpected argument '%s'", argv[optind]);
	if ((l->offline || l->online || l->deny_warnings || l->json) && l->mode != MODE_TEST)
		return usage_error("--offline, --online, --deny-warnings and --json go with -t");
	if (l->offline && l->online)
		return usage_error("only one of --offline and --online");
	if (l->dump != CONF_DUMP_ALL && l->mode != MODE_DUMP)
		return usage_error("--diff and --defaults go with -T");
	return 0;
}

/* ---- -t, -T ---- */

static int say(FILE *to, struct bytes text)
{
	return text.n && (fwrite(text.p, 1, text.n, to) != text.n || fflush(to) != 0) ? -1 : 0;
}

static int say_json(const struct conf_report *r, bool ok)
{
	json_t *o = json_pack("{s:i,s:b,s:i,s:i,s:s%}", "schema", 1, "ok", ok, "errors",
	                      (int)r->errors, "warnings", (int)r->warnings, "text",
	                      r->text.n ? r->text.p : "", r->text.n);
	int rc = json_dumpf(o, stdout, JSON_COMPACT);

	json_decref(o);
	return rc < 0 || putchar('\n') == EOF || fflush(stdout) != 0 ? -1 : 0;
}

/* own_errors: of the configuration itself, not of those whom it names. */
static int report_code(const struct command_line *l, const struct conf_report *r,
                       unsigned own_errors)
{
	if (r->usage)
		return EXIT_USAGE;
	if (r->errors && !own_errors)
		return EX_UNAVAILABLE;
	return r->errors || (l->deny_warnings && r->warnings) ? EX_CONFIG : 0;
}

static int run_test(const struct command_line *l)
{
	struct conf_report report;
	struct conf *conf;
	unsigned own_errors;
	int rc, code;

	conf_report_init(&report);
	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	conf = check_load(&l->args, l->offline, &report);
	if (conf && !l->offline)
		check_host(conf, &report, l->args.file);
	own_errors = report.errors;
	if (conf && l->online)
		check_online(conf, &report, l->args.file);
	code = report_code(l, &report, own_errors);
	if (code && !report.errors && !report.usage)
		buf_str(&report.text, "--deny-warnings: a warning counts as an error\n");
	if (l->json)
		rc = say_json(&report, code == 0);
	else if (code || !l->quiet)
		rc = report.text.n ? say(stderr, buf_view(&report.text))
		                   : (printf("%s: configuration is good\n", l->args.file) < 0
		                              ? -1
		                              : fflush(stdout));
	else
		rc = 0;
	conf_free(conf);
	conf_report_done(&report);
	return rc < 0 ? EX_IOERR : code;
}

static int run_dump(const struct command_line *l)
{
	struct conf_report report;
	struct conf *conf;
	struct buf out;
	int rc, code;

	conf_report_init(&report);
	buf_init(&out, DUMP_MAX_BYTES);
	conf = l->dump == CONF_DUMP_DEFAULTS ? conf_new() : check_load(&l->args, false, &report);
	code = report_code(l, &report, report.errors);
	rc = code || !l->quiet ? say(stderr, buf_view(&report.text)) : 0;
	if (conf) {
		conf_dump(conf, &report, l->dump, &out);
		if (out.failed || say(stdout, buf_view(&out)) < 0)
			rc = -1;
	}
	conf_free(conf);
	buf_done(&out);
	conf_report_done(&report);
	return rc < 0 ? EX_IOERR : code;
}

/* ---- -v ---- */

static int worker_version(void)
{
	static char *argv[] = { (char *)"headgate-worker", (char *)"-v", NULL };
	struct err err = { "" };
	char path[4096];
	autoclose int exe = program_open(path, sizeof(path), &err);
	int status;
	pid_t pid;

	if (exe < 0) {
		fprintf(stderr, "headgate: %s\n", err.text);
		return EX_OSFILE;
	}
	pid = fork();
	if (pid == 0) {
		fexecve(exe, argv, environ);
		_exit(EX_OSERR);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return EX_OSERR;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

static int run_version(void)
{
	char curl[64];

	printf("headgate %s (%s, %s, build %s)\n", HEADGATE_VERSION, HEADGATE_REVISION,
	       HEADGATE_MODE, conf_build_id);
	printf("  libevent %s (built with %s)\n", event_get_version(), LIBEVENT_VERSION);
	printf("  jansson %s (built with %s)\n", jansson_version_str(), JANSSON_VERSION);
	http_client_version(curl, sizeof(curl));
	printf("  libcurl %s\n", curl);
	printf("  libyaml %s\n", yaml_library_version());
	printf("  libpq %d.%d\n", tenants_pg_library() / 10000, tenants_pg_library() % 10000);
	printf("  %s (built with %s)\n", OpenSSL_version(OPENSSL_VERSION), OPENSSL_VERSION_TEXT);
	return fflush(stdout) != 0 ? EX_IOERR : worker_version();
}

/* -t and -T: what they say is to be what the service would. */
static int run_check(const struct command_line *l)
{
	struct err err;

	if (service_user_become(l->args.file, &err) < 0) {
		fprintf(stderr, "headgate: %s\n", err.text);
		return EX_OSERR;
	}
	return l->mode == MODE_TEST ? run_test(l) : run_dump(l);
}

int main(int argc, char **argv)
{
	static struct command_line line = { .args = { .file = default_file, .debug_modules = "" } };

	line.args.sets = line.sets;
	if (parse(argc, argv, &line) < 0)
		return EXIT_USAGE;
	switch (line.mode) {
	case MODE_TEST:
	case MODE_DUMP:
		return run_check(&line);
	case MODE_VERSION:
		return run_version();
	case MODE_RUN:
		conf_hide_environment();
		return master_run(&line.args);
	}
	assert(!"not a mode");
	return EX_SOFTWARE;
}
