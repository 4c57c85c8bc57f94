/* SPDX-License-Identifier: Apache-2.0 */
#include "master/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "common/channel.h"

enum { ARGS_MAX = 8, EXEC_FAILED = 71 };

int program_open(char *path, size_t cap, struct err *err)
{
	static const char name[] = "/headgate-worker";
	ssize_t n = readlink("/proc/self/exe", path, cap - sizeof(name));
	char *slash;
	int fd;

	/* Beside us first: all programs of one build belong together (the channel's messages and
	 * the packed configuration are the build's own), and in a build tree they lie in one
	 * folder. The package puts them in two, of which the first holds no worker. */
	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		memcpy(slash ? slash : path, name, sizeof(name));
	}
	if (n <= 0 || access(path, X_OK) < 0)
		snprintf(path, cap, "%s%s", HEADGATE_LIBEXEC, name);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "can't open the worker program %s", path);
	return fd;
}

int program_conf(const struct conf *conf, struct err *err)
{
	struct conf shown = *conf;
	autofree uint8_t *packed = NULL;
	size_t n;
	int fd;

	shown.tenants.dsn = "";
	shown.tenants.dsn_file.content = BYTES_NONE;
	if (conf_pack(&shown, &packed, &n, err) < 0)
		return -1;
	fd = sealed_memfd("headgate-conf", bytes_of(packed, n), err);
	explicit_bzero(packed, n); /* private keys, the brokers' password */
	return fd;
}

/* ---- as a tool ---- */

/* Between fork and exec: async-signal-safe calls only. Any of the three may have the number that
 * another is to get, the program too: from a shell the first free one is CHANNEL_FD. */
static void become_tool(int exe, char **argv, int conf_fd, int out)
{
	exe = fcntl(exe, F_DUPFD_CLOEXEC, CHANNEL_FD + 1);
	conf_fd = fcntl(conf_fd, F_DUPFD_CLOEXEC, CHANNEL_FD + 1);
	out = fcntl(out, F_DUPFD_CLOEXEC, CHANNEL_FD + 1);
	if (exe < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(conf_fd, CHANNEL_FD) < 0)
		_exit(EXEC_FAILED);
	fexecve(exe, argv, environ);
	_exit(EXEC_FAILED);
}

static int read_all(int fd, struct buf *out, struct err *err)
{
	char chunk[16 * KIB];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno != EINTR)
			return err_errno(err, "can't read what it says");
		if (n > 0)
			buf_add(out, chunk, (size_t)n);
	}
	return out->failed ? err_set(err, "it says too much") : 0;
}

static int run(int exe, char **argv, int conf_fd, struct buf *out, int *status, struct err *err)
{
	int fds[2], rc;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, "no pipe");
	pid = fork();
	if (pid == 0)
		become_tool(exe, argv, conf_fd, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return err_errno(err, "can't fork");
	}
	rc = read_all(fds[0], out, err);
	close(fds[0]);
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return err_errno(err, "can't wait for it");
	return rc;
}

int program_run(const struct conf *conf, const char *const *args, struct buf *out, int *status,
                struct err *err)
{
	char path[4096], *argv[ARGS_MAX] = { (char *)"headgate-worker" };
	autoclose int exe = program_open(path, sizeof(path), err);
	autoclose int conf_fd = exe < 0 ? -1 : program_conf(conf, err);

	for (unsigned i = 0; args[i]; i++) {
		assert(i + 2 < ARGS_MAX);
		argv[i + 1] = (char *)(uintptr_t)args[i];
	}
	if (conf_fd < 0)
		return -1;
	if (run(exe, argv, conf_fd, out, status, err) < 0)
		return err_prefix(err, "%s: ", path);
	if (*status && !out->n)
		return err_set(err, "%s says nothing, status %d", path, *status);
	return 0;
}
