/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_file.c -- tenants in a tenants.yaml. A change writes the whole file anew beside the old
 * one, has the master's own reader check it, and renames it; whoever reads meanwhile reads one of
 * the two. Two headgatectl at once wait for each other by a lock on the folder. Owner and mode stay
 * as they were, for the gateway must still be able to read it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include "conf/values.h"
#include "master/tenants_yaml.h"
#include "tools/ctl/registry.h"
#include "tools/ctl/yaml_out.h"

enum { FILE_MAX = 64 * MIB, MODE_NEW = 0600 };

struct file_registry {
	struct registry base;
	char *path; /* links followed: a rename must replace what they lead to */
	int folder; /* locked while it is open to write; -1: only read */
	bool is_new, had_comments;
	struct stat st;
	json_t *root;
};

static struct file_registry *file_of(struct registry *s)
{
	return (struct file_registry *)s;
}

static void file_close(struct registry *s)
{
	struct file_registry *f = file_of(s);

	close_fd_(&f->folder);
	json_decref(f->root);
	free(f->path);
	free(f);
}

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

static int cant(const struct file_registry *f, const char *what)
{
	int code = errno == EACCES || errno == EPERM ? EX_NOPERM : EX_OSERR;

	return ctl_fail(code, "%s: %s: %m%s", f->path, what,
	                code == EX_NOPERM ? " (who may change tenants: the owner of this file)"
	                                  : "");
}

static int take_text(struct file_registry *f, int fd, bool to_write)
{
	size_t n = 0, cap = (size_t)f->st.st_size + 1;
	autofree char *text = xcalloc(cap, 1);
	ssize_t got;

	if (!S_ISREG(f->st.st_mode) || f->st.st_size > FILE_MAX)
		return ctl_fail(EX_CONFIG, "%s: no regular file, or larger than %d MiB", f->path,
		                FILE_MAX / MIB);
	if (to_write && (f->st.st_mode & S_IRWXO))
		return ctl_fail(
			EX_CONFIG,
			"%s: open to others (mode %04o), the gateway refuses it: chmod o= %s",
			f->path, (unsigned)(f->st.st_mode & 07777), f->path);
	while (n < cap && (got = read(fd, text + n, cap - n)) != 0) {
		if (got < 0 && errno != EINTR)
			return cant(f, "can't read");
		n += got > 0 ? (size_t)got : 0;
	}
	if (!is_sound(f->path, bytes_of(text, n), true))
		return ctl_fail(EX_CONFIG, "%s has errors, mend them first", f->path);
	f->had_comments = has_comment(bytes_of(text, n));
	f->root = tenants_from_yaml(f->path, bytes_of(text, n));
	assert(f->root);
	return 0;
}

static int lock_folder(struct file_registry *f)
{
	const char *slash = strrchr(f->path, '/');
	autofree char *folder =
		slash ? xstrndup(f->path, (size_t)(slash - f->path) + 1) : xstrdup(".");

	f->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->folder < 0)
		return cant(f, "can't open its folder");
	while (flock(f->folder, LOCK_EX) < 0)
		if (errno != EINTR)
			return cant(f, "can't lock its folder");
	return 0;
}

static int load(struct file_registry *f, bool to_write)
{
	autoclose int fd = -1;
	int code = to_write ? lock_folder(f) : 0;

	if (code)
		return code;
	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, &f->st) == 0)
		return take_text(f, fd, to_write);
	if (errno != ENOENT || !to_write)
		return cant(f, "can't open");
	f->is_new = true;
	f->root = json_pack("{s:s,s:[]}", "version", "1", "tenants");
	return 0;
}

static json_t *tenants_of(const struct file_registry *f)
{
	json_t *list = json_object_get(f->root, "tenants");

	if (!list) {
		list = json_array();
		json_object_set_new(f->root, "tenants", list);
	}
	return list;
}

static json_t *find_tenant(const struct file_registry *f, const char *id)
{
	json_t *tenant;
	size_t i;

	json_array_foreach (tenants_of(f), i, tenant)
		if (strcmp(json_text_of(tenant, "id"), id) == 0)
			return tenant;
	return NULL;
}

static json_t *find_token(const struct file_registry *f, const char *id, json_t **of)
{
	json_t *tenant, *token;
	size_t i, k;

	json_array_foreach (tenants_of(f), i, tenant) {
		json_array_foreach (json_object_get(tenant, "tokens"), k, token) {
			if (strcmp(json_text_of(token, "id"), id) != 0)
				continue;
			*of = tenant;
			return token;
		}
	}
	return NULL;
}

/* ---- rows as every registry gives them ---- */

static void copy(json_t *out, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	json_object_set_new(out, key, v ? json_incref(v) : json_null());
}

