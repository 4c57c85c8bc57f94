/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_head.c -- two steps. The scan goes over bytes once, in order, as they come: it finds the
 * line ends and everything that is wrong wherever it stands (control bytes, bare CR or LF, size),
 * so a head that trickles in costs linear time and is refused as early as it can be. The parse runs
 * once, on the complete head. So the answer never depends on how the bytes were cut.
 *
 * Where RFC 9112 lets a server be lenient this one is not: two servers that are lenient in
 * different ways are a smuggled request.
 */
#include "worker/http_head.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Classes of a byte. */
enum {
	C_TOKEN = 1, /* tchar, RFC 9110 5.6.2 */
	C_PATH = 2, /* pchar or "/", RFC 3986 3.3; "%" apart */
	C_HOST = 4, /* reg-name, RFC 3986 3.2.2; "%" apart, and no ",": that is two Hosts in one */
	C_DIGIT = 8,
	C_HEX = 16,
	C_UNDERSCORE = 32,
	C_ALL = C_TOKEN | C_PATH | C_HOST,
};

/* clang-format off */
static const uint8_t class[256] = {
	['!'] = C_ALL, ['#'] = C_TOKEN, ['$'] = C_ALL, ['%'] = C_TOKEN, ['&'] = C_ALL,
	['\''] = C_ALL, ['('] = C_PATH | C_HOST, [')'] = C_PATH | C_HOST, ['*'] = C_ALL, ['+'] = C_ALL,
	[','] = C_PATH, ['-'] = C_ALL, ['.'] = C_ALL, ['/'] = C_PATH,
	['0' ... '9'] = C_ALL | C_DIGIT | C_HEX,
	[':'] = C_PATH, [';'] = C_PATH | C_HOST, ['='] = C_PATH | C_HOST, ['@'] = C_PATH,
	['A' ... 'F'] = C_ALL | C_HEX, ['G' ... 'Z'] = C_ALL,
	['^'] = C_TOKEN, ['_'] = C_ALL | C_UNDERSCORE, ['`'] = C_TOKEN,
	['a' ... 'f'] = C_ALL | C_HEX, ['g' ... 'z'] = C_ALL,
	['|'] = C_TOKEN, ['~'] = C_ALL,
};
/* clang-format on */

static const uint64_t LENGTH_MAX = UINT64_C(1) << 53;

struct said { /* how a head was found bad */
	enum verdict verdict;
	const char *why;
	uint64_t limit;
};

static enum head_result bad(struct said *said, const char *why)
{
	*said = (struct said){ V_HTTP, why, 0 };
	return HEAD_BAD;
}

static enum head_result too_large(struct said *said, const char *what, uint64_t limit)
{
	*said = (struct said){ V_HEAD_SIZE, what, limit };
	return HEAD_BAD;
}

/* ---- scan ---- */

struct scan {
	size_t at; /* looked at so far */
	size_t line; /* where the line begins that at is in */
	unsigned lines; /* whole ones before it */
};

/* The caller keeps a scan between two calls in one word. */
static struct scan scan_of(size_t word)
{
	return (struct scan){ word & 0xffffff, word >> 24 & 0xffffff, (unsigned)(word >> 48) };
}

static size_t scan_word(const struct scan *s)
{
	_Static_assert(sizeof(size_t) == 8, "a scan is kept in 64 bits");
	_Static_assert(HEAD_MAX < 1 << 24, "its offsets in 24 bits each");
	return s->at | s->line << 24 | (size_t)s->lines << 48;
}

/* The first control byte but HTAB (DEL is one) at or after `at`; n if there is none. */
static size_t next_control(const uint8_t *p, size_t at, size_t n)
{
#ifdef __SSE2__
	const __m128i space = _mm_set1_epi8(' '), tab = _mm_set1_epi8('\t'),
		      del = _mm_set1_epi8(0x7f);

	for (; at + 16 <= n; at += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + at));
		__m128i fine = _mm_or_si128(_mm_cmpeq_epi8(_mm_max_epu8(v, space), v),
		                            _mm_cmpeq_epi8(v, tab));
		unsigned stop =
			(unsigned)_mm_movemask_epi8(_mm_andnot_si128(_mm_cmpeq_epi8(v, del), fine));

		if (stop != 0xffff)
			return at + (size_t)__builtin_ctz(~stop);
	}
#endif
	while (at < n && (p[at] >= ' ' || p[at] == '\t') && p[at] != 0x7f)
		at++;
	return at;
}

