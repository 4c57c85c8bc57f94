/* SPDX-License-Identifier: Apache-2.0 */
#define auth_found found_of_the_test
#define auth_may_ask ask_of_the_test
#include "worker/auth_jwt.c"

#include "tests/unit/worker/jwt_maker.h"

enum { NOW_S = 1764000000, START_MS = 1000000 };

static const char *audiences[] = { "telemetry" }, *agents[] = { "agents" };
static const char *rs256[] = { "RS256" }, *both[] = { "RS256", "ES256" }, *scopes[] = { "*" };
static struct jwt_conf entries[4];
static struct conf conf;
static struct worker w;
static struct jwt_verifier *v;
static struct req asking;
static int master; /* the other end of the channel */
static EVP_PKEY *rsa, *ec;
static unsigned budget = 1000; /* signatures */
static struct { /* what auth_found() was told */
	unsigned count;
	uint8_t digest[TOKEN_DIGEST_BYTES];
	struct finding finding;
} found;

void found_of_the_test(struct worker *worker, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                       const struct finding *f)
{
	cr_assert_eq(worker, &w);
	free(found.finding.proof);
	found.count++;
	memcpy(found.digest, digest, sizeof(found.digest));
	found.finding = *f;
}

bool ask_of_the_test(struct req *r)
{
	cr_assert_eq(r, &asking);
	return budget && budget--;
}

/* ---- set-up ---- */

static void clock_at(msec_t ms)
{
	loop_set_clock((START_MS + ms) * 1000000, NOW_S * INT64_C(1000000000) + ms * 1000000);
}

static struct jwt_conf entry_of(const char *name, const char *issuer)
{
	return (struct jwt_conf){ .name = name,
		                  .issuer = issuer,
		                  .audiences = { audiences, 1 },
		                  .algorithms = { rs256, 1 },
		                  .jwks_uri = "",
		                  .public_key_file = { .path = "" },
		                  .tenant_claim = "tenant",
		                  .scopes = { scopes, 1 } };
}

static void opens(void)
{
	struct err err = { "" };
	int fds[2];

	cr_assert_eq(channel_pair(fds, &err), 0);
	w.channel = fds[0];
	master = fds[1];
	clock_at(0);
	w.base = loop_open(&err);
	cr_assert_not_null(w.base, "%s", err.text);
	w.conf = &conf;
	conf.auth.jwt.v = entries;
	conf.auth.cache_ttl = 300000;
	conf.auth.jwks.refetch_floor = 10000;
	conf.auth.jwks.timeout = 5000;
	entries[0] = entry_of("corp", "https://i");
	conf.auth.jwt.n = 1;
	rsa = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
}

static void start(void)
{
	struct err err = { "" };

	v = auth_jwt.open(&w, &err);
	cr_assert_not_null(v, "%s", err.text);
}

static void closes(void)
{
	if (v)
		auth_jwt.close(v);
	free(found.finding.proof);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	loop_close(w.base);
	close(w.channel);
	close(master);
}
TestSuite(auth_jwt, .init = opens, .fini = closes);

/* ---- what the master sends ---- */

static void sets(const char *text)
{
	struct err err = { "" };
	int fd = sealed_memfd("jwks", bytes_str(text), &err);

	cr_assert_geq(fd, 0, "%s", err.text);
	auth_take_keys(&w, fd);
	close(fd);
}

/* One set, of https://i by discovery. */
static void set(msec_t tried, bool ok, const char *keys)
{
	char *text = jwt_text();

	snprintf(text, JWT_TEXT_MAX,
	         "[{\"issuer\":\"https://"
	         "i\",\"jwks_uri\":\"\",\"tried_ms\":%lld,\"ok\":%s,\"keys\":[%s]}]",
	         (long long)(START_MS + tried), ok ? "true" : "false", keys);
	sets(text);
}

