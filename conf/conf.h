/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf.h -- the configuration, read-only once made. Names, units and defaults are those of
 * conf/options.def, from which loader, -T, the sample and the packed form come. The master loads it
 * (conf/yaml.c, not linked into the worker); a worker unpacks what the master packed. What an
 * option names by path is read once, at load, and travels with it: a worker opens no configured
 * file.
 */
#pragma once
#include <sys/socket.h>
#include "common/bytes.h"
#include "common/err.h"
#include "conf/prefixes.h"

struct conf_file { /* a `*_file` option: path, and the bytes it held when the config was loaded */
	const char *path; /* "" if not set */
	struct bytes content; /* BYTES_NONE if not set, or if the master alone uses it (a log) */
};
struct conf_list {
	const char **v;
	size_t n;
};
struct conf_pair {
	const char *key, *value;
};
struct conf_pairs {
	struct conf_pair *v;
	size_t n;
};
struct conf_keyed { /* one key of a map of lists */
	const char *key;
	struct conf_list list;
};
struct conf_lists {
	struct conf_keyed *v;
	size_t n;
};

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };
struct tls_pair {
	struct conf_file cert_file, key_file;
};
struct tls_conf { /* pairs.n = 0: the listener is plain */
	struct {
		struct tls_pair *v;
		size_t n;
	} pairs;
	enum tls_version min_version;
};

enum listener_dialect { LISTENER_NATIVE, LISTENER_MOOSE, LISTENER_GATEWAY };
struct listener_conf {
	const char *name;
	enum listener_dialect dialect; /* whose rules the shared paths follow */
	const char *listen; /* HOST:PORT, [V6]:PORT, or fd:NAME; a unix path for admin */
	bool admin; /* the `admin` section, made a listener like the others, always the last */
	struct tls_conf tls;
	struct conf_file token_file; /* admin only: required of each request but /health */
	struct conf_list allowed_origins; /* whose pages a browser may let post: worker/cors.c */
	struct conf_list trusted_proxies; /* address blocks: worker/client_address.c */
	uint64_t max_connections;
	uint64_t max_connections_per_source;
};

struct conf_files { /* a folder's files, read once at load, by name */
	const char *path; /* of the folder; "" if not set */
	struct conf_file *v;
	size_t n;
};

/* A key that the environment holds (import_env), as a row of the tenant table: the master's. */
struct snapshot_cidr;
struct imported_key {
	const char *id; /* of the token */
	const char *tenant; /* "": auth.default_tenant */
	const char *kind; /* sha256, pbkdf2 */
	struct bytes hash;
	uint32_t iterations; /* of pbkdf2 */
	const struct snapshot_cidr *cidrs;
	unsigned cidr_count;
};
struct imported_keys {
	struct imported_key *v;
	size_t n;
};

enum tenants_kind { TENANTS_FILE, TENANTS_POSTGRES };
enum record_enrich { ENRICH_BODY, ENRICH_HEADER };
enum record_headers { HEADERS_TENANT, HEADERS_STANDARD, HEADERS_ALL };
enum record_partition { PARTITION_SPREAD, PARTITION_SOURCE };
enum conf_utf8 { CONF_UTF8_STRICT, CONF_UTF8_REPAIR };
enum conf_json { CONF_JSON_TRANSCODE, CONF_JSON_SEPARATE };
enum loki_stamp { LOKI_STAMP_LABEL, LOKI_STAMP_ENTRIES };
enum sink_kind { SINK_LOCAL, SINK_KAFKA, SINK_DISCARD };
enum compression {
	COMPRESSION_LZ4,
	COMPRESSION_NONE,
	COMPRESSION_ZSTD,
	COMPRESSION_GZIP,
	COMPRESSION_SNAPPY
};
/* Equal to enum log_level. */
enum conf_log_level { CONF_LOG_ERR, CONF_LOG_WARN, CONF_LOG_INFO, CONF_LOG_DEBUG };
enum conf_log_format { CONF_LOGFMT, CONF_JSON };
enum audit_accepted { AUDIT_ALL, AUDIT_FIRST, AUDIT_NONE };
enum audit_on_full { AUDIT_DROP, AUDIT_REFUSE };

/* One of `routes`: a path more, or what a built-in route of that name does otherwise. Of the enums
 * 0 is `inherit`, the rest as in the sections of their own, one more. */
