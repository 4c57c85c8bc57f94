/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
	FILE_MODE = 0640, /* group headgate may read */
	FOLDER_MODE = 0750,
	BLOCK_BYTES = 512, /* unit of st_blocks, whatever the file system's is */
	CLAIMS_MAX = 1000, /* others claim at the same time; so many never do */
};

static const char *const suffixes[STORE_SUFFIX_COUNT] = {
	[STORE_DB] = STORE_DB_SUFFIX,         [STORE_WAL] = STORE_DB_SUFFIX "-wal",
	[STORE_SHM] = STORE_DB_SUFFIX "-shm", [STORE_JOURNAL] = STORE_DB_SUFFIX "-journal",
	[STORE_LOCK] = STORE_LOCK_SUFFIX,
};

int store_dir_open(struct store_dir *d, const char *path, struct err *err)
{
	size_t n = strlen(path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, "can't open the store's folder %s", path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	d->path = xstrndup(path, n);
	d->fd = fd;
	return 0;
}

void store_dir_close(struct store_dir *d)
{
	close(take_fd(&d->fd));
	free(d->path);
	d->path = NULL;
}

int store_dir_sync(const struct store_dir *d, struct err *err)
{
	return fsync(d->fd) == 0 ? 0 : err_errno(err, "can't sync the folder %s", d->path);
}

void store_name(char out[static STORE_NAME_BYTES], uint32_t number, enum store_suffix suffix)
{
	snprintf(out, STORE_NAME_BYTES, "%0*u%s", (int)STORE_NUMBER_DIGITS, (unsigned)number,
	         suffixes[suffix]);
}

/* False for what is none of ours. */
static bool parse_name(const char *name, uint32_t *number, enum store_suffix *suffix)
{
	uint64_t n;

	if (strlen(name) <= STORE_NUMBER_DIGITS ||
	    !bytes_to_u64(bytes_of(name, STORE_NUMBER_DIGITS), STORE_NUMBER_MAX, &n))
		return false;
	for (enum store_suffix s = STORE_DB; s < STORE_SUFFIX_COUNT; s++) {
		if (strcmp(name + STORE_NUMBER_DIGITS, suffixes[s]) != 0)
			continue;
		*number = (uint32_t)n;
		*suffix = s;
		return true;
	}
	return false;
}

/* ---- what lies there ---- */

struct found { /* one name */
	uint32_t number;
	enum store_suffix suffix;
	uint64_t bytes, length;
	int64_t changed_s, made_s;
};
struct finds {
	struct found *v;
	size_t n, cap;
};

static int look(struct finds *all, int fd, const char *name)
{
	struct found f;
	struct statx st;

	if (!parse_name(name, &f.number, &f.suffix))
		return 0;
	if (statx(fd, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return errno == ENOENT ? 0 : -1; /* gone between two calls */
	f.bytes = st.stx_blocks * BLOCK_BYTES;
	f.length = st.stx_size;
	f.changed_s = st.stx_mtime.tv_sec;
	f.made_s = st.stx_mask & STATX_BTIME ? st.stx_btime.tv_sec : f.changed_s;
	if (all->n == all->cap) {
		all->cap = all->cap ? all->cap * 2 : 64;
		all->v = xrealloc(all->v, all->cap, sizeof(*all->v));
	}
	all->v[all->n++] = f;
	return 0;
}

/* A folder that is not there has nothing in it. */
static int list(int at, const char *name, struct finds *all)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int rc;

	if (!dir) {
		close_fd_(&fd);
		return errno == ENOENT ? 0 : -1;
	}
	do {
		errno = 0;
		e = readdir(dir);
		rc = e ? look(all, fd, e->d_name) : errno ? -1 : 0;
	} while (e && rc == 0);
	closedir(dir);
	return rc;
}

static int by_number(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static void merge(const struct finds *all, struct store_scan *out)
{
	out->entries = xcalloc(all->n + 1, sizeof(*out->entries));
	for (size_t i = 0; i < all->n; i++) {
		const struct found *f = &all->v[i];
		struct store_entry *e = &out->entries[out->count - (out->count > 0)];

		if (out->count == 0 || e->number != f->number) {
			e = &out->entries[out->count++];
			e->number = f->number;
			e->made_s = INT64_MAX;
		}
		e->has[f->suffix] = true;
		e->bytes += f->bytes;
		if (f->suffix == STORE_WAL)
			e->wal_bytes = f->length;
		if (f->suffix == STORE_DB || f->suffix == STORE_WAL) {
			if (f->changed_s > e->changed_s)
				e->changed_s = f->changed_s;
		}
		if (f->made_s < e->made_s)
			e->made_s = f->made_s;
	}
}

static void sum(struct store_scan *out)
{
	for (size_t i = 0; i < out->count; i++) {
		const struct store_entry *e = &out->entries[i];

		out->bytes += e->bytes;
		if (e->has[STORE_LOCK])
			out->reserved += e->wal_bytes;
		if (e->number > out->greatest)
			out->greatest = e->number;
	}
}

int store_scan(const struct store_dir *d, struct store_scan *out, struct err *err)
{
	struct finds all = { 0 }, aside = { 0 };
	struct statvfs fs;
	int rc = 0;

	*out = (struct store_scan){ 0 };
	if (list(d->fd, ".", &all) < 0 || list(d->fd, STORE_QUARANTINE, &aside) < 0 ||
	    list(d->fd, STORE_DEAD, &aside) < 0)
		rc = err_errno(err, "can't list the folder %s", d->path);
	else if (fstatvfs(d->fd, &fs) < 0)
		rc = err_errno(err, "can't tell how much space is free in %s", d->path);
	if (rc == 0) {
		if (all.n)
			qsort(all.v, all.n, sizeof(*all.v), by_number);
		merge(&all, out);
		sum(out);
		out->disk_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
		out->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
		for (size_t i = 0; i < aside.n; i++) {
			out->bytes += aside.v[i].bytes;
			if (aside.v[i].number > out->greatest)
				out->greatest = aside.v[i].number;
		}
	}
	free(all.v);
	free(aside.v);
	return rc;
}

void store_scan_done(struct store_scan *scan)
{
	free(scan->entries);
	scan->entries = NULL;
}

/* ---- locks ---- */

/* The lock is ours, and its name still leads to it. */
static bool hold(const struct store_dir *d, struct store_lock *lock)
{
	return flock(lock->fd, LOCK_EX | LOCK_NB) == 0 && store_lock_is_good(d, lock);
}

/* 0: ours; 1: somebody was faster; -1 */
static int claim(const struct store_dir *d, uint32_t number, struct store_lock *lock,
                 struct err *err)
{
	char name[STORE_NAME_BYTES];
	int fd;

	store_name(name, number, STORE_LOCK);
	fd = openat(d->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return errno == EEXIST ? 1 : err_errno(err, "can't make %s/%s", d->path, name);
	*lock = (struct store_lock){ .number = number, .fd = fd };
	/* Between the two calls somebody who cleans up may have taken it for a dead one's. */
	if (!hold(d, lock)) {
		store_lock_drop(lock);
		return 1;
	}
	/* Or the number came, went through a whole life and left its file since we looked. What
	 * can't be told is taken for a file: who makes one removes it when that fails. */
	store_name(name, number, STORE_DB);
	if (faccessat(d->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
		return store_lock_end(d, lock, err) < 0 ? -1 : 1;
	return 0;
}

int store_claim(const struct store_dir *d, struct store_lock *lock, struct err *err)
{
	struct store_scan scan;
	int rc = 1;

	*lock = (struct store_lock){ .fd = -1 };
	if (store_scan(d, &scan, err) < 0)
		return -1;
	store_scan_done(&scan);
	for (unsigned i = 1; rc > 0; i++) {
		if (i > CLAIMS_MAX || scan.greatest > STORE_NUMBER_MAX - i)
			return err_set(err, "no number is free in %s", d->path);
		rc = claim(d, scan.greatest + i, lock, err);
	}
	return rc;
}

bool store_take_over(const struct store_dir *d, uint32_t number, struct store_lock *lock)
{
	char name[STORE_NAME_BYTES];
	struct stat st;

	store_name(name, number, STORE_LOCK);
	*lock = (struct store_lock){ .number = number,
		                     .fd = openat(d->fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW) };
	if (lock->fd < 0)
		return false;
	if (!hold(d, lock) || fstat(lock->fd, &st) < 0) {
		store_lock_drop(lock);
		return false;
	}
	lock->used = st.st_size > 0;
	return true;
}

bool store_relock(const struct store_dir *d, uint32_t number, struct store_lock *lock)
{
	char name[STORE_NAME_BYTES];
	uint64_t bytes;

	store_name(name, number, STORE_LOCK);
	*lock = (struct store_lock){
		.number = number,
		.fd = openat(d->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE)
	};
	if (lock->fd < 0)
		return false;
	if (hold(d, lock) && store_has(d, number, STORE_DB, &bytes))
		return true;
	/* Its last row was done with since we looked: what is here is a name without a file. */
	if (store_lock_is_good(d, lock))
		unlinkat(d->fd, name, 0);
	store_lock_drop(lock);
	return false;
}

bool store_lock_is_good(const struct store_dir *d, const struct store_lock *lock)
{
	char name[STORE_NAME_BYTES];
	struct stat ours, there;

	store_name(name, lock->number, STORE_LOCK);
	return fstat(lock->fd, &ours) == 0 &&
	       fstatat(d->fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int store_lock_mark_used(struct store_lock *lock, struct err *err)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (pwrite(lock->fd, text, (size_t)n, 0) != n)
		return err_errno(err, "can't write into a lock file");
	lock->used = true;
	return 0;
}

int store_lock_end(const struct store_dir *d, struct store_lock *lock, struct err *err)
{
	char name[STORE_NAME_BYTES];
	int rc = 0;

	store_name(name, lock->number, STORE_LOCK);
	/* Not another's, who took the name after it was taken from us. */
	if (store_lock_is_good(d, lock) && unlinkat(d->fd, name, 0) < 0)
		rc = err_errno(err, "can't remove %s/%s", d->path, name);
	store_lock_drop(lock);
	return rc < 0 ? -1 : store_dir_sync(d, err);
}

void store_lock_drop(struct store_lock *lock)
{
	close(take_fd(&lock->fd));
}

int store_touch(const struct store_dir *d, uint32_t number, struct err *err)
{
	char name[STORE_NAME_BYTES];
	autoclose int fd = -1;

	store_name(name, number, STORE_DB);
	fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	/* The unit's umask would leave 0600. */
	if (fd < 0 || fchmod(fd, FILE_MODE) < 0)
		return err_errno(err, "can't make %s/%s", d->path, name);
	return 0;
}

bool store_has(const struct store_dir *d, uint32_t number, enum store_suffix suffix,
               uint64_t *bytes)
{
	char name[STORE_NAME_BYTES];
	struct stat st;

	store_name(name, number, suffix);
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*bytes = (uint64_t)st.st_size;
	return true;
}

/* ---- how files leave ---- */

int store_remove(const struct store_dir *d, uint32_t number, struct err *err)
{
	char name[STORE_NAME_BYTES];

	for (enum store_suffix s = STORE_DB; s < STORE_SUFFIX_COUNT; s++) {
		store_name(name, number, s);
		if (unlinkat(d->fd, name, 0) < 0 && errno != ENOENT)
			return err_errno(err, "can't remove %s/%s", d->path, name);
	}
	return store_dir_sync(d, err);
}

int store_sweep(const struct store_dir *d, uint32_t number, struct err *err)
{
	struct store_lock lock;
	int rc = claim(d, number, &lock, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = store_remove(d, number, err);
	store_lock_drop(&lock);
	return rc;
}

int store_quarantine(const struct store_dir *d, uint32_t number, struct err *err)
{
	char name[STORE_NAME_BYTES];
	autoclose int aside = -1;

	if (mkdirat(d->fd, STORE_QUARANTINE, FOLDER_MODE) < 0 && errno != EEXIST)
		return err_errno(err, "can't make %s/%s", d->path, STORE_QUARANTINE);
	aside = openat(d->fd, STORE_QUARANTINE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (aside < 0)
		return err_errno(err, "can't open %s/%s", d->path, STORE_QUARANTINE);
	/* The .db last: a lock without one tells of a removal that somebody began, and what is left
	 * goes. */
	for (enum store_suffix s = STORE_LOCK; s-- > STORE_DB;) {
		store_name(name, number, s);
		if (renameat(d->fd, name, aside, name) < 0 && errno != ENOENT)
			return err_errno(err, "can't move %s/%s to %s", d->path, name,
			                 STORE_QUARANTINE);
	}
	store_name(name, number, STORE_LOCK);
	if (unlinkat(d->fd, name, 0) < 0 && errno != ENOENT)
		return err_errno(err, "can't remove %s/%s", d->path, name);
	if (fsync(aside) < 0)
		return err_errno(err, "can't sync %s/%s", d->path, STORE_QUARANTINE);
	return store_dir_sync(d, err);
}
