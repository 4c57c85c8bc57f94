/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h -- after set-up a worker gives up what it will never need (faults.md 9): no exec, no
 * ptrace, no foreign memory, sockets of inet, inet6, unix and netlink only, files read-only and
 * only those that libraries open for themselves, and the store's. Threads and new Kafka producers
 * go on working.
 */
#pragma once
#include "common/err.h"

/* store: the folder of the local store or of the spool, the one place where files may be written; NULL: none.
 * 0; -1 with *err said if seccomp cannot be had. *landlock_abi: 0 if the kernel has none (a
 * warning, not a refusal). Landlock binds the calling thread and those it starts later. */
int sandbox_enter(const char *store, int *landlock_abi, struct err *err) MUST_USE;
/* no_new_privs and not dumpable: before any secret is received. */
int sandbox_early(struct err *err) MUST_USE;
/* libseccomp's versions, as it runs and as it was built with; for -v. */
void sandbox_version(char *out, size_t cap);
