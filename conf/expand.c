/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand.c -- what the configuration takes from outside itself: ${...} in scalars, once, after YAML
 * parsing (so that no text can become structure), and the files that options name. Never shows what
 * it read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "conf/load.h"

enum { SECRET_MAX = 64 * KIB, PUBLIC_MAX = MIB, FOLDER_MAX = 1024 /* files */ };

/* ---- files ---- */

static const char *group_name(gid_t gid, char *room, size_t cap)
{
	const struct group *group = getgrgid(gid); /* start-up world: one thread */

	snprintf(room, cap, "%u", gid);
	if (group)
		snprintf(room, cap, "%s", group->gr_name);
	return room;
}

/* Others must have no access; a group only if it is ours or root's. Here and below: shown stands in
 * messages, path is opened; a path may come from a variable. */
static bool is_private(struct loader *l, const char *shown, const struct stat *st, struct place at)
{
	char group[64], ours[64];

	if (st->st_mode & S_IRWXO) {
		report_error(l->r, at, "the secret file '%s' is open to others (mode %04o)", shown,
		             st->st_mode & 07777);
		report_help(l->r, "chmod o-rwx %s", shown);
		return false;
	}
	if ((st->st_mode & S_IRWXG) && st->st_gid != getegid() && st->st_gid != 0) {
		report_error(l->r, at, "the secret file '%s' is open to the group %s (mode %04o)",
		             shown, group_name(st->st_gid, group, sizeof(group)),
		             st->st_mode & 07777);
		report_help(l->r, "chgrp %s %s", group_name(getegid(), ours, sizeof(ours)), shown);
		return false;
	}
	return true;
}

static int read_fd(int fd, size_t max, struct buf *out)
{
	char chunk[4096];
	ssize_t n;

	buf_init(out, max);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			buf_add(out, chunk, (size_t)n);
		if (n < 0 || out->failed) {
			errno = n < 0 ? errno : EFBIG;
			break;
		}
	}
	explicit_bzero(chunk, sizeof(chunk));
	return n == 0 ? 0 : -1;
}

/* What is there, but not for us. As root nothing is. */
static void help_to_read(struct loader *l, const char *path, const char *shown)
{
	char ours[64];
	struct stat st;

	if (errno == EACCES && stat(path, &st) == 0)
		report_help(l->r, "chgrp %s %s && chmod 640 %s",
		            group_name(getegid(), ours, sizeof(ours)), shown, shown);
}

/* The bytes of path, in the conf's pool. */
static bool read_file(struct loader *l, const char *path, const char *shown, size_t max,
                      bool secret, struct place at, struct bytes *out)
{
	/* O_NONBLOCK: a FIFO in the place of a file must not stop the start. */
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	struct buf b;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int cause = errno;

		report_error(l->r, at, "can't read the file '%s': %s", shown, strerror(cause));
		errno = cause;
		help_to_read(l, path, shown);
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		report_error(l->r, at, "'%s' is no regular file", shown);
		return false;
	}
	if (secret && !is_private(l, shown, &st, at))
		return false;
	rc = read_fd(fd, max, &b);
	if (rc == 0)
		*out = pool_dup(l->pool, buf_view(&b));
	else
		report_error(l->r, at, "can't read the file '%s': %s", shown, strerror(errno));
	if (b.n)
		explicit_bzero(b.p, b.n);
	buf_done(&b);
	return rc == 0;
}

/* A text in a file: without its final newline, no NUL. */
static bool read_text_file(struct loader *l, const char *path, const char *shown, bool secret,
                           struct place at, struct bytes *out)
{
	if (!read_file(l, path, shown, SECRET_MAX, secret, at, out))
		return false;
	if (out->n && memchr(out->p, '\0', out->n)) {
		report_error(l->r, at, "the file '%s' holds a NUL byte", shown);
		return false;
	}
	if (out->n && out->p[out->n - 1] == '\n')
		out->n--;
	if (out->n && out->p[out->n - 1] == '\r')
		out->n--;
	return true;
}

