/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_snapshot_killed.c -- a publisher that dies at any point of its work leaves nothing that a
 * reader would take for a table. The publisher is a process of its own; it is stopped at a random
 * moment, each memfd that it has open is shown to a reader as it is then, and so is all that it had
 * sent; then it is killed, and the next one begins. PUBLISHERS=1000 in the environment: so many,
 * which takes a quarter of a minute. It writes a line at a time, so that it is often met amid a
 * table.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static ssize_t writev_of_a_line(int fd, const struct iovec *v, int count);
#define writev writev_of_a_line
#include "common/snapshot_build.c"
#undef writev

#include "common/channel.h"

static ssize_t writev_of_a_line(int fd, const struct iovec *v, int count)
{
	while (count > 1 && v->iov_len == 0)
		v++, count--;
	return write(fd, v->iov_base, min_size(v->iov_len, TABLE_ALIGN));
}

enum {
	PUBLISHERS = 200,
	TOKENS = 300,
	SPIN_MAX_US = 1500, /* of a publisher's life: some tables long */
};

struct seen {
	unsigned whole, refused, received;
};

/* Of table g. */
static void digest_of(uint64_t g, uint64_t n, uint8_t out[static TOKEN_DIGEST_BYTES])
{
	for (unsigned i = 0; i < TOKEN_DIGEST_BYTES; i++)
		out[i] = (uint8_t)((g * 31 + n * 7919 + 17 * i + 1) * (2 * i + 3) >> (i % 5));
	memcpy(out, &n, sizeof(n));
	memcpy(out + 8, &g, sizeof(g));
}

static int table(uint64_t generation)
{
	struct snapshot_builder *b = snapshot_builder_new(generation);
	struct snapshot_tenant acme = { .id = BYTES("acme"), .ordinal = 8 };
	struct snapshot_token t = { .id = BYTES("0123ABcd"),
		                    .not_after = INT64_MAX,
		                    .scopes = SCOPE_ALL };
	int fd;

	t.tenant = snapshot_add_tenant(b, &acme);
	for (uint64_t i = 0; i < TOKENS; i++) {
		t.ordinal = (uint32_t)i;
		digest_of(generation, i, t.digest);
		snapshot_add_token(b, &t);
	}
	fd = snapshot_seal(b, NULL);
	snapshot_builder_free(b);
	return fd;
}

/* Until it is killed, or nobody reads: then it goes on without sending. */
static _Noreturn void publish(int channel, uint64_t generation)
{
	for (;; generation++) {
		int fd = table(generation);

		if (fd < 0)
			_exit(1);
		if (channel_send(channel, MSG_TABLE, generation, 0, fd, BYTES_NONE) < 0 &&
		    errno != EAGAIN)
			_exit(0);
		close(fd);
	}
}

/* Whether a reader takes it; if so it must be whole. */
static bool taken(int fd)
{
	struct err err = { "" };
	struct snapshot *s = snapshot_map(fd, &err);
	uint8_t digest[TOKEN_DIGEST_BYTES];
	struct snapshot_hit hit;

	if (!s) {
		cr_assert(err.text[0], "a table was refused without a word");
		return false;
	}
	cr_assert_eq(snapshot_tokens(s), TOKENS);
	for (uint64_t i = 0; i < TOKENS; i++) {
		digest_of(snapshot_generation(s), i, digest);
		cr_assert(snapshot_find(s, digest, &hit), "token %llu", (unsigned long long)i);
		cr_assert_eq(hit.token_ordinal, i);
		cr_assert(bytes_eq(hit.tenant_id, BYTES("acme")));
	}
	snapshot_unmap(s);
	return true;
}

/* Every table that the stopped process has open, finished or not. */
static void look_at(pid_t publisher, struct seen *seen)
{
	char path[64], target[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)publisher);
	dir = opendir(path);
	cr_assert(dir != NULL);
	while ((entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		if (strncmp(target, "/memfd:headgate-tenants", 23) != 0)
			continue;

		autoclose int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);

		cr_assert(fd >= 0);
		*(taken(fd) ? &seen->whole : &seen->refused) += 1;
	}
	closedir(dir);
}

static void drain(int channel, struct seen *seen)
{
	struct channel_msg msg;

	while (channel_recv(channel, &msg, NULL) == 1) {
		cr_assert_eq(msg.type, MSG_TABLE);
		cr_assert(taken(msg.fd), "what was published is refused");
		close(msg.fd);
		seen->received++;
	}
}

/* Else nothing was seen of what this is about. */
static bool enough(const struct seen *seen, unsigned publishers)
{
	return seen->refused > publishers / 50 && seen->received > publishers / 50;
}

static void spin(unsigned us)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000000 + (now.tv_nsec - begin.tv_nsec) / 1000 < us);
}

/* F28 */
Test(snapshot_killed, no_reader_takes_what_a_dying_publisher_leaves, .timeout = 120)
{
	const char *wanted = getenv("PUBLISHERS");
	unsigned publishers = wanted ? (unsigned)atoi(wanted) : PUBLISHERS;
	struct seen seen = { 0 };
	unsigned seed = 28;

	/* On a busy machine some die before they begin: then more are looked at. */
	for (unsigned i = 0; i < publishers || (i < 10 * publishers && !enough(&seen, publishers));
	     i++) {
		int channel[2];
		pid_t publisher;

		cr_assert_eq(channel_pair(channel, NULL), 0);
		publisher = fork();
		cr_assert(publisher >= 0);
		if (publisher == 0) {
			close(channel[0]);
			publish(channel[1], 1 + (uint64_t)i * 1000);
		}
		close(channel[1]);
		spin((unsigned)rand_r(&seed) % SPIN_MAX_US);
		kill(publisher, SIGSTOP);
		cr_assert_eq(waitpid(publisher, NULL, WUNTRACED), publisher);
		look_at(publisher, &seen);
		kill(publisher, SIGKILL);
		cr_assert_eq(waitpid(publisher, NULL, 0), publisher);
		drain(channel[0], &seen);
		close(channel[0]);
	}
	cr_assert(enough(&seen, publishers), "%u unfinished tables, %u published", seen.refused,
	          seen.received);
	cr_log_info("%u unfinished, %u finished, %u published", seen.refused, seen.whole,
	            seen.received);
}
