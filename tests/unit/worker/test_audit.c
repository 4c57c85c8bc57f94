/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/audit.c"

#include <fcntl.h>
#include <jansson.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/unit/worker/otlp_bodies.h"

/* Two files in memory; what was written is read when the audit is closed, which waits for it. */
struct logs {
	struct fixture *f;
	int access, audit; /* ours; -1: none */
	char *text[2];
};

static int file(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

static struct logs open_logs(struct fixture *f)
{
	struct logs l = { .f = f, .access = file(), .audit = file() };

	fixture_start(f, dup(l.access), dup(l.audit));
	return l;
}

static char *read_all(int fd)
{
	off_t n = lseek(fd, 0, SEEK_END);
	char *text = xcalloc((size_t)n + 1, 1);

	cr_assert_eq(pread(fd, text, (size_t)n, 0), n);
	close(fd);
	return text;
}

static void finish(struct logs *l)
{
	audit_close(l->f->w.audit);
	l->f->w.audit = NULL;
	l->text[STREAM_ACCESS] = read_all(l->access);
	l->text[STREAM_AUDIT] = read_all(l->audit);
}

static void close_logs(struct logs *l)
{
	free(l->text[0]);
	free(l->text[1]);
	fixture_close(l->f);
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* The n-th line as JSON; NULL beyond the last. */
static json_t *line_of(const char *text, unsigned n)
{
	const char *end;
	json_t *doc;

	for (; n > 0 && text; n--) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	if (!text || !*text)
		return NULL;
	end = strchr(text, '\n');
	cr_assert(end, "the last line has no end");
	cr_assert_leq(end - text + 1, 4096);
	doc = json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	cr_assert(doc, "no JSON: %.*s", (int)(end - text), text);
	return doc;
}

static const char *string_of(const json_t *doc, const char *key)
{
	return json_string_value(json_object_get(doc, key));
}

static const char *const all_fields[] = {
	/* operations.md 8, in its order */
	"ts",
	"kind",
	"seq",
	"worker",
	"gen",
	"request_id",
	"client_request_id",
	"trace_id",
	"listener",
	"client",
	"tls",
	"route",
	"method",
	"tenant",
	"claimed_tenant",
	"token",
	"subject",
	"email",
	"issuer",
	"admin",
	"auth",
	"verdict",
	"code",
	"stage",
	"reason",
	"retry_after_s",
	"encoding",
	"bytes_in",
	"bytes_decoded",
	"items",
	"bytes_out",
	"duration_us",
	"topic",
	"partition",
	"offset",
	"suppressed",
};

static void check_fields(json_t *doc)
{
	size_t i = 0;
	const char *key;
	json_t *value;

	json_object_foreach(doc, key, value) {
		cr_assert_lt(i, ARRAY_LEN(all_fields), "%s", key);
		cr_assert_str_eq(key, all_fields[i++]);
	}
	cr_assert_eq(i, ARRAY_LEN(all_fields));
}

#define TRACE "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"

/* O20, O21 */
Test(audit, an_accepted_request_leaves_one_line_with_all_fields)
{
	struct fixture *f = fixture_new();
	struct logs l = open_logs(f);
	json_t *doc;

	send_body(f, "/v1/traces", "X-Request-Id: abc\r\nX-Scope-OrgID: acme\r\n" TRACE, one_span,
	          sizeof(one_span));
	finish(&l);
	cr_assert_str_eq(l.text[STREAM_AUDIT], "");
	cr_assert_eq(lines_of(l.text[STREAM_ACCESS]), 1);
	doc = line_of(l.text[STREAM_ACCESS], 0);
	check_fields(doc);
	cr_assert_str_eq(string_of(doc, "ts"), "2025-11-24T16:00:00.000000Z");
	cr_assert_str_eq(string_of(doc, "kind"), "request");
	cr_assert_eq(json_integer_value(json_object_get(doc, "seq")), 0);
	cr_assert_eq(json_integer_value(json_object_get(doc, "worker")), 3);
	cr_assert_eq(json_integer_value(json_object_get(doc, "gen")), 12);
	cr_assert_str_eq(string_of(doc, "request_id"), f->r.request_id);
	cr_assert_str_eq(string_of(doc, "client_request_id"), "abc");
	cr_assert_str_eq(string_of(doc, "trace_id"), "0af7651916cd43dd8448eb211c80319c");
	cr_assert_str_eq(string_of(doc, "listener"), "public");
	cr_assert_str_eq(string_of(doc, "client"), "127.0.0.1:40000");
	cr_assert(json_is_false(json_object_get(doc, "tls")));
	cr_assert_str_eq(string_of(doc, "route"), "otlp_traces");
	cr_assert_str_eq(string_of(doc, "method"), "POST");
	cr_assert_str_eq(string_of(doc, "tenant"), "acme");
	cr_assert_str_eq(string_of(doc, "claimed_tenant"), "acme");
	cr_assert_str_eq(string_of(doc, "token"), "t-acme");
	cr_assert_str_eq(string_of(doc, "subject"), "t-acme");
	cr_assert_str_eq(string_of(doc, "issuer"), "api_key");
	cr_assert(json_is_null(json_object_get(doc, "email")) &&
	          json_is_null(json_object_get(doc, "reason")));
	cr_assert(json_is_false(json_object_get(doc, "admin")));
	cr_assert(json_is_null(json_object_get(doc, "stage")) &&
	          json_is_null(json_object_get(doc, "retry_after_s")));
	cr_assert_str_eq(string_of(doc, "auth"), "token");
	cr_assert_str_eq(string_of(doc, "verdict"), "accepted");
	cr_assert_eq(json_integer_value(json_object_get(doc, "code")), 200);
	cr_assert_str_eq(string_of(doc, "encoding"), "identity");
	cr_assert_eq(json_integer_value(json_object_get(doc, "bytes_in")),
	             (json_int_t)sizeof(one_span));
	cr_assert_eq(json_integer_value(json_object_get(doc, "bytes_decoded")),
	             (json_int_t)sizeof(one_span));
	cr_assert_eq(json_integer_value(json_object_get(doc, "items")), 1);
	cr_assert_eq(json_integer_value(json_object_get(doc, "bytes_out")), (json_int_t)f->sent_n);
	cr_assert_str_eq(string_of(doc, "topic"), "otlp_spans");
	cr_assert(json_is_null(json_object_get(doc, "suppressed")));
	json_decref(doc);
	close_logs(&l);
}

/* O20: of each stage */
Test(audit, every_refusal_leaves_its_line_and_seq_has_no_gap)
{
	struct fixture *f = fixture_new();
	struct logs l = open_logs(f);
	static const struct {
		const char *text, *verdict, *stage, *tenant;
		int code;
	} cases[] = {
		{ "GET / HTTP/2.0\r\n\r\n", "hg-http-version", "head", NULL, 505 },
		{ "GET /a HTTP/1.1\r\n\r\n", "hg-http", "head", NULL, 400 },
		{ "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "hg-route", "route", NULL, 404 },
		{ "GET /v1/logs HTTP/1.1\r\nHost: x\r\n\r\n", "hg-method", "route", NULL, 405 },
		{ "POST /v1/logs HTTP/1.1\r\nHost: x\r\n\r\n", "hg-credential", "auth", NULL, 401 },
		{ "POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
		  "secret-revoked\r\n\r\n",
		  "hg-credential", "auth", "acme", 401 },
		{ "POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret-lazy\r\n\r\n",
		  "hg-tenant-suspended", "auth", "lazy", 403 },
		{ "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" ACME "X-Scope-OrgID: other\r\n\r\n",
		  "hg-org-mismatch", "auth", "acme", 403 },
		{ "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" ACME "X-Scope-OrgID: ..\r\n\r\n",
		  "hg-org", "auth", "acme", 400 },
		{ "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" ACME "\r\n", "hg-type", "admit", "acme",
		  415 },
		{ "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF "\r\n", "hg-length",
		  "admit", "acme", 411 },
		{ "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
		  "Transfer-Encoding: chunked\r\n\r\nx",
		  "hg-framing", "body", "acme", 400 },
		{ "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF GZIP
		  "Content-Length: 1\r\n\r\nx",
		  "hg-inflate", "inflate", "acme", 400 },
		{ "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
		  "Content-Length: 1\r\n\r\nx",
		  "hg-invalid", "enrich", "acme", 400 },
	};
	unsigned in_audit = 0;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		cr_assert_eq(fixture_status(fixture_ask(f, cases[i].text)), cases[i].code, "%s",
		             cases[i].verdict);
	finish(&l);
	cr_assert_eq(lines_of(l.text[STREAM_ACCESS]), ARRAY_LEN(cases));
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *doc = line_of(l.text[STREAM_ACCESS], i);

		check_fields(doc);
		cr_assert_str_eq(string_of(doc, "verdict"), cases[i].verdict);
		cr_assert_str_eq(string_of(doc, "stage"), cases[i].stage);
		cr_assert_eq(json_integer_value(json_object_get(doc, "code")), cases[i].code);
		cr_assert_eq(json_integer_value(json_object_get(doc, "seq")), (json_int_t)i);
		if (cases[i].tenant)
			cr_assert_str_eq(string_of(doc, "tenant"), cases[i].tenant);
		else
			cr_assert(json_is_null(json_object_get(doc, "tenant")));
		cr_assert(string_of(doc, "reason"), "%s", cases[i].verdict);
		json_decref(doc);
		if (strcmp(cases[i].stage, "auth") ==
		    0) { /* F48: one line each in the audit stream */
			doc = line_of(l.text[STREAM_AUDIT], in_audit);
			check_fields(doc);
			cr_assert_str_eq(string_of(doc, "kind"), "auth");
			cr_assert_str_eq(string_of(doc, "verdict"), cases[i].verdict);
			cr_assert_eq(json_integer_value(json_object_get(doc, "seq")),
			             (json_int_t)in_audit++);
			json_decref(doc);
		}
	}
	cr_assert_eq(lines_of(l.text[STREAM_AUDIT]), in_audit);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUDIT_RECORDS, STREAM_ACCESS, 0), ARRAY_LEN(cases));
	cr_assert_eq(stats_get(f->w.stats, STAT_AUDIT_RECORDS, STREAM_AUDIT, 0), in_audit);
	close_logs(&l);
}

