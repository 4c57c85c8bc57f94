/* SPDX-License-Identifier: Apache-2.0 */
#include "master/program.c"

#include <criterion/criterion.h>
#include <sys/mman.h>

Test(program, it_does_not_learn_how_to_reach_the_database)
{
	struct conf *conf = conf_new(), *seen;
	struct bytes packed;
	struct err err = { "" };
	int fd;

	conf->tenants.dsn = "host=db password=hunter2";
	conf->tenants.dsn_file.content = BYTES("host=db password=hunter2");
	fd = program_conf(conf, &err);
	conf->tenants.dsn = ""; /* conf_free() wipes what these hold */
	conf->tenants.dsn_file.content = BYTES_NONE;
	cr_assert(fd >= 0 && sealed_map(fd, &packed, &err) == 0, "%s", err.text);
	cr_expect_null(memmem(packed.p, packed.n, "hunter2", 7));
	seen = conf_unpack(packed, &err);
	cr_expect_not_null(seen);
	conf_free(seen);
	conf_free(conf);
	munmap((void *)packed.p, packed.n);
	close(fd);
}

/* From a shell that has no more than three open. */
Test(program, it_may_have_the_number_of_its_channel)
{
	char text[64] = "";
	size_t n = 0;
	char *argv[] = { (char *)"echo", (char *)"--topics", (char *)"list", NULL };
	ssize_t got;
	int fds[2];
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		int out = fcntl(fds[1], F_DUPFD_CLOEXEC, CHANNEL_FD + 1);
		int conf_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, CHANNEL_FD + 1);

		become_tool(dup2(open("/bin/echo", O_PATH), CHANNEL_FD), argv, conf_fd, out);
	}
	close(fds[1]);
	while (n < sizeof(text) - 1 && (got = read(fds[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	cr_expect_str_eq(text, "--topics list\n");
}
