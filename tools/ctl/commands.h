/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.h -- the commands' names, for the table in commands.c. The file of a command includes it
 * too, so that both agree.
 */
#pragma once
#include "tools/ctl/ctl.h"

extern const struct command command_status, command_reload;
extern const struct command command_routes_ls, command_ls, command_topics_ls, command_topics_create;