/* The question that lies in the channel, or "". */
static const char *asked(void)
{
	static struct channel_msg m;
	struct err err = { "" };
	int rc = channel_recv(master, &m, &err);

	cr_assert_geq(rc, 0, "%s", err.text);
	if (!rc)
		return "";
	cr_assert_eq(m.type, MSG_JWKS_WANT);
	m.body[m.body_bytes] = '\0';
	return (const char *)m.body;
}

/* ---- tokens ---- */

#define GOOD                                                                                       \
	"{\"iss\":\"https://i\",\"sub\":\"s\",\"aud\":\"telemetry\",\"exp\":1764000060,"           \
	"\"tenant\":\"acme\"}"
#define HEAD(alg, kid) "{\"alg\":\"" alg "\",\"kid\":\"" kid "\"}"

static struct finding finding;

static enum auth_say check(const char *token)
{
	struct credential c = { .secret = bytes_str(token) };

	free(finding.proof);
	finding = (struct finding){ .keep = 0 };
	memset(c.digest, token[strlen(token) - 1], sizeof(c.digest));
	return auth_jwt.check(v, &asking, &c, &finding);
}

static const char *why(const char *token)
{
	enum auth_say say = check(token);

	cr_assert(say == AUTH_NO || say == AUTH_YES, "%d", (int)say);
	cr_assert_eq(say == AUTH_YES, finding.proof->result == AUTH_OK);
	cr_assert_eq(finding.keep, say == AUTH_YES ? 300000 : 0);
	return finding.proof->why ? finding.proof->why : "";
}

/* Else it would be told now that its time is over. */
static bool nobody_waits(void)
{
	unsigned before = found.count;

	clock_at(1000000);
	jwt_wait_look(v->waiting);
	return found.count == before;
}

#define SIGNATURE "JWT with a wrong signature"

Test(auth_jwt, without_an_entry_nothing_is_its_own)
{
	conf.auth.jwt.n = 0;
	start();
	cr_assert_eq(check(token_of(HEAD("RS256", "k"), GOOD, rsa)), AUTH_NOT_MINE);
}

/* B5 */
Test(auth_jwt, what_is_no_token_of_an_issuer_is_somebody_elses)
{
	start();
	cr_assert_eq(check("mmk_abc"), AUTH_NOT_MINE);
	cr_assert_eq(check("a.b.c"), AUTH_NOT_MINE);
	cr_assert_eq(check(token_of(HEAD("RS256", "k"), "{\"iss\":\"https://i/\"}", rsa)),
	             AUTH_NOT_MINE);
	cr_assert_eq(check(token_of(HEAD("RS256", "k"), "{\"iss\":\"HTTPS://i\"}", rsa)),
	             AUTH_NOT_MINE);
	cr_assert_str_eq(asked(), "");
}

/* B6 */
Test(auth_jwt, a_signed_token_is_who_it_says)
{
	start();
	set(0, true, jwk_text(rsa, "k"));
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, rsa)), "");
	cr_assert_str_eq(finding.proof->subject, "s");
	cr_assert_str_eq(finding.proof->issuer, "https://i");
	cr_assert_str_eq(finding.proof->tenants[0], "acme");
	cr_assert_eq(finding.proof->method, METHOD_JWT);
	cr_assert_eq(budget, 999);
	cr_assert_eq(ERR_peek_error(), 0);
}

Test(auth_jwt, es256_is_taken_where_the_entry_says_so)
{
	start();
	set(0, true, jwk_text(ec, "k"));
	cr_assert_str_eq(why(token_of(HEAD("ES256", "k"), GOOD, ec)),
	                 "JWT of an algorithm that its issuer may not use");
	entries[0].algorithms = (struct conf_list){ both, 2 };
	cr_assert_str_eq(why(token_of(HEAD("ES256", "k"), GOOD, ec)), "");
}

