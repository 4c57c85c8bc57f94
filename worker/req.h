/* SPDX-License-Identifier: Apache-2.0 */
/*
 * req.h -- one request on its way through the stages. A stage sees bytes and this struct, never a
 * socket: conn.c feeds `in` (or receives straight into `fill`), sends `out`, and calls stages_run().
 * Answers of Kafka find a request by its handle, never by pointer. All memory of a request hangs on
 * its pool or on a body buffer, and req_finish() gives all of it back, exactly once.
 */
#pragma once
#include "common/buf.h"
#include "common/pool.h"
#include "common/snapshot.h"
#include "common/stats.h"
#include "common/verdict.h"
#include "proto/encoding.h"
#include "proto/protocol.h"
#include "worker/http_head.h"
struct worker;
struct route;
struct body;
struct parcel;
struct model_entry;
struct req;
struct listener;

enum step {
	STEP_NEXT,  /* this stage is done */
	STEP_REPLY, /* r->verdict is set: on to the reply */
	STEP_BYTES, /* call again when more bytes of the client are there */
	STEP_WAKE,  /* call again after req_wake() */
	STEP_ROOM,  /* call again when r->out has been sent */
	STEP_TURN,  /* call again in the next turn of the loop: others come first */
	STEP_BESIDE, /* call again after beside_run(): too much work for the loop */
	STEP_DONE,  /* stages_run() only: the reply is sent */
};

enum stage_index { STAGE_HEAD, STAGE_ROUTE, STAGE_AUTH, STAGE_ADMIT, STAGE_BODY, STAGE_INFLATE,
	           STAGE_ENRICH, STAGE_PRODUCE, STAGE_REPLY, STAGE_COUNT };

struct identity { /* who it is; copied out of the table, which may be replaced meanwhile */
	bool known;          /* false: nobody yet; the fields below may still say whom a 401 was about */
	char tenant[TENANT_ID_MAX + 1];
	uint8_t tenant_n;
	char token[65];      /* public id, or 8 hex digits of the SHA-256; "" for none */
	uint32_t tenant_ordinal, token_ordinal;
	bool in_table; /* the table's own entry: token_ordinal is a token's */
	bool replaced; /* that entry: by a rotation, and still good */
	unsigned scopes;
	unsigned metric_slot; /* limits_metric_slot(); _none before */
	enum auth_method method;
	enum auth_result result; /* for auth_total, audit */
	int64_t block_until;     /* Unix seconds; admit judges it */
	struct tenant_limits limits;
	struct bytes topic_prefix; /* the tenant's own, of the request's pool; n is 0: none */
	/* Of a credential that the table does not hold (worker/proof.h); of the request's pool. */
	const char *subject, *email, *issuer; /* NULL: unknown */
	bool admin;
	struct bytes claims; /* of a verified JWT: a JSON object */
	int denial;            /* 401 or 403 of a userinfo provider, to be passed on; 0: none */
	const char *challenge; /* its WWW-Authenticate; NULL: none */
};

struct id_source { /* random bytes for request ids, fetched some hundred at a time; zeroed at first */
	uint8_t random[2560];
	size_t left;
};

struct req {
	struct worker *w;
	struct pool *pool;
	uint64_t handle; /* slot + generation; what sinks keep */
	enum stage_index at;
	enum stage_index refused_at; /* the stage that set the verdict: `stage` in log and audit */
	enum verdict verdict;
	char detail[352]; /* the verdict's text, made by req_refuse(); one line, no client bytes unescaped */
	char why[200];    /* more, for log and audit only (`reason`) */

	/* the connection, constant for its life */
	const struct listener *listener;
	uint8_t client[16];   /* v4-mapped */
	const char *client_text; /* 127.0.0.1:40000 */
	bool tls;
	bool peer_half_closed;
	bool last_on_connection; /* requests_per_connection reached, or draining: Connection: close */

	/* bytes in: unread bytes of the connection's buffer; a stage takes from the front. Where a stage
	 * knows what comes, it points fill at the memory: conn receives there and moves at and room. */
	struct bytes in;
	struct {
		uint8_t *at;
		size_t room; /* 0: into the connection's buffer */
	} fill;
	size_t keep; /* bytes at the start of the connection's buffer that must stay: the head */
	bool eof;    /* the client will send nothing more */

	/* bytes out */
	struct bytes out;  /* conn sends it and advances it, whatever the step */
	struct buf reply;  /* what out points into; fixed over reply_mem unless an admin page grows it */
	uint8_t reply_mem[2048];
	bool (*more)(struct req *r); /* appends the next part to reply (emptied); false: that was all */
	void *more_arg;
	uint64_t bytes_out; /* sent so far, counted by conn */
	bool reply_rendered;
	bool close_after; /* the connection ends with this reply */
	struct bytes page;     /* a route's own body (of the pool, or static) instead of the dialect's */
	const char *page_type; /* its Content-Type, also with more; NULL: no page */
	const char *page_policy; /* its Content-Security-Policy; NULL: none */
	unsigned retry_wait;   /* seconds, where the refusal knows; 0: the reply spreads them */
	unsigned retry_after;  /* seconds, as the reply said; 0: none */

