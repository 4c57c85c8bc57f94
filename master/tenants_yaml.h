/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_yaml.h -- a tenants.yaml (records.md 2.3) to rows, or all that is wrong with it. Text in,
 * rows out: watching the file is tenants_file.c's.
 */
#pragma once
#include "conf/report.h"
#include "master/tenants.h"

struct tenants_yaml { /* texts and addresses live in the report */
	struct tenant_row *tenants;
	size_t tenant_count, tenant_cap;
	struct token_row *tokens;
	size_t token_count, token_cap;
};

/* Every error goes to the report; with one, the rows are not to be used. */
void tenants_yaml_parse(struct report *r, const char *path, struct bytes text,
                        struct tenants_yaml *out);
void tenants_yaml_done(struct tenants_yaml *y);
