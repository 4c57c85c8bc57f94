/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox.c"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each in a process that may lose its rights for good; what it answers is the child's status. */
static const char *store; /* its folder; NULL: none */

static int in_a_sandbox(int (*try)(int abi))
{
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct err err;
		int abi;

		if (sandbox_early(&err) < 0 || sandbox_enter(store, &abi, &err) < 0)
			_exit(99);
		_exit(try(abi));
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static int clone_with(int flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid < 0 ? errno : 0;
}

static int try_namespaces(int abi)
{
	static const int flags[] = { CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
		                     CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET };

	(void)abi;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (clone_with(flags[i]) != EPERM)
			return (int)i + 1;
		if (clone_with(CLONE_NEWUSER | flags[i]) != EPERM)
			return (int)i + 11;
		if (unshare(flags[i]) == 0 || errno != EPERM)
			return (int)i + 21;
	}
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		return 31;
	return 0;
}

Test(sandbox, no_namespace_can_be_made)
{
	cr_assert_eq(in_a_sandbox(try_namespaces), 0);
}

static void *nothing(void *arg)
{
	return arg;
}

static int try_thread(int abi)
{
	pthread_t thread;

	(void)abi;
	return pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL) ||
	       clone_with(0);
}

Test(sandbox, threads_are_made_as_ever)
{
	cr_assert_eq(in_a_sandbox(try_thread), 0);
}

static int try_families(int abi)
{
	static const int allowed[] = { AF_UNIX, AF_INET };
	static const int denied[] = { AF_UNSPEC, AF_PACKET, AF_KEY,  AF_BLUETOOTH,
		                      AF_ALG,    AF_VSOCK,  AF_TIPC, AF_X25 };

	(void)abi;
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (socket(allowed[i], SOCK_STREAM, 0) < 0)
			return (int)i + 1;
	for (size_t i = 0; i < ARRAY_LEN(denied); i++)
		if (socket(denied[i], SOCK_RAW, 0) >= 0 || errno != EAFNOSUPPORT)
			return (int)i + 11;
	/* the kernel takes the low half of it */
	if (syscall(SYS_socket, UINT64_C(0x100000000) | AF_PACKET, SOCK_RAW, 0) >= 0)
		return 21;
	return 0;
}

Test(sandbox, only_sockets_of_the_network_and_of_this_machine_are_made)
{
	cr_assert_eq(in_a_sandbox(try_families), 0);
}

static int try_files(int abi)
{
	if (abi < 1)
		return 0; /* the caller warns */
	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0)
		return 1;
	if (open("/tmp/headgate-test-sandbox", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) >= 0)
		return 2;
	return open("/etc/hosts", O_RDONLY | O_CLOEXEC) < 0 && errno != ENOENT ? 3 : 0;
}

Test(sandbox, files_but_those_of_the_libraries_cannot_be_opened)
{
	cr_assert_eq(in_a_sandbox(try_files), 0);
}

static int try_store(int abi)
{
	char file[64], moved[128], aside[64], outside[64];
	int fd;

	snprintf(file, sizeof(file), "%s/a.db", store);
	snprintf(aside, sizeof(aside), "%s/quarantine", store);
	snprintf(moved, sizeof(moved), "%s/a.db", aside);
	snprintf(outside, sizeof(outside), "%s.outside", store);
	fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || ftruncate(fd, 0) < 0)
		return 1;
	if (mkdir(aside, 0700) < 0)
		return 2;
	if (abi != 1 && rename(file, moved) < 0) /* the first ABI knows no move between folders */
		return 3;
	if (abi != 1 && unlink(moved) < 0)
		return 4;
	if (open("/dev/urandom", O_RDONLY | O_CLOEXEC) < 0)
		return 5;
	if (abi >= 1 && open(outside, O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0)
		return 6;
	if (abi >= 1 && (symlink("/etc/passwd", file) == 0 || mkfifo(file, 0600) == 0))
		return 7;
	return 0;
}

Test(sandbox, the_folder_of_the_store_can_be_written_and_nothing_else)
{
	char path[] = "/tmp/hg-sandbox-XXXXXX", aside[64];

	cr_assert(mkdtemp(path));
	store = path;
	cr_expect_eq(in_a_sandbox(try_store), 0);
	snprintf(aside, sizeof(aside), "%s/quarantine", path);
	rmdir(aside);
	cr_expect_eq(rmdir(path), 0, "%s", strerror(errno));
}

static int try_other_processes(int abi)
{
	char byte;
	struct iovec iov = { &byte, 1 };

	(void)abi;
	if (process_vm_readv(getppid(), &iov, 1, &iov, 1, 0) >= 0 || errno != EPERM)
		return 1;
#ifndef HEADGATE_ASAN
	if (execl("/bin/true", "true", NULL) >= 0 || (errno != EPERM && errno != EACCES))
		return 2;
#endif
	return 0;
}

Test(sandbox, no_program_can_be_started_and_no_process_read)
{
	cr_assert_eq(in_a_sandbox(try_other_processes), 0);
}
