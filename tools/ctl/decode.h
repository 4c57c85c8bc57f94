/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h -- a stored value as JSON, by the schema that its record's headers name. For people and
 * scripts that look (headgatectl cat); what the gateway stored was validated by it, yet a file may
 * be damaged or somebody else's, so size and depth are bounded.
 */
#pragma once
#include "common/buf.h"

/* Appends the proto3 JSON of the value (lowerCamelCase names, 64-bit numbers as strings, trace and
 * span ids in hex, other bytes in base64, enums as numbers). NULL, or why it is none and nothing
 * was appended. signal decides where a format has several messages. */
const char *decode_value(const char *format, const char *signal, struct bytes value,
                         struct buf *json) MUST_USE;
void decode_base64(struct buf *out, struct bytes value);