static json_t *tenant_row(const json_t *t)
{
	static const char *const keys[] = { "display_name", "block_until", "topic_prefix",
		                            "created_at" };
	const char *state = json_text_of(t, "state");
	json_t *row = json_object(), *limits = json_object_get(t, "limits");

	copy(row, t, "id");
	json_object_set_new(row, "state", json_string(*state ? state : "active"));
	json_object_set_new(row, "limits", limits ? json_incref(limits) : json_object());
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		copy(row, t, keys[i]);
	return row;
}

static json_t *token_row(const json_t *tenant, const json_t *t)
{
	static const char *const keys[] = { "name",          "not_before", "expires_at",
		                            "revoked_at",    "revoked_by", "replaced_by",
		                            "allowed_cidrs", "created_at", "created_by",
		                            "last_used_at" };
	json_t *row = json_object(), *scopes = json_object_get(t, "scopes");

	copy(row, t, "id");
	json_object_set(row, "tenant", json_object_get(tenant, "id"));
	json_object_set_new(row, "kind",
	                    json_string(json_object_get(t, "pbkdf2") ? "pbkdf2" : "sha256"));
	json_object_set_new(row, "scopes", scopes ? json_incref(scopes) : json_pack("[s]", "*"));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		copy(row, t, keys[i]);
	return row;
}

static json_t *file_tenants(struct registry *s, const char *id, int *code)
{
	json_t *out = json_array(), *tenant;
	size_t i;

	(void)code;
	json_array_foreach (tenants_of(file_of(s)), i, tenant)
		if (!id || strcmp(json_text_of(tenant, "id"), id) == 0)
			json_array_append_new(out, tenant_row(tenant));
	return out;
}

static bool is_wanted(const json_t *tenant, const json_t *token, const struct token_filter *which)
{
	return (!which->tenant || strcmp(json_text_of(tenant, "id"), which->tenant) == 0) &&
	       (!which->id || strcmp(json_text_of(token, "id"), which->id) == 0) &&
	       (!which->sha256 || strcasecmp(json_text_of(token, "sha256"), which->sha256) == 0);
}

static json_t *file_tokens(struct registry *s, const struct token_filter *which, int *code)
{
	json_t *out = json_array(), *tenant, *token;
	size_t i, k;

	(void)code;
	json_array_foreach (tenants_of(file_of(s)), i, tenant)
		json_array_foreach (json_object_get(tenant, "tokens"), k, token)
			if (is_wanted(tenant, token, which))
				json_array_append_new(out, token_row(tenant, token));
	return out;
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

static int put_in_place(struct file_registry *f, struct bytes text, const char *fresh, int fd)
{
	/* Set even if it is the same: who may read it must not change with who writes it. */
	if (!f->is_new && ((f->st.st_uid != geteuid() || f->st.st_gid != getegid()) &&
	                   fchown(fd, f->st.st_uid, f->st.st_gid) < 0))
		return cant(f, "can't keep its owner, nothing was changed");
	if (fchmod(fd, f->is_new ? MODE_NEW : f->st.st_mode & 07777) < 0 ||
	    write_all(fd, text) < 0 || fsync(fd) < 0)
		return cant(f, "can't write beside it, nothing was changed");
	if (rename(fresh, f->path) < 0)
		return cant(f, "can't replace it, nothing was changed");
	if (fsync(f->folder) < 0)
		return cant(f, "it was replaced, but is not on disk for sure");
	return 0;
}

static int replace(struct file_registry *f)
{
	char fresh[PATH_MAX + 16];
	autoclose int fd = -1;
	struct buf text;
	int code;

	buf_init(&text, FILE_MAX);
	tenants_to_yaml(f->root, &text);
	if (text.failed) {
		code = ctl_fail(EXIT_NEGATIVE, "%s would be larger than %d MiB", f->path,
		                FILE_MAX / MIB);
	} else if (!is_sound(f->path, buf_view(&text), false)) {
		code = ctl_fail(EXIT_NEGATIVE, "%s: nothing was changed", f->path);
	} else {
		snprintf(fresh, sizeof(fresh), "%s.XXXXXX", f->path);
		fd = mkostemp(fresh, O_CLOEXEC);
		code = fd < 0 ? cant(f, "can't write beside it")
		              : put_in_place(f, buf_view(&text), fresh, fd);
		if (code && fd >= 0)
			unlink(fresh); /* after a rename there is nothing of that name */
	}
	buf_done(&text);
	if (!code && f->is_new)
		ctl_note(f->base.c, "%s: made, mode 0600: the gateway must be able to read it",
		         f->path);
	if (!code && f->had_comments)
		ctl_note(f->base.c, "%s: its comments are lost", f->path);
	return code;
}

static void set_or_take(json_t *map, const char *key, const json_t *v)
{
	char number[32];

	if (json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0)) {
		json_object_del(map, key);
	} else if (json_is_integer(v)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
		json_object_set_new(map, key, json_string(number));
	} else {
		json_object_set(map, key, (json_t *)v);
	}
}

