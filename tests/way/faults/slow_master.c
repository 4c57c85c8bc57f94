/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slow_master.c -- a master that others keep from running just before it sends a worker its table
 * of tenants. Built twice, by 40-slow-master.sh: with -DMASTER and -DPRELOAD it is the master
 * program of the test, which runs the real one with the other; with -shared it is that other, a
 * library.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef MASTER
int main(int argc, char **argv)
{
	(void)argc;
	setenv("LD_PRELOAD", PRELOAD, 1);
	execv(MASTER, argv);
	return 1;
}
#else
#include "common/channel.h"

enum { SLOW_US = 300000 };

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
	uint32_t type = 0;

	/* A packet of the channel begins with its type. */
	if (msg->msg_iovlen == 2 && msg->msg_iov[0].iov_len >= sizeof(type))
		memcpy(&type, msg->msg_iov[0].iov_base, sizeof(type));
	if (type == MSG_TABLE)
		usleep(SLOW_US);
	return real(fd, msg, flags);
}
#endif
