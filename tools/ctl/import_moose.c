/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_moose.c -- `import-moose`: a model file for each ingest endpoint of Moose, from its
 * infrastructure map. All or nothing: a map with an endpoint that can't be had, or a folder that
 * holds one of the files already, changes nothing. Talks to no gateway, and to no Moose.
 */
#include "tools/ctl/import_moose.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "tools/ctl/commands.h"

enum { MAP_MAX = 64 * MIB, FILE_MODE = 0644, FOLDER_MODE = 0755 };

/* ---- reading ---- */

static json_t *read_map(const char *path, int *code)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	struct buf text;
	json_error_t error;
	json_t *map = NULL;
	char chunk[16 * KIB];
	size_t n;

	if (!file) {
		*code = ctl_fail(errno == EACCES ? EX_NOPERM : EX_OSERR, "%s: %m", path);
		return NULL;
	}
	buf_init(&text, MAP_MAX);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0 && !text.failed)
		buf_add(&text, chunk, n);
	if (ferror(file) || text.failed)
		*code = ctl_fail(EX_OSERR, "%s: can't be read, or is larger than %d MiB", path,
		                 MAP_MAX / MIB);
	else if (!(map = json_loadb(text.n ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &error)))
		*code = ctl_fail(EXIT_NEGATIVE, "%s:%d:%d: no JSON: %s", path, error.line,
		                 error.column, error.text);
	buf_done(&text);
	if (!is_stdin)
		fclose(file);
	return map;
}

/* Says what can't be mapped, each by its name in the map. */
static int say_refused(const json_t *entries)
{
	json_t *entry;
	int code = 0;
	size_t i;

	json_array_foreach(entries, i, entry)
		if (json_object_get(entry, "error"))
			code = ctl_fail(EXIT_NEGATIVE, "%s: %s", json_text_of(entry, "file"),
			                json_text_of(entry, "error"));
	if (code)
		ctl_error("nothing was written");
	else if (!json_array_size(entries))
		code = ctl_fail(EXIT_NEGATIVE, "the map has no ingest endpoint");
	return code;
}

/* ---- writing ---- */

static int cant(const char *folder, const char *file)
{
	int code = errno == EACCES || errno == EPERM ? EX_NOPERM : EX_OSERR;

	return ctl_fail(code, "%s%s%s: %m", folder, *file ? "/" : "", file);
}

static int open_folder(const char *path, int *code)
{
	int fd;

	if (mkdir(path, FOLDER_MODE) < 0 && errno != EEXIST) {
		*code = cant(path, "");
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		*code = cant(path, "");
	return fd;
}

/* All that are in the way, so that the second try is the last. */
static int find_in_the_way(int folder, const char *path, const json_t *entries)
{
	json_t *entry;
	int code = 0;
	size_t i;

	json_array_foreach(entries, i, entry)
		if (faccessat(folder, json_text_of(entry, "file"), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			code = ctl_fail(EXIT_NEGATIVE, "%s/%s is there already", path,
			                json_text_of(entry, "file"));
	if (code)
		ctl_error("nothing was written; --force replaces them");
	return code;
}

static bool write_text(int fd, const char *text)
{
	size_t n = strlen(text);
	ssize_t written;

	for (; n; n -= (size_t)written, text += written) {
		written = write(fd, text, n);
		if (written < 0 && errno == EINTR)
			written = 0;
		if (written < 0)
			return false;
	}
	return fsync(fd) == 0;
}

/* By a file beside it: a gateway that reloads meanwhile must not meet half a model. */
static int put(int folder, const char *path, const char *file, const char *text)
{
	char fresh[NAME_MAX + 1];
	autoclose int fd = -1;

	snprintf(fresh, sizeof(fresh), ".%.240s.new", file);
	fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
	            FILE_MODE);
	if (fd < 0)
		return cant(path, fresh);
	if (write_text(fd, text) && renameat(folder, fresh, folder, file) == 0)
		return 0;
	cant(path, file);
	unlinkat(folder, fresh, 0);
	return EX_OSERR;
}

static char *text_of_model(const json_t *entry)
{
	return json_dumps(json_object_get(entry, "model"),
	                  JSON_INDENT(2) | JSON_REAL_PRECISION(17));
}

static int write_all(struct ctl *c, const char *path, const json_t *entries)
{
	int code = 0;
	autoclose int folder = open_folder(path, &code);
	json_t *entry;
	size_t i;

	if (folder < 0)
		return code;
	if (!ctl_given(c, "force"))
		code = find_in_the_way(folder, path, entries);
	json_array_foreach(entries, i, entry) {
		autofree char *model = code ? NULL : text_of_model(entry);
		autofree char *text = NULL;

		if (code)
			break;
		if (asprintf(&text, "%s\n", model) < 0)
			return ctl_fail(EX_OSERR, "out of memory");
		code = put(folder, path, json_text_of(entry, "file"), text);
		if (!code && c->json)
			ctl_json(json_pack("{s:s++}", "file", path, "/",
			                   json_text_of(entry, "file")));
		else if (!code && !c->quiet)
			printf("%s/%s\n", path, json_text_of(entry, "file"));
	}
	return code;
}

static int print_all(struct ctl *c, const json_t *entries)
{
	json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry) {
		autofree char *text = c->json ? NULL : text_of_model(entry);

		if (c->json)
			ctl_json(json_incref(entry));
		else
			ctl_lines(stdout, text);
	}
	return 0;
}

static int import_run(struct ctl *c)
{
	const char *folder = ctl_value(c, "out");
	struct err err = { "" };
	int code = 0;
	json_t *map = read_map(c->args[0], &code), *entries;

	if (!map)
		return code;
	entries = import_moose_map(map, &err);
	if (!entries)
		code = ctl_fail(EXIT_NEGATIVE, "%s: %s", c->args[0], err.text);
	else
		code = say_refused(entries);
	if (!code)
		code = folder ? write_all(c, folder, entries) : print_all(c, entries);
	json_decref(entries);
	json_decref(map);
	return code;
}

static const struct command_option options[] = {
	{ "out", "DIR", "writes a file for each model there, and makes the folder", 'o' },
	{ "force", NULL, "replaces files that are there", 0 },
	{ 0 },
};

const struct command command_import_moose = {
	.name = "import-moose",
	.args = "FILE",
	.help = "model files of Moose's infrastructure map (-: standard input)",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = import_run,
	.more = "FILE is what GET :5001/infra-map answers, or .moose/infrastructure_map.json, "
	        "which\n"
		"`moose-cli check --write-infra-map` writes. Without --out the models are printed.",
};
