/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.c -- the table of commands: one line each, in the order of the help. A new command is
 * one file and one line here.
 */
#include "tools/ctl/commands.h"

/* clang-format off */
const struct command *const commands[] = {
	&command_status,
	&command_reload,
	&command_logs_reopen,
	&command_tenant_add,
	&command_tenant_ls,
	&command_tenant_show,
	&command_tenant_set,
	&command_tenant_suspend,
	&command_tenant_resume,
	&command_tenant_rm,
	&command_token_issue,
	&command_token_ls,
	&command_token_show,
	&command_token_rotate,
	&command_token_revoke,
	&command_token_verify,
	&command_schema_print,
	&command_schema_status,
	&command_migrate,
	&command_routes_ls,
	&command_ls,
	&command_import_env,
	&command_import_moose,
	&command_generate_hash_token,
	&command_topics_ls,
	&command_topics_create,
	&command_send,
	&command_cat,
	&command_spool_ls,
	&command_spool_verify,
	&command_spool_export,
	&command_spool_drop,
	&command_snippet,
	&command_completion,
	NULL,
};
/* clang-format on */
