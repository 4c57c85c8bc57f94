/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.h -- the only unit arithmetic of the program: text to numbers and back (operations.md 3).
 * Durations need ms s m h d (us too where an option's unit is us); sizes B, kB MB GB (powers of
 * 1000), KiB MiB GiB (of 1024); rates end in /s; shares in %; a bare 0 is fine. Parsers say why not
 * in *err and leave *out untouched.
 */
#pragma once
#include <netinet/in.h>
#include <sys/un.h>
#include "common/bytes.h"
#include "common/err.h"

int value_msec(struct bytes text, msec_t *out, struct err *err) MUST_USE;
int value_usec(struct bytes text, uint64_t *out, struct err *err) MUST_USE;
int value_size(struct bytes text, uint64_t *out, struct err *err) MUST_USE;
int value_rate(struct bytes text, uint64_t *out,
               struct err *err) MUST_USE; /* sizes or counts per s */
int value_count_rate(struct bytes text, uint64_t *out, struct err *err) MUST_USE; /* counts alone */
int value_percent(struct bytes text, uint64_t *out, struct err *err) MUST_USE; /* 0..100 */
int value_count(struct bytes text, uint64_t *out, struct err *err) MUST_USE;
int value_bool(struct bytes text, bool *out, struct err *err) MUST_USE; /* true, false only */
int value_time(struct bytes text, int64_t *unix_seconds, struct err *err) MUST_USE; /* RFC 3339 */

/* The shortest text that parses back to the same value. */
void value_msec_text(msec_t v, char *out, size_t cap);
void value_usec_text(uint64_t v, char *out, size_t cap);
void value_size_text(uint64_t v, char *out, size_t cap);

struct addr {
	struct sockaddr_storage ss;
	socklen_t len;
	char text[128]; /* 127.0.0.1:4318, [::1]:4318 or a path */
};
/* HOST:PORT (numeric host, or localhost), [V6]:PORT, or an absolute path for a unix socket. */
int value_addr(struct bytes text, struct addr *out, struct err *err) MUST_USE;
void addr_text(const struct sockaddr *sa, socklen_t len, char *out, size_t cap);
bool addr_is_loopback(const struct addr *a); /* unix sockets count as loopback */

struct cidr { /* IPv4 is kept as v4-mapped IPv6: prefix 96..128 */
	uint8_t addr[16];
	uint8_t prefix;
};
int value_cidr(struct bytes text, struct cidr *out, struct err *err) MUST_USE;
void addr_to_v6(const struct sockaddr *sa, uint8_t out[static 16]); /* unix: ::1 */
bool cidr_has(const struct cidr *c, const uint8_t addr[static 16]);