/* F50 */
Test(auth_jwt, forged_tokens_are_refused)
{
	const char *pem, *forged, *good;
	uint8_t mac[32], zero[64] = { 0 };
	char text[4000], head[600];
	unsigned n = sizeof(mac);
	EVP_PKEY *other = EVP_RSA_gen(2048);

	entries[0].algorithms = (struct conf_list){ both, 2 };
	start();
	snprintf(text, sizeof(text), "%s,%s", jwk_text(rsa, "k"), jwk_text(ec, "e"));
	set(0, true, text);
	good = token_of(HEAD("RS256", "k"), GOOD, rsa);
	cr_assert_str_eq(why(good), "");
	/* no signature */
	cr_assert_neq(*why(token_of(HEAD("none", "k"), GOOD, NULL)), '\0');
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, NULL)), SIGNATURE);
	/* HMAC with the public key as its secret */
	pem = pem_text(rsa);
	forged = token_of(HEAD("HS256", "k"), GOOD, NULL);
	cr_assert_not_null(HMAC(EVP_sha256(), pem, (int)strlen(pem), (const uint8_t *)forged,
	                        strlen(forged) - 1, mac, &n));
	snprintf(text, sizeof(text), "%s%s", forged, base64url(mac, n));
	cr_assert_neq(*why(text), '\0');
	/* signed by a key of its own, which its header brings */
	snprintf(head, sizeof(head), "{\"alg\":\"RS256\",\"kid\":\"k\",\"jwk\":%s}",
	         jwk_text(other, "k"));
	cr_assert_str_eq(why(token_of(head, GOOD, other)), SIGNATURE);
	cr_assert_str_eq(
		why(token_of("{\"alg\":\"RS256\",\"kid\":\"k\",\"jku\":\"https://evil/k\"}", GOOD,
	                     other)),
		SIGNATURE);
	/* a signature of another token, and one that is cut, longer, or all zero */
	snprintf(text, sizeof(text), "%.*s%s",
	         (int)strlen(token_of(HEAD("RS256", "k"), "{\"iss\":\"https://i\"}", NULL)),
	         token_of(HEAD("RS256", "k"), "{\"iss\":\"https://i\"}", NULL),
	         strrchr(good, '.') + 1);
	cr_assert_neq(*why(text), '\0');
	snprintf(text, sizeof(text), "%.*s", (int)strlen(good) - 6, good);
	cr_assert_str_eq(why(text), SIGNATURE);
	snprintf(text, sizeof(text), "%sAAAA", good);
	cr_assert_str_eq(why(text), SIGNATURE);
	snprintf(text, sizeof(text), "%s%s", token_of(HEAD("ES256", "e"), GOOD, NULL),
	         base64url(zero, 64));
	cr_assert_str_eq(why(text), SIGNATURE);
	/* the key of one algorithm for another */
	cr_assert_str_eq(why(token_of(HEAD("ES256", "k"), GOOD, ec)),
	                 "JWT of an algorithm that its key is not for");
	cr_assert_str_eq(why(token_of(HEAD("RS256", "e"), GOOD, rsa)),
	                 "JWT of an algorithm that its key is not for");
	cr_assert_eq(ERR_peek_error(), 0);
	EVP_PKEY_free(other);
}

/* B9, F50: what looks like a path is a name like another. */
Test(auth_jwt, an_unknown_kid_is_asked_for_once_and_then_refused)
{
	static const char *const kids[] = { "x", "../x", "/etc/passwd", "k ", "K", "" };
	char head[100];

	start();
	set(0, true, jwk_text(rsa, "k"));
	for (size_t i = 0; i < ARRAY_LEN(kids); i++) {
		snprintf(head, sizeof(head), "{\"alg\":\"RS256\",\"kid\":\"%s\"}", kids[i]);
		cr_assert_str_eq(why(token_of(head, GOOD, rsa)), "JWT of an unknown key", "%s",
		                 kids[i]);
	}
	cr_assert_str_eq(asked(), ""); /* the last try is too near */
	clock_at(10000);
	for (size_t i = 0; i < ARRAY_LEN(kids); i++) {
		snprintf(head, sizeof(head), "{\"alg\":\"RS256\",\"kid\":\"%s\"}", kids[i]);
		cr_assert_eq(check(token_of(head, GOOD, rsa)), AUTH_LATER);
	}
	cr_assert_str_eq(asked(), "https://i\n");
	cr_assert_str_eq(asked(), "");
	set(10000, true, jwk_text(rsa, "k"));
	cr_assert_eq(found.count, ARRAY_LEN(kids));
	cr_assert_eq(found.finding.proof->result, AUTH_UNKNOWN);
	cr_assert_eq(found.finding.keep, 0);
	cr_assert(nobody_waits());
	cr_assert_eq(budget, 1000); /* nothing of it cost a signature */
}

