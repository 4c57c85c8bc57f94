/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_address.c -- of X-Forwarded-For only the last entry of the last line counts: it is what
 * the proxy that we know wrote itself, all before it may be the client's invention. For the same
 * reason X-Real-IP is not asked where there is such a line, whatever it says.
 */
#include "worker/client_address.h"

#include "conf/conf.h"
#include "conf/values.h"
#include "worker/listener.h"

void client_address_open(struct listener *l)
{
	const struct conf_list *blocks = &l->conf->trusted_proxies;

	l->proxies = xcalloc(blocks->n + 1, sizeof(*l->proxies));
	for (size_t i = 0; i < blocks->n; i++)
		if (value_cidr(bytes_str(blocks->v[i]), &l->proxies[i], NULL) < 0)
			assert(!"a block that was checked at load");
	l->proxy_count = (unsigned)blocks->n;
}

void client_address_close(struct listener *l)
{
	free(l->proxies);
}

static bool is_trusted(const struct req *r)
{
	for (unsigned i = 0; i < r->listener->proxy_count; i++)
		if (cidr_has(&r->listener->proxies[i], r->client))
			return true;
	return false;
}

static struct bytes last_entry(struct bytes list)
{
	const uint8_t *comma = list.n ? memrchr(list.p, ',', list.n) : NULL;

	return bytes_trim(comma ? bytes_from(list, (size_t)(comma - list.p) + 1) : list);
}

static bool is_port(struct bytes s) /* `:443`, or nothing */
{
	uint64_t port;

	return !s.n || (s.p[0] == ':' && bytes_to_u64(bytes_from(s, 1), UINT16_MAX, &port));
}

static size_t until(struct bytes s, int c)
{
	const uint8_t *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

/* Without its port, which some proxies write, and the brackets of an IPv6 address. */
static struct bytes host_of(struct bytes entry)
{
	bool brackets = entry.n && entry.p[0] == '[';
	size_t end = until(entry, brackets ? ']' : ':');
	struct bytes rest = bytes_from(entry, end + brackets);

	if (!brackets && until(bytes_from(rest, 1), ':') + 1 < rest.n)
		return entry; /* two colons: a bare IPv6 address */
	if ((brackets && end == entry.n) || !is_port(rest))
		return BYTES_NONE;
	return bytes_of(entry.p + brackets, end - brackets);
}

/* What the proxy says, by whichever field; BYTES_NONE: nothing, or not clearly. */
static struct bytes named_by_proxy(const struct req *r)
{
	unsigned lines = http_field_count(&r->head, "X-Forwarded-For");

	if (lines)
		return last_entry(http_field_find(&r->head, "X-Forwarded-For", lines - 1)->value);
	return http_field_only(&r->head, "X-Real-IP");
}

void client_address_take(struct req *r)
{
	struct bytes host;
	struct cidr c;
	char *text;

	if (!is_trusted(r))
		return;
	host = host_of(named_by_proxy(r));
	if (until(host, '/') < host.n || value_cidr(host, &c, NULL) < 0)
		return; /* no address: the proxy's own, then */
	memcpy(r->client, c.addr, sizeof(r->client));
	text = pool_alloc(r->pool, host.n + 1);
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	r->client_text = text;
}
