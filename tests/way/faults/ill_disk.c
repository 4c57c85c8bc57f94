/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ill_disk.c -- a disk that fails on demand, beneath SQLite in a worker. Built twice, by
 * 72-store-ill.sh: with -DWORKER and -DPRELOAD it is the worker program of the test, which runs the
 * real one with the other; with -shared it is that other, a library. While a file of one of these
 * names is in $ILL_DISK, for files of the store it is true that
 *
 *   sync    fsync and fdatasync fail with EIO
 *   stuck   they do not come back as long as it is there
 *   write   writes do
 *   short   half of a write is written, the rest does not fit
 *   full    nothing fits
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef WORKER
int main(int argc, char **argv)
{
	(void)argc;
	setenv("LD_PRELOAD", PRELOAD, 1);
	setenv("ILL_DISK", FOLDER, 1);
	execv(WORKER, argv);
	return 1;
}
#else
enum { STUCK_LOOK_US = 10000 };

static bool is_ill(const char *how, int fd)
{
	const char *folder = getenv("ILL_DISK");
	char path[512], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "", how);
	if (access(path, F_OK) < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return strstr(path, ".db") != NULL;
}

/* How many of the bytes can be written; -1 with errno: none. */
static ssize_t room(int fd, size_t n)
{
	if (is_ill("write", fd)) {
		errno = EIO;
		return -1;
	}
	if (is_ill("full", fd)) {
		errno = ENOSPC;
		return -1;
	}
	if (n > 100 && is_ill("short", fd))
		return (ssize_t)(n / 2);
	if (is_ill("short", fd)) {
		errno = ENOSPC;
		return -1;
	}
	return (ssize_t)n;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at);
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
	ssize_t fits = room(fd, n);

	return fits < 0 ? -1 : real(fd, p, (size_t)fits, at);
}

static int synced(int fd, const char *name)
{
	int (*real)(int) = dlsym(RTLD_NEXT, name);

	while (is_ill("stuck", fd))
		usleep(STUCK_LOOK_US);
	if (!is_ill("sync", fd))
		return real(fd);
	errno = EIO;
	return -1;
}

int fdatasync(int fd)
{
	return synced(fd, "fdatasync");
}

int fsync(int fd)
{
	return synced(fd, "fsync");
}
#endif
