/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.h -- TLS 1.2 and 1.3 (faults.md 7, performance.md 3 recipe 25): one SSL_CTX per listener from
 * the certificates that came with the configuration, ticket keys shared by all workers. The only
 * file that knows OpenSSL's SSL; io_tls (conn.h) lives here.
 */
#pragma once
#include "common/err.h"
#include "common/stats.h"
struct worker;
struct tls;

enum { TICKET_KEY_BYTES = 80, TICKET_KEYS = 3 }; /* 16 name, 32 HMAC, 32 AES; previous, current, next */

struct tls *tls_open(struct worker *w, struct err *err) MUST_USE;
void tls_close(struct tls *t);
void tls_tickets(struct tls *t, const uint8_t keys[static TICKET_KEYS * TICKET_KEY_BYTES]);
bool tls_wanted(const struct tls *t, unsigned listener_index);
void *tls_accept(struct tls *t, unsigned listener_index, int fd); /* an SSL, on the first byte */
enum tls_step { TLS_STEP_DONE, TLS_STEP_READ, TLS_STEP_WRITE, TLS_STEP_FAILED };
enum tls_step tls_handshake(void *ssl, enum tls_result *result, unsigned *version_index);
bool tls_pending(const void *ssl); /* decrypted bytes wait inside: read again before sleeping */
void tls_free(void *ssl, bool clean); /* clean: SSL_shutdown first, else tickets are spoilt */
const char *tls_version_text(const void *ssl); /* TLSv1.2, TLSv1.3 */
