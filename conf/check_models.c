/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_models.c -- the data models of protocols.models.dir, judged with the parser by which a
 * worker reads them (compatibility.md 5): a worker never meets a file that is wrong, nor two models
 * on one path.
 */
#include <strings.h>

#include "common/model.h"
#include "conf/load.h"

static const char dir_option[] = "protocols.models.dir";

struct seen { /* a model, and where it stands */
	const struct model *model;
	struct place at;
	const char *file; /* as shown */
	const char *path; /* below ingest/ */
};

/* With its namespace. */
static const char *topic_of(struct loader *l, const struct model *m)
{
	const char *namespace = l->conf->protocols.models.namespace;

	return path_text(l, "%s%s%s", namespace, *namespace ? "." : "",
	                 model_topic(m, report_pool(l->r)));
}

static void use(struct loader *l, const struct seen *seen, const char *what, const char *prefix,
                const char *topic, const char *kind)
{
	use_topic(l, (struct topic_use){ .at = seen->at,
	                                 .is_given = true,
	                                 .what = path_text(l, "%s '%s'", what, seen->file),
	                                 .shown = topic,
	                                 .topic = path_text(l, "%s%s", prefix ? prefix : "", topic),
	                                 .kind = kind,
	                                 .name = prefix ? topic : NULL });
}

static void use_topics(struct loader *l, const struct seen *seen)
{
	const struct model *m = seen->model;
	const char *kind = m->has_schema_id ? "objects with a schema id" : "objects";

	use(l, seen, "the model", models_prefix(l), topic_of(l, m), kind);
	if (*m->dead_letter_queue)
		use(l, seen, "the dead letters of", NULL, m->dead_letter_queue,
		    "dead letters of models");
}

/* Obstack's paths begin as those of such models would. */
static void check_obstack(struct loader *l, const struct seen *seen)
{
	static const char *const taken[] = { "otlp", "prometheus" };
	const char *names[] = { seen->model->name, seen->path };

	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		size_t n = strlen(taken[i]);

		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			if (strncasecmp(names[k], taken[i], n) != 0 ||
			    (names[k][n] && (k == 0 || names[k][n] != '/')))
				continue;
			report_error(l->r, seen->at,
			             "with 'protocols.obstack.enabled' no model is '%s'", taken[i]);
			return;
		}
	}
}

/* Against the first that it meets, no more: a thousand copies are a thousand errors. */
static void check_twins(struct loader *l, const struct seen *seen, size_t n)
{
	const struct seen *second = &seen[n];
	const struct model *b = second->model;

	for (const struct seen *first = seen; first < second; first++) {
		const struct model *a = first->model;

		if (strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0)
			report_error(l->r, second->at, "the model '%s'%s%s%s is also in '%s'",
			             b->name, *b->version ? " version '" : "", b->version,
			             *b->version ? "'" : "", first->file);
		else if (strcasecmp(first->path, second->path) == 0)
			report_error(l->r, second->at, "the path 'ingest/%s' is also that of '%s'",
			             second->path, first->file);
		else
			continue;
		return;
	}
}

/* The file's place: what is wrong in it, the parser says with the place inside. */
static struct model *read_model(struct loader *l, const struct conf_files *files, size_t i,
                                struct seen *seen)
{
	struct bytes text = files->v[i].content;
	struct err err = { "" };
	struct model *m;

	seen->file = shown_file(l, dir_option, files, i);
	seen->at = (struct place){ .source = report_source(l->r, seen->file, text) };
	m = model_parse(text, &err);
	seen->model = m;
	if (m)
		seen->path = model_path(m, report_pool(l->r));
	else
		report_error(l->r, seen->at, "%s", err.text);
	return m;
}

static void check_files(struct loader *l, const struct conf_files *files)
{
	struct seen *seen = pool_zalloc(report_pool(l->r), (files->n + 1) * sizeof(*seen));
	size_t n = 0;

	for (size_t i = 0; i < files->n; i++) {
		if (!read_model(l, files, i, &seen[n]))
			continue;
		if (l->conf->protocols.obstack.enabled)
			check_obstack(l, &seen[n]);
		check_twins(l, seen, n);
		use_topics(l, &seen[n]);
		n++;
	}
	for (size_t i = 0; i < n; i++)
		model_free((struct model *)seen[i].model);
}

void check_models(struct loader *l)
{
	struct conf_files *files = &l->conf->protocols.models.dir;
	const char *prefix = l->conf->protocols.models.path_prefix;

	if (!is_url_path(prefix) || strstr(prefix, "//")) {
		ERROR_AT(l, "protocols.models.path_prefix", "'%s' is no path",
		         written(l, "protocols.models.path_prefix", prefix));
		report_help(l->r, "as /a/b: no slash at its end");
	}
	if (!l->conf->protocols.models.enabled)
		return;
	if (read_option_folder(l, option_find(&options, dir_option), dir_option, files))
		check_files(l, files);
}
