/* SPDX-License-Identifier: Apache-2.0 */
#include "master/candidate.h"

#include <errno.h>
#include <sched.h>
#include "master/master.h"
#include "master/program.h"

static unsigned worker_count(const struct conf *conf)
{
	cpu_set_t cpus;
	int n;

	if (conf->workers)
		return (unsigned)conf->workers;
	n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	return n < WORKERS_MAX ? (unsigned)n : WORKERS_MAX;
}

static void drop(struct master *m, struct candidate *c)
{
	int cause = errno; /* a start's exit code hangs on it */

	conf_free(c->conf);
	listeners_rollback(m->listeners);
	listener_set_free(c->set);
	close_fd_(&c->conf_fd);
	logfiles_close(&c->logs);
	errno = cause;
}

int candidate_make(struct master *m, struct conf *conf, struct candidate *out, struct err *err)
{
	struct candidate c = { .conf = conf, .conf_fd = -1, .logs = { .fd = { -1, -1 } } };

	c.slots = worker_count(conf);
	if (logfiles_open(&c.logs, conf, err) < 0 ||
	    !(c.set = listeners_plan(m->listeners, conf, c.slots, err)) ||
	    (c.conf_fd = program_conf(conf, err)) < 0 || pages_grow(m->pages, c.slots, err) < 0) {
		drop(m, &c);
		return -1;
	}
	*out = c;
	return 0;
}

void candidate_start(struct master *m, const struct candidate *c, uint64_t number)
{
	workers_send_pages(&m->workers);
	workers_start(&m->workers, generation_new(number, c->conf, c->set, c->conf_fd, c->slots));
}