/* B9 */
Test(auth_jwt, a_key_of_a_rotation_is_found_after_one_refresh)
{
	const char *token = token_of(HEAD("ES256", "new"), GOOD, ec);
	char text[4000];

	entries[0].algorithms = (struct conf_list){ both, 2 };
	start();
	set(0, true, jwk_text(rsa, "k"));
	clock_at(10000);
	cr_assert_eq(check(token), AUTH_LATER);
	snprintf(text, sizeof(text), "%s,%s", jwk_text(rsa, "k"), jwk_text(ec, "new"));
	set(10000, true, text);
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.finding.proof->result, AUTH_OK);
	cr_assert_eq(found.finding.keep, 300000);
	cr_assert_eq(found.digest[0], (uint8_t)token[strlen(token) - 1]);
	cr_assert_str_eq(why(token), "");
}

/* A restart of mock-oauth2-server, say: the name stays, the key does not. */
Test(auth_jwt, another_key_of_the_same_kid_is_found_after_one_refresh)
{
	EVP_PKEY *next = EVP_RSA_gen(2048);
	const char *token = token_of(HEAD("RS256", "k"), GOOD, next);

	start();
	set(0, true, jwk_text(rsa, "k"));
	cr_assert_str_eq(why(token), SIGNATURE);
	clock_at(10000);
	cr_assert_eq(check(token), AUTH_LATER);
	set(10000, true, jwk_text(next, "k"));
	cr_assert_eq(found.finding.proof->result, AUTH_OK);
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, rsa)), SIGNATURE);
	EVP_PKEY_free(next);
}

/* It was 401 until the next refresh, an hour later. */
Test(auth_jwt, a_key_of_another_kind_and_the_same_kid_is_found_after_one_refresh)
{
	const char *token = token_of(HEAD("ES256", "k"), GOOD, ec);

	entries[0].algorithms = (struct conf_list){ both, 2 };
	start();
	set(0, true, jwk_text(rsa, "k"));
	cr_assert_str_eq(why(token), "JWT of an algorithm that its key is not for");
	clock_at(10000);
	cr_assert_eq(check(token), AUTH_LATER);
	set(10000, true, jwk_text(rsa, "k"));
	cr_assert_eq(found.finding.proof->result, AUTH_UNKNOWN);
	clock_at(20000);
	cr_assert_eq(check(token), AUTH_LATER);
	set(20000, true, jwk_text(ec, "k"));
	cr_assert_eq(found.finding.proof->result, AUTH_OK);
}

Test(auth_jwt, a_revoked_kid_is_refused_once_its_set_lacks_it)
{
	start();
	set(0, true, jwk_text(rsa, "k"));
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, rsa)), "");
	set(5000, true, jwk_text(ec, "e"));
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, rsa)), "JWT of an unknown key");
}

/* B8 */
Test(auth_jwt, without_a_kid_each_key_is_tried_in_turn)
{
	EVP_PKEY *other = EVP_RSA_gen(2048);
	const char *token = token_of("{\"alg\":\"RS256\"}", GOOD, other);
	char text[4000];

	start();
	snprintf(text, sizeof(text), "%s,%s", jwk_text(rsa, "a"), jwk_text(other, NULL));
	set(0, true, text);
	cr_assert_str_eq(why(token), "");
	cr_assert_eq(budget, 998); /* two signatures */
	set(0, true, jwk_text(rsa, "a"));
	cr_assert_str_eq(why(token), SIGNATURE);
	EVP_PKEY_free(other);
}

