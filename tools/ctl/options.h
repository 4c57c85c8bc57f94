/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h -- the command line by the table's rows; ctl_value() and its like (ctl.h) look into
 * what was parsed. For main.c; completion.c knows the rows of all commands from here too.
 */
#pragma once
#include "tools/ctl/ctl.h"

extern const struct command_option
	common_options[]; /* in the help's order; ends with an empty one */

/* "--bytes_burst=1MB" as "--bytes-burst=1MB", malloc'd; what follows '=' stays. */
char *options_with_dashes(const char *arg) MUST_USE;
/* The common options before the command: the place of its first word in argv, or a negated exit
 * code, said. */
int options_parse_first(struct ctl *c, int argc, char **argv, bool *help) MUST_USE;
/* All behind the command, whose last word is argv[0]: 0 or an exit code, said. Makes c->values,
 * which is the caller's to free. */
int options_parse(struct ctl *c, int argc, char **argv, bool *help) MUST_USE;
