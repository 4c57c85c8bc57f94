/* SPDX-License-Identifier: Apache-2.0 */
#include "master/tenants_extra.h"

#include "master/tenants_rows.h"

struct extra { /* a row that is wanted, or was put and is to be dropped at the next commit */
	struct idmap_node node;
	struct extra *next; /* of its kind */
	char *id;
	bool wanted;
	bool in_source; /* at the last commit, */
	bool seen; /* as far as this read has come */
	/* of a token */
	char *tenant;
	struct token_row row; /* its texts, hash and addresses are in memory */
	uint8_t hash[HASH_BYTES];
	struct snapshot_cidr cidrs[CIDRS_MAX];
};

struct extras { /* by enum row_kind */
	struct extra *all[ROW_TOKEN + 1];
	struct idmap of[ROW_TOKEN + 1]; /* the same, by id */
};

static struct extra *extra_of(struct idmap_node *node)
{
	return node ? idmap_owner(node, struct extra, node) : NULL;
}

static struct bytes key_of_extra(const struct idmap_node *node)
{
	return bytes_str(idmap_owner(node, struct extra, node)->id);
}

static struct extra *find(struct extras *x, enum row_kind kind, struct bytes id)
{
	return extra_of(idmap_find(&x->of[kind], id));
}

struct extras *extras_new(void)
{
	struct extras *x = xcalloc(1, sizeof(*x));

	for (unsigned kind = ROW_TENANT; kind <= ROW_TOKEN; kind++)
		idmap_init(&x->of[kind], key_of_extra);
	return x;
}

static void extra_free(struct extra *e)
{
	free(e->id);
	free(e->tenant);
	free(e);
}

void extras_free(struct extras *x)
{
	if (!x)
		return;
	for (unsigned kind = ROW_TENANT; kind <= ROW_TOKEN; kind++) {
		for (struct extra *e = x->all[kind], *next; e; e = next) {
			next = e->next;
			extra_free(e);
		}
		idmap_done(&x->of[kind]);
	}
	free(x);
}

/* ---- what is wanted ---- */

/* One that was not known before was never put by us: what the set has is the source's. */
static struct extra *want(struct extras *x, const struct tenant_set *s, enum row_kind kind,
                          const char *id)
{
	struct extra *e = find(x, kind, bytes_str(id));

	if (!e) {
		e = xcalloc(1, sizeof(*e));
		e->id = xstrdup(id);
		if (kind == ROW_TENANT) {
			const struct tenant *t = tenant_of(idmap_find(&s->tenants, bytes_str(id)));

			e->in_source = t && t->has_row;
		} else {
			e->in_source = idmap_find(&s->tokens, bytes_str(id)) != NULL;
		}
		idmap_add(&x->of[kind], &e->node);
		e->next = x->all[kind];
		x->all[kind] = e;
	}
	e->wanted = true;
	return e;
}

static void want_token(struct extras *x, const struct tenant_set *s, const struct imported_key *k,
                       const char *tenant)
{
	struct extra *e = want(x, s, ROW_TOKEN, k->id);

	assert(k->hash.n <= sizeof(e->hash) && k->cidr_count <= CIDRS_MAX);
	free(e->tenant);
	e->tenant = xstrdup(tenant);
	memcpy(e->hash, k->hash.p, k->hash.n);
	if (k->cidr_count)
		memcpy(e->cidrs, k->cidrs, k->cidr_count * sizeof(*e->cidrs));
	e->row = (struct token_row){
		.id = bytes_str(e->id),
		.tenant = bytes_str(e->tenant),
		.kind = strcmp(k->kind, "pbkdf2") == 0 ? BYTES("pbkdf2") : BYTES("sha256"),
		.hash = bytes_of(e->hash, k->hash.n),
		.iterations = k->iterations,
		.scopes = SCOPE_ALL,
		.not_before = INT64_MIN,
		.not_after = INT64_MAX,
		.cidrs = e->cidrs,
		.cidr_count = k->cidr_count,
	};
}

void extras_want(struct extras *x, const struct tenant_set *s, const struct conf *conf)
{
	const char *standard = conf->auth.default_tenant ? conf->auth.default_tenant : "";

	for (unsigned kind = ROW_TENANT; kind <= ROW_TOKEN; kind++)
		for (struct extra *e = x->all[kind]; e; e = e->next)
			e->wanted = false;
	if (*standard)
		want(x, s, ROW_TENANT, standard);
	for (size_t i = 0; i < conf->imported.n; i++) {
		const struct imported_key *k = &conf->imported.v[i];
		const char *tenant = *k->tenant ? k->tenant : standard;

		want(x, s, ROW_TENANT, tenant);
		want_token(x, s, k, tenant);
	}
}

/* ---- a read of the source ---- */

void extras_begin(struct extras *x, bool full)
{
	for (unsigned kind = ROW_TENANT; kind <= ROW_TOKEN; kind++)
		for (struct extra *e = x->all[kind]; e; e = e->next)
			e->seen = !full && e->in_source;
}

void extras_saw(struct extras *x, enum row_kind kind, struct bytes id)
{
	struct extra *e = x->of[kind].count ? find(x, kind, id) : NULL;

	if (e)
		e->seen = true;
}

bool extras_lost(struct extras *x, enum row_kind kind, struct bytes id)
{
	struct extra *e = x->of[kind].count ? find(x, kind, id) : NULL;

	if (!e)
		return false;
	e->seen = false;
	return e->wanted;
}

static void put(struct tenant_set *s, enum row_kind kind, const struct extra *e)
{
	if (kind == ROW_TENANT && e->wanted)
		set_put_tenant(s, &(struct tenant_row){ .id = bytes_str(e->id) });
	else if (kind == ROW_TENANT)
		set_drop_tenant(s, bytes_str(e->id));
	else if (e->wanted)
		set_put_token(s, &e->row);
	else
		set_drop_token(s, bytes_str(e->id));
}

void extras_put(struct extras *x, struct tenant_set *s)
{
	for (unsigned kind = ROW_TENANT; kind <= ROW_TOKEN; kind++) {
		struct extra **at = &x->all[kind], *e;

		while ((e = *at)) {
			e->in_source = e->seen;
			if (!e->in_source)
				put(s, kind, e);
			if (e->wanted) {
				at = &e->next;
				continue;
			}
			*at = e->next;
			idmap_remove(&x->of[kind], &e->node);
			extra_free(e);
		}
	}
}