/* B7 */
Test(auth_jwt, entries_of_one_issuer_share_its_keys)
{
	entries[1] = entry_of("agents", "https://i");
	entries[1].audiences = (struct conf_list){ agents, 1 };
	entries[1].tenant_claim = "";
	conf.auth.jwt.n = 2;
	start();
	cr_assert_eq(v->source_count, 1);
	set(0, true, jwk_text(rsa, "k"));
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, rsa)), "");
	cr_assert_eq(finding.proof->tenant_count, 1);
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"),
	                              "{\"iss\":\"https://i\",\"sub\":\"s\",\"aud\":[\"agents\"],"
	                              "\"exp\":1764000060,\"tenant\":\"acme\"}",
	                              rsa)),
	                 "");
	cr_assert_eq(finding.proof->tenant_count, 0);
}

/* D9 */
Test(auth_jwt, two_issuers_with_one_kid_are_told_apart)
{
	EVP_PKEY *other = EVP_RSA_gen(2048);
	char text[8000];

	entries[1] = entry_of("k", "https://k");
	entries[1].jwks_uri = "https://k/keys";
	conf.auth.jwt.n = 2;
	start();
	snprintf(text, sizeof(text),
	         "[{\"issuer\":\"https://"
	         "i\",\"jwks_uri\":\"\",\"tried_ms\":1000000,\"ok\":true,\"keys\":[%s]},"
	         "{\"issuer\":\"https://k\",\"jwks_uri\":\"https://k/"
	         "keys\",\"tried_ms\":1000000,\"ok\":true,"
	         "\"keys\":[%s]},{\"issuer\":\"https://"
	         "gone\",\"jwks_uri\":\"\",\"tried_ms\":1,\"ok\":true,"
	         "\"keys\":[]}]",
	         jwk_text(rsa, "k"), jwk_text(other, "k"));
	sets(text);
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, rsa)), "");
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, other)), SIGNATURE);
#define OF_K "{\"iss\":\"https://k\",\"sub\":\"s\",\"aud\":\"telemetry\",\"exp\":1764000060}"
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), OF_K, other)), "");
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), OF_K, rsa)), SIGNATURE);
	clock_at(10000);
	cr_assert_eq(check(token_of(HEAD("RS256", "z"), OF_K, rsa)), AUTH_LATER);
	cr_assert_str_eq(asked(), "https://k\nhttps://k/keys");
	EVP_PKEY_free(other);
}

/* F50 */
Test(auth_jwt, while_the_issuer_is_away_known_keys_serve_and_unknown_ones_wait_for_it)
{
	start();
	set(0, true, jwk_text(rsa, "k"));
	clock_at(10000);
	cr_assert_eq(check(token_of(HEAD("RS256", "x"), GOOD, rsa)), AUTH_LATER);
	set(10000, false, jwk_text(rsa, "k"));
	cr_assert_eq(found.finding.proof->result, AUTH_UNAVAILABLE);
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, rsa)), "");
	cr_assert_str_eq(why(token_of(HEAD("RS256", "x"), GOOD, rsa)),
	                 "JWT of an unknown key, and its issuer is away");
	cr_assert_eq(finding.proof->result, AUTH_UNAVAILABLE);
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, NULL)), SIGNATURE);
	cr_assert_eq(finding.proof->result, AUTH_UNKNOWN);
}

Test(auth_jwt, without_any_key_nobody_is_judged)
{
	const char *token = token_of(HEAD("RS256", "k"), GOOD, rsa);

	start();
	cr_assert_eq(check(token), AUTH_LATER);
	cr_assert_str_eq(asked(), "https://i\n");
	set(1, false, "");
	cr_assert_eq(found.finding.proof->result, AUTH_UNAVAILABLE);
	cr_assert_str_eq(why(token), "no key of its issuer was had yet");
	cr_assert_eq(finding.proof->result, AUTH_UNAVAILABLE);
}

