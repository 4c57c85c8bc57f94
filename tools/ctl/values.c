/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.c -- option values of headgatectl as numbers: the units are conf/values.h's, the words
 * about what is wrong name the option.
 */
#include <string.h>
#include <time.h>
#include "conf/values.h"
#include "tools/ctl/ctl.h"

bool json_time_of(const json_t *o, const char *key, int64_t *at)
{
	const char *text = json_text_of(o, key);
	struct err err;

	if (strcmp(text, "infinity") == 0)
		*at = INT64_MAX;
	else if (strcmp(text, "-infinity") == 0)
		*at = INT64_MIN;
	else
		return value_time(bytes_str(text), at, &err) == 0;
	return true;
}

static int refuse(const struct ctl *c, const char *option, const char *why)
{
	return ctl_usage(c, "--%s '%s': %s", option, ctl_value(c, option), why);
}

int ctl_msec(const struct ctl *c, const char *option, msec_t *out)
{
	const char *text = ctl_value(c, option);
	struct err err = { "" };
	msec_t v = 0;

	if (!text)
		return 0;
	if (value_msec(bytes_str(text), &v, &err) < 0)
		return refuse(c, option, err.text);
	if (v < 1)
		return refuse(c, option, "it must be above 0");
	*out = v;
	return 0;
}

static int number(const struct ctl *c, const char *option, uint64_t *out,
                  int (*parse)(struct bytes text, uint64_t *out, struct err *err))
{
	const char *text = ctl_value(c, option);
	struct err err = { "" };
	uint64_t v = 0;

	if (!text)
		return 0;
	if (parse(bytes_str(text), &v, &err) < 0)
		return refuse(c, option, err.text);
	if (v < 1)
		return refuse(c, option, "it must be above 0");
	*out = v;
	return 0;
}

int ctl_count(const struct ctl *c, const char *option, uint64_t *out)
{
	return number(c, option, out, value_count);
}

int ctl_size(const struct ctl *c, const char *option, uint64_t *out)
{
	return number(c, option, out, value_size);
}

int ctl_time(const struct ctl *c, const char *option, int64_t *out)
{
	const char *text = ctl_value(c, option);
	struct err err = { "" };
	int64_t at = 0;
	msec_t in = 0;

	if (!text)
		return 0;
	if (value_time(bytes_str(text), &at, &err) == 0) {
		*out = at;
		return 0;
	}
	if (value_msec(bytes_str(text), &in, &err) < 0 || in < 1)
		return refuse(c, option,
		              "a duration (90d) or a time (2027-01-01T00:00:00Z) is wanted");
	*out = (int64_t)time(NULL) + in / 1000;
	return 0;
}
