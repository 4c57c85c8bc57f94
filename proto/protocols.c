/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocols.c -- the set-up of all protocols. What a protocol builds once at start is called here;
 * afterwards nothing in proto/ changes.
 */
#include "proto/protocol.h"

#include "proto/loki.h"
#include "proto/otlp.h"
#include "proto/otlp_json.h"
#include "proto/remote_write.h"

void protocols_open(void)
{
	otlp_open();
	otlp_json_open();
	remote_write_open();
	loki_open();
}
