/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_org.h -- the tenant of a request whose credential was good; for auth.c alone.
 */
#pragma once
#include "worker/auth.h"

/* p: what a verifier found, whose tenants are to be looked up; NULL: r->who has its tenant. NEXT:
 * r->who has one that may write, and nothing in the request names another. */
enum step auth_tenant(struct req *r, const struct credential *c, const struct proof *p);