bool read_option_file(struct loader *l, const struct option *o, const char *path,
                      struct conf_file *file)
{
	struct place at = place_of_option(l, path);
	const char *shown = written(l, path, file->path);
	size_t n = strlen(o->path);
	/* Keys are PEM, as they are; other secrets are one text. */
	bool is_key = n >= 8 && strcmp(o->path + n - 8, "key_file") == 0;

	at.secret = false; /* a path is none */
	if (o->type == OPT_FILE_PATH || !*file->path || l->in->offline)
		return true;
	if (o->type == OPT_FILE_PUBLIC)
		return read_file(l, file->path, shown, PUBLIC_MAX, false, at, &file->content);
	if (is_key)
		return read_file(l, file->path, shown, SECRET_MAX, true, at, &file->content);
	if (!read_text_file(l, file->path, shown, true, at, &file->content))
		return false;
	if (!file->content.n) {
		report_error(l->r, at, "the file '%s' is empty", shown);
		return false;
	}
	return true;
}

/* ---- a folder ---- */

static bool is_read_there(const char *name) /* as *.json in a shell */
{
	size_t n = strlen(name);

	return *name != '.' && n > 5 && strcmp(name + n - 5, ".json") == 0;
}

static const char *join(struct pool *pool, const char *folder, const char *name)
{
	size_t n = strlen(folder), name_bytes = strlen(name) + 1;
	char *path = pool_alloc(pool, n + 1 + name_bytes);

	memcpy(path, folder, n);
	path[n] = '/';
	memcpy(path + n + 1, name, name_bytes);
	return path;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct conf_file *)a)->path, ((const struct conf_file *)b)->path);
}

/* Paths alone, in bytewise order. False with errno if it cannot be read, E2BIG if it has too many.
 */
static bool list_folder(struct loader *l, struct conf_files *files)
{
	struct conf_file *v = pool_zalloc(l->pool, FOLDER_MAX * sizeof(*v));
	DIR *folder = opendir(files->path);
	struct dirent *entry;
	size_t n = 0;
	int why;

	if (!folder)
		return false;
	for (errno = 0; (entry = readdir(folder)) && n <= FOLDER_MAX; errno = 0) {
		if (!is_read_there(entry->d_name))
			continue;
		if (n < FOLDER_MAX)
			v[n].path = join(l->pool, files->path, entry->d_name);
		n++;
	}
	why = n > FOLDER_MAX ? E2BIG : errno;
	closedir(folder);
	errno = why;
	if (why)
		return false;
	qsort(v, n, sizeof(*v), by_path);
	files->v = v;
	files->n = n;
	return true;
}

const char *shown_file(struct loader *l, const char *path, const struct conf_files *files, size_t i)
{
	return join(report_pool(l->r), written(l, path, files->path),
	            strrchr(files->v[i].path, '/') + 1);
}

bool read_option_folder(struct loader *l, const struct option *o, const char *path,
                        struct conf_files *files)
{
	struct place at = place_of_option(l, path);
	const char *shown = written(l, path, files->path);
	bool ok = true;

	if (!*files->path || l->in->offline)
		return true;
	if (!list_folder(l, files)) {
		if (errno == ENOENT && strcmp(files->path, o->def) == 0)
			return true; /* nobody asked for it */
		if (errno == E2BIG)
			report_error(l->r, at, "the folder '%s' holds more than %d files *.json",
			             shown, FOLDER_MAX);
		else
			report_error(l->r, at, "can't read the folder '%s': %s", shown,
			             strerror(errno));
		return false;
	}
	for (size_t i = 0; i < files->n; i++)
		ok = read_file(l, files->v[i].path, shown_file(l, path, files, i), PUBLIC_MAX,
		               false, at, &files->v[i].content) &&
		     ok;
	return ok;
}

/* ---- ${...} ---- */

struct expansion {
	struct loader *l;
	struct place at;
	bool secret;
	struct buf out;
	bool from_file; /* something came from a file or a credential */
	bool unknown;
};

static bool is_name(struct bytes s)
{
	if (!s.n || (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '_')
			return false;
	}
	return true;
}

