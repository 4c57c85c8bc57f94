/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstd.h -- frames of zstd (RFC 8878, 9659) in a row, each undone in one pass into the caller's
 * buffer: the output is its own window, so that a frame costs no other memory, whatever it says.
 * For encoding.c; the one door to libzstd.
 */
#pragma once
#include "proto/encoding.h"

enum { ZSTD_WINDOW_MAX = 8 * MIB }; /* RFC 9659: what a receiver has to take, and we no more */

struct zstd; /* decoder state: about 94 KiB that never grow */
struct zstd *zstd_open(void) MUST_USE;
void zstd_close(struct zstd *z);
void zstd_version(char *out, size_t cap); /* of the library and of its header; for -v */

/* What the blocks' heads tell, as encoding_look(). *claim: the output's size if all frames say it,
 * else 0; *most: no valid input gives more. */
enum inflate_result zstd_look(struct bytes in, size_t limit, size_t *claim, size_t *most,
                              const char **why) MUST_USE;
/* As encoding_inflate(). */
enum inflate_result zstd_inflate(struct zstd *z, struct bytes in, uint8_t *out, size_t out_cap,
                                 size_t *out_bytes, const char **why) MUST_USE;
