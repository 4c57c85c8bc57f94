/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_address.h -- whose request it is, where a proxy stands between
 * (listeners[].trusted_proxies, compatibility.md 3). A proxy is believed only by the address that
 * its connection comes from.
 */
#pragma once
#include "worker/req.h"

/* Once, before its first connection: what its configuration trusts, ready to be compared. */
void client_address_open(struct listener *l);
void client_address_close(struct listener *l);
/* With the head read: r->client and r->client_text become those of whom the proxy names. */
void client_address_take(struct req *r);