/* One issuer, two sources of keys: of the one that is out of reach the token may well be. */
Test(auth_jwt, while_an_entry_cannot_judge_another_ones_no_is_503)
{
	const char *token = token_of(HEAD("RS256", "k"), GOOD, rsa);
	char text[4000];

	entries[1] = entry_of("agents", "https://i");
	entries[1].jwks_uri = "https://i/other";
	conf.auth.jwt.n = 2;
	start();
	snprintf(text, sizeof(text),
	         "[{\"issuer\":\"https://i\",\"jwks_uri\":\"\",\"tried_ms\":1000000,\"ok\":false},"
	         "{\"issuer\":\"https://i\",\"jwks_uri\":\"https://i/other\",\"tried_ms\":1000000,"
	         "\"ok\":true,\"keys\":[%s]}]",
	         jwk_text(ec, "other"));
	sets(text);
	cr_assert_str_eq(why(token), "no key of its issuer was had yet");
	cr_assert_eq(finding.proof->result, AUTH_UNAVAILABLE);
	entries[1].audiences = (struct conf_list){ agents, 1 };
	cr_assert_str_eq(why(token), "no key of its issuer was had yet");
}

/* One issuer, two sources of keys: the key may come from either. */
static void two_sources(void)
{
	entries[1] = entry_of("agents", "https://i");
	entries[1].jwks_uri = "https://i/other";
	conf.auth.jwt.n = 2;
	start();
}

/* What the master says of both; NULL: no keys, its try failed. */
static void both_sets(msec_t first, const char *keys, msec_t second, const char *other_keys)
{
	char *text = jwt_text();

	snprintf(text, JWT_TEXT_MAX,
	         "[{\"issuer\":\"https://i\",\"jwks_uri\":\"\",\"tried_ms\":%lld,\"ok\":%s,"
	         "\"keys\":[%s]},{\"issuer\":\"https://i\",\"jwks_uri\":\"https://i/other\","
	         "\"tried_ms\":%lld,\"ok\":%s,\"keys\":[%s]}]",
	         (long long)(START_MS + first), keys ? "true" : "false", keys ? keys : "",
	         (long long)(START_MS + second), other_keys ? "true" : "false",
	         other_keys ? other_keys : "");
	sets(text);
}

/* It was 503, as the first one had no keys, and nobody had asked for any. */
Test(auth_jwt, a_key_that_may_be_in_two_sets_is_asked_for_in_both)
{
	const char *token = token_of(HEAD("RS256", "x"), GOOD, rsa);

	two_sources();
	cr_assert_eq(check(token), AUTH_LATER);
	cr_assert_str_eq(asked(), "https://i\n");
	cr_assert_str_eq(asked(), "https://i\nhttps://i/other");
	cr_assert_str_eq(asked(), "");
	sets(jwt_text()); /* no JSON: nothing */
	cr_assert_eq(found.count, 0);
	both_sets(1, jwk_text(ec, "e"), 1, jwk_text(ec, "e"));
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.finding.proof->result, AUTH_UNKNOWN);
}

Test(auth_jwt, the_first_set_that_has_the_key_lets_in_and_the_last_one_refuses)
{
	const char *token = token_of(HEAD("RS256", "x"), GOOD, rsa);

	two_sources();
	both_sets(0, jwk_text(ec, "e"), 0, jwk_text(ec, "e"));
	clock_at(10000);
	cr_assert_eq(check(token), AUTH_LATER);
	both_sets(10000, jwk_text(ec, "e"), 0, jwk_text(ec, "e"));
	cr_assert_eq(found.count, 0, "the other one may have it");
	both_sets(10000, jwk_text(ec, "e"), 10000, jwk_text(ec, "e"));
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.finding.proof->result, AUTH_UNKNOWN);
	clock_at(20000);
	cr_assert_eq(check(token), AUTH_LATER);
	both_sets(10000, jwk_text(ec, "e"), 20000, jwk_text(rsa, "x"));
	cr_assert_eq(found.count, 2);
	cr_assert_eq(found.finding.proof->result, AUTH_OK);
	cr_assert(nobody_waits());
}

