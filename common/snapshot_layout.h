/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_layout.h -- the bytes of a tenant table, base or delta, between snapshot.c (reads) and
 * snapshot_build.c (writes) alone: head, slots, entries, tenants, cidrs, details, replaced, each at
 * a multiple of TABLE_ALIGN, the rest zero. Offsets of areas count from the table's first byte,
 * those within entries from their area's.
 */
#pragma once
#include "common/snapshot.h"

enum {
	TABLE_ALIGN = 64,
	TABLE_LAYOUT = 6, /* grows with each change of this file */
	TABLE_SLOTS_LOG2_MAX = 31,
	BUILD_ID_BYTES = 64,
};
static const uint64_t TABLE_MAGIC = 0x6c62617467646821; /* any reader's byte order shows */

struct table_build_id {
	char text[BUILD_ID_BYTES];
};
extern const struct table_build_id table_build_id;

struct table_head {
	uint64_t magic;
	uint32_t layout;
	uint32_t slots_log2;
	struct table_build_id build_id;
	uint64_t table_bytes;
	uint64_t checksum; /* table_checksum() */
	uint64_t generation;
	uint64_t multiplier; /* odd, random for each table, so that no chosen token can aim */
	uint64_t entries_used, tenants, cidrs;
	uint64_t slots_at, entries_at, tenants_at, cidrs_at;
	uint64_t details_at, details_bytes;
	/* Of a delta: for each tenant of its base 1 + the index of the record here that replaces
	 * it, 0 for none. No area at all while none is replaced. */
	uint64_t replaced_at, replaced;
	uint64_t base; /* generation of its base; 0: this is one */
	uint64_t base_tenants;
	uint64_t all_tenants, all_tokens; /* base and delta together */
	uint32_t longest; /* steps of the longest lookup */
	uint32_t iterations_count;
	uint32_t iterations[SNAPSHOT_ITERATIONS_MAX]; /* of base and delta together */
} __attribute__((aligned(TABLE_ALIGN)));

enum {
	ENTRY_USED = 1,
	ENTRY_REVOKED = 2,
	ENTRY_REPLACED = 4,
	ENTRY_TOMBSTONE = 8, /* of a delta: the base's entry is gone; all but the digest is zero */
	ENTRY_TENANT = 16, /* a tenant's name: only digest and tenant count */
	ENTRY_SCOPES_SHIFT = 8,
};

struct table_entry { /* one cache line */
	uint8_t digest[TOKEN_DIGEST_BYTES];
	int64_t not_before, not_after;
	uint32_t tenant; /* index */
	uint32_t detail; /* offset in the details */
	uint16_t flags; /* ENTRY_, scopes above */
	uint8_t id_bytes, cidr_count; /* of its detail: a lookup leaves that line alone */
	uint32_t ordinal;
};
_Static_assert(sizeof(struct table_entry) == 64, "an entry is one cache line");

struct table_tenant {
	uint32_t ordinal;
	uint8_t state;
	uint8_t id_bytes, prefix_bytes;
	uint8_t zero;
	int64_t block_until;
	struct tenant_limits limits;
	uint32_t prefix_at; /* offset in the details of its topic_prefix: few have one */
	char id[TENANT_ID_MAX];
	uint8_t zeros[14]; /* to whole cache lines */
};
_Static_assert(sizeof(struct table_tenant) == 256, "a tenant is four cache lines");

struct table_detail { /* what a lookup seldom needs: a name for the logs, allowed addresses */
	uint32_t cidr_first;
	char id[];
};

/* The high bits are the slot. A product, since plain bits of chosen digests would chain: 100 000 of
 * them sharing 20 bits gave chains over 20 000, the product's were 11 long (faults.md 3). */
static inline uint64_t table_hash(const uint8_t digest[static TOKEN_DIGEST_BYTES],
                                  uint64_t multiplier)
{
	uint64_t first;

	memcpy(&first, digest, sizeof(first));
	return first * multiplier;
}

/*
 * A slot, of 2^slots_log2: 0 is free; else its low slots_log2 bits are 1 + the index of an entry,
 * and those above are bits of the entry's hash that did not choose the slot, so that another entry
 * in the chain is hardly ever looked at. Slots apart from entries: half of them are free, and of a
 * million they lie in the cache of the processor.
 */
static inline uint32_t table_slot_numbers(unsigned slots_log2)
{
	return (uint32_t)((1ull << slots_log2) - 1);
}

static inline uint32_t table_slot_mark(uint64_t hash, unsigned slots_log2)
{
	return (uint32_t)(hash << slots_log2 >> 32) & ~table_slot_numbers(slots_log2);
}

uint64_t table_checksum(struct bytes table);

/* The same in pieces, each of whole TABLE_ALIGN; the first begins with the head, whose own word
 * must be 0. */
struct table_sum {
	uint64_t lane[4];
};
struct table_sum table_sum_begin(uint64_t table_bytes);
void table_sum_add(struct table_sum *sum, struct bytes piece);
uint64_t table_sum_end(const struct table_sum *sum);

/* By which a tenant is found. The NUL keeps it apart from tokens: no header can hold one. */
static inline void table_name(struct hasher *hasher, struct bytes id,
                              uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	uint8_t text[1 + TENANT_ID_MAX] = { '\0' };

	assert(id.n <= TENANT_ID_MAX);
	if (id.n > 0)
		memcpy(text + 1, id.p, id.n);
	hasher_sha256(hasher, bytes_of(text, 1 + id.n), digest);
}
