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
	&command_routes_ls,
	&command_ls,
	&command_topics_ls,
	&command_topics_create,
	NULL,
};
/* clang-format on */
