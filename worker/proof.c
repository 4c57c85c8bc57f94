/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof.c -- a proof and all that it points to, laid out in one block: pointers and keys first, then
 * texts.
 */
#include "worker/proof.h"

struct copying {
	struct proof *proof;
	char *at; /* where the next text goes */
};

static size_t text_bytes(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static const char *put_text(struct copying *c, const char *text)
{
	size_t n = text_bytes(text);
	char *at = c->at;

	if (!n)
		return NULL;
	memcpy(at, text, n);
	c->at += n;
	return at;
}

static size_t texts_bytes(const struct proof *p)
{
	size_t n = text_bytes(p->subject) + text_bytes(p->email) + text_bytes(p->issuer) +
	           text_bytes(p->challenge) + p->claims.n;

	for (unsigned i = 0; i < p->tenant_count; i++)
		n += text_bytes(p->tenants[i]);
	return n;
}

struct proof *proof_copy(const struct proof *p)
{
	size_t names = p->tenant_count * sizeof(*p->tenants);
	size_t keys = p->key_count * sizeof(*p->keys);
	struct proof *out = xcalloc(1, sizeof(*out) + names + keys + texts_bytes(p));
	const char **tenants = (const char **)(out + 1);
	struct proof_key *to = (struct proof_key *)(tenants + p->tenant_count);
	struct copying c = { out, (char *)to + keys };

	*out = *p;
	for (unsigned i = 0; i < p->tenant_count; i++)
		tenants[i] = put_text(&c, p->tenants[i]);
	out->tenants = tenants;
	if (keys)
		memcpy(to, p->keys, keys);
	out->keys = to;
	out->subject = put_text(&c, p->subject);
	out->email = put_text(&c, p->email);
	out->issuer = put_text(&c, p->issuer);
	out->challenge = put_text(&c, p->challenge);
	if (p->claims.n) {
		memcpy(c.at, p->claims.p, p->claims.n);
		out->claims = bytes_of(c.at, p->claims.n);
	}
	return out;
}
