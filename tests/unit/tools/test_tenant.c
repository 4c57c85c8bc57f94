/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/tenant.c"

#include <criterion/criterion.h>

static struct ctl with(const char *option, const char *value)
{
	static const char *values[ARRAY_LEN(add_options)];
	struct ctl c = { .command = &command_tenant_add, .values = values };

	memset(values, 0, sizeof(values));
	for (size_t i = 0; add_options[i].name; i++)
		if (strcmp(add_options[i].name, option) == 0)
			values[i] = value;
	return c;
}

/* As JSON, or "" if it was refused. */
static const char *taken(const char *option, const char *value)
{
	static char text[256];
	struct ctl c = with(option, value);
	json_t *o = take_fields(&c);
	char *dump = o ? json_dumps(o, JSON_COMPACT) : NULL;

	snprintf(text, sizeof(text), "%s", dump ? dump : "");
	free(dump);
	json_decref(o);
	return text;
}

Test(tenant, options_are_columns_in_plain_numbers)
{
	cr_expect_str_eq(taken("bytes", "5MB/s"), "{\"bytes_per_s\":5000000}");
	cr_expect_str_eq(taken("bytes-burst", "20MiB"), "{\"bytes_burst\":20971520}");
	cr_expect_str_eq(taken("requests", "200/s"), "{\"requests_per_s\":200}");
	cr_expect_str_eq(taken("max-inflight-requests", "7"), "{\"max_inflight_requests\":7}");
	cr_expect_str_eq(taken("block-until", "2027-01-01T00:00:00+01:00"),
	                 "{\"block_until\":\"2026-12-31T23:00:00Z\"}");
	cr_expect_str_eq(taken("display-name", "A \"B\""), "{\"display_name\":\"A \\\"B\\\"\"}");
}

Test(tenant, none_takes_a_value_away)
{
	cr_expect_str_eq(taken("bytes", "none"), "{\"bytes_per_s\":null}");
	cr_expect_str_eq(taken("block-until", "none"), "{\"block_until\":null}");
	cr_expect_str_eq(taken("topic-prefix", "none"), "{\"topic_prefix\":null}");
	cr_expect_str_eq(taken("display-name", "none"), "{\"display_name\":\"\"}");
}

Test(tenant, values_that_would_mean_something_else_are_refused)
{
	static const char *const wrong[][2] = {
		{ "bytes", "5MB" },      { "bytes", "0" },
		{ "bytes", "fast" },     { "requests-burst", "0" },
		{ "bytes-burst", "20" }, { "block-until", "tomorrow" },
		{ "requests", "-1/s" },  { "display-name", "\xff" },
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		cr_expect_str_eq(taken(wrong[i][0], wrong[i][1]), "", "%s %s", wrong[i][0],
		                 wrong[i][1]);
}

Test(tenant, limits_are_shown_with_their_units)
{
	json_t *row =
		json_pack("{s:{s:i,s:i,s:s,s:i}}", "limits", "bytes_per_s", 5000000,
	                  "max_body_bytes", 1048576, "requests_per_s", "200", "items_burst", 9);
	char text[256];

	limits_text(row, text, sizeof(text));
	cr_expect_str_eq(text, "requests_per_s=200/s bytes_per_s=5MB/s items_burst=9 "
	                       "max_body_bytes=1MiB");
	json_decref(row);
	row = json_pack("{s:{}}", "limits");
	limits_text(row, text, sizeof(text));
	cr_expect_str_eq(text, "-");
	json_decref(row);
}
