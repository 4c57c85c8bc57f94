/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_env.c -- `import-env`: the variables of micromegas or Moose as files of ours, what the
 * option import_env would take from the environment at each start (compatibility.md 1). Keys are
 * printed as hashes; a password or a connection string never is: the file names where it belongs.
 */
#include <arpa/inet.h>

#include "common/snapshot.h"
#include "conf/yaml.h"
#include "tools/ctl/commands.h"

enum { DUMP_MAX_BYTES = MIB };

/* ---- headgate.yaml ---- */

static void print_file_hint(const char *option, const char *what)
{
	printf("# %s: write %s into a file and name it there\n", option, what);
}

static void print_hints(const struct conf *conf)
{
	if (conf->kafka.sasl.password_file.content.n)
		print_file_hint("kafka.sasl.password_file", "the variable's password");
	for (size_t i = 0; i < conf->auth.jwt.n; i++)
		if (conf->auth.jwt.v[i].public_key_file.content.n)
			print_file_hint("auth.jwt[].public_key_file", "MOOSE_JWT__SECRET");
	if (*conf->tenants.dsn)
		print_file_hint("tenants.dsn_file",
		                "the connection string, unless the variable stays,");
}

static int print_config(struct conf *conf, const struct conf_report *report)
{
	struct buf text;
	int code = 0;

	conf->import_env.n = 0; /* the file takes its place */
	buf_init(&text, DUMP_MAX_BYTES);
	conf_dump(conf, report, CONF_DUMP_DIFF, &text);
	puts("# headgate.yaml");
	print_hints(conf);
	if (text.failed || fwrite(text.p, 1, text.n, stdout) != text.n)
		code = ctl_fail(EX_OSERR, "the configuration can't be written");
	buf_done(&text);
	return code;
}

/* ---- tenants.yaml ---- */

static const char *tenant_of(const struct conf *conf, const struct imported_key *k)
{
	return *k->tenant ? k->tenant : conf->auth.default_tenant;
}

static bool is_first_of_tenant(const struct conf *conf, size_t index)
{
	const struct imported_key *v = conf->imported.v;

	for (size_t i = 0; i < index; i++)
		if (strcmp(tenant_of(conf, &v[i]), tenant_of(conf, &v[index])) == 0)
			return false;
	return true;
}

static void print_cidrs(const struct imported_key *k)
{
	char text[INET6_ADDRSTRLEN];

	if (!k->cidr_count)
		return;
	printf(", allowed_cidrs: [");
	for (unsigned i = 0; i < k->cidr_count; i++)
		printf("%s\"%s/%u\"", i ? ", " : "",
		       inet_ntop(AF_INET6, k->cidrs[i].addr, text, sizeof(text)),
		       k->cidrs[i].prefix);
	printf("]");
}

static void print_key(const struct imported_key *k)
{
	char hex[2 * TOKEN_DIGEST_BYTES + 1];

	hex_encode(k->hash.p, k->hash.n, hex);
	printf("      - {id: \"%s\", %s: \"%s\"", k->id, k->kind, hex);
	if (k->iterations)
		printf(", iterations: %u", k->iterations);
	print_cidrs(k);
	puts("}");
}

static void print_tenants(const struct conf *conf)
{
	const struct imported_keys *keys = &conf->imported;

	puts("# tenants.yaml\nversion: 1");
	puts(keys->n ? "tenants:" : "tenants: []");
	for (size_t i = 0; i < keys->n; i++) {
		if (!is_first_of_tenant(conf, i))
			continue;
		printf("  - id: \"%s\"\n    tokens:\n", tenant_of(conf, &keys->v[i]));
		for (size_t k = i; k < keys->n; k++)
			if (strcmp(tenant_of(conf, &keys->v[k]), tenant_of(conf, &keys->v[i])) ==
			    0)
				print_key(&keys->v[k]);
	}
}

/* ---- the command ---- */

/* The variables alone, over no file. */
static struct conf *load(struct conf_report *report)
{
	static const struct conf_set nothing_more = { "include", "" };
	const char *const *imports = conf_upstreams_here();
	struct conf_load_in in = { .file = "/dev/null",
		                   .sets = &nothing_more,
		                   .set_count = 1,
		                   .offline = true,
		                   .imports = imports };

	while (imports[in.import_count])
		in.import_count++;
	return conf_load(&in, report);
}

static int run_import_env(struct ctl *c)
{
	bool config = !ctl_given(c, "tenants"), tenants = !ctl_given(c, "options");
	struct conf_report report;
	struct conf *conf;
	int code = 0;

	if (!config && !tenants)
		return ctl_usage(c, "--options or --tenants: one of the two");
	if (!conf_upstreams_here()[0])
		return ctl_fail(EXIT_NEGATIVE, "no variable of micromegas or Moose is set");
	conf_report_init(&report);
	conf = load(&report);
	if (report.text.n && (!c->quiet || !conf))
		fwrite(report.text.p, 1, report.text.n, stderr);
	if (!conf)
		code = EX_CONFIG;
	if (conf && config)
		code = print_config(conf, &report);
	if (conf && config && tenants)
		puts("---");
	if (conf && tenants)
		print_tenants(conf);
	conf_free(conf);
	conf_report_done(&report);
	return code;
}

static const struct command_option options[] = {
	{ "options", NULL, "headgate.yaml alone", 0 },
	{ "tenants", NULL, "tenants.yaml alone", 0 },
	{ 0 },
};

const struct command command_import_env = {
	.name = "import-env",
	.args = "",
	.help = "the environment variables of micromegas or Moose as configuration, keys hashed",
	.options = options,
	.run = run_import_env,
};
