/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deflate.h -- one member of gzip, of zlib's wrapping or of raw deflate, for encoding.c: by
 * libdeflate, which is fast and cannot be stopped; in a large body by zlib, which stops behind each
 * block, so that blocks can be counted. A block of 13 bytes has tables to build: 64 MiB of them
 * would hold a worker for 10 s.
 */
#pragma once
#include "proto/encoding.h"

enum deflate_form { DEFLATE_RAW, DEFLATE_ZLIB, DEFLATE_GZIP };

struct deflate; /* decoder state */
struct deflate *deflate_open(void) MUST_USE;
void deflate_close(struct deflate *d);
/* Bodies of so many bytes and more have their blocks counted; tests lower it. */
void deflate_count_from(struct deflate *d, size_t bytes);
/* A body of so many bytes begins: the members that follow are counted together. */
void deflate_begin(struct deflate *d, size_t bytes);
/* The member at the beginning of in: how much it took and gave. *why is set if there is more to say
 * of INFLATE_CORRUPT than that. */
enum inflate_result deflate_member(struct deflate *d, enum deflate_form form, struct bytes in,
                                   uint8_t *out, size_t out_cap, size_t *took, size_t *gave,
                                   const char **why) MUST_USE;
