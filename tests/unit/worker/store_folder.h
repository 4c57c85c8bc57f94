/* SPDX-License-Identifier: Apache-2.0 */
/* store_folder.h -- a folder of its own for each test of the store, gone at its end. */
#pragma once
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <utime.h>

#include "worker/store_dir.h"

static struct store_dir folder;

static void folder_new(struct store_dir *d)
{
	/* In memory where that can be had: what is synced here is not the point. */
	bool memory = access("/dev/shm", W_OK | X_OK) == 0;
	struct err err = { "" };
	char path[256];

	snprintf(path, sizeof(path), "%s/headgate-store.XXXXXX", memory ? "/dev/shm" : "/tmp");
	cr_assert(mkdtemp(path));
	cr_assert_eq(store_dir_open(d, path, &err), 0, "%s", err.text);
}

static void folder_empty(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (unlinkat(fd, e->d_name, 0) < 0) {
			folder_empty(fd, e->d_name);
			unlinkat(fd, e->d_name, AT_REMOVEDIR);
		}
	}
	closedir(dir);
}

static void folder_gone(struct store_dir *d)
{
	folder_empty(d->fd, ".");
	rmdir(d->path);
	store_dir_close(d);
}

static inline void folder_set_up(void)
{
	folder_new(&folder);
}

static inline void folder_tear_down(void)
{
	folder_gone(&folder);
}

/* The names in it, sorted, a blank between them; of one below it with "name/". */
static inline const char *folder_names(const struct store_dir *d, const char *below)
{
	static char text[4096];
	char path[600];
	struct dirent **all;
	int n;
	size_t at = 0;

	snprintf(path, sizeof(path), "%s/%s", d->path, below);
	n = scandir(path, &all, NULL, alphasort);
	text[0] = '\0';
	for (int i = 0; i < n; i++) {
		if (all[i]->d_name[0] != '.')
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at ? " " : "",
			                       all[i]->d_name);
		free(all[i]);
	}
	if (n >= 0)
		free(all);
	return text;
}

static inline void folder_write(const struct store_dir *d, const char *name, const char *content)
{
	int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
	close(fd);
}
