/* SPDX-License-Identifier: Apache-2.0 */
/*
 * models.c -- see models.h. The models of a folder are some dozens, so a path is looked for from
 * the first to the last of them, lengths before bytes.
 */
#include "worker/models.h"

#include <stdio.h>

#include "common/pool.h"
#include "conf/conf.h"

enum { POOL_BYTES = 4 * KIB };

struct models {
	struct pool *pool; /* all but what is of a model's own pool */
	struct named {
		struct model_entry entry;
		struct bytes path;
		struct bytes base; /* of a path of one segment and a version: the segment */
	} * v; /* by name, then version */
	size_t n;
	struct bytes prefix; /* of paths: "" or /a/b */
};

/* ---- versions ---- */

/* The next component and what is behind it: a number, 0 for any other text, and for none. */
static uint64_t component(const char **version)
{
	size_t n = strcspn(*version, ".");
	uint64_t value;

	if (!bytes_to_u64(bytes_of(*version, n), UINT64_MAX, &value))
		value = 0;
	*version += n + ((*version)[n] == '.');
	return value;
}

static int compare_versions(const char *a, const char *b)
{
	const char *p = a, *q = b;

	while (*p || *q) {
		uint64_t x = component(&p), y = component(&q);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return strcmp(a, b); /* 1 and 1.0 */
}

static int compare(const void *a, const void *b)
{
	const struct model *x = ((const struct named *)a)->entry.model;
	const struct model *y = ((const struct named *)b)->entry.model;
	int order = strcmp(x->name, y->name);

	return order ? order : compare_versions(x->version, y->version);
}

/* ---- the folder ---- */

static const char *namespaced(struct models *m, const char *namespace, const char *topic)
{
	size_t n = strlen(namespace) + 1 + strlen(topic) + 1;
	char *text;

	if (!*namespace)
		return topic;
	text = pool_alloc(m->pool, n);
	snprintf(text, n, "%s.%s", namespace, topic);
	return text;
}

static void named_init(struct models *m, struct named *x, const struct model *model,
                       const char *namespace)
{
	struct model_entry *e = &x->entry;
	const char *slash;

	e->model = model;
	e->destination = model_topic(model, m->pool);
	e->topic = namespaced(m, namespace, e->destination);
	e->dead_letter_topic = *model->dead_letter_queue ? model->dead_letter_queue : NULL;
	e->path = model_path(model, m->pool);
	x->path = bytes_str(e->path);
	slash = strchr(e->path, '/');
	if (*model->version && slash && !strcmp(slash + 1, model->version))
		x->base = bytes_of(e->path, (size_t)(slash - e->path));
}

struct models *models_open(const struct conf *conf, struct err *err)
{
	const struct conf_files *files = &conf->protocols.models.dir;
	struct models *m = xcalloc(1, sizeof(*m));

	m->pool = pool_new(POOL_BYTES);
	m->prefix = bytes_str(conf->protocols.models.path_prefix);
	if (!conf->protocols.models.enabled)
		return m;
	m->v = pool_zalloc(m->pool, files->n * sizeof(*m->v));
	for (; m->n < files->n; m->n++) {
		const struct model *model = model_parse(files->v[m->n].content, err);

		if (!model) {
			err_prefix(err, "%s: ", files->v[m->n].path);
			models_close(m);
			return NULL;
		}
		named_init(m, &m->v[m->n], model, conf->protocols.models.namespace);
	}
	qsort(m->v, m->n, sizeof(*m->v), compare);
	return m;
}

void models_close(struct models *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		model_free((struct model *)m->v[i].entry.model);
	pool_free(m->pool);
	free(m);
}

size_t models_count(const struct models *m)
{
	return m->n;
}

struct model_entry *models_at(struct models *m, size_t i)
{
	return &m->v[i].entry;
}

/* ---- paths ---- */

static bool skip_prefix(struct bytes *path, struct bytes prefix)
{
	if (path->n < prefix.n || !bytes_eq_nocase(bytes_of(path->p, prefix.n), prefix))
		return false;
	*path = bytes_from(*path, prefix.n);
	return true;
}

static const struct model_entry *find_below_ingest(const struct models *m, struct bytes path)
{
	const struct named *highest = NULL, *exact = NULL;

	if (path.n && path.p[path.n - 1] == '/')
		path.n--;
	if (path.n == 0)
		return NULL;
	for (const struct named *x = m->v; x < m->v + m->n; x++) {
		if (x->base.n == path.n && bytes_eq_nocase(x->base, path) &&
		    (!highest ||
		     compare_versions(highest->entry.model->version, x->entry.model->version) < 0))
			highest = x;
		if (x->path.n == path.n && bytes_eq_nocase(x->path, path))
			exact = x;
	}
	if (highest)
		return &highest->entry;
	return exact ? &exact->entry : NULL;
}

const struct model_entry *models_find(const struct models *m, struct bytes path)
{
	static const struct bytes ingest = { (const uint8_t *)"/ingest/", 8 };
	const struct model_entry *found = NULL;
	struct bytes inner = path;

	if (m->prefix.n && skip_prefix(&inner, m->prefix) && skip_prefix(&inner, ingest))
		found = find_below_ingest(m, inner);
	/* A prefix may begin as the paths below do. */
	if (!found && skip_prefix(&path, ingest))
		found = find_below_ingest(m, path);
	return found;
}
