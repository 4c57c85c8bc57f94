/* SPDX-License-Identifier: Apache-2.0 */
#include "master/tenant_limits.h"

static const struct {
	const char *text;
	bool size;
	uint64_t max;
} names[LIMIT_NAMES] = {
	[REQUESTS_PER_S] = { "requests_per_s", false, INT64_MAX },
	[REQUESTS_BURST] = { "requests_burst", false, INT64_MAX },
	[BYTES_PER_S] = { "bytes_per_s", true, INT64_MAX },
	[BYTES_BURST] = { "bytes_burst", true, INT64_MAX },
	[ITEMS_PER_S] = { "items_per_s", false, INT64_MAX },
	[ITEMS_BURST] = { "items_burst", false, INT64_MAX },
	[MAX_BODY_BYTES] = { "max_body_bytes", true, INT64_MAX },
	[MAX_INFLIGHT_BYTES] = { "max_inflight_bytes", true, INT64_MAX },
	[MAX_INFLIGHT_REQUESTS] = { "max_inflight_requests", false, INT32_MAX },
};

static const struct {
	enum limit_name per_s, burst;
} rates[LIMIT_KINDS] = {
	[LIMIT_REQUESTS] = { REQUESTS_PER_S, REQUESTS_BURST },
	[LIMIT_BYTES] = { BYTES_PER_S, BYTES_BURST },
	[LIMIT_ITEMS] = { ITEMS_PER_S, ITEMS_BURST },
};

const char *limit_name(enum limit_name name)
{
	return names[name].text;
}

bool limit_name_is_size(enum limit_name name)
{
	return names[name].size;
}

uint64_t limit_name_max(enum limit_name name)
{
	return names[name].max;
}

const char *tenant_limits_of(const struct named_limits *in, struct tenant_limits *out,
                             enum limit_name *wrong)
{
	/* Cleared whole, padding too: the set compares rows by their bytes. */
	memset(out, 0, sizeof(*out));
	for (*wrong = 0; *wrong < LIMIT_NAMES; (*wrong)++)
		if (in->v[*wrong] > names[*wrong].max)
			return "is too large";
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
		uint64_t per_s = in->v[rates[kind].per_s], burst = in->v[rates[kind].burst];

		*wrong = rates[kind].burst;
		if (burst && !per_s)
			return "has no rate: a burst is above one";
		/* per_s is an int64: twice that fits. */
		out->rates[kind] = (struct gcra_rate){ per_s, burst ? burst : 2 * per_s };
	}
	out->max_body_bytes = in->v[MAX_BODY_BYTES];
	out->max_inflight_bytes = in->v[MAX_INFLIGHT_BYTES];
	out->max_inflight_requests = (uint32_t)in->v[MAX_INFLIGHT_REQUESTS];
	return NULL;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

void tenant_limits_least(struct tenant_limits *limits, const struct tenant_limits *other)
{
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
		struct gcra_rate *rate = &limits->rates[kind];

		rate->per_s = least(rate->per_s, other->rates[kind].per_s);
		rate->burst = least(rate->burst, other->rates[kind].burst);
	}
	limits->max_body_bytes = least(limits->max_body_bytes, other->max_body_bytes);
	limits->max_inflight_bytes = least(limits->max_inflight_bytes, other->max_inflight_bytes);
	limits->max_inflight_requests =
		(uint32_t)least(limits->max_inflight_requests, other->max_inflight_requests);
}

static uint64_t share(uint64_t n, uint64_t hosts)
{
	return n == 0 || n / hosts > 0 ? n / hosts : 1;
}

struct tenant_limits tenant_limits_share(const struct tenant_limits *limits, uint64_t hosts)
{
	struct tenant_limits out = *limits;

	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
		out.rates[kind].per_s = share(out.rates[kind].per_s, hosts);
		out.rates[kind].burst = share(out.rates[kind].burst, hosts);
	}
	return out;
}

bool tenant_limits_too_tight(const struct tenant_limits *limits)
{
	const struct gcra_rate *bytes = &limits->rates[LIMIT_BYTES];

	return bytes->per_s && bytes->burst < limits->max_body_bytes;
}
