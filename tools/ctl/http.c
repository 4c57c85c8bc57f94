/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

struct http {
	CURL *curl;
	char error[CURL_ERROR_SIZE];
};

int http_start(struct err *err)
{
	CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);

	return rc == CURLE_OK ? 0 : err_set(err, "libcurl: %s", curl_easy_strerror(rc));
}

void http_stop(void)
{
	curl_global_cleanup();
}

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
	struct http_answer *a = arg;
	size_t n = min_size(size * count, HTTP_BODY_MAX - a->body_bytes);

	memcpy(a->body + a->body_bytes, p, n);
	a->body_bytes += n;
	a->cut = a->cut || n < size * count;
	return size * count; /* the rest is read and dropped, so that the connection lives */
}

struct http *http_open(struct err *err)
{
	struct http *h = xcalloc(1, sizeof(*h));
	CURL *curl = h->curl = curl_easy_init();
	bool ok;

	if (!curl)
		out_of_memory();
	ok = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	     curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, h->error) == CURLE_OK &&
	     curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK && /* the environment's too */
	     curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	     curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	     curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	     curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)HTTP_TIMEOUT_MS) == CURLE_OK &&
	     curl_easy_setopt(curl, CURLOPT_USERAGENT, "headgatectl/" HEADGATE_VERSION) ==
	             CURLE_OK &&
	     curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
	if (ok)
		return h;
	err_set(err, "this libcurl lacks an option that is needed (7.85 or newer is)");
	http_close(h);
	return NULL;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h);
}

static enum http_failure failure_of(CURLcode rc)
{
	switch ((int)rc) {
	case CURLE_OK:
		return HTTP_ANSWERED;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_BAD_FUNCTION_ARGUMENT:
		return HTTP_NEVER;
	default:
		return HTTP_NETWORK;
	}
}

static void take_answer(const struct http *h, CURLcode rc, struct http_answer *a)
{
	curl_off_t retry = 0, us = 0;
	long status = 0;
	struct curl_header *header;

	curl_easy_getinfo(h->curl, CURLINFO_TOTAL_TIME_T, &us);
	a->ms = (double)us / 1000;
	a->failure = failure_of(rc);
	if (rc != CURLE_OK) {
		snprintf(a->why, sizeof(a->why), "%s",
		         h->error[0] ? h->error : curl_easy_strerror(rc));
		return;
	}
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	a->status = (int)status;
	if (curl_easy_header(h->curl, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
	    curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &retry) == CURLE_OK)
		a->retry_after_s = (long)retry;
}

/* The folder is the trap: a libcurl that was built with one trusts it beside any file. */
static bool set_trust(struct http *h, const char *ca)
{
	const char *file = ca, *folder = NULL;

	if (!ca) {
		curl_easy_getinfo(h->curl, CURLINFO_CAINFO, &file);
		curl_easy_getinfo(h->curl, CURLINFO_CAPATH, &folder);
	}
	return curl_easy_setopt(h->curl, CURLOPT_CAINFO, file) == CURLE_OK &&
	       curl_easy_setopt(h->curl, CURLOPT_CAPATH, folder) == CURLE_OK;
}

void http_post(struct http *h, const struct http_request *request, struct http_answer *a)
{
	struct curl_slist *headers = NULL;
	CURLcode rc = CURLE_OUT_OF_MEMORY;

	a->failure = HTTP_NEVER;
	a->status = 0;
	a->retry_after_s = -1;
	a->ms = 0;
	a->why[0] = a->body[0] = h->error[0] = '\0';
	a->body_bytes = 0;
	a->cut = false;
	for (const char *const *p = request->headers; *p; p++) {
		struct curl_slist *more = curl_slist_append(headers, *p);

		if (!more)
			out_of_memory();
		headers = more;
	}
	if (set_trust(h, request->ca) &&
	    curl_easy_setopt(h->curl, CURLOPT_URL, request->url) == CURLE_OK &&
	    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	    curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS,
	                     request->body.p ? (const char *)request->body.p : "") == CURLE_OK &&
	    curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n) ==
	            CURLE_OK &&
	    curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, a) == CURLE_OK)
		rc = curl_easy_perform(h->curl);
	take_answer(h, rc, a);
	a->body[a->body_bytes] = '\0';
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
}

char *http_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0), *copy;

	if (!escaped)
		out_of_memory();
	copy = xstrdup(escaped);
	curl_free(escaped);
	return copy;
}
