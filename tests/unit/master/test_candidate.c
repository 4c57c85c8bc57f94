/* SPDX-License-Identifier: Apache-2.0 */
#include "master/candidate.c"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

Test(candidate, workers_do_not_learn_how_to_reach_the_database)
{
	struct conf *conf = conf_new(), *seen;
	struct bytes packed;
	struct err err = { "" };
	int fd;

	conf->tenants.dsn = "host=db password=hunter2";
	conf->tenants.dsn_file.content = BYTES("host=db password=hunter2");
	fd = pack(conf, &err);
	conf->tenants.dsn = ""; /* conf_free() wipes what these hold */
	conf->tenants.dsn_file.content = BYTES_NONE;
	cr_assert(fd >= 0 && sealed_map(fd, &packed, &err) == 0, "%s", err.text);
	cr_expect_null(memmem(packed.p, packed.n, "hunter2", 7));
	seen = conf_unpack(packed, &err);
	cr_expect_not_null(seen);
	conf_free(seen);
	conf_free(conf);
	munmap((void *)packed.p, packed.n);
	close(fd);
}

Test(candidate, the_number_of_workers_is_the_configured_one_or_one_per_core)
{
	struct conf conf = { .workers = 7 };
	cpu_set_t one;

	cr_expect_eq(worker_count(&conf), 7);
	conf.workers = 0;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	cr_assert(sched_setaffinity(0, sizeof(one), &one) == 0);
	cr_expect_eq(worker_count(&conf), 1);
}
