/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.h -- the commands' names, for the table in commands.c. The file of a command includes it
 * too, so that both agree.
 */
#pragma once
#include "tools/ctl/ctl.h"

extern const struct command command_status, command_reload, command_logs_reopen;
extern const struct command command_tenant_add, command_tenant_ls, command_tenant_show,
	command_tenant_set, command_tenant_suspend, command_tenant_resume, command_tenant_rm;
extern const struct command command_token_issue, command_token_ls, command_token_show,
	command_token_rotate, command_token_revoke, command_token_verify;
extern const struct command command_schema_print, command_schema_status, command_migrate;
extern const struct command command_routes_ls, command_ls, command_topics_ls, command_topics_create;
extern const struct command command_send;
extern const struct command command_cat;
extern const struct command command_spool_ls, command_spool_verify, command_spool_export,
	command_spool_drop;
extern const struct command command_snippet;
extern const struct command command_import_env;
extern const struct command command_import_moose;
extern const struct command command_generate_hash_token;
extern const struct command command_completion;