/* F48: a scope that is judged after the body is one of auth all the same */
Test(audit, a_late_scope_stands_in_the_audit_stream)
{
	struct fixture *f = fixture_new();
	struct logs l;
	struct request q =
		request_of("/ingest/otlp/v1", "X-Obstack-Auth-Token: secret-logs\r\n" PROTOBUF,
	                   one_span, sizeof(one_span));
	json_t *doc;

	f->conf.protocols.obstack.enabled = true;
	l = open_logs(f);
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX)), 403);
	finish(&l);
	cr_assert_eq(lines_of(l.text[STREAM_AUDIT]), 1);
	doc = line_of(l.text[STREAM_AUDIT], 0);
	cr_assert_str_eq(string_of(doc, "kind"), "auth");
	cr_assert_str_eq(string_of(doc, "verdict"), "hg-scope");
	cr_assert_str_eq(string_of(doc, "stage"), "enrich");
	cr_assert_str_eq(string_of(doc, "tenant"), "acme");
	json_decref(doc);
	free(q.p);
	close_logs(&l);
}

/* F52 */
Test(audit, no_byte_of_a_client_makes_a_second_line)
{
	struct fixture *f = fixture_new();
	struct logs l = open_logs(f);
	unsigned sent = 0;

	for (int c = 0; c < 256; c++) {
		char text[512];
		int n = snprintf(text, sizeof(text),
		                 "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" ACME
		                 "X-Scope-OrgID: a%cb\r\n"
		                 "Content-Type: a%cb\r\nX-Request-Id: a%cb\r\n"
		                 "Traceparent: 00%c\r\n\r\n",
		                 c, c, c, c);

		fixture_run(f, &f->public, bytes_of(text, (size_t)n), SIZE_MAX);
		cr_assert_eq(f->step,
		             STEP_DONE); /* no length: answered from the head in any case */
		sent++;
		/* and fields of which the parser takes most, here with every byte */
		fixture_begin(f, &f->public);
		f->r.head.method_text =
			bytes_of((const uint8_t[]){ (uint8_t)c, 'x', (uint8_t)c }, 3);
		f->r.client_text = "un\"ix\n";
		f->r.head.field_count = 1;
		f->r.head.fields[0].name = BYTES("X-Scope-OrgID");
		f->r.head.fields[0].value = f->r.head.method_text;
		snprintf(f->r.why, sizeof(f->r.why), "%c\"\\\n\r\x1b%c", c, c);
		req_refuse(&f->r, V_INVALID, "x");
		f->r.refused_at = STAGE_ENRICH;
		req_finish(&f->r);
		sent++;
	}
	finish(&l);
	cr_assert_eq(lines_of(l.text[STREAM_ACCESS]), sent);
	for (const char *p = l.text[STREAM_ACCESS]; *p; p = strchr(p, '\n') + 1) {
		json_t *doc = line_of(p, 0);

		check_fields(doc);
		json_decref(doc);
	}
	close_logs(&l);
}

