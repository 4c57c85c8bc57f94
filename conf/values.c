/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.c -- see values.h. No message repeats the text that was read: it may come from a file or a
 * variable that must not be shown, and who calls knows what may.
 */
#include "conf/values.h"

#include <arpa/inet.h>
#include <stdio.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first; of two texts of one length the first one is taken. */
static const struct unit msec_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
	{ "s", 1000 },     { "ms", 1 },      { NULL, 0 },
};
static const struct unit usec_units[] = {
	{ "d", 86400000000 }, { "h", 3600000000 }, { "m", 60000000 }, { "s", 1000000 },
	{ "ms", 1000 },       { "us", 1 },         { NULL, 0 },
};
static const struct unit size_units[] = {
	{ "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "GB", 1000000000 },
	{ "MB", 1000000 },  { "kB", 1000 },     { "B", 1 },         { NULL, 0 },
};

static size_t digits(struct bytes text)
{
	size_t n = 0;

	while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
		n++;
	return n;
}

/* A number and one unit; 0 needs none. `what` is "a duration", `names` the units as a text. */
static int with_unit(struct bytes text, const struct unit *units, const char *what,
                     const char *names, uint64_t max, uint64_t *out, struct err *err)
{
	size_t n = digits(text);
	struct bytes name = bytes_from(text, n);
	uint64_t number, product;

	if (n == 0)
		return err_set(err, "%s is a number and a unit: %s", what, names);
	if (!bytes_to_u64(bytes_of(text.p, n), max, &number))
		return err_set(err, "the number is too large");
	if (name.n == 0 && number == 0) {
		*out = 0;
		return 0;
	}
	if (name.n == 0)
		return err_set(err, "%s needs a unit: %s", what, names);
	for (; units->name; units++) {
		if (!bytes_eq(name, bytes_str(units->name)))
			continue;
		if (__builtin_mul_overflow(number, units->factor, &product) || product > max)
			return err_set(err, "the number is too large");
		*out = product;
		return 0;
	}
	return err_set(err, "%s has no such unit: it is one of %s", what, names);
}

int value_msec(struct bytes text, msec_t *out, struct err *err)
{
	uint64_t v;

	if (with_unit(text, msec_units, "a duration", "ms, s, m, h or d", INT64_MAX, &v, err) < 0)
		return -1;
	*out = (msec_t)v;
	return 0;
}

int value_usec(struct bytes text, uint64_t *out, struct err *err)
{
	return with_unit(text, usec_units, "a duration", "us, ms, s, m, h or d", UINT64_MAX, out,
	                 err);
}

int value_size(struct bytes text, uint64_t *out, struct err *err)
{
	return with_unit(text, size_units, "a size", "B, kB, MB, GB, KiB, MiB or GiB", UINT64_MAX,
	                 out, err);
}

int value_rate(struct bytes text, uint64_t *out, struct err *err)
{
	struct bytes amount = text;

	if (bytes_eq(text, BYTES("0"))) {
		*out = 0;
		return 0;
	}
	if (text.n < 2 || memcmp(text.p + text.n - 2, "/s", 2) != 0)
		return err_set(err, "a rate ends in /s, as 20/s or 1MiB/s");
	amount.n -= 2;
	if (amount.n && digits(amount) == amount.n)
		return value_count(amount, out, err);
	return value_size(amount, out, err);
}

int value_count_rate(struct bytes text, uint64_t *out, struct err *err)
{
	struct bytes amount = text;

	if (bytes_eq(text, BYTES("0"))) {
		*out = 0;
		return 0;
	}
	if (text.n < 2 || memcmp(text.p + text.n - 2, "/s", 2) != 0)
		return err_set(err, "a rate ends in /s, as 20/s");
	amount.n -= 2;
	return value_count(amount, out, err);
}

int value_percent(struct bytes text, uint64_t *out, struct err *err)
{
	struct bytes number = text;

	if (bytes_eq(text, BYTES("0"))) {
		*out = 0;
		return 0;
	}
	if (text.n < 2 || text.p[text.n - 1] != '%')
		return err_set(err, "a share is a number that ends in %%, as 25%%");
	number.n--;
	if (!bytes_to_u64(number, 100, out))
		return err_set(err, "a share is 0%% to 100%%");
	return 0;
}

int value_count(struct bytes text, uint64_t *out, struct err *err)
{
	if (text.n == 0 || digits(text) != text.n)
		return err_set(err, "a whole number without unit is expected");
	if (!bytes_to_u64(text, UINT64_MAX, out))
		return err_set(err, "the number is too large");
	return 0;
}

int value_bool(struct bytes text, bool *out, struct err *err)
{
	bool yes = bytes_eq(text, BYTES("true"));

	if (!yes && !bytes_eq(text, BYTES("false")))
		return err_set(err, "true or false is expected");
	*out = yes;
	return 0;
}

/* ---- RFC 3339 ---- */

/* n digits at *at, moved over them; -1 if others stand there. */
static int fixed_number(struct bytes text, size_t *at, size_t n)
{
	int v = 0;

	if (text.n - *at < n)
		return -1;
	for (size_t end = *at + n; *at < end; (*at)++) {
		if (text.p[*at] < '0' || text.p[*at] > '9')
			return -1;
		v = v * 10 + (text.p[*at] - '0');
	}
	return v;
}

static bool fixed_char(struct bytes text, size_t *at, const char *any_of)
{
	return *at < text.n && text.p[*at] && strchr(any_of, text.p[(*at)++]);
}

static int month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 in the Gregorian calendar, counted from March so that leap days come last.
 */
static int64_t days_since_epoch(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

struct clock_time {
	int hour, minute, second;
	int offset; /* seconds east of UTC */
};

static bool parse_offset(struct bytes text, size_t *at, int *offset)
{
	bool west = *at < text.n && text.p[*at] == '-';
	int hours, minutes;

	if (*at + 1 == text.n && (text.p[*at] | 0x20) == 'z') {
		*offset = 0;
		return true;
	}
	if (!fixed_char(text, at, "+-") || (hours = fixed_number(text, at, 2)) < 0 ||
	    !fixed_char(text, at, ":") || (minutes = fixed_number(text, at, 2)) < 0)
		return false;
	*offset = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return hours <= 23 && minutes <= 59 && *at == text.n;
}

static bool parse_clock(struct bytes text, size_t *at, struct clock_time *t)
{
	if ((t->hour = fixed_number(text, at, 2)) < 0 || !fixed_char(text, at, ":") ||
	    (t->minute = fixed_number(text, at, 2)) < 0 || !fixed_char(text, at, ":") ||
	    (t->second = fixed_number(text, at, 2)) < 0)
		return false;
	if (*at < text.n && text.p[*at] == '.') {
		size_t n = digits(bytes_from(text, *at + 1));

		if (n == 0)
			return false;
		*at += 1 + n; /* parts of a second are dropped */
	}
	return t->hour <= 23 && t->minute <= 59 && t->second <= 60 /* a leap second */ &&
	       parse_offset(text, at, &t->offset);
}

int value_time(struct bytes text, int64_t *unix_seconds, struct err *err)
{
	struct clock_time t;
	size_t at = 0;
	int year = fixed_number(text, &at, 4), month = -1, day = -1;

	if (year >= 1 && fixed_char(text, &at, "-"))
		month = fixed_number(text, &at, 2);
	if (month >= 1 && month <= 12 && fixed_char(text, &at, "-"))
		day = fixed_number(text, &at, 2);
	if (day < 1 || day > month_days(year, month) || !fixed_char(text, &at, "Tt") ||
	    !parse_clock(text, &at, &t))
		return err_set(err, "a time is written as 2027-01-31T12:00:00Z (RFC 3339)");
	*unix_seconds = days_since_epoch(year, month, day) * 86400 + t.hour * 3600 + t.minute * 60 +
	                t.second - t.offset;
	return 0;
}

/* ---- numbers to text ---- */

static void unit_text(uint64_t v, const struct unit *units, char *out, size_t cap)
{
	char best[32] = "0", text[32];

	for (bool none = true; v && units->name; units++) {
		if (v % units->factor)
			continue;
		snprintf(text, sizeof(text), "%llu%s", (unsigned long long)(v / units->factor),
		         units->name);
		if (none || strlen(text) < strlen(best))
			memcpy(best, text, sizeof(best));
		none = false;
	}
	snprintf(out, cap, "%s", best);
}

void value_msec_text(msec_t v, char *out, size_t cap)
{
	unit_text((uint64_t)v, msec_units, out, cap);
}

void value_usec_text(uint64_t v, char *out, size_t cap)
{
	unit_text(v, usec_units, out, cap);
}

void value_size_text(uint64_t v, char *out, size_t cap)
{
	unit_text(v, size_units, out, cap);
}

/* ---- addresses ---- */

static int unix_addr(struct bytes text, struct addr *out, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (text.n >= sizeof(sun.sun_path) || memchr(text.p, '\0', text.n))
		return err_set(err, "a socket's path has at most %zu bytes",
		               sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, text.p, text.n);
	*out = (struct addr){ .len = sizeof(sun) };
	memcpy(&out->ss, &sun, sizeof(sun));
	addr_text((const struct sockaddr *)&out->ss, out->len, out->text, sizeof(out->text));
	return 0;
}

/* Host without brackets into ss, by family. */
static bool inet_host(struct bytes host, bool v6, struct addr *a, uint16_t port)
{
	char text[INET6_ADDRSTRLEN] = "127.0.0.1";
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (host.n == 0 || host.n >= sizeof(text) || memchr(host.p, '\0', host.n))
		return false;
	if (v6 || !bytes_eq(host, BYTES("localhost"))) {
		memcpy(text, host.p, host.n);
		text[host.n] = '\0';
	}
	if (v6) {
		if (inet_pton(AF_INET6, text, &sin6.sin6_addr) != 1)
			return false;
		memcpy(&a->ss, &sin6, sizeof(sin6));
		a->len = sizeof(sin6);
	} else {
		if (inet_pton(AF_INET, text, &sin.sin_addr) != 1)
			return false;
		memcpy(&a->ss, &sin, sizeof(sin));
		a->len = sizeof(sin);
	}
	return true;
}

int value_addr(struct bytes text, struct addr *out, struct err *err)
{
	const uint8_t *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	struct addr a = { .len = 0 };
	struct bytes host, port;
	uint64_t number;
	bool v6;

	if (text.n && text.p[0] == '/')
		return unix_addr(text, out, err);
	if (!colon)
		return err_set(err, "an address is HOST:PORT, [V6]:PORT or a path");
	host = bytes_of(text.p, (size_t)(colon - text.p));
	port = bytes_from(text, host.n + 1);
	v6 = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (v6)
		host = bytes_of(host.p + 1, host.n - 2);
	if (!bytes_to_u64(port, UINT16_MAX, &number))
		return err_set(err, "a port is a number up to 65535");
	if (!inet_host(host, v6, &a, (uint16_t)number))
		return err_set(err, "a host is a numeric address (0.0.0.0 or [::] for all) or "
		                    "localhost");
	addr_text((const struct sockaddr *)&a.ss, a.len, a.text, sizeof(a.text));
	*out = a;
	return 0;
}

void addr_text(const struct sockaddr *sa, socklen_t len, char *out, size_t cap)
{
	char host[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (sa->sa_family == AF_INET) {
		memcpy(&sin, sa, sizeof(sin));
		inet_ntop(AF_INET, &sin.sin_addr, host, sizeof(host));
		snprintf(out, cap, "%s:%u", host, ntohs(sin.sin_port));
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&sin6, sa, sizeof(sin6));
		inet_ntop(AF_INET6, &sin6.sin6_addr, host, sizeof(host));
		snprintf(out, cap, "[%s]:%u", host, ntohs(sin6.sin6_port));
	} else if (sa->sa_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path)) {
		size_t n = len - offsetof(struct sockaddr_un, sun_path);
		const char *path = (const char *)sa + offsetof(struct sockaddr_un, sun_path);

		n = strnlen(path, n);
		snprintf(out, cap, "%.*s", (int)n, n ? path : "");
	} else {
		snprintf(out, cap, "unix");
	}
}

void addr_to_v6(const struct sockaddr *sa, uint8_t out[static 16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (sa->sa_family == AF_INET) {
		memcpy(&sin, sa, sizeof(sin));
		memcpy(out, mapped, sizeof(mapped));
		memcpy(out + 12, &sin.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&sin6, sa, sizeof(sin6));
		memcpy(out, &sin6.sin6_addr, 16);
	} else {
		memset(out, 0, 15);
		out[15] = 1; /* a unix socket's peer is on this host: ::1 */
	}
}

bool addr_is_loopback(const struct addr *a)
{
	static const struct cidr loopback[] = {
		{ { [10] = 0xff, [11] = 0xff, [12] = 127 }, 104 }, /* 127.0.0.0/8, v4-mapped too */
		{ { [15] = 1 }, 128 },
	};
	uint8_t v6[16];

	addr_to_v6((const struct sockaddr *)&a->ss, v6);
	return cidr_has(&loopback[0], v6) || cidr_has(&loopback[1], v6);
}

static bool bits_equal(const uint8_t a[static 16], const uint8_t b[static 16], unsigned prefix)
{
	size_t whole = prefix / 8;
	uint8_t mask = (uint8_t)(0xff00 >> (prefix % 8));

	if (memcmp(a, b, whole) != 0)
		return false;
	return prefix % 8 == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

bool cidr_has(const struct cidr *c, const uint8_t addr[static 16])
{
	return bits_equal(c->addr, addr, c->prefix);
}

int value_cidr(struct bytes text, struct cidr *out, struct err *err)
{
	const uint8_t *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	struct bytes host = bytes_of(text.p, slash ? (size_t)(slash - text.p) : text.n);
	bool v6 = host.n && memchr(host.p, ':', host.n);
	uint64_t prefix = v6 ? 128 : 32;
	struct addr a = { .len = 0 };
	struct cidr c;
	uint8_t masked[16] = { 0 };

	if (bytes_eq(host, BYTES("localhost")) || !inet_host(host, v6, &a, 0))
		return err_set(err,
		               "a block is an address and a prefix, as 10.0.0.0/8 or fd00::/8");
	if (slash && !bytes_to_u64(bytes_from(text, host.n + 1), prefix, &prefix))
		return err_set(err, "a prefix here is a number up to %d", v6 ? 128 : 32);
	addr_to_v6((const struct sockaddr *)&a.ss, c.addr);
	c.prefix = (uint8_t)(prefix + (v6 ? 0 : 96));
	memcpy(masked, c.addr, c.prefix / 8);
	if (c.prefix % 8)
		masked[c.prefix / 8] = c.addr[c.prefix / 8] & (uint8_t)(0xff00 >> (c.prefix % 8));
	if (memcmp(masked, c.addr, 16) != 0)
		return err_set(err, "the address has bits set beyond its prefix");
	*out = c;
	return 0;
}
