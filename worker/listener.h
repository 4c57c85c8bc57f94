/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener.h -- what a request may know of the listener it came by.
 */
#pragma once
#include "common/base.h"
struct listener_conf;

struct listener { /* one of conf->listeners */
	const struct listener_conf *conf;
	unsigned index;
	bool admin, loopback;
};