struct route_conf {
	const char *name;
	const char *path; /* "": that of the built-in route */
	const char *protocol; /* a name of common/protocols.def; "": the built-in route's */
	const char *topic; /* "": the built-in route's; with a path it is needed */
	struct conf_list listeners; /* names; none: all */
	uint64_t max_body, record_max_bytes; /* 0: inherit */
	unsigned enrich, headers, partition, utf8, json; /* 0: inherit */
	const char *stamp_name, *topic_prefix; /* "": inherit */
	const char *scope; /* a signal's name; "": the protocol's own */
};

/* One of `auth.jwt`: who may vouch for an identity, and whose tenants it then has. */
struct jwt_conf {
	const char *name, *issuer;
	struct conf_list audiences; /* see jwt_any_audience() */
	struct conf_list algorithms;
	const char *jwks_uri; /* "": by discovery, unless there is a public_key_file */
	struct conf_file public_key_file;
	msec_t leeway;
	const char *tenant_claim; /* "": it names no tenant */
	struct conf_lists tenant_map; /* none: the claim's values are tenants */
	struct conf_list scopes;
};
/* A key of its own, from a file or the environment: no key set is fetched. */
static inline bool jwt_has_key(const struct jwt_conf *jwt)
{
	return *jwt->public_key_file.path || jwt->public_key_file.content.n;
}
/* The word any, which stands alone: as an item of a list it is refused. */
static inline bool jwt_any_audience(const struct jwt_conf *jwt)
{
	return jwt->audiences.n == 1 && strcmp(jwt->audiences.v[0], "any") == 0;
}

struct conf {
	uint64_t workers; /* 0: auto, one per core that the process may run on */
	bool sandbox;
	struct {
		struct listener_conf *v;
		size_t n; /* with the admin listener, if on */
	} listeners;
	struct {
		struct route_conf *v;
		size_t n;
	} routes;
	struct {
		const char *listen; /* "": off */
		struct tls_conf tls;
		struct conf_file token_file;
	} admin;
	struct {
		const char *socket;
	} control;
	struct {
		enum tenants_kind source;
		struct conf_file file; /* path only: the master's source reads and watches it */
		const char *dsn; /* secret-free by rule; from dsn or dsn_file */
		struct conf_file dsn_file;
		const char *query; /* "": the schema headgate */
		const char *channel;
		msec_t poll, full_compare, fresh_for, max_stale; /* max_stale 0: for ever */
	} tenants;
	struct {
		struct conf_list token_headers;
		const char *default_tenant;
		struct conf_list admins;
		uint64_t cache_entries;
		msec_t cache_ttl;
		struct {
			uint64_t max_iterations;
			uint64_t per_source, per_worker; /* a second */
		} pbkdf2;
		uint64_t unknown_per_source; /* a second */
		struct {
			struct jwt_conf *v;
			size_t n;
		} jwt;
		struct {
			msec_t refresh, refetch_floor, timeout;
		} jwks;
		struct {
			const char *url; /* "": no provider is asked */
			msec_t timeout, allow_ttl, deny_ttl;
			const char *tenant_claim; /* as in jwt_conf */
			struct conf_lists tenant_map;
		} userinfo;
	} auth;
	struct {
		struct {
			bool enabled;
			const char *traces_topic, *metrics_topic, *logs_topic;
			enum conf_json json;
			enum conf_utf8 utf8, utf8_logs;
		} otlp;
		struct {
			bool enabled;
			const char *topic, *topic_v2;
		} remote_write;
		struct {
			bool enabled;
			const char *topic;
			enum conf_json json;
			enum loki_stamp stamp;
			enum conf_utf8 utf8;
		} loki;
		struct {
			bool enabled;
			struct conf_files dir; /* *.json, a model each: proto/model.h */
			uint64_t max_body;
			const char *namespace; /* before the topic, with a dot; "": none */
			const char *path_prefix; /* "", or /a/b */
			enum record_headers headers;
		} models;
		struct {
			const char *topic;
			uint64_t record_max_bytes;
		} opaque;
		struct {
			bool enabled;
		} micromegas;
		struct {
			bool enabled;
			const char *topic; /* holds every format: consumers read the headers */
		} obstack;
	} protocols;
	struct {
		enum record_enrich enrich;
		const char *stamp_name;
		enum record_headers headers;
		uint64_t max_bytes;
		enum record_partition partition;
		const char *topic_prefix; /* may hold {tenant} */
	} record;
	struct {
		bool enabled;
		const char *topic;
		uint64_t per_tenant; /* a second */
	} dead_letters;
	struct {
		bool enabled;
		const char *topic;
		msec_t interval;
	} usage;
	enum sink_kind sink;
	struct {
		const char *dir;
		uint64_t max_bytes; /* of all workers' files together */
		msec_t max_age; /* whole files are dropped after it; 0: never */
		uint64_t min_free; /* percent of the file system */
	} local;
	struct {
		bool enabled;
		const char *dir;
		uint64_t max_bytes; /* of all workers' files together */
		uint64_t tenant_share; /* percent of a worker's part of it */
		uint64_t min_free; /* percent of the file system */
		msec_t max_age; /* of a record; 0: any */
		uint64_t replay_rate; /* bytes a second, of all workers */
	} spool;
	struct {
		struct conf_list brokers;
		const char *client_id;
		struct {
			bool enabled;
			struct conf_file ca_file, cert_file, key_file;
		} tls;
		struct {
			const char *mechanism, *username;
			struct conf_file password_file;
		} sasl;
		msec_t ack_deadline;
		uint64_t linger_us; /* kafka.linger, in microseconds */
		uint64_t batch_bytes;
		enum compression compression;
		msec_t metadata_refresh;
		struct conf_pairs properties;
	} kafka;
	struct {
		uint64_t hosts;
		uint64_t max_tenants, max_tokens;
		uint64_t worker_bytes;
		uint64_t tenant_share; /* percent of worker_bytes */
		uint64_t body, inflated;
		uint64_t depth;
	} limits;
	struct {
		msec_t head_timeout;
		uint64_t body_min_rate; /* bytes per second */
		msec_t body_grace, idle_timeout, write_timeout;
		uint64_t requests_per_connection, pipelined;
		msec_t drain_timeout;
	} http;
	struct {
		msec_t handshake_timeout;
		uint64_t handshakes_per_worker;
		msec_t ticket_rotation;
	} tls;
	struct {
		uint64_t max_tenants;
	} metrics;
	struct {
		enum conf_log_level level;
		enum conf_log_format format;
		struct conf_file access_file, audit_file; /* path only: the master opens them */
	} log;
	struct {
		enum audit_accepted accepted;
		enum audit_on_full on_full;
	} audit;