static bool expand_file(struct expansion *x, const char *path, const char *shown, bool secret)
{
	struct bytes text;

	x->from_file = true;
	if (x->l->in->offline) {
		x->unknown = true;
		return true;
	}
	if (!read_text_file(x->l, path, shown, secret, x->at, &text))
		return false;
	buf_bytes(&x->out, text);
	return true;
}

static bool expand_credential(struct expansion *x, const char *name)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		report_error(x->l->r, x->at, "a credential has a name without slashes");
		return false;
	}
	if (!folder && !x->l->in->offline) {
		report_error(x->l->r, x->at,
		             "there are no credentials: $CREDENTIALS_DIRECTORY is not set");
		report_help(x->l->r, "LoadCredential=%s:PATH in the unit", name);
		return false;
	}
	/* systemd made these files and their modes. */
	return expand_file(x, path_text(x->l, "%s/%s", folder ? folder : "", name),
	                   path_text(x->l, "$CREDENTIALS_DIRECTORY/%s", name), false);
}

static bool expand_variable(struct expansion *x, struct bytes inside)
{
	const uint8_t *colon = memmem(inside.p, inside.n, ":-", 2);
	struct bytes name = bytes_of(inside.p, colon ? (size_t)(colon - inside.p) : inside.n);
	const char *key, *value;

	if (!is_name(name)) {
		report_error(x->l->r, x->at, "this is no expansion");
		report_help(x->l->r,
		            "${NAME}, ${NAME:-default}, ${file:/path}, ${cred:name}; $$ is $");
		return false;
	}
	key = pool_text(report_pool(x->l->r), name);
	value = getenv(key);
	if (colon && (!value || !*value)) {
		buf_bytes(&x->out, bytes_from(inside, name.n + 2));
	} else if (value) {
		buf_str(&x->out, value);
	} else {
		report_error(x->l->r, x->at, "the variable %s is not set", key);
		report_help(x->l->r, "${%s:-default} gives it a default", key);
		return false;
	}
	return true;
}

static bool expand_one(struct expansion *x, struct bytes inside)
{
	const char *text = pool_text(report_pool(x->l->r), inside);

	if (strncmp(text, "cred:", 5) == 0)
		return expand_credential(x, text + 5);
	if (strncmp(text, "file:", 5) != 0)
		return expand_variable(x, inside);
	if (text[5] != '/') {
		report_error(x->l->r, x->at, "a file is named by its absolute path");
		return false;
	}
	return expand_file(x, text + 5, text + 5, x->secret);
}

static bool expand_all(struct expansion *x, const char *text)
{
	while (*text) {
		size_t plain = strcspn(text, "$");
		const char *end;

		buf_add(&x->out, text, plain);
		text += plain;
		if (!*text)
			break;
		if (text[1] == '$') {
			buf_char(&x->out, '$');
			text += 2;
			continue;
		}
		end = text[1] == '{' ? strchr(text, '}') : NULL;
		if (!end) {
			report_error(x->l->r, x->at, "a $ begins no expansion here");
			report_help(x->l->r, "write $$ for a $");
			return false;
		}
		if (!expand_one(x, bytes_of(text + 2, (size_t)(end - text) - 2)))
			return false;
		text = end + 1;
	}
	if (x->out.failed) {
		report_error(x->l->r, x->at, "the value is over %d KiB when expanded",
		             SECRET_MAX / KIB);
		return false;
	}
	return true;
}

bool expand(struct loader *l, const char *text, bool secret, struct place at, struct value *out)
{
	struct expansion x = { .l = l, .at = at, .secret = secret };
	bool ok;

	*out = (struct value){ .text = text };
	if (!strchr(text, '$'))
		return true;
	buf_init(&x.out, SECRET_MAX);
	ok = expand_all(&x, text);
	if (ok && x.out.n && memchr(x.out.p, '\0', x.out.n)) {
		report_error(l->r, at, "the value holds a NUL byte");
		ok = false;
	}
	if (ok)
		*out = (struct value){ .text = pool_text(l->pool, buf_view(&x.out)),
			               .raw = x.from_file || secret ? text : NULL,
			               .unknown = x.unknown };
	if (x.out.n)
		explicit_bzero(x.out.p, x.out.n);
	buf_done(&x.out);
	return ok;
}
