/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/worker_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include "common/buf.h"
#include "common/channel.h"
#include "conf/yaml.h"

enum { ARGS_MAX = 8, SAID_MAX = 4 * MIB, EXEC_FAILED = 71 };

/* Beside us first: both programs of one build belong together (the packed configuration is the
 * build's own), and in a build tree they lie in one folder. */
static void find_program(char *path, size_t cap)
{
	static const char name[] = "/headgate-worker";
	ssize_t n = readlink("/proc/self/exe", path, cap - sizeof(name));
	char *slash;

	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		memcpy(slash ? slash : path, name, sizeof(name));
	}
	if (n <= 0 || access(path, X_OK) < 0)
		snprintf(path, cap, "%s%s", HEADGATE_LIBEXEC, name);
}

/* The configuration with what its files hold; ctl_conf() reads none of them. */
static struct conf *load_full(const struct ctl *c, int *code)
{
	const struct conf_load_in in = { .file = ctl_conf_path(c) };
	struct conf_report report;
	struct conf *conf;

	conf_report_init(&report);
	conf = conf_load(&in, &report);
	if (!conf) {
		fwrite(report.text.p, 1, report.text.n, stderr);
		*code = EX_CONFIG;
		if (!c->conf_file)
			ctl_error("say which configuration the gateway has: -c FILE");
	}
	conf_report_done(&report);
	return conf;
}

static int packed_fd(const struct conf *conf, struct err *err)
{
	uint8_t *packed;
	size_t n;
	int fd;

	if (conf_pack(conf, &packed, &n, err) < 0)
		return -1;
	fd = sealed_memfd("headgate-conf", bytes_of(packed, n), err);
	explicit_bzero(packed, n); /* it may hold the brokers' password */
	free(packed);
	return fd;
}

/* Between fork and exec: async-signal-safe calls only. */
static void become_tool(const char *path, char *const *argv, int conf_fd, int out)
{
	if (dup2(out, STDOUT_FILENO) < 0 || (conf_fd == CHANNEL_FD ? fcntl(conf_fd, F_SETFD, 0) < 0
	                                                           : dup2(conf_fd, CHANNEL_FD) < 0))
		_exit(EXEC_FAILED);
	execv(path, argv);
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

/* 0 or -1; *status as waitpid() has it. */
static int run(const char *path, char *const *argv, int conf_fd, struct buf *out, int *status,
               struct err *err)
{
	int fds[2], rc;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, "no pipe");
	pid = fork();
	if (pid == 0)
		become_tool(path, argv, conf_fd, fds[1]);
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

/* Lines of JSON to an array; an {"error"} among them is said, and all there is. */
static json_t *take_lines(const struct buf *said, int *code)
{
	json_t *all = json_array();
	struct bytes rest = buf_view(said);

	while (rest.n) {
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;
		json_t *o = json_loadb((const char *)rest.p, n, 0, NULL);
		const char *error = o ? json_string_value(json_object_get(o, "error")) : NULL;

		rest = bytes_from(rest, n + 1);
		if (o && !(error && !json_object_get(o, "topic"))) {
			json_array_append_new(all, o);
			continue;
		}
		if (error)
			ctl_error("%s", error);
		else
			*code = ctl_fail(EX_SOFTWARE, "headgate-worker says no JSON");
		json_decref(o);
		json_decref(all);
		return NULL;
	}
	return all;
}

static json_t *run_with(const struct conf *conf, const char *const *argv, int *code)
{
	char path[PATH_MAX];
	char *args[ARGS_MAX] = { (char *)"headgate-worker" };
	struct err err = { "" };
	autoclose int fd = packed_fd(conf, &err);
	json_t *all = NULL;
	struct buf said;
	int status = 0;

	for (unsigned i = 0; argv[i]; i++) {
		assert(i + 2 < ARGS_MAX);
		args[i + 1] = (char *)(uintptr_t)argv[i];
	}
	find_program(path, sizeof(path));
	buf_init(&said, SAID_MAX);
	if (fd < 0 || run(path, args, fd, &said, &status, &err) < 0) {
		*code = ctl_fail(EX_OSERR, "%s: %s", path, err.text);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == EXEC_FAILED && !said.n) {
		*code = ctl_fail(EX_OSERR, "can't run %s", path);
	} else if (!WIFEXITED(status)) {
		*code = ctl_fail(EX_SOFTWARE, "%s ended by signal %d", path, WTERMSIG(status));
	} else {
		*code = WEXITSTATUS(status);
		all = take_lines(&said, code);
		if (!all && !*code)
			*code = EX_SOFTWARE;
	}
	buf_done(&said);
	return all;
}

json_t *worker_tool_run(struct ctl *c, const char *const *argv, bool full, int *code)
{
	struct conf *own = full ? load_full(c, code) : NULL;
	const struct conf *conf = full ? own : ctl_conf(c, code);
	json_t *all = conf ? run_with(conf, argv, code) : NULL;

	conf_free(own);
	return all;
}

json_t *worker_tool_defaults(const char *const *argv, int *code)
{
	struct conf *conf = conf_new();
	json_t *all = run_with(conf, argv, code);

	conf_free(conf);
	return all;
}