static enum head_result scan_too_large(const struct scan *s, struct said *said)
{
	if (s->line + HEAD_LINE_MAX >= HEAD_MAX)
		return too_large(said, "the request head", HEAD_MAX);
	if (s->lines == 0)
		return too_large(said, "the request line", HEAD_LINE_MAX);
	return too_large(said, "a header field", HEAD_FIELD_MAX);
}

/* Goes on to the end of the head. lines, if given, receives each line without its CRLF. */
static enum head_result scan_run(struct bytes in, struct scan *s, struct http_field *lines,
                                 struct said *said)
{
	_Static_assert(HEAD_LINE_MAX == HEAD_FIELD_MAX, "one limit serves both kinds of line");
	size_t n = min_size(in.n, HEAD_MAX);

	for (;;) {
		/* A line of the greatest length has its CR at `last`. */
		size_t last = min_size(s->line + HEAD_LINE_MAX, HEAD_MAX - 1);

		s->at = next_control(in.p, s->at, min_size(n, last + 1));
		if (s->at > last)
			return scan_too_large(s, said);
		if (s->at == n)
			return HEAD_MORE;
		if (in.p[s->at] != '\r')
			return bad(said, in.p[s->at] == '\n' ? "bare LF in the head"
			                                     : "control byte in the head");
		if (s->at + 1 == HEAD_MAX)
			return scan_too_large(s, said);
		if (s->at + 1 == n)
			return HEAD_MORE;
		if (in.p[s->at + 1] != '\n')
			return bad(said, "bare CR in the head");
		if (s->at == s->line) {
			s->at += 2;
			return s->lines ? HEAD_OK : bad(said, "empty line before the request line");
		}
		if (s->lines > HEAD_FIELDS_MAX)
			return too_large(said, "the number of header fields", HEAD_FIELDS_MAX);
		if (lines && s->lines)
			lines[s->lines - 1].value = bytes_of(in.p + s->line, s->at - s->line);
		s->lines++;
		s->at += 2;
		s->line = s->at;
	}
}

/* ---- request line ---- */

static const struct {
	struct bytes text;
	enum http_method method;
} methods[] = {
	/* exact: a method is case-sensitive */
	{ BYTES("POST"), HTTP_POST },
	{ BYTES("GET"), HTTP_GET },
	{ BYTES("HEAD"), HTTP_HEAD },
	{ BYTES("OPTIONS"), HTTP_OPTIONS },
};

static bool is_hex(uint8_t c)
{
	return class[c] & C_HEX;
}

static uint8_t hex_value(uint8_t c)
{
	return class[c] & C_DIGIT ? (uint8_t)(c - '0') : (uint8_t)((c | 0x20) - 'a' + 10);
}

/* Bytes of "." at p, as itself or encoded; 0 if there is another. */
static size_t dot_bytes(const uint8_t *p, const uint8_t *end)
{
	if (p < end && *p == '.')
		return 1;
	return end - p >= 3 && p[0] == '%' && p[1] == '2' && (p[2] | 0x20) == 'e' ? 3 : 0;
}

/* "." or ".." between two slashes, however written: whoever stands behind may resolve it. */
static bool has_dot_segment(struct bytes path)
{
	const uint8_t *p = path.p, *end = path.p + path.n;

	while (p < end) {
		const uint8_t *q = ++p; /* past the slash */
		size_t first = dot_bytes(q, end), second = first ? dot_bytes(q + first, end) : 0;

		q += first + second;
		if (first && (q == end || *q == '/'))
			return true;
		while (p < end && *p != '/')
			p++;
	}
	return false;
}

static const char *path_check(struct bytes path)
{
	bool look_closer = false;

	for (size_t i = 0; i < path.n; i++) {
		uint8_t c = path.p[i];

		if (c == '%') {
			if (path.n - i < 3 || !is_hex(path.p[i + 1]) || !is_hex(path.p[i + 2]))
				return "bad percent-encoding in the path";
			c = (uint8_t)(hex_value(path.p[i + 1]) << 4 | hex_value(path.p[i + 2]));
			if (c == '/' || c == '\0')
				return "encoded slash or NUL in the path";
			look_closer = true;
		} else if (!(class[c] & C_PATH)) {
			return "byte not allowed in a path";
		} else if (c == '.') {
			look_closer = true;
		}
	}
	return look_closer && has_dot_segment(path) ? "dot segment in the path" : NULL;
}

