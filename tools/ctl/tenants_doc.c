/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/tenants_doc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include "master/tenants_yaml.h"
#include "tools/ctl/yaml_out.h"

enum { FILE_MAX = 64 * MIB, MODE_NEW = 0600 };
/* Whoever may read the folder may hold its lock: nobody waits for that for ever. */
enum { LOCK_EACH_MS = 20, LOCK_TRIES = 30000 / LOCK_EACH_MS };

/* ---- reading ---- */

/* "PATH:4:30: error: what" for each; no excerpts: a line may hold what is secret. with_place false:
 * the text was never a file, a place in it would tell nobody anything. */
static void say_errors(struct report *r, const char *path, bool with_place)
{
	size_t prefix = strlen(path);
	struct buf text;
	char *line, *rest, *what;

	buf_init(&text, MIB);
	report_text(r, "refused", &text);
	buf_char(&text, '\0');
	rest = text.p;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, path, prefix) != 0 || line[prefix] != ':')
			continue;
		what = strstr(line + prefix, ": error: ");
		if (with_place || !what)
			fprintf(stderr, "%s\n", line);
		else
			ctl_error("refused: %s", what + strlen(": error: "));
	}
	buf_done(&text);
}

/* The master's own reader, so that nothing it would refuse is ever put in place. */
static bool is_sound(const char *path, struct bytes text, bool with_place)
{
	struct report *r = report_new();
	struct tenants_yaml rows;
	bool sound;

	tenants_yaml_parse(r, path, text, &rows);
	sound = report_errors(r) == 0;
	if (!sound)
		say_errors(r, path, with_place);
	tenants_yaml_done(&rows);
	report_free(r);
	return sound;
}

static int cant(const struct tenants_doc *d, const char *what)
{
	int code = errno == EACCES || errno == EPERM ? EX_NOPERM : EX_OSERR;

	return ctl_fail(code, "%s: %s: %m%s", d->path, what,
	                code == EX_NOPERM ? " (who may change tenants: the owner of this file)"
	                                  : "");
}

static int take_text(struct tenants_doc *d, int fd, bool to_write)
{
	size_t n = 0, cap = (size_t)d->st.st_size + 1;
	autofree char *text = xcalloc(cap, 1);
	ssize_t got;

	if (!S_ISREG(d->st.st_mode) || d->st.st_size > FILE_MAX)
		return ctl_fail(EX_CONFIG, "%s: no regular file, or larger than %d MiB", d->path,
		                FILE_MAX / MIB);
	if (to_write && (d->st.st_mode & S_IRWXO))
		return ctl_fail(
			EX_CONFIG,
			"%s: open to others (mode %04o), the gateway refuses it: chmod o= %s",
			d->path, (unsigned)(d->st.st_mode & 07777), d->path);
	while (n < cap && (got = read(fd, text + n, cap - n)) != 0) {
		if (got < 0 && errno != EINTR)
			return cant(d, "can't read");
		n += got > 0 ? (size_t)got : 0;
	}
	if (n == cap)
		return ctl_fail(EX_TEMPFAIL, "%s: it grew while it was read; try again", d->path);
	if (!is_sound(d->path, bytes_of(text, n), true))
		return ctl_fail(EX_CONFIG, "%s has errors, mend them first", d->path);
	d->had_comments = has_comment(bytes_of(text, n));
	d->root = tenants_from_yaml(d->path, bytes_of(text, n));
	assert(d->root);
	return 0;
}

static int lock_folder(struct tenants_doc *d)
{
	const char *slash = strrchr(d->path, '/');
	const struct timespec pause = { 0, LOCK_EACH_MS * 1000000L };
	autofree char *folder =
		slash ? xstrndup(d->path, (size_t)(slash - d->path) + 1) : xstrdup(".");

	d->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->folder < 0)
		return cant(d, "can't open its folder");
	for (int tries = 0; flock(d->folder, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return cant(d, "can't lock its folder");
		if (tries == LOCK_TRIES)
			return ctl_fail(EX_TEMPFAIL,
			                "%s: somebody holds the lock of its folder; try again",
			                d->path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

int tenants_doc_open(struct tenants_doc *d, const char *path, bool to_write)
{
	char whole[PATH_MAX];
	autoclose int fd = -1;
	int code;

	*d = (struct tenants_doc){ .path = xstrdup(realpath(path, whole) ? whole : path),
		                   .folder = -1 };
	code = to_write ? lock_folder(d) : 0;
	if (code)
		return code;
	fd = open(d->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, &d->st) == 0)
		return take_text(d, fd, to_write);
	if (errno != ENOENT || !to_write)
		return cant(d, "can't open");
	d->is_new = true;
	d->root = json_pack("{s:s,s:[]}", "version", "1", "tenants");
	return 0;
}

void tenants_doc_close(struct tenants_doc *d)
{
	close_fd_(&d->folder);
	json_decref(d->root);
	free(d->path);
}

/* ---- writing ---- */

static int write_all(int fd, struct bytes b)
{
	while (b.n) {
		ssize_t n = write(fd, b.p, b.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		b = bytes_from(b, (size_t)n);
	}
	return 0;
}

static int put_in_place(struct tenants_doc *d, struct bytes text, const char *fresh, int fd)
{
	/* Set even if it is the same: who may read it must not change with who writes it. */
	if (!d->is_new && ((d->st.st_uid != geteuid() || d->st.st_gid != getegid()) &&
	                   fchown(fd, d->st.st_uid, d->st.st_gid) < 0))
		return cant(d, "can't keep its owner, nothing was changed");
	if (fchmod(fd, d->is_new ? MODE_NEW : d->st.st_mode & 07777) < 0 ||
	    write_all(fd, text) < 0 || fsync(fd) < 0)
		return cant(d, "can't write beside it, nothing was changed");
	if (rename(fresh, d->path) < 0)
		return cant(d, "can't replace it, nothing was changed");
	if (fsync(d->folder) < 0)
		return cant(d, "it was replaced, but is not on disk for sure");
	return 0;
}

int tenants_doc_replace(const struct ctl *c, struct tenants_doc *d)
{
	char fresh[PATH_MAX + 16];
	autoclose int fd = -1;
	struct buf text;
	int code;

	buf_init(&text, FILE_MAX);
	tenants_to_yaml(d->root, &text);
	if (text.failed) {
		code = ctl_fail(EXIT_NEGATIVE, "%s would be larger than %d MiB", d->path,
		                FILE_MAX / MIB);
	} else if (!is_sound(d->path, buf_view(&text), false)) {
		code = ctl_fail(EXIT_NEGATIVE, "%s: nothing was changed", d->path);
	} else {
		snprintf(fresh, sizeof(fresh), "%s.XXXXXX", d->path);
		fd = mkostemp(fresh, O_CLOEXEC);
		code = fd < 0 ? cant(d, "can't write beside it")
		              : put_in_place(d, buf_view(&text), fresh, fd);
		if (code && fd >= 0)
			unlink(fresh); /* after a rename there is nothing of that name */
	}
	buf_done(&text);
	if (!code && d->is_new)
		ctl_note(c, "%s: made, mode 0600: the gateway must be able to read it", d->path);
	if (!code && d->had_comments)
		ctl_note(c, "%s: its comments are lost", d->path);
	return code;
}