Test(auth_jwt, while_one_of_two_sets_is_away_nobody_is_refused_for_good)
{
	const char *token = token_of(HEAD("RS256", "x"), GOOD, rsa);

	two_sources();
	both_sets(0, jwk_text(ec, "e"), 0, jwk_text(ec, "e"));
	clock_at(10000);
	cr_assert_eq(check(token), AUTH_LATER);
	both_sets(10000, jwk_text(ec, "e"), 0, jwk_text(ec, "e"));
	clock_at(22000);
	jwt_wait_look(v->waiting);
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.finding.proof->result, AUTH_UNAVAILABLE);
	both_sets(22000, jwk_text(ec, "e"), 22000, NULL);
	cr_assert_str_eq(why(token), "no key of its issuer was had yet");
}

Test(auth_jwt, who_gets_no_answer_is_told_in_time)
{
	start();
	set(0, true, jwk_text(rsa, "k"));
	clock_at(10000);
	cr_assert_eq(check(token_of(HEAD("RS256", "x"), GOOD, rsa)), AUTH_LATER);
	clock_at(21999);
	jwt_wait_look(v->waiting);
	cr_assert_eq(found.count, 0);
	sets("[]"); /* of other issuers */
	cr_assert_eq(found.count, 0);
	clock_at(22000);
	jwt_wait_look(v->waiting);
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.finding.proof->result, AUTH_UNAVAILABLE);
	cr_assert_str_eq(asked(), "https://i\n");
	cr_assert_eq(check(token_of(HEAD("RS256", "x"), GOOD, rsa)), AUTH_LATER);
	jwt_wait_look(v->waiting);
	cr_assert_eq(check(token_of(HEAD("RS256", "x"), GOOD, rsa)), AUTH_LATER);
	cr_assert_str_eq(asked(), "https://i\n");
	cr_assert_str_eq(asked(), "");
}

Test(auth_jwt, no_more_wait_than_are_allowed)
{
	char head[100];

	start();
	for (unsigned i = 0; !jwt_wait_full(v->waiting); i++) {
		snprintf(head, sizeof(head), "{\"alg\":\"RS256\",\"kid\":\"x%u\"}", i);
		cr_assert_eq(check(token_of(head, GOOD, NULL)), AUTH_LATER);
	}
	cr_assert_str_eq(why(token_of(HEAD("RS256", "y"), GOOD, NULL)),
	                 "it can't wait for its key now");
	cr_assert_eq(finding.proof->result, AUTH_UNAVAILABLE);
}

/* While strangers with the name of an issuer that is away held all places, new keys of every other
 * one were not even asked for: its tokens got 503 until the next refresh, an hour later. */
Test(auth_jwt, who_finds_no_place_to_wait_has_its_key_asked_for_all_the_same)
{
	static const char other[] = "{\"iss\":\"https://j\",\"sub\":\"s\",\"aud\":\"telemetry\","
				    "\"exp\":1764000060}";
	char head[100];

	entries[1] = entry_of("agents", "https://j");
	conf.auth.jwt.n = 2;
	start();
	for (unsigned i = 0; !jwt_wait_full(v->waiting); i++) {
		snprintf(head, sizeof(head), "{\"alg\":\"RS256\",\"kid\":\"x%u\"}", i);
		cr_assert_eq(check(token_of(head, GOOD, NULL)), AUTH_LATER);
	}
	cr_assert_str_eq(asked(), "https://i\n");
	for (unsigned i = 0; i < 2; i++)
		cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), other, rsa)),
		                 "it can't wait for its key now");
	cr_assert_str_eq(asked(), "https://j\n");
	cr_assert_str_eq(asked(), "");
}

