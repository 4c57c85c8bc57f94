/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_form.h -- is a text of this form? Of strings and keys of maps that a data model gives a
 * type (compatibility.md 5). Pure; a text of no bytes is of no form.
 */
#pragma once
#include "common/bytes.h"

enum { FORM_FLOAT_MAX = 514 };

bool form_is_integer(struct bytes b); /* -?(0|[1-9][0-9]*) */
bool form_is_decimal(struct bytes b); /* -?[0-9]+(\.[0-9]+)? */
/* A finite number: as JSON writes it, in b or in `odd`. BYTES_NONE: it is none. */
struct bytes form_float_of(struct bytes b, uint8_t odd[static FORM_FLOAT_MAX]);
bool form_is_float(struct bytes b); /* any number, finite or not, or the word for one */
bool form_is_date(struct bytes b); /* 2026-11-25; a day of 01 to 31 */
bool form_is_date_time(struct bytes b); /* RFC 3339, with an offset */
bool form_is_uuid(struct bytes b); /* 32 digits; with hyphens, then in braces or as a URN too */
bool form_is_ipv4(struct bytes b); /* four decimals, leading zeros allowed */
bool form_is_ipv6(struct bytes b); /* RFC 4291, no zone */
