/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h -- what the files of the loader share: yaml.c walks the tree, load_values.c sets options,
 * expand.c reads variables and files, check.c looks at the whole. Private to conf/.
 */
#pragma once
#include "conf/options.h"
#include "conf/yaml.h"
#include "conf/yaml_node.h"

struct origin { /* where a value (or a section's first key) was given */
	const char *path; /* "listeners[0].listen", "kafka.properties.debug" */
	const char
		*where; /* "conf.d/20-kafka.yaml:4" relative to the main file, "-o", "env NAME" */
	const char *raw; /* as written, if a file or credential was expanded in it; else NULL */
	/* Good while loading only: */
	struct place at;
	const char
		*written; /* a scalar's text before expansion: what a message may show; else NULL */
};

struct conf_origins { /* one for each conf_report */
	struct pool *pool;
	struct origin *v;
	size_t n, cap;
};

struct topic_use { /* somebody who sends records to a topic */
	struct place at;
	bool is_given; /* not a default: a message points there */
	const char *what; /* as messages say it: "'usage.topic'", "the model 'a.json'" */
	const char *shown; /* the topic, as written */
	const char *topic; /* with its prefix, which may hold {tenant} */
	const char *kind; /* of messages: one topic holds one */
	const char *name; /* without its prefix; NULL: none may stand before it */
};

struct loader {
	const struct conf_load_in *in;
	struct report *r;
	struct conf *conf;
	struct pool *pool; /* the conf's */
	struct conf_origins *origins;
	const struct source *main; /* for what has no place of its own */
	size_t main_dir_bytes; /* of in->file, with the slash */
	struct topic_use *uses; /* in the order in which they said so */
	size_t use_count, use_cap;
	unsigned unread; /* files that could not be read: what seems missing may stand there */
	bool usage; /* a secret was given by -o */
};

/* A value's text after expansion. */
struct value {
	const char *text;
	const char *raw; /* see struct origin */
	bool unknown; /* it needs a file, and offline no file is opened: the default stays */
};

/* yaml.c */
const struct origin *origin_find(const struct conf_origins *origins, const char *path);
void origin_set(struct loader *l, const char *path, struct place at, const char *raw);
void origin_written(struct loader *l, const char *path, const char *text);
/* What a message may show of an option's value: as written, or the default that it is. */
const char *written(const struct loader *l, const char *path, const char *value);
/* "'x' is set twice: first at FILE:L:C" if it was given before; true if so. */
bool origin_twice(struct loader *l, const char *path, struct place at);
struct place place_of_option(const struct loader *l,
                             const char *path); /* else the main file's start */
/* Sorted names of what may stand under prefix ("", "kafka.", "listeners[].", "tls[]."), NULL at the
 * end. */
const char *const *allowed_keys(struct loader *l, const char *prefix);
const char *path_text(struct loader *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* load_values.c: sets what node says, from the files in their order. */
void load_option(struct loader *l, const struct option *o, void *base, const char *path,
                 const struct yaml_node *node);
void load_set(struct loader *l, const struct conf_set *set); /* one -o */
/* One element more of a list of maps, with its defaults; the first takes the place of the default.
 */
void *add_map(struct loader *l, const struct option *o, bool is_first);

/* import_env.c: what the environment of an upstream says, below the files. */
void import_env(struct loader *l);
void check_imported(struct loader *l); /* against the whole */

/* expand.c. Both say what is wrong at the place and return false. */
bool expand(struct loader *l, const char *text, bool secret, struct place at, struct value *out);
bool read_option_file(struct loader *l, const struct option *o, const char *path,
                      struct conf_file *file);
bool read_option_folder(struct loader *l, const struct option *o, const char *path,
                        struct conf_files *files);
/* The name of one of its files as a message may show it. */
const char *shown_file(struct loader *l, const char *path, const struct conf_files *files,
                       size_t i);

/* check.c, check_*.c: files that options name, and what no option can say alone. */
void check_all(struct loader *l);
void check_kafka(struct loader *l);
void check_routes(struct loader *l);
void check_models(struct loader *l);
void check_jwt(struct loader *l);
void check_userinfo(struct loader *l);
bool is_http(const char *url); /* http or https, a host, nobody's password */
bool is_clear(const char *url); /* on its way over a network anybody may read and change it */
/* Of auth.jwt and auth.userinfo: tenants by value of a claim. */
void check_tenant_map(struct loader *l, const char *at, const char *claim,
                      const struct conf_lists *map);
void check_stamp_name(struct loader *l, const char *path, const char *name);
/* "" or /a/b: printable ASCII without blanks, ? and #, no slash at its end. */
bool is_url_path(const char *path);

/* check_built_in.c: what `routes` says of built-in ones, and what these use. */
void check_own_name(struct loader *l, const char *at,
                    const char *name); /* of a route with a path */
void check_override(struct loader *l, const struct route_conf *r, const char *at,
                    const char *at_topic);
void check_built_in_paths(struct loader *l);
void use_topics_of_built_in(struct loader *l);
const char *models_prefix(const struct loader *l); /* before their topics */

/* check_topics.c: first all say what they send where, then topics are compared. */
void use_topics_of_sections(struct loader *l);
/* Whether JSON of this kind stays JSON; json: as a route says it, 0 for nothing. */
bool keeps_json(const struct loader *l, const char *kind, unsigned json);
void use_topic(struct loader *l, struct topic_use use);
/* The topic of an option; a second kind of message has a suffix: "_json". prefix NULL: it takes
 * none. */
void use_topic_option(struct loader *l, const char *path, const char *prefix, const char *topic,
                      const char *suffix, const char *kind);
void check_topics(struct loader *l);
void check_topic_prefix(struct loader *l, const char *path, const char *prefix);
#define ERROR_AT(l, path, ...) report_error((l)->r, place_of_option((l), (path)), __VA_ARGS__)
#define WARN_AT(l, path, ...) report_warning((l)->r, place_of_option((l), (path)), __VA_ARGS__)
