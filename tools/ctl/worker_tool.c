/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/worker_tool.h"

#include <string.h>
#include <sys/wait.h>
#include "common/buf.h"
#include "conf/yaml.h"
#include "master/program.h"

enum { SAID_MAX = 4 * MIB };

/* The configuration with what its files hold; ctl_conf() reads none of them. */
static struct conf *load_full(const struct ctl *c, int *code)
{
	const struct conf_load_in in = { .file = ctl_conf_path(c) };
	struct conf_report report;
	struct conf *conf;

	conf_report_init(&report);
	conf = conf_load(&in, &report);
	if (!conf) {
		fwrite(report.text.p, 1, report.text.n, stderr);
		*code = EX_CONFIG;
		if (!c->conf_file)
			ctl_error("say which configuration the gateway has: -c FILE");
	}
	conf_report_done(&report);
	return conf;
}

/* Lines of JSON to an array; an {"error"} among them is said, and all there is. */
static json_t *take_lines(const struct buf *said, int *code)
{
	json_t *all = json_array();
	struct bytes rest = buf_view(said);

	while (rest.n) {
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;
		json_t *o = json_loadb((const char *)rest.p, n, 0, NULL);
		const char *error = o ? json_string_value(json_object_get(o, "error")) : NULL;

		rest = bytes_from(rest, n + 1);
		if (o && !(error && !json_object_get(o, "topic"))) {
			json_array_append_new(all, o);
			continue;
		}
		if (error)
			ctl_error("%s", error);
		else
			*code = ctl_fail(EX_SOFTWARE, "headgate-worker says no JSON");
		json_decref(o);
		json_decref(all);
		return NULL;
	}
	return all;
}

static json_t *run_with(const struct conf *conf, const char *const *argv, int *code)
{
	struct err err = { "" };
	json_t *all = NULL;
	struct buf said;
	int status = 0;

	buf_init(&said, SAID_MAX);
	if (program_run(conf, argv, &said, &status, &err) < 0) {
		*code = ctl_fail(EX_OSERR, "%s", err.text);
	} else if (!WIFEXITED(status)) {
		*code = ctl_fail(EX_SOFTWARE, "headgate-worker ended by signal %d",
		                 WTERMSIG(status));
	} else {
		*code = WEXITSTATUS(status);
		all = take_lines(&said, code);
		if (!all && !*code)
			*code = EX_SOFTWARE;
	}
	buf_done(&said);
	return all;
}

json_t *worker_tool_run(struct ctl *c, const char *const *argv, bool full, int *code)
{
	struct conf *own = full ? load_full(c, code) : NULL;
	const struct conf *conf = full ? own : ctl_conf(c, code);
	json_t *all = conf ? run_with(conf, argv, code) : NULL;

	conf_free(own);
	return all;
}

json_t *worker_tool_defaults(const char *const *argv, int *code)
{
	struct conf *conf = conf_new();
	json_t *all = run_with(conf, argv, code);

	conf_free(conf);
	return all;
}
