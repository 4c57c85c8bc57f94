/* SPDX-License-Identifier: Apache-2.0 */
#include "master/service_user.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char package_folder[] = "/etc/headgate/";
static const char package_user[] = "headgate"; /* packaging/systemd/headgate.sysusers */

/* What the unit gives, as far as we had it. */
static int keep_low_ports(struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (syscall(SYS_capget, &head, sets) < 0)
		return err_errno(err, "can't read the capabilities");
	sets[0].permitted &= 1U << CAP_NET_BIND_SERVICE;
	sets[0].effective = sets[0].permitted;
	sets[0].inheritable = 0;
	sets[1] = (struct __user_cap_data_struct){ 0 };
	return syscall(SYS_capset, &head, sets) < 0 ? err_errno(err, "can't drop the capabilities")
	                                            : 0;
}

static int become(const struct passwd *user, struct err *err)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || initgroups(user->pw_name, user->pw_gid) < 0 ||
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return err_errno(err, "can't become the user %s, as whom the service reads",
		                 user->pw_name);
#ifdef HEADGATE_ASAN /* LeakSanitizer traces its own process at the end */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return err_errno(err, "can't be traced");
#endif
	/* As systemd sets it: libpq looks there for its files. */
	if (setenv("HOME", user->pw_dir, 1) < 0)
		return err_errno(err, "can't set HOME");
	return keep_low_ports(err);
}

int service_user_become(const char *file, struct err *err)
{
	const struct passwd *user;

	if (geteuid() != 0 || strncmp(file, package_folder, sizeof(package_folder) - 1) != 0)
		return 0;
	user = getpwnam(package_user); /* start-up world: one thread */
	return user ? become(user, err) : 0;
}
