/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "worker/audit_ring.c"

static struct audit_ring *ring_over(int fd)
{
	struct err err = { { 0 } };
	struct audit_ring *ring = audit_ring_new(&err);

	cr_assert(ring, "%s", err.text);
	cr_assert(!audit_ring_is_open(ring));
	audit_ring_set_fd(ring, fd);
	cr_assert(audit_ring_is_open(ring));
	return ring;
}

static size_t make_line(char *line, unsigned i)
{
	unsigned n = 10 + i * 37 % 900;

	memset(line, 'a' + (int)(i % 26), n);
	line[n] = '\n';
	return n + 1;
}

Test(audit_ring, lines_come_out_whole_and_in_order_however_often_the_ring_turns)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct audit_ring *ring = ring_over(dup(fd));
	size_t total = 0, at = 0;
	char line[1024], back[1024];
	const unsigned lines = 20000; /* some 9 turns */

	for (unsigned i = 0; i < lines; i++) {
		size_t n = make_line(line, i);

		total += n;
		while (!audit_ring_put(ring, line, n)) /* the writer is behind */
			audit_ring_wake(ring);
		if (i % 100 == 0)
			audit_ring_wake(ring);
	}
	audit_ring_free(ring);
	cr_assert_gt(total, 8 * (size_t)AUDIT_RING_BYTES);
	cr_assert_eq((size_t)lseek(fd, 0, SEEK_END), total);
	for (unsigned i = 0; i < lines; i++) {
		size_t n = make_line(line, i);

		cr_assert_eq(pread(fd, back, n, (off_t)at), (ssize_t)n);
		cr_assert_arr_eq(back, line, n, "%u", i);
		at += n;
	}
	close(fd);
}

Test(audit_ring, a_pipe_gets_one_line_a_write)
{
	struct audit_ring *ring;
	char back[4096];
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK | O_DIRECT),
	             0); /* packets: a read gives one write */
	ring = ring_over(fds[1]);
	cr_assert(audit_ring_put(ring, "one\n", 4));
	cr_assert(audit_ring_put(ring, "three\n", 6));
	audit_ring_free(ring);
	cr_assert_eq(read(fds[0], back, sizeof(back)), 4);
	cr_assert_eq(read(fds[0], back, sizeof(back)), 6);
	close(fds[0]);
}

Test(audit_ring, a_full_ring_refuses_and_keeps_what_it_has)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct audit_ring *ring = ring_over(dup(fd));
	char line[1024];
	unsigned taken = 0;

	memset(line, 'x', sizeof(line));
	line[1023] = '\n';
	while (audit_ring_put(ring, line, sizeof(line))) /* nobody was woken yet */
		taken++;
	cr_assert_eq(taken, (unsigned)AUDIT_RING_BYTES / 1024);
	cr_assert_eq(audit_ring_room(ring), 0u);
	audit_ring_free(ring);
	cr_assert_eq(lseek(fd, 0, SEEK_END), (off_t)AUDIT_RING_BYTES);
	close(fd);
}

Test(audit_ring, what_cannot_be_written_stays_and_the_error_shows)
{
	struct audit_ring *ring;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	ring = ring_over(fds[1]);
	cr_assert(audit_ring_put(ring, "x\n", 2));
	take_next_fd(ring);
	signal(SIGPIPE, SIG_IGN);
	cr_assert(!write_out(ring));
	cr_assert_eq(audit_ring_error(ring), EPIPE);
	cr_assert_eq(audit_ring_room(ring), (size_t)AUDIT_RING_BYTES - 2);
	audit_ring_free(ring);
}

Test(audit_ring, one_that_was_never_opened_starts_no_thread)
{
	struct err err = { { 0 } };
	struct audit_ring *ring = audit_ring_new(&err);

	cr_assert(ring);
	cr_assert(!ring->running);
	audit_ring_free(ring);
	audit_ring_free(NULL);
}
