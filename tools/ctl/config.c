/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.c -- the configuration for commands that need one: that of -c, else the package's. Read as
 * `headgate -t --offline` reads it, so what options name is not opened: an operator need not be
 * allowed to read the gateway's secrets.
 */
#include "conf/yaml.h"
#include "tools/ctl/ctl.h"

static const char default_file[] = "/etc/headgate/headgate.yaml";

const char *ctl_conf_path(const struct ctl *c)
{
	return c->conf_file ? c->conf_file : default_file;
}

const struct conf *ctl_conf(struct ctl *c, int *code)
{
	const struct conf_load_in in = { .file = ctl_conf_path(c), .offline = true };
	struct conf_report report;

	if (c->conf)
		return c->conf;
	conf_report_init(&report);
	c->conf = conf_load(&in, &report);
	if (!c->conf) {
		fwrite(report.text.p, 1, report.text.n, stderr);
		*code = EX_CONFIG;
		if (!c->conf_file)
			ctl_error("say which configuration the gateway has: -c FILE");
	}
	conf_report_done(&report);
	return c->conf;
}