Test(audit, a_record_of_the_longest_fields_stays_one_whole_line)
{
	struct fixture *f = fixture_new();
	struct logs l = open_logs(f);
	static uint8_t bad[4000];
	json_t *doc;

	memset(bad, 0xff, sizeof(bad));
	fixture_begin(f, &f->public);
	f->r.head.method_text = bytes_of(bad, sizeof(bad));
	f->r.head.field_count = 1;
	f->r.head.fields[0].name = BYTES("X-Scope-OrgID");
	f->r.head.fields[0].value = bytes_of(bad, sizeof(bad));
	memset(f->r.why, '"', sizeof(f->r.why) - 1);
	f->r.client_request_id =
		BYTES("0123456789012345678901234567890123456789012345678901234567890123");
	memset(f->r.who.tenant, '\'', TENANT_ID_MAX);
	f->r.who.tenant_n = TENANT_ID_MAX;
	memset(f->r.who.token, 'a', 64);
	req_refuse(&f->r, V_INVALID, "x");
	f->r.refused_at = STAGE_ENRICH;
	req_finish(&f->r);
	finish(&l);
	doc = line_of(l.text[STREAM_ACCESS], 0);
	cr_assert(doc);
	check_fields(doc);
	json_decref(doc);
	close_logs(&l);
}

