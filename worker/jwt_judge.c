/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jwt_judge.h"

static const int64_t NBF_LEEWAY_S = 60;
static const int64_t TIME_MAX_S =
	253402300799; /* the year 9999: beyond, somebody means to overflow */

static bool has_audience(const struct jwt_conf *conf, const json_t *aud)
{
	const char *text = json_string_value(aud);

	for (size_t i = 0; text && i < conf->audiences.n; i++)
		if (strcmp(conf->audiences.v[i], text) == 0)
			return true;
	return false;
}

static const char *judge_audience(const struct jwt_rules *rules, const json_t *aud)
{
	bool found = json_is_string(aud) && has_audience(rules->conf, aud);

	if (!json_is_string(aud) && (!json_is_array(aud) || !json_array_size(aud)))
		return "JWT without an audience";
	for (size_t i = 0; i < json_array_size(aud) && !found; i++)
		found = has_audience(rules->conf, json_array_get(aud, i));
	return found || jwt_any_audience(rules->conf) ? NULL : "JWT for another audience";
}

/* Whole seconds since 1970; false: anything else. */
static bool read_time(const json_t *value, int64_t *out)
{
	json_int_t s = json_integer_value(value);

	if (!json_is_integer(value) || s < 0 || s > TIME_MAX_S)
		return false;
	*out = s;
	return true;
}

static const char *judge_times(const struct jwt *jwt, const struct jwt_rules *rules,
                               int64_t *not_after_us, enum auth_result *result)
{
	const json_t *nbf = json_object_get(jwt->payload, "nbf");
	int64_t end, begin = 0;

	if (!read_time(json_object_get(jwt->payload, "exp"), &end))
		return "JWT without a readable exp";
	if (nbf && !read_time(nbf, &begin))
		return "JWT without a readable nbf";
	*not_after_us = end * 1000000 + rules->conf->leeway * 1000;
	*result = AUTH_EXPIRED;
	if (rules->now_us >= *not_after_us)
		return "expired";
	if (nbf && rules->now_us < (begin - NBF_LEEWAY_S) * 1000000)
		return "not valid yet";
	return NULL;
}

static bool takes(const struct jwt_conf *conf, const char *algorithm)
{
	for (size_t i = 0; i < conf->algorithms.n; i++)
		if (strcmp(conf->algorithms.v[i], algorithm) == 0)
			return true;
	return false;
}

const char *jwt_judge(const struct jwt *jwt, const struct jwt_rules *rules, int64_t *not_after_us,
                      enum auth_result *result)
{
	const json_t *sub = json_object_get(jwt->payload, "sub");
	const char *why;

	*result = AUTH_UNKNOWN;
	if (!takes(rules->conf, jwt->alg))
		return "JWT of an algorithm that its issuer may not use";
	/* Moose asks for none, and it is who has a key of a file. */
	if (!jwt_has_key(rules->conf) && !sub)
		return "JWT without a subject";
	if (sub && (!json_is_string(sub) || !json_string_length(sub)))
		return "JWT without a readable subject";
	why = judge_audience(rules, json_object_get(jwt->payload, "aud"));
	return why ? why : judge_times(jwt, rules, not_after_us, result);
}

void jwt_proof(const struct jwt *jwt, const struct jwt_conf *conf, int64_t not_after_us,
               struct jwt_room *room, struct proof *out)
{
	const json_t *aud = json_object_get(jwt->payload, "aud");

	claims_tenants(jwt->payload, conf->tenant_claim, &conf->tenant_map, &room->tenants);
	room->claims = json_dumps(jwt->payload, JSON_COMPACT);
	if (!room->claims)
		out_of_memory();
	*out = (struct proof){ .method = METHOD_JWT,
		               .result = AUTH_OK,
		               .subject = json_string_value(json_object_get(jwt->payload, "sub")),
		               .email = claims_email(jwt->payload),
		               .issuer = jwt->issuer,
		               .claims = bytes_str(room->claims),
		               .scopes = claims_scopes(&conf->scopes),
		               .not_after = not_after_us,
		               .aud_is_list = json_is_array(aud),
		               .tenants = room->tenants.v,
		               .tenant_count = room->tenants.n,
		               .tenants_cut = room->tenants.too_many };
}
