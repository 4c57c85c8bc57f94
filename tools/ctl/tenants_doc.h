/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_doc.h -- a tenants.yaml that is read to be changed. A change writes the whole file anew
 * beside the old one, has the master's own reader check it, and renames it; whoever reads meanwhile
 * reads one of the two. Two headgatectl at once wait for each other by a lock on the folder. Owner
 * and mode stay as they were, for the gateway must still be able to read it. What a change is,
 * registry_file.c knows.
 */
#pragma once
#include <sys/stat.h>
#include "tools/ctl/ctl.h"

struct tenants_doc {
	char *path; /* links followed: a rename must replace what they lead to */
	int folder; /* locked while it is open to write; -1: only read */
	bool is_new, had_comments;
	struct stat st;
	json_t *root;
};

/* 0 or an exit code, said; to be closed in any case. */
int tenants_doc_open(struct tenants_doc *d, const char *path, bool to_write) MUST_USE;
void tenants_doc_close(struct tenants_doc *d);
/* Puts root in the file's place. */
int tenants_doc_replace(const struct ctl *c, struct tenants_doc *d) MUST_USE;
