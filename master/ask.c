/* SPDX-License-Identifier: Apache-2.0 */
#include "master/ask.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "conf/values.h"

static int send_all(int fd, struct bytes b, struct err *err)
{
	while (b.n) {
		ssize_t n = send(fd, b.p, b.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "can't send");
		b = bytes_from(b, (size_t)n);
	}
	return 0;
}

static int read_line(int fd, struct buf *answer, struct err *err)
{
	char chunk[4096], *end;
	ssize_t n;

	do {
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "no answer");
		if (n == 0) {
			errno = ECONNRESET;
			return err_errno(err, "no whole answer");
		}
		end = memchr(chunk, '\n', (size_t)n);
		buf_add(answer, chunk, end ? (size_t)(end - chunk) : (size_t)n);
	} while (n < 0 || !end);
	if (answer->failed) {
		errno = EMSGSIZE;
		return err_errno(err, "the answer is too long");
	}
	return 0;
}

int ask_master(const char *socket_path, struct bytes line, msec_t timeout, struct buf *answer,
               struct err *err)
{
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval tv = { timeout / 1000, timeout % 1000 * 1000 };
	struct addr addr;

	if (value_addr(bytes_str(socket_path), &addr, err) < 0 || addr.ss.ss_family != AF_UNIX) {
		errno = EINVAL;
		return err_set(err, "'%s' is no absolute path of at most 107 bytes", socket_path);
	}
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		return err_errno(err, "no socket");
	if (connect(fd, (const struct sockaddr *)&addr.ss, addr.len) < 0)
		return err_errno(err, "can't connect to %s", socket_path);
	if (send_all(fd, line, err) < 0 || send_all(fd, BYTES("\n"), err) < 0)
		return -1;
	return read_line(fd, answer, err);
}