static bool port_ok(struct bytes port) /* *DIGIT, RFC 3986 3.2.3 */
{
	uint64_t value;

	return port.n == 0 || (port.n <= 5 && bytes_to_u64(port, 65535, &value));
}

/* uri-host [ ":" port ], without userinfo, not empty. */
static bool host_ok(struct bytes host)
{
	size_t i = 0;

	if (host.n == 0)
		return false;
	if (host.p[0] == '[') {
		for (i = 1;
		     i < host.n && (is_hex(host.p[i]) || host.p[i] == ':' || host.p[i] == '.'); i++)
			;
		if (i < 3 || i == host.n || host.p[i] != ']')
			return false;
		i++;
	} else {
		for (; i < host.n && (class[host.p[i]] & C_HOST || host.p[i] == '%'); i++)
			if (host.p[i] == '%' &&
			    (host.n - i < 3 || !is_hex(host.p[i + 1]) || !is_hex(host.p[i + 2])))
				return false;
		if (i == 0)
			return false;
	}
	return i == host.n || (host.p[i] == ':' && port_ok(bytes_from(host, i + 1)));
}

/* Bytes of "http://" or "https://" at the start of target; 0 for another form. */
static size_t scheme_bytes(struct bytes target)
{
	static const struct bytes schemes[] = { BYTES("http://"), BYTES("https://") };

	for (unsigned i = 0; i < ARRAY_LEN(schemes); i++)
		if (target.n >= schemes[i].n &&
		    bytes_eq_nocase(bytes_of(target.p, schemes[i].n), schemes[i]))
			return schemes[i].n;
	return 0;
}

/* Bytes before the first `stop`, or all. */
static size_t index_of(struct bytes s, uint8_t stop)
{
	size_t i = 0;

	while (i < s.n && s.p[i] != stop)
		i++;
	return i;
}

/* What stands before path and query; *rest begins with the path. */
static const char *authority_parse(struct http_head *h, struct bytes *rest)
{
	size_t scheme = scheme_bytes(*rest), n;

	if (scheme == 0)
		return "request target is neither a path nor an http URI";
	*rest = bytes_from(*rest, scheme);
	n = min_size(index_of(*rest, '/'), index_of(*rest, '?'));
	h->host = bytes_of(rest->p, n);
	*rest = bytes_from(*rest, n);
	return host_ok(h->host) ? NULL : "bad authority in the request target";
}

static const char *target_parse(struct http_head *h)
{
	struct bytes rest = h->target;
	const char *why;
	size_t n;

	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || rest.p[i] == '#')
			return "byte not allowed in a request target";
	if (rest.n == 1 && rest.p[0] == '*') {
		h->path = rest;
		return h->method == HTTP_OPTIONS ? NULL : "request target * without OPTIONS";
	}
	if (rest.p[0] != '/') {
		why = authority_parse(h, &rest);
		if (why)
			return why;
	}
	n = index_of(rest, '?');
	h->path = n ? bytes_of(rest.p, n) : BYTES("/");
	return path_check(h->path);
}

static bool is_digit(uint8_t c)
{
	return class[c] & C_DIGIT;
}

static enum head_result version_parse(struct http_head *h, struct bytes version, struct said *said)
{
	if (version.n != 8 || memcmp(version.p, "HTTP/", 5) != 0 || !is_digit(version.p[5]) ||
	    version.p[6] != '.' || !is_digit(version.p[7]))
		return bad(said, "no HTTP version at the end of the request line");
	if (version.p[5] != '1' || version.p[7] > '1') {
		*said = (struct said){ V_HTTP_VERSION, "HTTP version", 0 };
		return HEAD_BAD;
	}
	h->minor = version.p[7] - '0';
	h->keep_alive = h->minor == 1;
	return HEAD_OK;
}

static enum head_result request_line(struct http_head *h, struct bytes line, struct said *said)
{
	size_t n = 0, target;
	const char *why;

	while (n < line.n && class[line.p[n]] & C_TOKEN)
		n++;
	if (n == 0 || n == line.n || line.p[n] != ' ')
		return bad(said, "no method at the start of the request line");
	h->method_text = bytes_of(line.p, n);
	for (unsigned i = 0; i < ARRAY_LEN(methods) && h->method == HTTP_OTHER; i++)
		if (bytes_eq(h->method_text, methods[i].text))
			h->method = methods[i].method;
	target = ++n;
	while (n < line.n && line.p[n] != ' ')
		n++;
	h->target = bytes_of(line.p + target, n - target);
	if (h->target.n == 0 || n == line.n)
		return bad(said, "request line without target or version");
	if (bytes_eq(line, BYTES("PRI * HTTP/2.0")))
		return bad(said, "HTTP/2 preface");
	if (version_parse(h, bytes_from(line, n + 1), said) != HEAD_OK)
		return HEAD_BAD;
	why = target_parse(h);
	return why ? bad(said, why) : HEAD_OK;
}

