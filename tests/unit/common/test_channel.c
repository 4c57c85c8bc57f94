/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <dirent.h>

#include "common/channel.c"

static int left, right;

static void open_pair(void)
{
	int fds[2];

	cr_assert_eq(channel_pair(fds, NULL), 0);
	left = fds[0];
	right = fds[1];
}

static void close_pair(void)
{
	close(left);
	close(right);
}

TestSuite(channel, .init = open_pair, .fini = close_pair);

static unsigned open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int some_fd(void)
{
	return memfd_create("test", MFD_CLOEXEC);
}

/* A packet as channel_send() would never make it. */
static void send_raw(const struct packet *packet, size_t bytes, const int *fds, unsigned fd_count)
{
	struct iovec iov = { (void *)(uintptr_t)packet, bytes };
	char control[CMSG_SPACE(16 * sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd_count > 0) {
		struct cmsghdr *c = (struct cmsghdr *)(void *)control;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	cr_assert_eq(sendmsg(left, &msg, MSG_NOSIGNAL), (ssize_t)bytes);
}

static void refused(const char *why)
{
	struct channel_msg msg;
	struct err err = { "" };

	cr_assert_eq(channel_recv(right, &msg, &err), -1);
	cr_assert(strstr(err.text, why), "%s", err.text);
}

Test(channel, each_message_arrives_with_all_that_belongs_to_it)
{
	static const uint8_t body[CHANNEL_BODY_MAX] = { 1, 2, 3 };

	for (enum message m = MSG_NONE + 1; m < MSG_COUNT; m++) {
		autoclose int fd = messages[m].fds ? some_fd() : -1;
		struct channel_msg msg;

		cr_assert_eq(channel_send(left, m, 1ull << 40 | m, 5, fd,
		                          bytes_of(body, messages[m].body_max)),
		             0);
		cr_assert_eq(channel_recv(right, &msg, NULL), 1);
		cr_assert_eq(msg.type, m);
		cr_assert_eq(msg.arg, 1ull << 40 | m);
		cr_assert_eq(msg.slot, 5);
		cr_assert_eq(msg.body_bytes, messages[m].body_max);
		cr_assert_arr_eq(msg.body, body, messages[m].body_max);
		cr_assert_eq(msg.fd >= 0, messages[m].fds == 1);
		cr_assert(msg.fd < 0 || (fcntl(msg.fd, F_GETFD) & FD_CLOEXEC));
		close_fd_(&msg.fd);
	}
}

Test(channel, nothing_there_is_zero_and_eof_says_nothing)
{
	struct channel_msg msg;
	struct err err = { "x" };

	cr_assert_eq(channel_recv(right, &msg, &err), 0);
	close(left);
	left = -1;
	cr_assert_eq(channel_recv(right, &msg, &err), -1);
	cr_assert_str_eq(err.text, "");
}

Test(channel, a_peer_that_died_with_packets_unread_is_eof_too)
{
	struct channel_msg msg;
	struct err err = { "x" };

	cr_assert_eq(channel_send(right, MSG_READY, 0, 0, -1, BYTES_NONE), 0);
	close(left);
	left = -1;
	cr_assert_eq(channel_recv(right, &msg, &err), -1);
	cr_assert_str_eq(err.text, "");
}

/* F73 (the channel's part): whoever does not read is noticed, not waited for. */
/* A worker that says FAILED and ends, with a table still unread in its end. */
Test(channel, the_last_words_of_a_peer_that_died_with_packets_unread_arrive)
{
	struct channel_msg m;
	struct err err = { "" };

	cr_assert_eq(channel_send(left, MSG_DRAIN, 0, 0, -1, BYTES_NONE), 0);
	cr_assert_eq(channel_send(right, MSG_FAILED, 0, 0, -1, BYTES("no such key")), 0);
	close(right);
	right = -1;
	cr_assert_eq(channel_recv(left, &m, &err), 1);
	cr_expect_eq(m.type, MSG_FAILED);
	cr_expect_eq(channel_recv(left, &m, &err), -1);
	cr_expect_str_empty(err.text, "the end of file says nothing");
}

Test(channel, a_peer_that_does_not_read_is_eagain_and_one_that_is_gone_epipe)
{
	unsigned sent = 0;

	while (channel_send(left, MSG_READY, sent, 0, -1, BYTES_NONE) == 0)
		cr_assert_lt(++sent, 100000);
	cr_assert_eq(errno, EAGAIN);
	cr_assert_gt(sent, 0);
	close(right);
	right = -1;
	cr_assert_eq(channel_send(left, MSG_READY, 0, 0, -1, BYTES_NONE), -1);
	cr_assert_eq(errno, EPIPE);
}

Test(channel, an_unknown_type_is_refused)
{
	struct packet packet = { .type = MSG_COUNT };

	send_raw(&packet, PACKET_HEAD, NULL, 0);
	refused("of no known type");
	packet.type = MSG_NONE;
	send_raw(&packet, PACKET_HEAD, NULL, 0);
	refused("of no known type");
}

Test(channel, every_truncated_head_is_refused)
{
	struct packet packet = { .type = MSG_READY };

	for (size_t n = 1; n < PACKET_HEAD; n++) {
		send_raw(&packet, n, NULL, 0);
		refused("too short");
	}
}

Test(channel, a_body_where_none_belongs_is_refused)
{
	struct packet packet = { .type = MSG_READY };

	send_raw(&packet, PACKET_HEAD + 1, NULL, 0);
	refused("with too long a body");
}

Test(channel, a_packet_longer_than_any_is_refused)
{
	struct {
		struct packet packet;
		uint8_t more[8];
	} both = { .packet = { .type = MSG_FAILED } };

	send_raw(&both.packet, PACKET_HEAD + CHANNEL_BODY_MAX + 1, NULL, 0);
	refused("too long");
}

Test(channel, descriptors_that_do_not_belong_are_closed)
{
	struct packet ready = { .type = MSG_READY }, table = { .type = MSG_TABLE };
	int fds[12];
	unsigned before;

	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = some_fd();
	before = open_fds();
	send_raw(&table, PACKET_HEAD, NULL, 0);
	refused("wrong number of descriptors");
	send_raw(&ready, PACKET_HEAD, fds, 1);
	refused("wrong number of descriptors");
	send_raw(&table, PACKET_HEAD, fds, 2);
	refused("wrong number of descriptors");
	send_raw(&table, PACKET_HEAD, fds, ARRAY_LEN(fds)); /* more than there is room for */
	refused("wrong number of descriptors");
	send_raw(&table, 3, fds, 2);
	refused("too short");
	cr_assert_eq(open_fds(), before);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

Test(channel, sending_a_wrong_message_is_our_own_mistake, .signal = 6)
{
	if (channel_send(left, MSG_READY, 0, 0, -1, BYTES("body")) < 0)
		return;
}

Test(channel, names_are_those_of_the_table)
{
	cr_assert_str_eq(message_name(MSG_TABLE_OK), "TABLE_OK");
	cr_assert_str_eq(message_name(MSG_NONE), "NONE");
}

Test(channel, a_sealed_memfd_is_mapped_and_never_changes)
{
	autoclose int fd = sealed_memfd("test", BYTES("hello"), NULL);
	struct bytes map;

	cr_assert_eq(sealed_map(fd, &map, NULL), 0);
	cr_assert(bytes_eq(map, BYTES("hello")));
	munmap((void *)(uintptr_t)map.p, map.n);
	cr_assert_eq(pwrite(fd, "x", 1, 0), -1);
	cr_assert_eq(errno, EPERM);
	cr_assert_eq(ftruncate(fd, 0), -1);
	cr_assert_eq(errno, EPERM);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	cr_assert_eq(errno, EPERM);
}

Test(channel, an_empty_memfd_is_fine)
{
	autoclose int fd = sealed_memfd("test", BYTES_NONE, NULL);
	struct bytes map = BYTES("old");

	cr_assert_eq(sealed_map(fd, &map, NULL), 0);
	cr_assert_eq(map.n, 0);
}

Test(channel, what_lacks_a_seal_is_not_mapped)
{
	static const int seals[] = { F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL };

	for (size_t without = 0; without < ARRAY_LEN(seals); without++) {
		autoclose int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		struct err err = { "" };
		struct bytes map;

		cr_assert_eq(write(fd, "hello", 5), 5);
		cr_assert_eq(fcntl(fd, F_ADD_SEALS, ALL_SEALS & ~seals[without]), 0);
		cr_assert_eq(sealed_map(fd, &map, &err), -1);
		cr_assert(strstr(err.text, "not sealed"), "%s", err.text);
	}
	cr_assert_eq(sealed_map(left, &(struct bytes){ NULL, 0 }, NULL), -1); /* no memfd at all */
}
