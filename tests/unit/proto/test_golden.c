/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden cases: tests/golden/<family>/<case>/request.hex (the form of tests/golden/hex.h, with
 * lines
 * `@signal logs`, `@utf8 repair`, `@enrich header`, `@encoding gzip`, in remote_write `@version 2`
 * of Loki `@form legacy`, `@stamp entries` first) becomes records.json. Of the families of JSON it
 * is request.txt: those lines, lines of comment (#), then the body as it is sent; with `@json
 * separate` it stays JSON; of model_json model.json is the data model. With UPDATE=1 records.json
 * is written anew and the difference is for review. Runs from the root of the tree.
 */
#include <criterion/criterion.h>

#include <dirent.h>

#include "common/buf.h"
#include "proto/encoding.h"
#include "tests/golden/hex.h"
#include "tests/unit/proto/enrich.h"
#include "tests/unit/proto/enrich_loki.h"
#include "tests/unit/proto/enrich_rw.h"
#include "tests/unit/proto/keep.h"
#include "tests/unit/proto/keep_loki.h"
#include "tests/unit/proto/models.h"
#include "tests/unit/proto/oracle.h"
#include "tests/unit/proto/oracle_rw.h"
#include "tests/unit/proto/transcode.h"

#define FOLDER "tests/golden"

struct golden {
	struct settings settings;
	enum encoding encoding;
	unsigned version; /* of remote_write; 0: another family */
	bool json, kept; /* it stays JSON */
	bool is_loki;
	struct model *model; /* of model.json beside the request; NULL: another family */
	const char *claims; /* for it; NULL: none */
	bool client_claims_win;
	struct loki_settings loki;
};

static char *file_read(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t n = 0;

	if (!f)
		return NULL;
	if (getdelim(&text, &n, '\0', f) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(f);
	return text;
}

static void setting(struct golden *g, const char *key, const char *value)
{
	if (!strcmp(key, "signal")) {
		for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++)
			if (!strcmp(value, signal_name((enum signal)s)))
				g->settings.signal = (enum signal)s;
		if (g->json && !strcmp(value, "any"))
			g->settings.signal = SIGNAL_EVENTS; /* transcode_of() */
	} else if (!strcmp(key, "utf8")) {
		g->settings.utf8 = strcmp(value, "repair") ? UTF8_STRICT : UTF8_REPAIR;
	} else if (!strcmp(key, "enrich")) {
		g->settings.stamp = strcmp(value, "header") != 0;
	} else if (!strcmp(key, "claims") && g->json) { /* of a verified JWT */
		g->claims = "{\"iss\":\"https://id\",\"sub\":\"u1\"}";
		g->client_claims_win = !strcmp(value, "client");
		cr_assert(g->client_claims_win || !strcmp(value, "given"));
	} else if (!strcmp(key, "encoding")) {
		cr_assert(encoding_find(bytes_str(value), &g->encoding));
	} else if (!strcmp(key, "json") && g->json) {
		cr_assert_str_eq(value, "separate");
		g->kept = true;
	} else if (!strcmp(key, "form") && g->is_loki && g->json) {
		cr_assert_str_eq(value, "legacy");
		g->loki.form = LOKI_LEGACY;
	} else if (!strcmp(key, "stamp") && g->is_loki) {
		cr_assert_str_eq(value, "entries");
		g->loki.into_entries = true;
	} else if (!strcmp(key, "version") && g->version) {
		g->version = (unsigned)atoi(value);
		cr_assert(g->version == 1 || g->version == 2);
	} else {
		cr_assert_fail("unknown @%s", key);
	}
}

static bool is_json(const char *family)
{
	return strstr(family, "_json") != NULL;
}

/* Takes the @lines off; gives the hex text behind them. */
static const char *settings_read(struct golden *g, const char *family, const char *text)
{
	char key[20], value[20];
	int n = 0;

	*g = (struct golden){ .settings = settings_of(SIGNAL_TRACES),
		              .version = !strcmp(family, "remote_write"),
		              .json = is_json(family),
		              .is_loki = !strncmp(family, "loki", 4) };
	if (g->is_loki)
		g->settings.utf8 = UTF8_REPAIR;
	g->loki.form = g->json ? LOKI_JSON : LOKI_PROTOBUF;
	while (sscanf(text, "@%19s %19s\n%n", key, value, &n) == 2) {
		setting(g, key, value);
		text += n;
	}
	return text;
}

static struct bytes decode(struct golden *g, struct bytes wire, struct buf *json)
{
	static uint8_t plain[1 << 16];
	struct inflater *inf = inflater_open();
	const char *why = NULL;
	size_t n = 0;
	enum inflate_result r =
		encoding_inflate(inf, g->encoding, wire, plain, sizeof(plain), &n, &why);

	inflater_close(inf);
	if (r == INFLATE_OK)
		return bytes_of(plain, n);
	buf_printf(json, "{\n\t\"verdict\": \"%s\",\n\t\"reason\": \"%s\"\n}\n",
	           verdict_get(V_INFLATE)->id, why ? why : "no room");
	return BYTES_NONE;
}

static void hex_render(struct buf *json, const uint8_t *value, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char hex[3];

		hex_encode(value + i, 1, hex);
		buf_str(json, hex);
	}
}

static void verdict_render(struct buf *json, enum verdict v, const struct enriched *e)
{
	buf_printf(json, "{\n\t\"verdict\": \"%s\"", verdict_get(v)->id);
	if (v == V_INVALID) {
		buf_str(json, ",\n\t\"reason\": \"");
		buf_json(json, bytes_str(e->reason), sizeof(e->reason));
		buf_str(json, "\"");
	}
	if (v == V_ACCEPTED)
		buf_printf(json, ",\n\t\"items\": %ju,\n\t\"spoofed\": %ju,\n\t\"repaired\": %ju",
		           (uintmax_t)e->items, (uintmax_t)e->spoofed, (uintmax_t)e->repaired);
}

static void otlp_render(struct golden *g, struct bytes body, struct buf *json)
{
	struct outcome o = enrich_all(g->settings, body);

	verdict_render(json, o.verdict, &o.e);
	if (o.verdict == V_ACCEPTED) {
		buf_str(json, ",\n\t\"records\": [{ \"value\": \"");
		hex_render(json, o.value, o.value_n);
		buf_str(json, "\" }]");
	}
	if (o.verdict == V_ACCEPTED && !o.e.repaired)
		cr_expect(oracle_equal(g->settings.signal, body, bytes_of(o.value, o.value_n),
		                       g->settings.stamp ? "tenant_id" : NULL, "acme"),
		          "not what protobuf-c makes of it");
	outcome_done(&o);
}

static void loki_render(struct golden *g, struct bytes body, struct buf *json)
{
	struct loki_settings s = g->loki;
	struct loki_outcome o;

	s.stamp = g->settings.stamp;
	s.utf8 = g->settings.utf8;
	o = loki_all(s, body);
	verdict_render(json, o.verdict, &o.e);
	if (o.verdict == V_ACCEPTED) {
		buf_str(json, ",\n\t\"records\": [{ \"value\": \"");
		hex_render(json, o.value, o.value_n);
		buf_str(json, "\" }]");
	}
	loki_outcome_done(&o);
}

static void kept_render(struct buf *json, enum verdict v, const struct enriched *e,
                        const uint8_t *value, size_t n)
{
	verdict_render(json, v, e);
	if (v == V_ACCEPTED) {
		buf_str(json, ",\n\t\"records\": [{ \"json\": \"");
		buf_json(json, bytes_of(value, n), SIZE_MAX);
		buf_str(json, "\" }]");
	}
	buf_str(json, "\n}\n");
}

static void keep_render(struct golden *g, struct bytes body, struct buf *json)
{
	struct loki_settings s = g->loki;
	struct loki_outcome loki;
	struct outcome otlp;

	if (g->is_loki) {
		s.stamp = g->settings.stamp;
		s.utf8 = g->settings.utf8;
		loki = loki_keep_all(s, body);
		kept_render(json, loki.verdict, &loki.e, loki.value, loki.value_n);
		loki_outcome_done(&loki);
		loki_keep_judge(s, body);
		return;
	}
	otlp = keep_all(g->settings, body);
	kept_render(json, otlp.verdict, &otlp.e, otlp.value, otlp.value_n);
	outcome_done(&otlp);
	keep_judge(g->settings, body);
}

/* Records as text: they are JSON, behind a schema id of control bytes. */
static void model_render(struct golden *g, struct bytes body, struct buf *json)
{
	struct model_settings s = model_settings_of(g->model);
	struct judged j;

	s.stamp = g->settings.stamp;
	s.claims = g->claims;
	s.client_claims_win = g->client_claims_win;
	j = judge_all(s, body);
	verdict_render(json, j.verdict, &j.e);
	if (j.result == TRANSCODE_INVALID)
		buf_printf(json, ",\n\t\"syntax\": %s", j.e.is_syntax ? "true" : "false");
	for (size_t i = 0; i < j.slices.n; i++) {
		buf_str(json, i ? "\" }, { \"value\": \"" : ",\n\t\"records\": [{ \"value\": \"");
		buf_json(json, bytes_of(j.out + j.slices.v[i].at, j.slices.v[i].n), MIB);
	}
	buf_str(json, j.slices.n ? "\" }]\n}\n" : "\n}\n");
	judged_done(&j);
}

static void json_render(struct golden *g, const char *text, struct buf *json)
{
	struct transcoded t;

	while (*text == '#')
		text += strcspn(text, "\n") + 1;
	if (g->model) {
		model_render(g, bytes_str(text), json);
		return;
	}
	if (g->kept) {
		keep_render(g, bytes_str(text), json);
		return;
	}
	if (g->is_loki) {
		loki_render(g, bytes_str(text), json);
		buf_str(json, "\n}\n");
		return;
	}
	t = transcode_all(g->settings, bytes_str(text));
	g->settings.signal = t.e.signal;
	if (t.result == TRANSCODE_OK)
		otlp_render(g, bytes_of(t.out, t.n), json);
	else
		verdict_render(json, V_INVALID, &t.e);
	buf_str(json, "\n}\n");
	transcoded_done(&t);
}

static void rw_render(struct golden *g, struct bytes body, struct buf *json)
{
	struct rw_settings s = { .version = g->version, .stamp = g->settings.stamp };
	struct rw_outcome o = rw_all(s, body);

	verdict_render(json, o.verdict, &o.e);
	if (o.verdict == V_ACCEPTED) {
		buf_printf(json,
		           ",\n\t\"written\": [%ju, %ju, %ju],\n\t\"records\": [{ \"value\": \"",
		           (uintmax_t)o.e.written[WRITTEN_SAMPLES],
		           (uintmax_t)o.e.written[WRITTEN_HISTOGRAMS],
		           (uintmax_t)o.e.written[WRITTEN_EXEMPLARS]);
		hex_render(json, o.value, o.value_n);
		buf_str(json, "\" }]");
		cr_expect(oracle_rw_equal(s.version, body, bytes_of(o.value, o.value_n),
		                          s.stamp ? "tenant_id" : NULL, "acme"),
		          "not what protobuf-c makes of it");
	}
	rw_outcome_done(&o);
}

/* What the case gives now, as the text of records.json. */
static void render(struct golden *g, const char *text, struct buf *json)
{
	static uint8_t wire[1 << 16];
	struct bytes body = decode(g, hex_bytes(text, wire, sizeof(wire)), json);

	if (json->n)
		return;
	if (g->version)
		rw_render(g, body, json);
	else if (g->is_loki)
		loki_render(g, body, json);
	else
		otlp_render(g, body, json);
	buf_str(json, "\n}\n");
}

static struct model *model_read(const char *name)
{
	char path[300];
	autofree char *text = NULL;
	struct err err = { "" };
	struct model *m;

	snprintf(path, sizeof(path), FOLDER "/model_json/%s/model.json", name);
	text = file_read(path);
	cr_assert(text, "%s is missing", path);
	m = model_parse(bytes_str(text), &err);
	cr_assert(m, "%s: %s", path, err.text);
	return m;
}

static void judge(const char *family, const char *name, bool update)
{
	char path[300];
	autofree char *request = NULL, *records = NULL;
	const char *body;
	struct golden g;
	struct buf json;

	snprintf(path, sizeof(path), FOLDER "/%s/%s/request.%s", family, name,
	         is_json(family) ? "txt" : "hex");
	request = file_read(path);
	cr_assert(request, "%s is missing", path);
	snprintf(path, sizeof(path), FOLDER "/%s/%s/records.json", family, name);
	records = file_read(path);
	buf_init(&json, MIB);
	body = settings_read(&g, family, request);
	if (!strcmp(family, "model_json"))
		g.model = model_read(name);
	if (g.json)
		json_render(&g, body, &json);
	else
		render(&g, body, &json);
	cr_assert_not(json.failed);
	if (update) {
		FILE *f = fopen(path, "w");

		cr_assert(f && fwrite(json.p, 1, json.n, f) == json.n);
		fclose(f);
	} else {
		cr_expect(records && bytes_eq(bytes_str(records), buf_view(&json)),
		          "%s: now it is\n%.*s", name, (int)json.n, json.p);
	}
	buf_done(&json);
	model_free(g.model);
}

static int judge_family(const char *family)
{
	const char *update = getenv("UPDATE");
	char path[100];
	DIR *folder;
	int cases = 0;

	snprintf(path, sizeof(path), FOLDER "/%s", family);
	folder = opendir(path);
	cr_assert(folder, "no %s: run from the root of the tree", path);
	for (struct dirent *entry; (entry = readdir(folder));)
		if (entry->d_name[0] != '.') {
			judge(family, entry->d_name, update && *update && strcmp(update, "0"));
			cases++;
		}
	closedir(folder);
	return cases;
}

/* R3, R4, P8, P10, P11: the cases say which */
Test(golden, every_otlp_proto_case_gives_its_records)
{
	cr_expect_geq(judge_family("otlp_proto"), 20);
}

/* P9, P10, P12-P14, and the rows of protocols.md 4.2: the cases say which */
Test(golden, every_otlp_json_case_gives_its_records)
{
	cr_expect_geq(judge_family("otlp_json"), 25);
}

/* R5, P16, P17, PC2-PC4: the cases say which */
Test(golden, every_remote_write_case_gives_its_records)
{
	cr_expect_geq(judge_family("remote_write"), 20);
}

/* R6, R26, P10, P18, PC7: the cases say which */
Test(golden, every_loki_case_gives_its_records)
{
	cr_expect_geq(judge_family("loki_proto"), 15);
	cr_expect_geq(judge_family("loki_json"), 10);
}

/* C6, C9-C13, C15, C20: the cases say which */
Test(golden, every_case_of_a_data_model_gives_its_records)
{
	cr_expect_geq(judge_family("model_json"), 20);
}
