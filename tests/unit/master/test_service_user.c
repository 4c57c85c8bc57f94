/* SPDX-License-Identifier: Apache-2.0 */
#include "master/service_user.c"

#include <criterion/criterion.h>
#include <sys/wait.h>

static bool only_low_ports(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &head, sets) == 0 && sets[1].permitted == 0 &&
	       (sets[0].permitted & ~(1U << CAP_NET_BIND_SERVICE)) == 0 &&
	       sets[0].effective == sets[0].permitted;
}

/* In a process of its own, for there is no way back. */
static int status_of(int (*run)(void))
{
	int status = -1;
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (pid == 0)
		_exit(run());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int as_nobody(void)
{
	const struct passwd *user = getpwnam("nobody");
	struct err err = { "" };

	if (!user || become(user, &err) < 0)
		return 1;
	if (geteuid() != user->pw_uid || getegid() != user->pw_gid || setuid(0) == 0)
		return 2;
	if (!getenv("HOME") || strcmp(getenv("HOME"), user->pw_dir) != 0)
		return 4;
	return only_low_ports() ? 0 : 3;
}

Test(service_user, root_becomes_the_user_and_keeps_nothing_but_low_ports)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(status_of(as_nobody), 0);
}

static int stays(void)
{
	uid_t before = geteuid();
	struct err err = { "" };

	return service_user_become("headgate.yaml", &err) == 0 &&
	                       service_user_become("/etc/headgate.yaml", &err) == 0 &&
	                       geteuid() == before
	               ? 0
	               : 1;
}

Test(service_user, a_file_that_is_not_the_packages_is_read_as_who_asks)
{
	cr_assert_eq(status_of(stays), 0);
}