Test(auth_jwt, a_signature_costs_its_source_one_of_its_budget)
{
	start();
	set(0, true, jwk_text(rsa, "k"));
	budget = 1;
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, rsa)), "");
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, rsa)),
	                 "auth.unknown_per_source is spent");
	cr_assert_eq(finding.proof->result, AUTH_UNAVAILABLE);
	/* What its claims refuse costs nothing. */
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"),
	                              "{\"iss\":\"https://i\",\"sub\":\"s\",\"aud\":\"telemetry\","
	                              "\"exp\":1763999999}",
	                              rsa)),
	                 "expired");
	cr_assert_eq(finding.proof->result, AUTH_EXPIRED);
}

/* C4 */
Test(auth_jwt, a_key_of_a_file_is_the_issuers_one_key)
{
	const char *pem = pem_text(rsa), *pem_ec = pem_text(ec);

	entries[0].public_key_file = (struct conf_file){ "/rsa.pem", bytes_str(pem) };
	entries[1] = entry_of("ec", "app");
	entries[1].public_key_file = (struct conf_file){ "/ec.pem", bytes_str(pem_ec) };
	entries[1].algorithms = (struct conf_list){ both, 2 };
	conf.auth.jwt.n = 2;
	start();
	cr_assert_str_eq(why(token_of("{\"alg\":\"RS256\"}", GOOD, rsa)), "");
	cr_assert_str_eq(why(token_of(HEAD("RS256", "whatever"), GOOD, rsa)), "");
	cr_assert_str_eq(why(token_of(HEAD("RS256", "whatever"), GOOD, NULL)), SIGNATURE);
	cr_assert_str_eq(
		why(token_of("{\"alg\":\"ES256\"}",
	                     "{\"iss\":\"app\",\"aud\":[\"telemetry\"],\"exp\":1764000060}", ec)),
		"");
	cr_assert_str_eq(asked(), "");
}

Test(auth_jwt, broken_sets_change_nothing)
{
	struct err err = { "" };
	int fd = memfd_create("x", MFD_CLOEXEC);

	start();
	set(0, true, jwk_text(rsa, "k"));
	auth_take_keys(&w, fd); /* not sealed */
	close(fd);
	sets("nonsense");
	sets("{}");
	sets("[7,{},{\"issuer\":\"https://i\"}]");
	cr_assert_str_eq(why(token_of(HEAD("RS256", "k"), GOOD, rsa)), "");
	set(0, true,
	    "{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"!\",\"e\":\"AQAB\"},{\"kty\":\"oct\",\"k\":"
	    "\"eA\"},7");
	cr_assert_str_eq(why(token_of(HEAD("HS256", "k"), GOOD, NULL)),
	                 "JWT of an algorithm that its issuer may not use");
	(void)err;
}

/* Whoever sends tokens with kids of their own must not fill the disk. */
Test(auth_jwt, tokens_of_unknown_keys_that_nobody_can_be_asked_for_are_not_a_line_each)
{
	uint64_t before = log_count(LOG_LEVEL_WARN);
	char head[100];

	start();
	set(0, true, jwk_text(rsa, "k"));
	clock_at(10000);
	shutdown(master, SHUT_RDWR);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(head, sizeof(head), "{\"alg\":\"RS256\",\"kid\":\"x%u\"}", i);
		cr_assert_eq(check(token_of(head, GOOD, rsa)), AUTH_NO);
		cr_assert_eq(finding.proof->result, AUTH_UNAVAILABLE);
	}
	cr_assert_eq(log_count(LOG_LEVEL_WARN), before + 1);
}

Test(auth_jwt, keys_that_cannot_be_used_are_not_a_line_each)
{
	uint64_t before = log_count(LOG_LEVEL_WARN);

	start();
	for (unsigned i = 0; i < 20; i++)
		set(i, true, "{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"!\",\"e\":\"AQAB\"},7");
	cr_assert_eq(log_count(LOG_LEVEL_WARN), before + 1);
}