/* ---- fields ---- */

/* text is lower case. The name is known to be a token: no byte of one but a letter maps to a letter
 * or "-" by |0x20. */
static bool name_is(struct bytes name, struct bytes text)
{
	if (name.n != text.n)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((name.p[i] | 0x20) != text.p[i])
			return false;
	return true;
}

bool http_field_is_twin(struct bytes name, struct bytes ours)
{
	if (name.n != ours.n)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t a = name.p[i] == '_' ? '-' : name.p[i],
			b = ours.p[i] == '_' ? '-' : ours.p[i];

		if (a != b && (!(a >= 'A' && a <= 'Z') || (a | 0x20) != b) &&
		    (!(b >= 'A' && b <= 'Z') || (b | 0x20) != a))
			return false;
	}
	return true;
}

static bool is_twin_of_ours(struct bytes name)
{
	static const struct bytes ours[] = {
		BYTES("content-length"),
		BYTES("transfer-encoding"),
		BYTES("content-type"),
		BYTES("content-encoding"),
		BYTES("x-scope-orgid"),
		BYTES("x-obstack-auth-token"),
		BYTES("x-request-id"),
		BYTES("x-forwarded-for"),
		BYTES("x-forwarded-host"),
		BYTES("x-forwarded-proto"),
		BYTES("proxy-connection"),
		BYTES("keep-alive"),
		BYTES("access-control-request-method"),
	};

	for (unsigned i = 0; i < ARRAY_LEN(ours); i++)
		if (http_field_is_twin(name, ours[i]))
			return true;
	return false;
}

struct seen { /* fields of framing, judged when all are known */
	unsigned host, length, coding;
	bool coding_is_chunked, close, keep_alive, expects_else;
};

/* 1*DIGIT without leading zeros: octal to some. */
static bool length_parse(struct bytes value, uint64_t *length)
{
	if (value.n > 1 && value.p[0] == '0')
		return false;
	return bytes_to_u64(value, LENGTH_MAX, length);
}

static void connection_parse(struct bytes value, struct seen *seen)
{
	while (value.n) {
		size_t n = index_of(value, ',');
		struct bytes option = bytes_trim(bytes_of(value.p, n));

		seen->close |= bytes_eq_nocase(option, BYTES("close"));
		seen->keep_alive |= bytes_eq_nocase(option, BYTES("keep-alive"));
		value = bytes_from(value, n + 1);
	}
}

/* NULL, or why this field makes the head bad. */
static const char *field_known(struct http_head *h, const struct http_field *f, struct seen *seen)
{
	switch (f->name.n) {
	case 4:
		if (!name_is(f->name, BYTES("host")))
			break;
		if (!host_ok(f->value))
			return "bad Host";
		if (h->host.n == 0) /* else that of an absolute-form target stands */
			h->host = f->value;
		return seen->host++ ? "two Host fields" : NULL;
	case 6:
		if (!name_is(f->name, BYTES("expect")))
			break;
		if (bytes_eq_nocase(f->value, BYTES("100-continue")))
			h->expect_continue = true;
		else
			seen->expects_else = true;
		break;
	case 10:
		if (name_is(f->name, BYTES("connection")))
			connection_parse(f->value, seen);
		break;
	case 12:
		if (name_is(f->name, BYTES("content-type")) && h->content_type_count++ == 0)
			h->content_type = f->value;
		break;
	case 14:
		if (!name_is(f->name, BYTES("content-length")))
			break;
		if (seen->length++)
			return "two Content-Length fields";
		h->has_length = true;
		return length_parse(f->value, &h->length) ? NULL : "bad Content-Length";
	case 16:
		if (name_is(f->name, BYTES("content-encoding")) && h->content_encoding_count++ == 0)
			h->content_encoding = f->value;
		break;
	case 17:
		if (!name_is(f->name, BYTES("transfer-encoding")))
			break;
		seen->coding_is_chunked = bytes_eq_nocase(f->value, BYTES("chunked"));
		return seen->coding++ ? "two Transfer-Encoding fields" : NULL;
	}
	return NULL;
}

