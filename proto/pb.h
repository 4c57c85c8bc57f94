/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb.h -- the wire walker: one bounded, iterative pass over protobuf bytes with protobuf-c's
 * descriptors as schema (protocols.md 2, performance.md 3 recipes 4, 5). It validates every byte,
 * counts items and repairs or refuses broken UTF-8; what a protocol wants to know (a Resource, an
 * attribute of the reserved name) it learns by the hooks below. protobuf_c_message_unpack() never
 * touches client bytes: it has no depth limit, and 30 KB overflow its stack.
 */
#pragma once
#include <protobuf-c/protobuf-c.h>
#include "common/bytes.h"
#include "proto/protocol.h"

/* Varints (minimal form). Returns bytes written, 1..10. */
size_t pb_varint_write(uint64_t v, uint8_t out[static 10]);
size_t pb_varint_size(uint64_t v);
