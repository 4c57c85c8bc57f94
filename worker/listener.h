/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener.h -- what a request may know of the listener it came by.
 */
#pragma once
#include "common/base.h"
struct listener_conf;
struct cidr;

struct listener { /* one of conf->listeners */
	const struct listener_conf *conf;
	unsigned index;
	bool admin, loopback;
	struct cidr *proxies; /* whose word about the client is taken (worker/client_address.h) */
	unsigned proxy_count;
};
