/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims.h -- what an identity provider says of somebody (the payload of a JWT, an answer of
 * userinfo), read for a proof: e-mail, tenants (compatibility.md 3, 6). Pure; judges nothing.
 */
#pragma once
#include <jansson.h>
#include "conf/conf.h"
#include "worker/proof.h"

struct claims_tenants {
	const char *v[PROOF_TENANTS_MAX];
	unsigned n;
	bool too_many; /* then v has the first ones */
};

/* Of several members the first in our order that is a text; NULL: none. Lives as long as claims. */
const char *claims_email(const json_t *claims);
/* The values of that claim, or what map has for them; each once. Texts are those of claims and map.
 */
void claims_tenants(const json_t *claims, const char *claim, const struct conf_lists *map,
                    struct claims_tenants *out);
/* Bit set of telemetry.h, of scopes as an entry of auth.jwt has them. */
unsigned claims_scopes(const struct conf_list *scopes);
