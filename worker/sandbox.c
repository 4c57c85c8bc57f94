/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/*
 * What libraries open for themselves, long after set-up (faults.md 9): names for getaddrinfo, the
 * system's CA directory for OpenSSL and librdkafka, the zone for the C library. A resolv.conf that
 * is replaced by rename is followed only where it lives in a folder of its own.
 */
static const char *const readable[] = {
	"/etc/resolv.conf",
	"/run/systemd/resolve",
	"/run/resolvconf",
	"/run/NetworkManager",
	"/etc/hosts",
	"/etc/host.conf",
	"/etc/nsswitch.conf",
	"/etc/gai.conf",
	"/etc/services",
	"/etc/ld.so.cache",
	"/etc/localtime",
	"/usr/share/zoneinfo",
	"/usr/lib",
	"/usr/lib64",
	"/lib",
	"/lib64",
	"/etc/ssl",
	"/etc/pki",
	"/usr/share/ca-certificates",
	"/dev/urandom", /* SQLite's salts */
#ifdef HEADGATE_ASAN
	"/proc",
	"/usr/bin", /* the symbolizer and the leak check */
#endif
};

int sandbox_early(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(err, "can't set no_new_privs");
#ifndef HEADGATE_ASAN /* the leak check attaches to its own process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) /* no cores: they hold tokens */
		return err_errno(err, "can't clear dumpable");
#endif
	return 0;
}

/* The header of Debian 12 knows ABI 2; the kernel ignores nothing, so ask for what both know. */
static uint64_t handled_rights(int abi)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* ABI 1: EXECUTE .. MAKE_SYM */

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	return rights;
}

static int allow(int ruleset, int fd, uint64_t rights, const char *path, struct err *err)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = fd };

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_errno(err, "landlock refuses a rule for %s", path);
	return 0;
}

static int allow_reading(int ruleset, const char *path, struct err *err)
{
	autoclose int fd = open(path, O_PATH | O_CLOEXEC);
	uint64_t rights = LANDLOCK_ACCESS_FS_READ_FILE;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES ? 0
		                                          : err_errno(err, "can't open %s", path);
	if (fstat(fd, &st) < 0)
		return err_errno(err, "can't stat %s", path);
	if (S_ISDIR(st.st_mode))
		rights |= LANDLOCK_ACCESS_FS_READ_DIR;
#ifdef HEADGATE_ASAN
	rights |= LANDLOCK_ACCESS_FS_EXECUTE;
#endif
	return allow(ruleset, fd, rights, path, err);
}

/* Makes, writes and removes files there, and moves them to quarantine/. */
static int allow_store(int ruleset, uint64_t handled, const char *path, struct err *err)
{
	autoclose int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
	                  LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
	                  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
	                  LANDLOCK_ACCESS_FS_REFER;

	if (fd < 0)
		return err_errno(err, "can't open the store's folder %s", path);
	return allow(ruleset, fd, rights & handled, path, err);
}

static int enter_landlock(const char *store, int *abi, struct err *err)
{
	struct landlock_ruleset_attr attr = { 0 };
	autoclose int ruleset = -1;

	*abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (*abi < 1) {
		*abi = 0; /* ENOSYS, EOPNOTSUPP: the caller warns */
		return 0;
	}
	attr.handled_access_fs = handled_rights(*abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return err_errno(err, "landlock gives no ruleset");
	for (size_t i = 0; i < ARRAY_LEN(readable); i++) {
		if (allow_reading(ruleset, readable[i], err) < 0)
			return -1;
	}
	if (store && allow_store(ruleset, attr.handled_access_fs, store, err) < 0)
		return -1;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_errno(err, "landlock does not restrict");
	return 0;
}

/* Socket families: all but unix (1), inet (2), inet6 (10) and netlink (16, for getaddrinfo). */
static int deny_family(scmp_filter_ctx ctx, enum scmp_compare op, unsigned family)
{
	struct scmp_arg_cmp arg = { .arg = 0, .op = op, .datum_a = family };

	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &arg);
}

static int deny_families(scmp_filter_ctx ctx)
{
	static const unsigned denied[] = { 0, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15 };
	int rc = deny_family(ctx, SCMP_CMP_GT, 16);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(denied); i++)
		rc = deny_family(ctx, SCMP_CMP_EQ, denied[i]);
	return rc;
}

/* Inside a namespace of its own a process has every capability again, and with them a kernel that
 * is far from what strangers' bytes should reach. clone() makes them by flags; those of clone3()
 * lie in memory, where no filter can look: as if unknown, so that the C library goes back to
 * clone(). */
static int deny_namespaces(scmp_filter_ctx ctx)
{
	static const unsigned flags[] = { CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
		                          CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
		                          CLONE_NEWNET };
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(flags); i++) {
		struct scmp_arg_cmp arg = {
			.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = flags[i], .datum_b = flags[i]
		};

		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &arg);
	}
	return rc;
}

/* A list of what is denied, not of what is allowed: the libraries beneath us change their calls
 * with every release, and none of these belongs to any of them. */
static int enter_seccomp(struct err *err)
{
	static const int denied[] = {
#ifndef HEADGATE_ASAN
		SCMP_SYS(execve),
		SCMP_SYS(execveat),
		SCMP_SYS(ptrace),
#endif
		SCMP_SYS(process_vm_readv),
		SCMP_SYS(process_vm_writev),
		SCMP_SYS(pidfd_getfd),
		SCMP_SYS(mount),
		SCMP_SYS(umount2),
		SCMP_SYS(pivot_root),
		SCMP_SYS(chroot),
		SCMP_SYS(setns),
		SCMP_SYS(unshare),
		SCMP_SYS(bpf),
		SCMP_SYS(perf_event_open),
		SCMP_SYS(userfaultfd),
		SCMP_SYS(io_uring_setup),
		SCMP_SYS(io_uring_enter),
		SCMP_SYS(io_uring_register),
		SCMP_SYS(keyctl),
		SCMP_SYS(add_key),
		SCMP_SYS(request_key),
		SCMP_SYS(init_module),
		SCMP_SYS(finit_module),
		SCMP_SYS(delete_module),
		SCMP_SYS(kexec_load),
		SCMP_SYS(reboot),
		SCMP_SYS(swapon),
		SCMP_SYS(swapoff),
		SCMP_SYS(open_by_handle_at),
		SCMP_SYS(setuid),
		SCMP_SYS(setgid),
		SCMP_SYS(setresuid),
		SCMP_SYS(setresgid),
		SCMP_SYS(chown),
		SCMP_SYS(fchown),
		SCMP_SYS(fchownat),
		SCMP_SYS(lchown),
		SCMP_SYS(mknod),
		SCMP_SYS(mknodat),
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc;

	if (!ctx)
		return err_set(err, "seccomp gives no filter");
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(denied); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
	if (rc == 0)
		rc = deny_families(ctx);
	if (rc == 0)
		rc = deny_namespaces(ctx);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc == 0 ? 0 : err_set(err, "seccomp refuses the filter: %s", strerror(-rc));
}

int sandbox_enter(const char *store, int *landlock_abi, struct err *err)
{
	if (enter_landlock(store, landlock_abi, err) < 0)
		return -1;
	return enter_seccomp(err);
}

void sandbox_version(char *out, size_t cap)
{
	const struct scmp_version *v = seccomp_version();

	snprintf(out, cap, "%u.%u.%u (built with %d.%d.%d)", v->major, v->minor, v->micro,
	         SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO);
}