static void apply(json_t *tenant, const json_t *fields)
{
	json_t *limits = json_object_get(tenant, "limits");
	const char *key;
	json_t *v;

	if (!limits) {
		limits = json_object();
		json_object_set_new(tenant, "limits", limits);
	}
	json_object_foreach ((json_t *)fields, key, v)
		set_or_take(is_tenant_limit(key) ? limits : tenant, key, v);
	if (json_object_size(limits) == 0)
		json_object_del(tenant, "limits");
}

static int no_such(const char *what, const char *id)
{
	return ctl_fail(EXIT_NEGATIVE, "no %s has the id '%s'", what, id);
}

static int file_tenant_add(struct registry *s, const char *id, const json_t *fields)
{
	struct file_registry *f = file_of(s);
	json_t *tenant;

	if (find_tenant(f, id))
		return ctl_fail(EXIT_NEGATIVE, "tenant '%s' is there already", id);
	tenant = json_pack("{s:o}", "id", ctl_text(bytes_str(id)));
	apply(tenant, fields);
	json_array_append_new(tenants_of(f), tenant);
	return replace(f);
}

static int file_tenant_set(struct registry *s, const char *id, const json_t *fields)
{
	struct file_registry *f = file_of(s);
	json_t *tenant = find_tenant(f, id);

	if (!tenant)
		return no_such("tenant", id);
	apply(tenant, fields);
	return replace(f);
}

static int file_tenant_rm(struct registry *s, const char *id)
{
	struct file_registry *f = file_of(s);
	json_t *tenant;
	size_t i;

	json_array_foreach (tenants_of(f), i, tenant) {
		if (strcmp(json_text_of(tenant, "id"), id) != 0)
			continue;
		json_array_remove(tenants_of(f), i);
		return replace(f);
	}
	return no_such("tenant", id);
}

static void add_token(json_t *tenant, const json_t *token)
{
	json_t *tokens = json_object_get(tenant, "tokens"), *v, *row = json_object();
	const char *key;

	if (!tokens) {
		tokens = json_array();
		json_object_set_new(tenant, "tokens", tokens);
	}
	json_object_foreach ((json_t *)token, key, v)
		if (strcmp(key, "tenant") != 0)
			set_or_take(row, key, v);
	json_array_append_new(tokens, row);
}

static int file_token_add(struct registry *s, const json_t *token)
{
	struct file_registry *f = file_of(s);
	const char *id = json_text_of(token, "tenant");
	json_t *tenant = find_tenant(f, id);

	if (!tenant)
		return no_such("tenant", id);
	add_token(tenant, token);
	return replace(f);
}

static int file_token_revoke(struct registry *s, const char *id)
{
	struct file_registry *f = file_of(s);
	json_t *tenant, *token = find_token(f, id, &tenant);
	char now[TIME_TEXT_BYTES];

	if (!token)
		return no_such("token", id);
	ctl_time_text((int64_t)time(NULL), now, sizeof(now));
	json_object_set_new(token, "revoked_at", json_string(now));
	return replace(f);
}

static void end_by(json_t *token, int64_t at)
{
	char text[TIME_TEXT_BYTES];
	struct err err;
	int64_t old;

	/* The reader took the file: what cannot be read here is not there. */
	if (value_time(bytes_str(json_text_of(token, "expires_at")), &old, &err) == 0 && old <= at)
		return;
	ctl_time_text(at, text, sizeof(text));
	json_object_set_new(token, "expires_at", json_string(text));
}

static int file_token_rotate(struct registry *s, const char *old, const json_t *token, msec_t grace)
{
	static const char *const kept[] = { "name", "scopes", "allowed_cidrs" };
	struct file_registry *f = file_of(s);
	json_t *tenant, *before = find_token(f, old, &tenant), *fresh;

	if (!before)
		return no_such("token", old);
	fresh = json_deep_copy(token);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (json_object_get(before, kept[i]))
			json_object_set(fresh, kept[i], json_object_get(before, kept[i]));
	end_by(before, (int64_t)time(NULL) + grace / 1000);
	json_object_set(before, "replaced_by", json_object_get(token, "id"));
	add_token(tenant, fresh);
	json_decref(fresh);
	return replace(f);
}

static const struct registry_kind file_kind = {
	.name = "file",
	.tenants = file_tenants,
	.tokens = file_tokens,
	.tenant_add = file_tenant_add,
	.tenant_set = file_tenant_set,
	.tenant_rm = file_tenant_rm,
	.token_add = file_token_add,
	.token_revoke = file_token_revoke,
	.token_rotate = file_token_rotate,
	.close = file_close,
};

struct registry *registry_file_open(struct ctl *c, const char *path, bool to_write, int *code)
{
	struct file_registry *f = xcalloc(1, sizeof(*f));
	char whole[PATH_MAX];

	f->base.kind = &file_kind;
	f->base.c = c;
	f->path = xstrdup(realpath(path, whole) ? whole : path);
	f->folder = -1;
	*code = load(f, to_write);
	if (!*code)
		return &f->base;
	file_close(&f->base);
	return NULL;
}
