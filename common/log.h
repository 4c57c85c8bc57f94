/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h -- the operational log (operations.md 8): one event, one line, one write to stderr, as
 * logfmt or JSON, or native fields if stderr is the journal. Outside values are escaped and cut.
 * Stages never log; a function that can return its error does not log it.
 *
 *   log_warn("tenants_pg", "connection lost, retrying", KV_U("in_ms", 2000), KV_S("host", host));
 */
#pragma once
#include "common/bytes.h"

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

enum kv_type { KV_END, KV_TYPE_STR, KV_TYPE_BYTES, KV_TYPE_I64, KV_TYPE_U64 };
struct kv {
	const char *key;
	enum kv_type type;
	union {
		const char *str; /* NULL shows as null */
		struct bytes bytes;
		int64_t i64;
		uint64_t u64;
	} v;
};
#define KV_S(k, s)                                                                                 \
	{                                                                                          \
		.key = (k), .type = KV_TYPE_STR, .v.str = (s)                                      \
	}
#define KV_B(k, b)                                                                                 \
	{                                                                                          \
		.key = (k), .type = KV_TYPE_BYTES, .v.bytes = (b)                                  \
	}
#define KV_I(k, i)                                                                                 \
	{                                                                                          \
		.key = (k), .type = KV_TYPE_I64, .v.i64 = (i)                                      \
	}
#define KV_U(k, u)                                                                                 \
	{                                                                                          \
		.key = (k), .type = KV_TYPE_U64, .v.u64 = (u)                                      \
	}

/* Process-wide. debug_modules: "auth,conn" or NULL; those modules log at debug whatever level is.
 */
void log_setup(enum log_level level, enum log_format format, const char *debug_modules);
void log_identity(int worker_slot, uint64_t generation); /* -1: the master; goes on each line */
bool log_enabled(enum log_level level, const char *module);
void log_write(enum log_level level, const char *module, const char *msg, const struct kv *kv);
uint64_t log_count(enum log_level level); /* lines written so far: log_messages_total */
/* Each line at level err goes there too, from now on; NULL: no more. */
struct last_errors;
void log_last_errors(struct last_errors *ring);
/* A socket of its own to the journal, for access and audit records; -1 if stderr is not the journal
 * or it cannot be reached. The caller owns it. */
int log_journal_open(void) MUST_USE;

enum { KV_MAX = 12 }; /* more in one line is a compile error; what is left over ends the list */
#define LOG_AT_(level, mod, msg, ...)                                                              \
	do {                                                                                       \
		if (log_enabled((level), (mod)))                                                   \
			log_write((level), (mod), (msg),                                           \
			          (const struct kv[KV_MAX + 1]){ __VA_ARGS__ });                   \
	} while (0)
#define log_err(...) LOG_AT_(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) LOG_AT_(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT_(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT_(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* A site that could flood: `static struct log_limit limit;` lets `per_minute` lines through each
 * minute; log_limited() says whether to write, and gives how many were held back since the last. */
struct log_limit {
	msec_t since;
	uint32_t seen;
	uint32_t held;
};
bool log_limited(struct log_limit *limit, uint32_t per_minute, msec_t now, uint32_t *held_back);