static void refuse_401(struct fixture *f, unsigned source)
{
	fixture_begin(f, &f->public);
	f->r.client[12] = 10;
	f->r.client[14] = (uint8_t)(source >> 8);
	f->r.client[15] = (uint8_t)source;
	f->r.route = routes_get(f->w.routes, 0);
	f->r.refused_at = STAGE_AUTH;
	memset(f->r.request_id, '0', 32);
	req_refuse(&f->r, V_CREDENTIAL);
	req_finish(&f->r);
}

/* lines with a request and the sum of all `suppressed` */
static void add_up(const char *text, unsigned *lines, unsigned *summaries, uint64_t *suppressed)
{
	*lines = *summaries = 0;
	*suppressed = 0;
	for (const char *p = text; *p; p = strchr(p, '\n') + 1) {
		json_t *doc = line_of(p, 0);

		check_fields(doc);
		if (json_is_null(json_object_get(doc, "suppressed"))) {
			++*lines;
		} else {
			++*summaries;
			*suppressed +=
				(uint64_t)json_integer_value(json_object_get(doc, "suppressed"));
			cr_assert(json_is_null(json_object_get(doc, "request_id")));
		}
		json_decref(doc);
	}
}

/* O29, one source */
Test(audit, one_source_gets_ten_lines_of_401_a_second)
{
	struct fixture *f = fixture_new();
	struct logs l = open_logs(f);
	unsigned lines, summaries;
	uint64_t suppressed;

	for (unsigned second = 0; second < 10; second++) {
		loop_set_clock((INT64_C(2000) + second) * 1000000000, loop_wall_ns());
		for (unsigned i = 0; i < 2000; i++)
			refuse_401(f, 7);
		write_suppressed(f->w.audit); /* what the timer does */
	}
	finish(&l);
	for (unsigned s = 0; s < STREAMS; s++) {
		add_up(l.text[s], &lines, &summaries, &suppressed);
		cr_assert_eq(lines, 100);
		cr_assert_eq(summaries, 10);
		cr_assert_eq(lines + suppressed, 20000);
	}
	close_logs(&l);
}

