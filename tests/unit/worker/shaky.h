/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shaky.h -- a VFS between SQLite and the disk, for tests of the store: the n-th call fails, once
 * or from then on; or the power goes at the n-th call, and of what was never synced some is on the
 * disk, some is torn at a sector, and some is not there. Names of files are durable at once (the
 * store syncs its folder by itself).
 */
#pragma once
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/bytes.h"

enum { SHAKY_FILES = 16, SHAKY_SECTOR = 512 };

struct shaky_change { /* not synced yet; n < 0: the file was cut at offset */
	struct shaky_change *next;
	sqlite3_int64 offset;
	int n;
	uint8_t data[];
};

struct shaky_disk { /* a file as it would be found after a power cut, by name */
	char path[512];
	uint8_t *data;
	size_t n, cap;
	struct shaky_change *first, **last;
};

struct shaky_file {
	sqlite3_file base;
	struct shaky_disk *disk;
	sqlite3_file *real; /* behind us in memory */
};

static struct {
	sqlite3_vfs vfs, *real;
	unsigned calls, fail_at; /* 0: none fails */
	int code;
	bool forever; /* all calls from there on */
	bool is_short; /* half of a failed write is written */
	bool only_syncs, no_reads; /* which calls count */
	unsigned syncs, writes; /* so many were asked for in all */
	struct shaky_disk disks[SHAKY_FILES];
	unsigned disk_count;
} shaky;

static bool shaky_fails(void)
{
	unsigned call = ++shaky.calls;

	return shaky.fail_at && (call == shaky.fail_at || (shaky.forever && call > shaky.fail_at));
}

static sqlite3_file *shaky_real(sqlite3_file *f)
{
	return ((struct shaky_file *)f)->real;
}

/* ---- the disk beneath ---- */

static struct shaky_disk *shaky_disk(const char *path)
{
	struct shaky_disk *d;

	for (unsigned i = 0; i < shaky.disk_count; i++) {
		if (strcmp(shaky.disks[i].path, path) == 0)
			return &shaky.disks[i];
	}
	cr_assert_lt(shaky.disk_count, (unsigned)SHAKY_FILES);
	d = &shaky.disks[shaky.disk_count++];
	snprintf(d->path, sizeof(d->path), "%s", path);
	d->last = &d->first;
	return d;
}

static void shaky_note(struct shaky_disk *d, const void *p, int n, sqlite3_int64 offset)
{
	struct shaky_change *c = malloc(sizeof(*c) + (n > 0 ? (size_t)n : 0));

	c->next = NULL;
	c->offset = offset;
	c->n = n;
	if (n > 0)
		memcpy(c->data, p, (size_t)n);
	*d->last = c;
	d->last = &c->next;
}

static void shaky_apply(struct shaky_disk *d, const struct shaky_change *c, int from, int to)
{
	size_t end = (size_t)c->offset + (c->n > 0 ? (size_t)to : 0);

	if (c->n < 0 || end > d->n) {
		if (end >= d->cap)
			d->data = realloc(d->data, d->cap = 2 * end + 1);
		if (end > d->n)
			memset(d->data + d->n, 0, end - d->n);
		d->n = end;
	}
	if (c->n > 0)
		memcpy(d->data + c->offset + from, c->data + from, (size_t)(to - from));
}

static void shaky_forget(struct shaky_disk *d)
{
	for (struct shaky_change *c = d->first, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	d->first = NULL;
	d->last = &d->first;
}

static void shaky_synced(struct shaky_disk *d)
{
	for (struct shaky_change *c = d->first; c; c = c->next)
		shaky_apply(d, c, 0, c->n);
	shaky_forget(d);
}

/* The power is back: what is found of each file, in `folder`. */
static inline void shaky_power_cut(const char *folder, unsigned seed)
{
	for (unsigned i = 0; i < shaky.disk_count; i++) {
		struct shaky_disk *d = &shaky.disks[i];
		char path[600];
		int fd;

		for (struct shaky_change *c = d->first; c; c = c->next) {
			int sectors = c->n / SHAKY_SECTOR, torn;

			switch (rand_r(&seed) % 4) {
			case 0: /* lost */
				break;
			case 1: /* torn, from either end */
				torn = sectors ? rand_r(&seed) % sectors * SHAKY_SECTOR : 0;
				if (rand_r(&seed) % 2)
					shaky_apply(d, c, torn, c->n);
				else if (torn)
					shaky_apply(d, c, 0, torn);
				break;
			default:
				shaky_apply(d, c, 0, c->n);
			}
		}
		snprintf(path, sizeof(path), "%s/%s", folder, strrchr(d->path, '/') + 1);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		cr_assert(fd >= 0 && write(fd, d->data, d->n) == (ssize_t)d->n);
		close(fd);
	}
}

static void shaky_clear(void)
{
	for (unsigned i = 0; i < shaky.disk_count; i++) {
		shaky_forget(&shaky.disks[i]);
		free(shaky.disks[i].data);
		shaky.disks[i] = (struct shaky_disk){ 0 };
	}
	shaky.disk_count = 0;
	shaky.calls = shaky.fail_at = shaky.syncs = shaky.writes = 0;
	shaky.forever = shaky.is_short = shaky.only_syncs = shaky.no_reads = false;
	shaky.code = SQLITE_IOERR;
}

/* ---- the methods that may fail ---- */

static int shaky_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 offset)
{
	struct shaky_disk *d = ((struct shaky_file *)f)->disk;

	shaky.writes++;
	if (!shaky.only_syncs && shaky_fails()) {
		if (shaky.is_short)
			shaky_real(f)->pMethods->xWrite(shaky_real(f), p, n / 2, offset);
		return shaky.code == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	}
	shaky_note(d, p, n, offset);
	return shaky_real(f)->pMethods->xWrite(shaky_real(f), p, n, offset);
}