static const char *field_parse(struct http_head *h, struct http_field *f, struct seen *seen)
{
	struct bytes line = f->value;
	unsigned classes = 0;
	size_t n = 0;

	for (; n < line.n && class[line.p[n]] & C_TOKEN; n++)
		classes |= class[line.p[n]];
	if (n == line.n)
		return "header field without a colon";
	if (line.p[n] == ' ' || line.p[n] == '\t')
		return n ? "blank before the colon of a header field" : "folded header field";
	if (line.p[n] != ':')
		return "byte not allowed in a field name";
	if (n == 0)
		return "header field without a name";
	f->name = bytes_of(line.p, n);
	f->value = bytes_trim(bytes_from(line, n + 1));
	if (classes & C_UNDERSCORE && is_twin_of_ours(f->name))
		return "field name with _ for -";
	return field_known(h, f, seen);
}

static enum head_result framing(struct http_head *h, const struct seen *seen, struct said *said)
{
	if (h->minor == 1 && seen->host == 0)
		return bad(said, "no Host");
	if (seen->coding && seen->length)
		return bad(said, "both Content-Length and Transfer-Encoding");
	if (seen->coding && h->minor == 0)
		return bad(said, "Transfer-Encoding in HTTP/1.0");
	if (seen->coding && !seen->coding_is_chunked) {
		*said = (struct said){ V_HTTP_CODING, "transfer coding", 0 };
		return HEAD_BAD;
	}
	if (seen->expects_else && h->minor == 1)
		return bad(said, "unknown Expect");
	h->chunked = seen->coding;
	h->expect_continue &= h->minor == 1; /* RFC 9110 10.1.1 */
	h->keep_alive = !seen->close && (h->keep_alive || seen->keep_alive);
	return HEAD_OK;
}

/* All but fields[]: those are filled as they are met. */
static void head_reset(struct http_head *h)
{
	memset(h, 0, offsetof(struct http_head, fields));
	memset((uint8_t *)h + offsetof(struct http_head, field_count), 0,
	       sizeof(*h) - offsetof(struct http_head, field_count));
}

static enum head_result head_parse(struct bytes in, struct http_head *h, unsigned lines,
                                   struct said *said)
{
	const uint8_t *end = memchr(in.p, '\r', in.n);
	struct seen seen = { 0 };

	assert(end && lines <= HEAD_FIELDS_MAX + 1);
	if (request_line(h, bytes_of(in.p, (size_t)(end - in.p)), said) != HEAD_OK)
		return HEAD_BAD;
	for (; h->field_count + 1 < lines; h->field_count++) {
		const char *why = field_parse(h, &h->fields[h->field_count], &seen);

		if (why)
			return bad(said, why);
	}
	return framing(h, &seen, said);
}

enum head_result http_head_parse(struct bytes in, size_t *scanned, struct http_head *out,
                                 enum verdict *verdict, const char **why, uint64_t *limit)
{
	struct scan scan = scan_of(*scanned);
	bool from_start = scan.at == 0;
	struct said said = { V_NONE, NULL, 0 };
	enum head_result result = scan_run(in, &scan, from_start ? out->fields : NULL, &said);

	*scanned = scan_word(&scan);
	if (result == HEAD_OK) {
		if (!from_start) { /* the lines, now that all are there */
			scan = (struct scan){ 0 };
			result = scan_run(in, &scan, out->fields, &said);
			assert(result == HEAD_OK);
		}
		head_reset(out);
		out->bytes = scan.at;
		result = head_parse(in, out, scan.lines, &said);
	}
	if (result == HEAD_BAD) {
		*verdict = said.verdict;
		*why = said.why;
		*limit = said.limit;
	}
	return result;
}

const struct http_field *http_field_find(const struct http_head *h, const char *name, unsigned n)
{
	struct bytes wanted = bytes_str(name);

	for (unsigned i = 0; i < h->field_count; i++)
		if (h->fields[i].name.n == wanted.n && bytes_eq_nocase(h->fields[i].name, wanted) &&
		    n-- == 0)
			return &h->fields[i];
	return NULL;
}

struct bytes http_field_only(const struct http_head *h, const char *name)
{
	const struct http_field *f = http_field_find(h, name, 0);

	return f && !http_field_find(h, name, 1) ? f->value : BYTES_NONE;
}

unsigned http_field_count(const struct http_head *h, const char *name)
{
	unsigned n = 0;

	while (http_field_find(h, name, n))
		n++;
	return n;
}
