/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs.h -- certificates and keys, checked before any worker sees them: the key belongs to the
 * leaf, each certificate is signed by the next, none has ended. Called by check.c and status.c.
 * Uses libcrypto alone; what a handshake needs is worker/tls.c's.
 */
#pragma once
#include "conf/conf.h"

enum { CERT_WARN_DAYS = 30, CERT_DEGRADED_DAYS = 14, DAY_S = 86400 };

/* Says each fault with the option and the file it is in. */
typedef void certs_say(void *arg, bool is_error, const char *text);

void certs_check(const struct conf *conf, int64_t now_s, certs_say *say, void *arg);

/* The first end (Unix seconds) of a file's certificates; INT64_MAX if none can be read. */
int64_t certs_not_after(struct bytes pem);
/* The first end of all certificates that listeners present; INT64_MAX if there are none. */
int64_t certs_first_end(const struct conf *conf);
