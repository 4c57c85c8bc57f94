/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.h -- the Castagnoli checksum (RFC 3720 B.4) of stored values: by the CPU's instruction
 * where it has one, else by tables. The worker writes it, readers of the store compare it.
 */
#pragma once
#include "common/bytes.h"

uint32_t crc32c(struct bytes b);
