/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send_show.c -- what is seen of a send: a line for each item on stdout, why one failed on stderr.
 * Of many files on a terminal only the failures, under a line that says how far it is.
 */
#include <string.h>
#include "tools/ctl/send.h"

enum { MANY = 16, STORED_BYTES = 400 };

struct send_show {
	const struct send *s;
	struct progress *progress; /* NULL: there are few */
	bool lines; /* one for each item */
	FILE *to;
	unsigned ends[SEND_GIVEN_UP + 1];
};

struct send_show *send_show_open(const struct send *s)
{
	struct send_show *show = xcalloc(1, sizeof(*show));

	show->s = s;
	show->to = s->to ? s->to : stdout;
	if (s->count > MANY)
		show->progress = progress_open(s->c, "sending", s->count);
	show->lines = !s->c->quiet && !(show->progress && isatty(STDOUT_FILENO) &&
	                                isatty(STDERR_FILENO) && !s->c->json);
	if (show->lines && !s->c->json)
		fprintf(show->to, "%-24s %-8s %-16s %4s %8s  %s\n", "WHAT", "SIGNAL", "ROUTE",
		        "CODE", "MS", "STORED");
	return show;
}

/* The route by its name if the gateway told, else by its path. */
static const char *route_of(const struct send *s, const struct send_item *item)
{
	const char *route = json_text_of(item->seen, "route");

	return *route ? route : item->sample ? item->sample->path : s->path;
}

static const char *signal_of(const struct send_item *item)
{
	const char *signal = json_text_of(item->seen, "signal");

	return *signal ? signal : item->sample ? signal_name(item->sample->signal) : "-";
}

/* Where the record is: a topic's partition and offset, or the local store's file and row. */
static void stored_text(const json_t *seen, char *out, size_t cap)
{
	const char *topic = json_text_of(seen, "topic");
	long long partition = json_number_of(seen, "partition"),
		  offset = json_number_of(seen, "offset");

	if (!json_is_integer(json_object_get(seen, "offset")))
		snprintf(out, cap, "-");
	else if (strcmp(json_text_of(seen, "sink"), "local") == 0)
		snprintf(out, cap, "%010lld.db row %lld (%s)", partition, offset, topic);
	else
		snprintf(out, cap, "%s partition %lld offset %lld", topic, partition, offset);
}

static json_t *member(const json_t *seen, const char *key)
{
	json_t *value = json_object_get(seen, key);

	return value ? json_incref(value) : json_null();
}

static void print_json(const struct send *s, const struct send_item *item)
{
	json_t *o = json_pack("{s:o,s:s,s:s,s:b,s:i,s:i,s:f,s:s,s:o}", "what",
	                      ctl_text(bytes_str(item->name)), "signal", signal_of(item), "path",
	                      item->sample ? item->sample->path : s->path, "accepted",
	                      item->end == SEND_ACCEPTED, "code", item->status, "tries",
	                      (int)item->tries, "ms", item->ms, "request_id", item->id, "why",
	                      ctl_text_or_null(item->why.text));

	json_object_set_new(o, "route", member(item->seen, "route"));
	json_object_set_new(o, "tenant", member(item->seen, "tenant"));
	json_object_set_new(o, "sink", member(item->seen, "sink"));
	json_object_set_new(o, "topic", member(item->seen, "topic"));
	json_object_set_new(o, "partition", member(item->seen, "partition"));
	json_object_set_new(o, "offset", member(item->seen, "offset"));
	ctl_json(o);
	fflush(stdout);
}

static void print_line(const struct send_show *show, const struct send_item *item)
{
	const struct send *s = show->s;
	char stored[STORED_BYTES], code[16] = "-";

	stored_text(item->seen, stored, sizeof(stored));
	if (item->status)
		snprintf(code, sizeof(code), "%d", item->status);
	fprintf(show->to, "%-24s %-8s %-16s %s%4s%s %8.1f  %s\n", item->name, signal_of(item),
	        route_of(s, item), ctl_color(s->c, item->end == SEND_ACCEPTED ? "32" : "31"), code,
	        ctl_color(s->c, NULL), item->ms, stored);
	fflush(show->to);
}

static void say_failure(const struct send_item *item)
{
	char what[64] = "not sent";

	if (item->end == SEND_GIVEN_UP)
		snprintf(what, sizeof(what), "given up after %u %s", item->tries,
		         item->tries == 1 ? "try" : "tries");
	else if (item->status)
		snprintf(what, sizeof(what), "refused with %d", item->status);
	ctl_error("%s: %s%s%s", item->name, what, item->why.text[0] ? ": " : "", item->why.text);
}

void send_show_item(struct send_show *show, const struct send_item *item, unsigned done)
{
	const struct send *s = show->s;

	show->ends[item->end]++;
	if (show->lines && s->c->json)
		print_json(s, item);
	else if (show->lines)
		print_line(show, item);
	if (item->end != SEND_ACCEPTED)
		say_failure(item);
	if (show->progress)
		progress_at(show->progress, done, item->name);
}

void send_show_close(struct send_show *show)
{
	const struct send *s = show->s;

	if (show->progress)
		progress_close(show->progress);
	if (s->count > 1 && !s->c->json)
		ctl_note(s->c, "%u of %u accepted, %u refused, %u given up",
		         show->ends[SEND_ACCEPTED], s->count, show->ends[SEND_REFUSED],
		         show->ends[SEND_GIVEN_UP]);
	free(show);
}
