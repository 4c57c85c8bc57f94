/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel.c -- packets between master and worker, and sealed memfds. Both ends distrust each other:
 * a packet that channel.def does not allow ends the channel, and every descriptor that came with it
 * is closed. Never blocks; never keeps a descriptor.
 */
#include "common/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const struct message_info {
	const char *name;
	unsigned fds;
	size_t body_max;
} messages[MSG_COUNT] = {
#define MESSAGE(name, fds, body, meaning) [MSG_##name] = { #name, fds, body },
#include "common/channel.def"
#undef MESSAGE
};

struct packet {
	uint32_t type;
	uint32_t zero; /* no padding goes out */
	uint64_t arg;
	uint64_t slot;
	uint8_t body[CHANNEL_BODY_MAX];
};
enum {
	PACKET_HEAD = offsetof(struct packet, body),
	FDS_SEEN = 8, /* what a wrong packet brings beyond this, the kernel closes (MSG_CTRUNC) */
	ALL_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
};

union fd_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FDS_SEEN * sizeof(int))];
};

const char *message_name(enum message m)
{
	assert(m >= MSG_NONE && m < MSG_COUNT);
	return m == MSG_NONE ? "NONE" : messages[m].name;
}

int channel_pair(int fds[2], struct err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_errno(err, "no channel for a worker");
	fds[0] = pair[0];
	fds[1] = pair[1];
	return 0;
}

int channel_send(int channel, enum message type, uint64_t arg, uint64_t slot, int fd,
                 struct bytes body)
{
	struct packet packet = { .type = type, .arg = arg, .slot = slot };
	struct iovec iov[2] = { { &packet, PACKET_HEAD }, { (void *)(uintptr_t)body.p, body.n } };
	union fd_control control = { 0 };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	assert(type > MSG_NONE && type < MSG_COUNT);
	assert(messages[type].fds == (fd >= 0) && body.n <= messages[type].body_max);
	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(int));
	}
	do
		n = sendmsg(channel, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	/* Too many descriptors in flight or no buffer left: the same cause, a peer that reads
	 * nothing. */
	if (errno == ENOBUFS || errno == ETOOMANYREFS)
		errno = EAGAIN;
	else if (errno == ECONNRESET)
		errno = EPIPE;
	return -1;
}

/* All descriptors of a packet; those beyond `cap` are closed here. Returns how many came. */
static unsigned take_fds(struct msghdr *msg, int *fds, unsigned cap)
{
	unsigned count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count < cap)
				fds[count] = fd;
			else
				close(fd);
			count++;
		}
	}
	return count;
}

/* NULL, or what is wrong with a packet of n bytes. */
static const char *packet_fault(const struct packet *packet, size_t n, const struct msghdr *msg,
                                unsigned fds)
{
	if (n < PACKET_HEAD)
		return "too short";
	if (msg->msg_flags & MSG_TRUNC)
		return "too long";
	if (packet->type <= MSG_NONE || packet->type >= MSG_COUNT || packet->zero != 0)
		return "of no known type";
	if (n - PACKET_HEAD > messages[packet->type].body_max)
		return "with too long a body";
	if ((msg->msg_flags & MSG_CTRUNC) || fds != messages[packet->type].fds)
		return "with a wrong number of descriptors";
	return NULL;
}

int channel_recv(int channel, struct channel_msg *out, struct err *err)
{
	struct packet packet = { 0 };
	struct iovec iov = { &packet, sizeof(packet) };
	union fd_control control;
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = &control,
		              .msg_controllen = sizeof(control) };
	autoclose int fd = -1;
	const char *fault;
	unsigned fds, resets = 0;
	ssize_t n;

	/* Reset: it died with packets of ours unread. That is told once, before its last words. */
	do
		n = recvmsg(channel, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0 && errno != ECONNRESET)
		return err_errno(err, "channel");
	fds = n < 0 ? 0 : take_fds(&msg, &fd, 1);
	if (n <= 0)
		return err_set(err, "%s", "");
	fault = packet_fault(&packet, (size_t)n, &msg, fds);
	if (fault)
		return err_set(err, "a channel packet %s (type %u, %zd bytes, %u descriptors)",
		               fault, packet.type, n, fds);
	out->type = (enum message)packet.type;
	out->arg = packet.arg;
	out->slot = packet.slot;
	out->fd = take_fd(&fd);
	out->body_bytes = (size_t)n - PACKET_HEAD;
	memcpy(out->body, packet.body, out->body_bytes);
	return 1;
}

static int write_all(int fd, struct bytes b)
{
	while (b.n > 0) {
		ssize_t n = write(fd, b.p, b.n);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			b = bytes_from(b, (size_t)n);
	}
	return 0;
}

int sealed_memfd(const char *name, struct bytes content, struct err *err)
{
	autoclose int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_errno(err, "no memfd for %s", name);
	if (write_all(fd, content) < 0)
		return err_errno(err, "can't fill the memfd for %s", name);
	if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
		return err_errno(err, "can't seal the memfd for %s", name);
	return take_fd(&fd);
}

int sealed_map(int fd, struct bytes *out, struct err *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *p;

	if (seals < 0)
		return err_errno(err, "not a memfd");
	if ((seals & ALL_SEALS) != ALL_SEALS)
		return err_set(err, "a memfd that is not sealed (seals 0x%x)", (unsigned)seals);
	if (fstat(fd, &st) < 0)
		return err_errno(err, "a memfd without size");
	if (st.st_size == 0) { /* mmap() refuses nothing; munmap() of it does no harm */
		*out = BYTES_NONE;
		return 0;
	}
	/* Private: kernels before 6.7 refuse to share a write-sealed memfd, and the pages are the
	 * same. */
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_errno(err, "can't map a memfd of %lld bytes", (long long)st.st_size);
	*out = bytes_of(p, (size_t)st.st_size);
	return 0;
}
