/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "common/buf.h"

enum { TOKEN_MAX_BYTES = 64 * KIB, BUFFER_DEFAULT_S = 180, SECONDS_MAX = 1000000000 };
static const char bearer[] = "Authorization: Bearer ";

struct credential {
	char *fixed; /* a token that stays; NULL: none, or the provider's */
	char *endpoint, *client_id, *client_secret, *audience; /* NULL: no provider */
	char *own_ca; /* the endpoint's; NULL: ca */
	const char *ca;
	msec_t buffer;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed; /* a token request has ended */
	bool asking; /* a thread does; it alone has `answer` then */
	char *token; /* NULL: none */
	msec_t until;
	uint64_t requests; /* that have ended; the last one so: */
	enum credential_said said;
	struct err why;
	struct http_answer answer; /* the provider's: 64 KiB, so not on a stack */
};

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

/* Milliseconds that go on while the clock is set. */
static msec_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (msec_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- settings ---- */

/* A header's value: no byte that would end it, and no other control byte. */
static bool is_clean(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

/* HEADGATE_ wins over MICROMEGAS_. *out stays NULL if neither is set. */
static int take_variable(const char *name, char **out, struct err *err)
{
	static const char *const prefixes[] = { "HEADGATE_", "MICROMEGAS_" };

	for (size_t i = 0; i < ARRAY_LEN(prefixes) && !*out; i++) {
		char whole[64];
		const char *value;

		snprintf(whole, sizeof(whole), "%s%s", prefixes[i], name);
		value = getenv(whole);
		if (!value)
			continue;
		if (!*value)
			return err_set(err, "%s is set but empty: nothing is sent", whole);
		if (!is_clean(value))
			return err_set(err, "%s holds control bytes: nothing is sent", whole);
		*out = xstrdup(value);
	}
	return 0;
}

int credential_read(const char *path, char **out, struct err *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;
	ssize_t n;

	if (fd < 0)
		return err_errno(err, "token file %s", path);
	text = xcalloc(TOKEN_MAX_BYTES, 1);
	n = read(fd, text, TOKEN_MAX_BYTES - 1);
	if (n < 0) {
		free(text);
		return err_errno(err, "token file %s", path);
	}
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	if (n == 0 || !is_clean(text) || strlen(text) != (size_t)n) {
		wipe(&text);
		return err_set(err, "token file %s: one line with a token is expected", path);
	}
	*out = text;
	return 0;
}

static int take_buffer(struct credential *cr, struct err *err)
{
	char *text = NULL;
	uint64_t s = BUFFER_DEFAULT_S;
	int rc = take_variable("OIDC_TOKEN_BUFFER_SECONDS", &text, err);

	if (rc == 0 && text && !bytes_to_u64(bytes_str(text), SECONDS_MAX, &s))
		rc = err_set(err, "..._OIDC_TOKEN_BUFFER_SECONDS: a number of seconds is expected");
	free(text);
	cr->buffer = (msec_t)s * 1000;
	return rc;
}

static int take_provider(struct credential *cr, struct err *err)
{
	if (take_variable("OIDC_TOKEN_ENDPOINT", &cr->endpoint, err) < 0 ||
	    take_variable("OIDC_CLIENT_ID", &cr->client_id, err) < 0 ||
	    take_variable("OIDC_CLIENT_SECRET", &cr->client_secret, err) < 0 ||
	    take_variable("OIDC_AUDIENCE", &cr->audience, err) < 0 ||
	    take_variable("OIDC_CA_FILE", &cr->own_ca, err) < 0 || take_buffer(cr, err) < 0)
		return -1;
	if (!cr->endpoint && !cr->client_id && !cr->client_secret)
		return 0;
	if (!cr->endpoint || !cr->client_id || !cr->client_secret)
		return err_set(err, "only part of ..._OIDC_TOKEN_ENDPOINT, ..._OIDC_CLIENT_ID and "
		                    "..._OIDC_CLIENT_SECRET is set: nothing is sent");
	return 0;
}

static int fill(struct credential *cr, const char *token_file, struct err *err)
{
	const char *file = token_file ? token_file : getenv("HEADGATE_TOKEN_FILE");

	if (file)
		return credential_read(file, &cr->fixed, err);
	if (take_variable("INGESTION_API_KEY", &cr->fixed, err) < 0 ||
	    (!cr->fixed && take_variable("INGESTION_TOKEN", &cr->fixed, err) < 0))
		return -1;
	return cr->fixed ? 0 : take_provider(cr, err);
}

struct credential *credential_open(const char *token_file, const char *ca, struct err *err)
{
	struct credential *cr = xcalloc(1, sizeof(*cr));

	cr->ca = ca;
	pthread_mutex_init(&cr->lock, NULL);
	pthread_cond_init(&cr->changed, NULL);
	if (fill(cr, token_file, err) == 0)
		return cr;
	credential_close(cr);
	return NULL;
}

void credential_close(struct credential *cr)
{
	if (!cr)
		return;
	wipe(&cr->fixed);
	wipe(&cr->client_secret);
	wipe(&cr->token);
	free(cr->endpoint);
	free(cr->client_id);
	free(cr->audience);
	free(cr->own_ca);
	explicit_bzero(cr->answer.body, sizeof(cr->answer.body));
	pthread_cond_destroy(&cr->changed);
	pthread_mutex_destroy(&cr->lock);
	free(cr);
}

bool credential_is_none(const struct credential *cr)
{
	return !cr->fixed && !cr->endpoint;
}

/* ---- the provider's tokens ---- */

static void add_field(struct buf *form, const char *name, const char *value)
{
	char *escaped = http_escape(value);

	buf_printf(form, "&%s=%s", name, escaped);
	wipe(&escaped);
}

/* `error` is a word of RFC 6749; nothing else of an error body is shown. */
static void error_word(const struct http_answer *a, char *out, size_t cap)
{
	json_t *o = json_loadb(a->body, a->body_bytes, 0, NULL);
	const char *word = json_text_of(o, "error");
	struct buf b;

	out[0] = '\0';
	if (*word) {
		buf_init_fixed(&b, out, cap - 1);
		buf_str(&b, ": ");
		buf_escaped(&b, bytes_str(word), 60);
		out[b.n] = '\0';
	}
	json_decref(o);
}

static bool take_expiry(const json_t *o, uint64_t *s)
{
	const json_t *value = json_object_get(o, "expires_in");

	*s = 0;
	if (!value || json_is_null(value))
		return true;
	if (json_is_string(value))
		return bytes_to_u64(bytes_str(json_string_value(value)), SECONDS_MAX, s);
	if (!json_is_number(value) || json_number_value(value) < 0 ||
	    json_number_value(value) > (double)SECONDS_MAX)
		return false;
	*s = (uint64_t)json_number_value(value);
	return true;
}

struct fresh { /* what the provider gave */
	char *token;
	msec_t until;
};

static enum credential_said take_token(const struct credential *cr, const json_t *o,
                                       struct fresh *fresh, struct err *err)
{
	const char *token = json_text_of(o, "access_token");
	msec_t life, buffer;
	uint64_t s;

	if (!*token || !is_clean(token) || !take_expiry(o, &s)) {
		err_set(err, "the token endpoint's answer has no usable access_token");
		return CREDENTIAL_NEVER;
	}
	life = (msec_t)s * 1000;
	buffer = cr->buffer < life / 2 ? cr->buffer : life / 2;
	fresh->token = xstrdup(token);
	fresh->until = now_ms() + life - buffer;
	return CREDENTIAL_HAVE;
}

static enum credential_said judge(const struct credential *cr, struct fresh *fresh, struct err *err)
{
	const struct http_answer *a = &cr->answer;
	enum credential_said said;
	char word[80];
	json_t *o;

	if (a->failure != HTTP_ANSWERED) {
		err_set(err, "the token endpoint: %s", a->why);
		return a->failure == HTTP_NETWORK ? CREDENTIAL_LATER : CREDENTIAL_NEVER;
	}
	if (a->status < 200 || a->status > 299) {
		error_word(a, word, sizeof(word));
		err_set(err, "the token endpoint answers %d%s", a->status, word);
		return a->status == 408 || a->status == 429 || a->status >= 500 ? CREDENTIAL_LATER
		                                                                : CREDENTIAL_NEVER;
	}
	o = a->cut ? NULL : json_loadb(a->body, a->body_bytes, 0, NULL);
	said = take_token(cr, o, fresh, err);
	json_decref(o);
	return said;
}

static enum credential_said ask_provider(struct credential *cr, struct http *http,
                                         struct fresh *fresh, struct err *err)
{
	static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded",
		                               "Accept: application/json", NULL };
	enum credential_said said;
	struct buf form;

	buf_init(&form, MIB);
	buf_str(&form, "grant_type=client_credentials");
	add_field(&form, "client_id", cr->client_id);
	add_field(&form, "client_secret", cr->client_secret);
	if (cr->audience)
		add_field(&form, "audience", cr->audience);
	http_post(http,
	          &(struct http_request){ cr->endpoint, headers, buf_view(&form),
	                                  cr->own_ca ? cr->own_ca : cr->ca },
	          &cr->answer);
	explicit_bzero(form.p, form.n);
	buf_done(&form);
	said = judge(cr, fresh, err);
	explicit_bzero(cr->answer.body, cr->answer.body_bytes);
	return said;
}

static char *header_of(const char *token)
{
	size_t n = sizeof(bearer) + strlen(token);
	char *header = xcalloc(n, 1);

	snprintf(header, n, "%s%s", bearer, token);
	return header;
}

/* With the lock, which is open while the provider is asked. */
static void renew(struct credential *cr, struct http *http)
{
	struct fresh fresh = { NULL, 0 };
	struct err why = { "" };
	enum credential_said said;

	cr->asking = true;
	wipe(&cr->token);
	pthread_mutex_unlock(&cr->lock);
	said = ask_provider(cr, http, &fresh, &why);
	pthread_mutex_lock(&cr->lock);
	cr->asking = false;
	cr->token = fresh.token;
	cr->until = fresh.until;
	cr->said = said;
	cr->why = why;
	cr->requests++;
	pthread_cond_broadcast(&cr->changed);
}

/* Who finds a request in flight takes what comes of it, a failure too: else ten senders would ask
 * a provider that hangs ten times, one after the other. */
static enum credential_said await_token(struct credential *cr, struct http *http)
{
	uint64_t before = cr->requests;

	while (cr->asking)
		pthread_cond_wait(&cr->changed, &cr->lock);
	if (cr->requests == before || (cr->said == CREDENTIAL_HAVE && !cr->token))
		renew(cr, http); /* nobody asked, or what came was refused meanwhile */
	return cr->said;
}

enum credential_said credential_get(struct credential *cr, struct http *http, char **out,
                                    struct err *err)
{
	enum credential_said said = CREDENTIAL_HAVE;

	if (credential_is_none(cr))
		return CREDENTIAL_NONE;
	if (cr->fixed) {
		*out = header_of(cr->fixed);
		return CREDENTIAL_HAVE;
	}
	pthread_mutex_lock(&cr->lock);
	if (!cr->token || now_ms() >= cr->until)
		said = await_token(cr, http);
	if (said == CREDENTIAL_HAVE)
		*out = header_of(cr->token);
	else
		*err = cr->why;
	pthread_mutex_unlock(&cr->lock);
	return said;
}

void credential_wipe(char *header)
{
	wipe(&header);
}

bool credential_refused(struct credential *cr, const char *header)
{
	if (!cr->endpoint)
		return false;
	pthread_mutex_lock(&cr->lock);
	/* Another thread may have a newer one already. */
	if (cr->token && strcmp(cr->token, header + sizeof(bearer) - 1) == 0)
		wipe(&cr->token);
	pthread_mutex_unlock(&cr->lock);
	return true;
}
