/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instage.c -- instage BYTES PID...: kills the first of these workers that is within a stage of a
 * request with a body of BYTES or more, and prints its pid; exit 1 after 60 s without one. Once it
 * looks it says so on standard error. As root: looks into the workers' stats pages. For tests of
 * who is blamed for a death. A stage may be over before a signal is there, so a worker is stopped
 * first, and goes on if that was so.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "common/stats.h"

enum { WORKERS = 16, LIMIT_S = 60, STOP_S = 10 };

/* The one page set that the worker may write. */
static const struct stats_head *map_own(int pid)
{
	char path[300], line[512];
	const struct stats_head *head = NULL;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && !head && fgets(line, sizeof(line), maps)) {
		char range[64], mode[8];
		void *p;
		int fd;

		if (!strstr(line, "/memfd:headgate-stats") ||
		    sscanf(line, "%63s %7s", range, mode) != 2 || strcmp(mode, "rw-s") != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/map_files/%s", pid, range);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*head), PROT_READ, MAP_SHARED, fd, 0);
		head = p == MAP_FAILED ? NULL : p;
		if (fd >= 0)
			close(fd);
	}
	if (maps)
		fclose(maps);
	return head;
}

static bool is_in(const struct stats_current *c, uint64_t least)
{
	uint64_t active = atomic_load(&c->active);

	return active && active != UINT64_C(1) + UINT32_MAX && c->length >= least;
}

static bool either_is_in(const struct stats_head *head, uint64_t least)
{
	return is_in(&head->current, least) || is_in(&head->beside, least);
}

/* All its threads: the state of a process is that of its first one. */
static bool has_stopped(int pid)
{
	char path[64], name[sizeof(path) + 300], line[512];
	struct dirent *entry;
	bool all = true;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && all && (entry = readdir(dir))) {
		FILE *stat;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s/stat", path, entry->d_name);
		stat = fopen(name, "re");
		if (stat && fgets(line, sizeof(line), stat))
			all = strstr(line, ") T ") != NULL;
		if (stat)
			fclose(stat);
	}
	if (dir)
		closedir(dir);
	return dir && all;
}

static bool kill_in(int pid, const struct stats_head *head, uint64_t least)
{
	time_t end = time(NULL) + STOP_S;

	if (kill(pid, SIGSTOP) < 0)
		return false;
	while (!has_stopped(pid) && time(NULL) < end)
		;
	if (either_is_in(head, least))
		return kill(pid, SIGKILL) == 0;
	kill(pid, SIGCONT);
	return false;
}

int main(int argc, char **argv)
{
	const struct stats_head *heads[WORKERS];
	time_t end = time(NULL) + LIMIT_S;
	uint64_t least;

	if (argc < 3 || argc > WORKERS + 2) {
		fprintf(stderr, "usage: instage BYTES PID...\n");
		return 2;
	}
	least = strtoull(argv[1], NULL, 10);
	for (int i = 2; i < argc; i++) {
		heads[i - 2] = map_own(atoi(argv[i]));
		if (!heads[i - 2]) {
			fprintf(stderr, "instage: no stats page of %s\n", argv[i]);
			return 2;
		}
	}
	fputs("looks\n", stderr);
	while (time(NULL) < end) {
		for (int i = 2; i < argc; i++) {
			if (!either_is_in(heads[i - 2], least) ||
			    !kill_in(atoi(argv[i]), heads[i - 2], least))
				continue;
			puts(argv[i]);
			return 0;
		}
	}
	return 1;
}
