/* SPDX-License-Identifier: Apache-2.0 */
/*
 * media.h -- a Content-Type field as protocols.md 1.3 takes it (RFC 9110 8.3.1): case-insensitive,
 * optional blanks, parameters tolerated, malformed ones not. Pure; used by admit, which judges, and
 * before it by whoever needs to know in which encoding an error is to be said.
 */
#pragma once
#include "common/bytes.h"

/* type/subtype of a well-formed field, a slice of it. False: no media type, or a bad parameter. */
bool media_parse(struct bytes field, struct bytes *type) MUST_USE;
/* The value of a parameter of a well-formed field, without quotes; p = NULL: it has none of that
 * name (lower case). */
struct bytes media_parameter(struct bytes field, const char *name);
/* The field is well-formed and of this type (lower case, without parameters). */
bool media_is(struct bytes field, const char *type);