static int shaky_truncate(sqlite3_file *f, sqlite3_int64 n)
{
	if (!shaky.only_syncs && shaky_fails())
		return SQLITE_IOERR_TRUNCATE;
	shaky_note(((struct shaky_file *)f)->disk, NULL, -1, n);
	return shaky_real(f)->pMethods->xTruncate(shaky_real(f), n);
}

static int shaky_sync(sqlite3_file *f, int flags)
{
	(void)flags; /* the disk beneath is memory: nothing waits for a real one */
	shaky.syncs++;
	if (shaky_fails())
		return SQLITE_IOERR_FSYNC;
	shaky_synced(((struct shaky_file *)f)->disk);
	return SQLITE_OK;
}

static int shaky_read(sqlite3_file *f, void *p, int n, sqlite3_int64 offset)
{
	if (!shaky.only_syncs && !shaky.no_reads && shaky_fails())
		return SQLITE_IOERR_READ;
	return shaky_real(f)->pMethods->xRead(shaky_real(f), p, n, offset);
}

/* ---- those that never do ---- */

static int shaky_close(sqlite3_file *f)
{
	return shaky_real(f)->pMethods->xClose(shaky_real(f));
}
static int shaky_size(sqlite3_file *f, sqlite3_int64 *n)
{
	return shaky_real(f)->pMethods->xFileSize(shaky_real(f), n);
}
static int shaky_lock(sqlite3_file *f, int level)
{
	return shaky_real(f)->pMethods->xLock(shaky_real(f), level);
}
static int shaky_unlock(sqlite3_file *f, int level)
{
	return shaky_real(f)->pMethods->xUnlock(shaky_real(f), level);
}
static int shaky_reserved(sqlite3_file *f, int *is)
{
	return shaky_real(f)->pMethods->xCheckReservedLock(shaky_real(f), is);
}
static int shaky_control(sqlite3_file *f, int op, void *arg)
{
	return shaky_real(f)->pMethods->xFileControl(shaky_real(f), op, arg);
}
static int shaky_sector(sqlite3_file *f)
{
	return shaky_real(f)->pMethods->xSectorSize(shaky_real(f));
}
static int shaky_traits(sqlite3_file *f)
{
	return shaky_real(f)->pMethods->xDeviceCharacteristics(shaky_real(f));
}
static int shaky_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **p)
{
	return shaky_real(f)->pMethods->xShmMap(shaky_real(f), page, size, extend, p);
}
static int shaky_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return shaky_real(f)->pMethods->xShmLock(shaky_real(f), offset, n, flags);
}
static void shaky_shm_barrier(sqlite3_file *f)
{
	shaky_real(f)->pMethods->xShmBarrier(shaky_real(f));
}
static int shaky_shm_unmap(sqlite3_file *f, int remove)
{
	return shaky_real(f)->pMethods->xShmUnmap(shaky_real(f), remove);
}

static const sqlite3_io_methods shaky_methods = {
	.iVersion = 2,
	.xClose = shaky_close,
	.xRead = shaky_read,
	.xWrite = shaky_write,
	.xTruncate = shaky_truncate,
	.xSync = shaky_sync,
	.xFileSize = shaky_size,
	.xLock = shaky_lock,
	.xUnlock = shaky_unlock,
	.xCheckReservedLock = shaky_reserved,
	.xFileControl = shaky_control,
	.xSectorSize = shaky_sector,
	.xDeviceCharacteristics = shaky_traits,
	.xShmMap = shaky_shm_map,
	.xShmLock = shaky_shm_lock,
	.xShmBarrier = shaky_shm_barrier,
	.xShmUnmap = shaky_shm_unmap,
};

static int shaky_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                      int *out)
{
	struct shaky_file *f = (struct shaky_file *)file;
	int rc;

	(void)vfs;
	f->base.pMethods = NULL;
	f->real = (sqlite3_file *)(f + 1);
	if (!shaky.only_syncs && shaky_fails())
		return SQLITE_CANTOPEN;
	rc = shaky.real->xOpen(shaky.real, name, f->real, flags, out);
	if (rc != SQLITE_OK)
		return rc;
	f->disk = shaky_disk(name);
	f->base.pMethods = &shaky_methods;
	return SQLITE_OK;
}

static int shaky_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct shaky_disk *d = shaky_disk(name);

	(void)vfs;
	if (!shaky.only_syncs && shaky_fails())
		return SQLITE_IOERR_DELETE;
	shaky_forget(d);
	d->n = 0; /* found empty, which for a journal is as good as gone */
	return shaky.real->xDelete(shaky.real, name, sync);
}

/* Every connection from here on goes through it. */
static void shaky_install(void)
{
	if (!shaky.real) {
		shaky.real = sqlite3_vfs_find("unix");
		shaky.vfs = *shaky.real;
		shaky.vfs.iVersion = 1;
		shaky.vfs.zName = "shaky";
		shaky.vfs.szOsFile = (int)sizeof(struct shaky_file) + shaky.real->szOsFile;
		shaky.vfs.xOpen = shaky_open;
		shaky.vfs.xDelete = shaky_delete;
	}
	shaky_clear();
	cr_assert_eq(sqlite3_vfs_register(&shaky.vfs, 1), SQLITE_OK);
}

static void shaky_remove(void)
{
	cr_assert_eq(sqlite3_vfs_register(shaky.real, 1), SQLITE_OK);
	shaky_clear();
}
