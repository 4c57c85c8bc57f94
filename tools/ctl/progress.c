/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.c -- how far long work has come: one line on a terminal's stderr, rewritten in place and
 * cleared at the end. Says nothing in a pipe or with -q, so no script ever reads it.
 */
#include <sys/ioctl.h>
#include <time.h>
#include "tools/ctl/ctl.h"

static const msec_t EACH_MS = 100;
enum { COLUMNS_DEFAULT = 80, LINE_BYTES = 512, PERCENT = 100 };

struct progress {
	bool shown; /* stderr is a terminal, and it may speak */
	bool drawn;
	uint64_t total;
	msec_t at;
	char what[64];
};

static msec_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (msec_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct progress *progress_open(const struct ctl *c, const char *what, uint64_t total)
{
	struct progress *p = xcalloc(1, sizeof(*p));

	p->shown = !c->quiet && isatty(STDERR_FILENO);
	p->total = total;
	snprintf(p->what, sizeof(p->what), "%s", what);
	return p;
}

static int columns(void)
{
	struct winsize w;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col
	                                                                 : COLUMNS_DEFAULT;
}

void progress_at(struct progress *p, uint64_t done, const char *detail)
{
	msec_t now = p->shown ? now_ms() : 0;
	char line[LINE_BYTES];
	int room;

	if (!p->shown || (p->drawn && now - p->at < EACH_MS))
		return;
	p->at = now;
	p->drawn = true;
	if (p->total)
		snprintf(line, sizeof(line), "%s: %llu of %llu (%llu %%)%s%s", p->what,
		         (unsigned long long)done, (unsigned long long)p->total,
		         (unsigned long long)(done * PERCENT / p->total), detail ? " " : "",
		         detail ? detail : "");
	else
		snprintf(line, sizeof(line), "%s: %llu%s%s", p->what, (unsigned long long)done,
		         detail ? " " : "", detail ? detail : "");
	room = columns() - 1; /* a full line would wrap, and stay */
	fprintf(stderr, "\r%.*s\033[K", room, line);
	fflush(stderr);
}

void progress_clear(struct progress *p)
{
	if (p->drawn) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
	}
	p->drawn = false; /* so the next step is shown at once */
}

void progress_close(struct progress *p)
{
	progress_clear(p);
	free(p);
}
