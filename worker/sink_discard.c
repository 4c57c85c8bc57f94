/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_discard.c -- for benches: stores nothing and says so at once, inside send(), so that what is
 * measured is all of the way but Kafka. The configuration check warns of it; never a default.
 */
#include "worker/sink.h"

static char nothing; /* open() must give something to hold */

static void *discard_open(struct worker *w, struct err *err)
{
	(void)w, (void)err;
	return &nothing;
}

static enum verdict discard_send(void *sink, struct record *rec)
{
	(void)sink, (void)rec;
	return V_ACCEPTED;
}

static bool discard_idle(void *sink)
{
	(void)sink;
	return true;
}

static void discard_close(void *sink)
{
	(void)sink;
}

static bool discard_ready(void *sink, const char **check, char *detail, size_t cap)
{
	(void)sink;
	*check = "discard";
	if (cap)
		detail[0] = '\0';
	return true;
}

const struct sink sink_discard = {
	.name = "discard",
	.open = discard_open,
	.send = discard_send,
	.idle = discard_idle,
	.close = discard_close,
	.ready = discard_ready,
};
