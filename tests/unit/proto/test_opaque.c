/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/opaque.c"

#include <criterion/criterion.h>

Test(opaque, any_bytes_are_one_item_and_stay_as_they_are)
{
	static const uint8_t bytes[] = { 0, 0xff, '{', 0x0a };
	struct enriched e = { 0 };

	cr_assert_eq(
		opaque_enrich(&(struct enrich_in){ .body = bytes_of(bytes, sizeof(bytes)) }, &e),
		V_ACCEPTED);
	cr_assert_eq(e.items, 1);
	cr_assert_null(protocol_opaque.formats[0].transcode);
	cr_assert_null(protocol_opaque.formats[0].stamp); /* nothing to be put in */
	cr_assert_null(protocol_opaque.formats[0].split); /* and nothing to be cut */
}

/* records.md 1.1: no value is empty */
Test(opaque, an_empty_body_is_refused)
{
	struct enriched e = { 0 };

	cr_assert_eq(opaque_enrich(&(struct enrich_in){ .body = BYTES_NONE }, &e), V_INVALID);
	cr_assert_str_eq(e.reason, "empty body");
}

/* protocols.md 1.3: any type or none; gzip, deflate, zstd or nothing */
Test(opaque, every_type_is_taken_and_no_snappy)
{
	cr_assert_str_eq(protocol_opaque.formats[0].type, TYPE_ANY);
	cr_assert(protocol_opaque.formats[0].untyped);
	cr_assert_null(protocol_opaque.formats[0].record_type); /* the request's own */
	cr_assert(!(protocol_opaque.encodings & 1u << ENCODING_SNAPPY));
}
