/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h -- what a configuration must pass before it may serve: the loader's rules, certificates,
 * --disable-auth; and for -t also what this host must grant. Called by main.c (-t, -T), at the
 * start and at each reload: all say the same. Changes nothing, but check_store() may make a folder.
 */
#pragma once
#include "conf/yaml.h"

struct master_args { /* the command line, for the whole life of the master */
	const char *file;
	const struct conf_set *sets;
	size_t set_count;
	bool disable_auth, any_address; /* --disable-auth, --disable-auth=any-address */
	const char *debug_modules; /* "" for none */
};

/* NULL if r->errors > 0. */
struct conf *check_load(const struct master_args *args, bool offline,
                        struct conf_report *r) MUST_USE;
/* -t: addresses can be bound or are our own instance's, files can be written, tenants can be read.
 */
void check_host(const struct conf *conf, struct conf_report *r, const char *file);

/* At the start and at each reload: with `sink: local` or a spool its folder is made if only that is
 * missing, and can be written; else -1 with *err said. */
int check_store(const struct conf *conf, struct err *err) MUST_USE;
/* For -t and a dry run, which make nothing: it is there and writable, or can be made. */
void check_store_folder(const struct conf *conf, struct conf_report *r, const char *file);

/* Likewise: without --disable-auth somebody can be let in on each route (compatibility.md 1, 6). */
int check_providers(const struct conf *conf, struct err *err) MUST_USE;

/* One more error or warning, and a new last line. */
void check_say(struct conf_report *r, bool is_error, const char *file, const char *text);
/* For a reload: values of options that need a restart stay the old ones. Takes new, gives it back
 * or a copy. NULL with *err said. */
struct conf *check_keep_restart(struct conf *new, const struct conf *old, struct err *err) MUST_USE;
