/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tables.h"

#include <errno.h>
#include <string.h>

#include "common/channel.h"
#include "common/log.h"

static void refuse(struct worker *w, uint64_t generation, const char *why)
{
	log_err("tables", "tenant table refused, the old one serves", KV_U("table", generation),
	        KV_S("err", why));
	stats_add(w->stats, STAT_TABLES_REFUSED, 0, 0, 1);
	if (channel_send(w->channel, MSG_TABLE_BAD, generation, 0, -1, bytes_str(why)) < 0)
		log_err("tables", "can't tell the master that a table is bad",
		        KV_S("err", strerror(errno)));
}

/* Requests copy what they need: nobody looks into the old one after this. */
static void serve(struct worker *w, struct snapshot *table)
{
	uint64_t generation = snapshot_generation(table);

	if (table != w->table)
		snapshot_unmap(w->table);
	w->table = table;
	atomic_store(&stats_head(w->stats)->table_generation, generation);
	stats_set(w->stats, STAT_TABLE_GENERATION, 0, 0, generation);
	stats_set(w->stats, STAT_TABLE_ENTRIES, ROW_TENANT, 0, snapshot_tenants(table));
	stats_set(w->stats, STAT_TABLE_ENTRIES, ROW_TOKEN, 0, snapshot_tokens(table));
	if (channel_send(w->channel, MSG_TABLE_OK, generation, 0, -1, BYTES_NONE) < 0)
		log_err("tables", "can't confirm a table", KV_S("err", strerror(errno)));
}

void tables_take_base(struct worker *w, uint64_t generation, bool delta_follows, int fd)
{
	struct err err = { "" };
	struct snapshot *base = snapshot_map(fd, &err);

	snapshot_unmap(w->next_table); /* of a delta that never came */
	w->next_table = NULL;
	w->next_fault = (struct err){ "" };
	if (delta_follows) {
		w->next_table = base;
		w->next_fault = err;
	} else if (base) {
		serve(w, base);
	} else {
		refuse(w, generation, err.text);
	}
}

void tables_take_delta(struct worker *w, uint64_t generation, int fd)
{
	struct snapshot *next = w->next_table, *base = next ? next : w->table;
	struct err err = w->next_fault;

	w->next_table = NULL;
	w->next_fault = (struct err){ "" };
	if (!err.text[0] && !base)
		err_set(&err, "a delta of tenants without a base");
	if (!err.text[0] && snapshot_set_delta(base, fd, &err) == 0) {
		serve(w, base);
		return;
	}
	snapshot_unmap(next);
	refuse(w, generation, err.text);
}

void tables_close(struct worker *w)
{
	snapshot_unmap(w->next_table);
	snapshot_unmap(w->table);
	w->next_table = w->table = NULL;
}