	struct { /* compatibility.md 7 */
		enum { TEXTS_2025, TEXTS_CURRENT } micromegas_401_texts;
		bool micromegas_otlp_plain_errors;
		enum { QUOTA_503, QUOTA_429 } micromegas_quota_status;
		bool moose_enforce_jwt;
		bool moose_strict_aud;
		bool moose_trust_client_claims;
		enum { MISSING_TENANT_401, MISSING_TENANT_400 } gateway_missing_tenant_status;
		enum { TENANT_HEADER_REQUIRED, TENANT_HEADER_OPTIONAL } gateway_tenant_header;
		bool gateway_bind_tenants;
	} compat;
	struct conf_list import_env; /* upstreams whose variables are taken */

	/* Not options: what the command line adds (packed too). */
	bool disable_auth;
	const char *debug_modules; /* "" for none */
	/* What the loader found out (packed too): bytes of the longest topic that holds a tenant's
	 * id, without the id. 0: no topic does. */
	uint64_t tenant_topic_bytes;
	/* For the master alone, which judges tenants (not packed). */
	struct prefix_rules prefixes;
	/* What it found in the environment, likewise. */
	struct imported_keys imported;
	bool moose_is_open; /* Moose itself would let everybody in */
	bool imported_table; /* tenants.query is micromegas' own: its table says nothing of tenants */
};

struct conf *conf_new(void) MUST_USE; /* the defaults, and the default listener */
void conf_free(struct conf *conf); /* NULL is fine; secrets are wiped */
/* Nobody said where the tenants file is: it may be missing, and is no provider then. */
bool conf_is_tenants_file_default(const struct conf *conf);
/* The folder where workers keep records; NULL: they keep none. *option, if wanted, names it. */
const char *conf_store_dir(const struct conf *conf, const char **option);
/* What is not packed, copied: imported keys, and what a prefix must not be. */
void conf_take_imported(struct conf *to, const struct conf *from);

/* The packed form: BUILD_ID, then the values in the order of options.def, file contents included.
 * *out is malloc'd. conf_unpack() reads with a bounded cursor and refuses another build's bytes. */
int conf_pack(const struct conf *conf, uint8_t **out, size_t *out_bytes, struct err *err) MUST_USE;
struct conf *conf_unpack(struct bytes packed, struct err *err) MUST_USE;

/* The same in both programs, from the build: version and source hash. */
extern const char conf_build_id[];
