/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_helper.h -- for the tests of the loader: files in a folder of their own, loaded, and what
 * was said with the folder's name taken out. Each test is a process, so one set of globals is
 * enough.
 */
#pragma once
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "conf/load.h"

static char dir[64];
static char got[200000]; /* what the report said */
static struct conf_report report;
static struct conf *conf;
static struct conf_set sets[8];
static size_t set_count;
static bool offline;

static inline const char *file_path(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static inline void put_mode(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(file_path(name), "w");

	cr_assert_not_null(f, "%s", file_path(name));
	fputs(text, f);
	fclose(f);
	cr_assert_eq(chmod(file_path(name), mode), 0);
}

static inline void put(const char *name, const char *text)
{
	put_mode(name, text, 0644);
}

static inline void folder_new(void)
{
	snprintf(dir, sizeof(dir), "/tmp/headgate-conf-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(mkdir(file_path("conf.d"), 0755), 0);
	conf_report_init(&report);
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

static inline void folder_free(void)
{
	conf_free(conf);
	conf_report_done(&report);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void set(const char *path, const char *value)
{
	sets[set_count++] = (struct conf_set){ path, value };
}

/* Loads headgate.yaml; got has the report, without the folder. */
static inline struct conf *load(void)
{
	char file[128];
	struct conf_load_in in = {
		.file = file, .sets = sets, .set_count = set_count, .offline = offline
	};
	size_t n = strlen(dir) + 1, at = 0;

	snprintf(file, sizeof(file), "%s/headgate.yaml", dir);
	conf_free(conf);
	conf = conf_load(&in, &report);
	cr_assert_eq(conf == NULL, report.errors > 0);
	for (size_t i = 0; i < report.text.n && at < sizeof(got) - 1;) {
		if (report.text.n - i >= n && memcmp(report.text.p + i, dir, n - 1) == 0 &&
		    report.text.p[i + n - 1] == '/')
			i += n;
		else
			got[at++] = report.text.p[i++];
	}
	got[at] = '\0';
	return conf;
}

static inline struct conf *load_text(const char *text)
{
	put("headgate.yaml", text);
	return load();
}

/* The text with a sink, which this version demands; on line 1. */
static inline struct conf *load_with_sink(const char *text)
{
	static char whole[20000];

	snprintf(whole, sizeof(whole), "sink: discard\n%s", text);
	return load_text(whole);
}

#define ASSERT_SAID(text)                                                                          \
	cr_assert_not_null(strstr(got, (text)), "not said: %s\nbut: %s", (text), got)
#define ASSERT_NOT_SAID(text) cr_assert_null(strstr(got, (text)), "said: %s\nin: %s", (text), got)
#define ASSERT_LOADS(text) cr_assert_not_null(load_text(text), "%s", got)
#define ASSERT_LOADS_WITH_SINK(text) cr_assert_not_null(load_with_sink(text), "%s", got)
/* Exactly one error, and it begins so. */
#define ASSERT_ONE_ERROR(text, said)                                                               \
	do {                                                                                       \
		cr_assert_null(load_with_sink(text));                                              \
		cr_assert_eq(report.errors, 1, "%s", got);                                         \
		ASSERT_SAID(said);                                                                 \
	} while (0)