/* O29, a thousand sources */
Test(audit, a_worker_writes_a_hundred_lines_of_401_a_second)
{
	struct fixture *f = fixture_new();
	struct logs l = open_logs(f);
	unsigned lines, summaries;
	uint64_t suppressed;

	for (unsigned second = 0; second < 3; second++) {
		loop_set_clock((INT64_C(2000) + second) * 1000000000, loop_wall_ns());
		for (unsigned i = 0; i < 5000; i++)
			refuse_401(f, i % 1000);
		write_suppressed(f->w.audit);
	}
	finish(&l);
	add_up(l.text[STREAM_ACCESS], &lines, &summaries, &suppressed);
	cr_assert_eq(lines, 300);
	cr_assert_eq(summaries, 3);
	cr_assert_eq(lines + suppressed, 15000);
	close_logs(&l);
}

Test(audit, the_last_suppressed_ones_are_told_when_the_worker_ends)
{
	struct fixture *f = fixture_new();
	struct logs l = open_logs(f);
	unsigned lines, summaries;
	uint64_t suppressed;

	for (unsigned i = 0; i < 12; i++)
		refuse_401(f, 1);
	finish(&l);
	add_up(l.text[STREAM_AUDIT], &lines, &summaries, &suppressed);
	cr_assert_eq(lines, 10);
	cr_assert_eq(suppressed, 2);
	close_logs(&l);
}

/* Its last lines may arm a timer, and the loop outlives it. */
Test(audit, what_it_tells_at_its_end_leaves_no_timer_behind)
{
	struct fixture *f = fixture_new();
	struct err err;
	struct logs l;

	f->w.base = loop_open(&err);
	cr_assert(f->w.base, "%s", err.text);
	l = open_logs(f);
	for (unsigned i = 0; i < 12; i++)
		refuse_401(f, 1);
	on_flush(-1, 0, f->w.audit); /* all that waited is on its way: nothing is armed for it */
	event_del(&f->w.audit->flush);
	finish(&l);
	cr_assert_eq(event_base_get_num_events(f->w.base, EVENT_BASE_COUNT_ADDED), 0);
	loop_close(f->w.base);
	f->w.base = NULL;
	close_logs(&l);
}