	/* head */
	size_t head_scanned; /* private to http_head_parse() */
	struct http_head head;
	const struct route *route;
	const struct model_entry *model; /* of a data model's route, once admit has found it */
	const struct format *format; /* NULL until admit judged the type */
	enum encoding encoding;
	enum signal signal;         /* the protocol's, or what its body turned out to be */
	char request_id[33];        /* 32 lower-case hex digits, ours */
	struct bytes client_request_id; /* if it satisfies ^[A-Za-z0-9._-]{1,64}$ */
	struct bytes traceparent;   /* if valid */
	struct bytes cors; /* fields of the reply's head, whole lines: set by cors_run() */
	unix_ns received;           /* wall clock */
	int64_t started_ns;         /* monotonic, head's first byte */
	int64_t duration_ns;        /* to the reply's last byte; set by req_finish() */

	struct identity who;
	/* What came, whatever it was worth: some dialects tell a stranger. To those Basic is no more
	 * than another scheme than Bearer. */
	enum { CREDENTIAL_NONE, CREDENTIAL_SCHEME, CREDENTIAL_GIVEN } credential;

	/* body */
	bool continue_sent;
	uint64_t body_limit;    /* wire bytes */
	uint64_t wire_bytes;    /* counted, without chunk framing */
	struct {
		unsigned state;     /* private to http_body.c */
		uint64_t left;      /* of the body, or of the chunk */
		size_t line;        /* bytes of the chunk line or trailers seen */
		unsigned trailers;
	} chunk;
	bool body_ended;        /* the end of a chunked one was met */
	struct body *body_mem;  /* NULL if the body lies in the connection's buffer */
	struct bytes body;      /* wire bytes, then, after inflate, decoded bytes */
	uint64_t decoded_bytes;
	bool transcoded; /* the body is what was made of it, no more what the client sent */
	bool unwrapped;  /* of two codings the outer one is undone */
	size_t too_small; /* by inflate: room that did not do */
	bool is_beside;  /* the thread beside the loop has it: set and cleared there */
	bool asks;       /* and waits for the loop meanwhile */
	int64_t beside_since_ns; /* when it was handed over; monotonic */
	int64_t beside_ns; /* how long it had it */

	/* what it holds of the budget (worker/budget.h); passes to the record at produce */
	uint64_t charged;
	bool counted_in_flight; /* STAT_REQUESTS_IN_FLIGHT was raised */

	struct { /* what it costs its tenant (worker/rates.h) */
		uint64_t asked[LIMIT_KINDS]; /* as far as is known; */
		uint64_t taken[LIMIT_KINDS]; /* of it, of words of that limits_life() */
		uint32_t life;
		bool in_flight; /* counted in the worker's stats page */
	} rates;

	struct enriched enriched;

	/* produce */
	struct parcel *parcel;  /* while records of it are left to send */
	struct slices slices;   /* the records, where they take more than one turn or came from beside */
	size_t sent;            /* of them */
	bool produced;          /* handed to the sink: accepted was counted */
	const char *topic;
	int32_t partition;      /* of the report; -1 unknown */
	int64_t offset;
};

/* ---- for conn.c ---- */
void req_start(struct req *r, struct worker *w, const struct listener *listener); /* fields above reset */
/* Answers STEP_DONE when the reply was sent; else what to wait for (worker/stages.c). */
enum step stages_run(struct req *r);
/* On the thread beside the loop: from the stage that said STEP_BESIDE to a refusal, or until its
 * records are ready to be sent. */
void stages_run_beside(struct req *r);
const char *stage_name(enum stage_index at); /* head, route, ... as logs and audit name it */
/* Access log, audit and stats, exactly once; gives all memory and budget back. */
void req_finish(struct req *r);
/* A deadline passed, or the client went: sets the verdict and goes to the reply (V_GONE: no reply). */
void req_expire(struct req *r, enum verdict v);

/* Whom to blame if the process dies now (stats.h): named before the stages run and again by the body
 * stage, when the tenant is known and no byte of the body was looked at; cleared after. One record
 * is of the loop, one of the thread beside it. */
void req_current(const struct req *r);
void req_current_clear(const struct req *r);

/* ---- for stages ---- */
/* `return req_refuse(r, V_BODY_SIZE, n, limit);` sets verdict and text (printf of verdict.def). */
enum step req_refuse(struct req *r, enum verdict v, ...);
void req_why(struct req *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum step req_say(struct req *r, enum verdict v); /* success verdicts, without text */
void req_take(struct req *r, size_t n); /* moves r->in past n bytes */
/* Bytes of the body that no stage took, those that wait in r->in included; UINT64_MAX: unknown (the
 * head was bad, or a chunked body is not at its end). */
uint64_t req_rest(const struct req *r);

/* ---- for sinks and other late answers ---- */
/* The request of this handle is given its verdict and goes on; false if it is no more. Called on the
 * loop's thread only. Implemented by conn.c, which owns the slots. */
bool req_wake(struct worker *w, uint64_t handle, enum verdict v, int32_t partition, int64_t offset);

/* The stages, in order. */
enum step head_run(struct req *r);
enum step route_run(struct req *r);
enum step auth_run(struct req *r);
enum step admit_run(struct req *r);
enum step body_run(struct req *r);
enum step inflate_run(struct req *r);
enum step enrich_run(struct req *r);
enum step produce_run(struct req *r);
enum step reply_run(struct req *r);
