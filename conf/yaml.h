/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.h -- loads and checks the configuration (operations.md 3): all errors at once, each with its
 * place. Linked into the master and headgatectl, never into the worker. Prints nothing itself.
 */
#pragma once
#include "common/buf.h"
#include "conf/conf.h"

struct conf_set { /* one -o path=value */
	const char *path, *value;
};
struct conf_load_in {
	const char *file;
	const struct conf_set *sets;
	size_t set_count;
	bool offline; /* -t --offline: files that options name are not opened */
	const char *const *imports; /* as if import_env named them too */
	size_t import_count;
};
struct conf_report {
	struct buf text; /* errors and warnings as -t prints them: file and line order, <= 100 */
	unsigned errors, warnings;
	bool usage; /* a secret was given by -o: exit 2, not 78 */
	struct conf_origins *origins; /* where each value came from, for -T and reload's diff */
};

void conf_report_init(struct conf_report *r);
void conf_report_done(struct conf_report *r);

/* NULL if r->errors > 0. Warnings alone still give a configuration. */
struct conf *conf_load(const struct conf_load_in *in, struct conf_report *r) MUST_USE;

/* Once, when the service starts: what variables hold leaves /proc/PID/environ, and of the keys that
 * import_env takes (compatibility.md 1) their hashes alone stay. */
void conf_hide_environment(void);
/* Names of the upstreams of which a variable is set, NULL at the end; good until the next call. */
const char *const *conf_upstreams_here(void);

/* -T: YAML that loads again and dumps the same, secrets redacted, an origin on each line. */
enum conf_dump { CONF_DUMP_ALL, CONF_DUMP_DIFF, CONF_DUMP_DEFAULTS };
void conf_dump(const struct conf *conf, const struct conf_report *r, enum conf_dump what,
               struct buf *out);

/* A line per option that differs, `path: old -> new  # conf.d/20-kafka.yaml:4` (secrets and what a
 * file gave: `changed`), and for options marked restart the words `needs a restart`; r is that of
 * the new one. For reload's answer. Returns the number of lines. */
unsigned conf_diff(const struct conf *old, const struct conf *new, const struct conf_report *r,
                   struct buf *out);

/* A tenants file (records.md 2.3) and other small YAML of ours is read by the same strict node
 * reader: no duplicates, anchors, tags, second documents. See conf/yaml_node.h. */