Test(audit, accepted_requests_are_written_as_the_option_says)
{
	static const unsigned expected[] = { [AUDIT_ALL] = 6, [AUDIT_FIRST] = 3, [AUDIT_NONE] = 0 };

	for (unsigned accepted = AUDIT_ALL; accepted <= AUDIT_NONE; accepted++) {
		struct fixture *f = fixture_new();
		struct logs l;

		f->conf.audit.accepted = (enum audit_accepted)accepted;
		l = open_logs(f);
		for (unsigned i = 0; i < 4; i++) {
			if (i == 3) /* a minute after the first */
				loop_set_clock(loop_now_ns() + INT64_C(60000000000),
				               loop_wall_ns());
			send_body(f, "/v1/traces", "", "", 0);
		}
		for (unsigned i = 0; i < 2; i++)
			fixture_ask(f, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
		fixture_ask(f, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
		finish(&l);
		cr_assert_eq(lines_of(l.text[STREAM_ACCESS]), expected[accepted] + 1, "%u",
		             accepted);
		close_logs(&l);
	}
}

Test(audit, identities_without_an_entry_of_the_table_are_told_apart)
{
	const struct identity of_table = { .known = true, .token = "00000007", .token_ordinal = 7 };
	const struct identity one = { .known = true, .token = "00000007", .issuer = "i" };
	const struct identity other = { .known = true, .token = "00000008", .issuer = "i" };

	cr_assert_eq(token_number(&of_table), 7);
	cr_assert_neq(token_number(&one), token_number(&other));
	cr_assert_neq(token_number(&one), token_number(&of_table));
}

Test(audit, a_full_buffer_drops_counts_and_leaves_a_gap)
{
	struct fixture *f = fixture_new();
	unsigned n = 0;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC),
	             0); /* nobody reads: the writer's thread blocks, we do not */
	f->conf.audit.on_full = AUDIT_REFUSE;
	fixture_start(f, -1, fds[1]);
	cr_assert(audit_has_room(f->w.audit));
	while (audit_has_room(f->w.audit)) {
		loop_set_clock(loop_now_ns() + 1000000000,
		               loop_wall_ns()); /* so that no line is suppressed */
		refuse_401(f, n++);
		cr_assert_lt(n, 10000u);
	}
	for (unsigned i = 0; i < 20; i++) {
		loop_set_clock(loop_now_ns() + 1000000000, loop_wall_ns());
		refuse_401(f, n++);
	}
	cr_assert_gt(stats_get(f->w.stats, STAT_AUDIT_DROPPED, STREAM_AUDIT, 0), 0u);
	cr_assert_eq(f->w.audit->streams[STREAM_AUDIT].seq, n);
	/* audit.on_full: refuse */
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", "", 0)), 503);
	cr_assert_eq(f->r.verdict, V_OVERLOAD);
	f->conf.audit.on_full = AUDIT_DROP;
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", "", 0)), 200);
	close(fds[0]);
	fixture_close(f);
}

Test(audit, the_journal_gets_a_datagram_of_fields_for_each_line)
{
	static const char start[] = "PRIORITY=6\nSYSLOG_IDENTIFIER=headgate\nMESSAGE={\"ts\":";
	struct fixture *f = fixture_new();
	char text[8192];
	ssize_t n;
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	fixture_start(f, fds[1], -1);
	fixture_ask(f, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_ask(f, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n");
	audit_close(f->w.audit);
	f->w.audit = NULL;
	for (unsigned i = 0; i < 2; i++) {
		n = recv(fds[0], text, sizeof(text) - 1, MSG_DONTWAIT);
		cr_assert_gt(n, 0);
		text[n] = '\0';
		cr_assert_eq(strncmp(text, start, sizeof(start) - 1), 0, "%s", text);
		cr_assert_eq(text[n - 1], '\n');
	}
	close(fds[0]);
	fixture_close(f);
}

Test(audit, after_a_rotation_lines_go_to_the_new_file)
{
	struct fixture *f = fixture_new();
	struct logs l = open_logs(f);
	int next = file();
	char *text;

	audit_reopen(f->w.audit, STREAM_ACCESS, dup(next));
	fixture_ask(f, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
	finish(&l);
	cr_assert_str_eq(l.text[STREAM_ACCESS], "");
	text = read_all(next);
	cr_assert_eq(lines_of(text), 1);
	free(text);
	close_logs(&l);
}

Test(audit, without_a_file_nothing_is_made)
{
	struct fixture *f = fixture_open();

	fixture_ask(f, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_assert(audit_has_room(f->w.audit));
	cr_assert_eq(f->w.audit->streams[STREAM_ACCESS].seq, 0);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUDIT_RECORDS, STREAM_ACCESS, 0), 0);
	fixture_close(f);
}
