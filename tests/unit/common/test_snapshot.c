/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "common/snapshot.c"

/* Numbered digests that look random; the n-th word of a fixed sequence (splitmix64). */
static uint64_t scramble(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static void digest_of(uint64_t n, uint8_t out[static TOKEN_DIGEST_BYTES])
{
	for (unsigned i = 0; i < TOKEN_DIGEST_BYTES / 8; i++) {
		uint64_t word = scramble(4 * n + i);

		memcpy(out + 8 * i, &word, sizeof(word));
	}
}

static struct snapshot_token token_of(uint64_t n)
{
	struct snapshot_token t = { .id = BYTES("0123ABcd"),
		                    .ordinal = (uint32_t)n,
		                    .not_before = INT64_MIN,
		                    .not_after = INT64_MAX,
		                    .scopes = SCOPE_ALL };

	digest_of(n, t.digest);
	return t;
}

/* A table of two tenants and `tokens` tokens, sealed. */
static int table(uint64_t tokens, uint64_t generation)
{
	struct snapshot_builder *b = snapshot_builder_new(generation);
	struct snapshot_tenant acme = { .id = BYTES("acme"), .ordinal = 8 };
	struct snapshot_tenant globex = {
		.id = BYTES("globex"), .ordinal = 9, .state = TENANT_SUSPENDED, .block_until = 1234
	};
	struct err err = { "" };
	int fd;

	cr_assert_eq(snapshot_add_tenant(b, &acme), 0);
	cr_assert_eq(snapshot_add_tenant(b, &globex), 1);
	for (uint64_t i = 0; i < tokens; i++) {
		struct snapshot_token t = token_of(i);

		t.tenant = i % 2;
		snapshot_add_token(b, &t);
	}
	fd = snapshot_seal(b, &err);
	snapshot_builder_free(b);
	cr_assert(fd >= 0, "%s", err.text);
	return fd;
}

static int sealed(struct snapshot_builder *b)
{
	struct err err = { "" };
	int fd = snapshot_seal(b, &err);

	cr_assert_geq(fd, 0, "%s", err.text);
	snapshot_builder_free(b);
	return fd;
}

static struct snapshot *mapped(int base_fd)
{
	autoclose int fd = base_fd;
	struct snapshot *s = snapshot_map(fd, NULL);

	cr_assert(s);
	return s;
}

static bool found(const struct snapshot *s, uint64_t n, struct snapshot_hit *hit)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];

	digest_of(n, digest);
	return snapshot_find(s, digest, hit);
}

Test(snapshot, all_that_was_put_in_is_found_and_nothing_else)
{
	autoclose int fd = table(1000, 42);
	struct snapshot *s = snapshot_map(fd, NULL);
	struct snapshot_hit hit;

	cr_assert(s);
	cr_assert_eq(snapshot_generation(s), 42);
	cr_assert_eq(snapshot_tenants(s), 2);
	cr_assert_eq(snapshot_tokens(s), 1000);
	for (uint64_t i = 0; i < 1000; i++) {
		cr_assert(found(s, i, &hit), "%llu", (unsigned long long)i);
		cr_assert_eq(hit.token_ordinal, i);
		cr_assert_eq(hit.tenant_ordinal, 8 + i % 2);
		cr_assert(bytes_eq(hit.tenant_id, i % 2 ? BYTES("globex") : BYTES("acme")));
		cr_assert(bytes_eq(hit.token_id, BYTES("0123ABcd")));
	}
	for (uint64_t i = 1000; i < 3000; i++)
		cr_assert_not(found(s, i, &hit));
	snapshot_unmap(s);
}

Test(snapshot, each_field_comes_back)
{
	static const struct snapshot_cidr cidrs[2] = { { { 1 }, 96 }, { { 2 }, 128 } };
	struct snapshot_builder *b = snapshot_builder_new(1);
	struct snapshot_tenant tenant = {
		.id = BYTES("t"), .ordinal = 3, .state = TENANT_DELETING, .block_until = -5
	};
	struct snapshot_token plain = token_of(1), full = token_of(2);
	struct snapshot_hit hit;
	struct snapshot *s;

	full.id = BYTES("a_rather-long_id");
	full.not_before = -7;
	full.not_after = 99;
	full.revoked = full.replaced = true;
	full.scopes = 1u << SIGNAL_LOGS;
	full.cidrs = cidrs;
	full.cidr_count = 2;
	snapshot_add_tenant(b, &tenant);
	snapshot_add_token(b, &plain);
	snapshot_add_token(b, &full);

	autoclose int fd = snapshot_seal(b, NULL);

	snapshot_builder_free(b);
	s = snapshot_map(fd, NULL);
	cr_assert(s && found(s, 2, &hit));
	cr_assert(bytes_eq(hit.token_id, BYTES("a_rather-long_id")));
	cr_assert_eq(hit.tenant_state, TENANT_DELETING);
	cr_assert_eq(hit.block_until, -5);
	cr_assert_eq(hit.not_before, -7);
	cr_assert_eq(hit.not_after, 99);
	cr_assert(hit.revoked && hit.replaced);
	cr_assert_eq(hit.scopes, 1u << SIGNAL_LOGS);
	cr_assert_eq(hit.cidr_count, 2);
	cr_assert_eq(hit.cidrs[1].addr[0], 2);
	cr_assert_eq(hit.cidrs[1].prefix, 128);
	cr_assert(found(s, 1, &hit));
	cr_assert(!hit.revoked && !hit.replaced && hit.cidr_count == 0 && hit.scopes == SCOPE_ALL);
	snapshot_unmap(s);
}

Test(snapshot, an_empty_table_finds_nothing)
{
	struct snapshot_builder *b = snapshot_builder_new(1);
	autoclose int fd = snapshot_seal(b, NULL);
	struct snapshot *s = snapshot_map(fd, NULL);
	struct snapshot_hit hit;

	snapshot_builder_free(b);
	cr_assert(s);
	cr_assert_eq(snapshot_tokens(s), 0);
	cr_assert_not(found(s, 1, &hit));
	snapshot_unmap(s);
}

Test(snapshot, of_two_tokens_with_one_digest_the_first_wins)
{
	struct snapshot_builder *b = snapshot_builder_new(1);
	struct snapshot_tenant tenant = { .id = BYTES("t") };
	struct snapshot_token first = token_of(1), second = token_of(1);
	struct snapshot_hit hit;
	struct snapshot *s;

	first.id = BYTES("first");
	second.id = BYTES("second");
	snapshot_add_tenant(b, &tenant);
	snapshot_add_token(b, &first);
	snapshot_add_token(b, &second);

	autoclose int fd = snapshot_seal(b, NULL);

	snapshot_builder_free(b);
	s = snapshot_map(fd, NULL);
	cr_assert_eq(snapshot_tokens(s), 1);
	cr_assert(found(s, 1, &hit) && bytes_eq(hit.token_id, BYTES("first")));
	snapshot_unmap(s);
}

Test(snapshot, digests_that_differ_in_their_last_byte_only_are_told_apart)
{
	struct snapshot_builder *b = snapshot_builder_new(1);
	struct snapshot_tenant tenant = { .id = BYTES("t") };
	struct snapshot_token t = token_of(1);
	struct snapshot_hit hit;
	struct snapshot *s;

	snapshot_add_tenant(b, &tenant);
	for (uint32_t i = 0; i < 8; i++) { /* one first word: all in one chain */
		t.digest[TOKEN_DIGEST_BYTES - 1] = (uint8_t)i;
		t.ordinal = i;
		snapshot_add_token(b, &t);
	}

	autoclose int fd = snapshot_seal(b, NULL);

	snapshot_builder_free(b);
	s = snapshot_map(fd, NULL);
	cr_assert(snapshot_longest(s) == 8 || snapshot_longest(s) == 9); /* with the name of t */
	for (uint32_t i = 0; i < 8; i++) {
		t.digest[TOKEN_DIGEST_BYTES - 1] = (uint8_t)i;
		cr_assert(snapshot_find(s, t.digest, &hit) && hit.token_ordinal == i);
	}
	t.digest[TOKEN_DIGEST_BYTES - 1] = 8;
	cr_assert_not(snapshot_find(s, t.digest, &hit));
	snapshot_unmap(s);
}

/* 65 rows of such hashes, which only who writes rows can choose, made every table fail. */
Test(snapshot, of_digests_that_begin_alike_the_first_eight_are_found_and_the_rest_left_out)
{
	struct snapshot_builder *b = snapshot_builder_new(1);
	struct snapshot_tenant tenant = { .id = BYTES("t") };
	struct snapshot_token t = token_of(1);
	struct snapshot_hit hit;
	struct snapshot *s;

	snapshot_add_tenant(b, &tenant);
	for (uint32_t i = 0; i < 1000; i++) {
		struct snapshot_token other = token_of(2 + i);

		t.digest[TOKEN_DIGEST_BYTES - 1] = (uint8_t)i;
		t.digest[TOKEN_DIGEST_BYTES - 2] = (uint8_t)(i >> 8);
		cr_assert_eq(snapshot_add_token(b, &t), i < 8, "%u", i);
		cr_assert_eq(snapshot_is_crowded(b), i >= 8);
		cr_assert(snapshot_add_token(b, &other));
	}
	s = mapped(sealed(b));
	cr_assert_eq(snapshot_tokens(s), 1008);
	for (uint32_t i = 0; i < 1000; i++) {
		t.digest[TOKEN_DIGEST_BYTES - 1] = (uint8_t)i;
		t.digest[TOKEN_DIGEST_BYTES - 2] = (uint8_t)(i >> 8);
		cr_assert_eq(snapshot_find(s, t.digest, &hit), i < 8, "%u", i);
		cr_assert(found(s, 2 + i, &hit));
	}
	snapshot_unmap(s);
}

/* In groups as large as they may be, and nothing else. */
Test(snapshot, a_table_of_digests_of_which_eight_each_begin_alike_is_made)
{
	struct snapshot_builder *b = snapshot_builder_new(1);
	struct snapshot_tenant tenant = { .id = BYTES("t") };
	struct snapshot_hit hit;
	struct snapshot *s;

	snapshot_add_tenant(b, &tenant);
	for (uint32_t i = 0; i < 40000; i++) {
		struct snapshot_token t = token_of(i / 8);

		t.digest[TOKEN_DIGEST_BYTES - 1] = (uint8_t)i;
		cr_assert(snapshot_add_token(b, &t));
	}
	s = mapped(sealed(b));
	for (uint32_t i = 0; i < 40000; i++) {
		struct snapshot_token t = token_of(i / 8);

		t.digest[TOKEN_DIGEST_BYTES - 1] = (uint8_t)i;
		cr_assert(snapshot_find(s, t.digest, &hit));
	}
	snapshot_unmap(s);
}

/* F32. Under sanitizers a fifth of it: the million takes them 20 s and shows nothing more. */
#ifdef HEADGATE_ASAN
enum { MANY = 200000 };
#else
enum { MANY = 1000000 };
#endif
enum { SHARING = MANY / 10 };

Test(snapshot, digests_chosen_to_collide_chain_no_longer_than_a_lookup_goes)
{
	struct snapshot_builder *b = snapshot_builder_new(1);
	struct snapshot_tenant tenant = { .id = BYTES("t") };
	struct snapshot_hit hit;
	struct snapshot *s;

	snapshot_add_tenant(b, &tenant);
	for (uint32_t i = 0; i < MANY; i++) {
		struct snapshot_token t = token_of(i);

		if (i <
		    SHARING) /* 20 bits alike, at the low or at the high end of the first word */
			memcpy(t.digest + (i % 2 ? 0 : 5), "\x12\x34\x05", 3);
		t.ordinal = i;
		snapshot_add_token(b, &t);
	}

	autoclose int fd = snapshot_seal(b, NULL);

	snapshot_builder_free(b);
	s = snapshot_map(fd, NULL);
	cr_assert(s);
	cr_assert_leq(snapshot_longest(s), SNAPSHOT_LONGEST_MAX);
	for (uint32_t i = 0; i < MANY; i++) {
		struct snapshot_token t = token_of(i);

		if (i < SHARING)
			memcpy(t.digest + (i % 2 ? 0 : 5), "\x12\x34\x05", 3);
		cr_assert(snapshot_find(s, t.digest, &hit) && hit.token_ordinal == i, "%u", i);
	}
	snapshot_unmap(s);
}

Test(snapshot, two_tables_of_the_same_tokens_are_ordered_differently)
{
	autoclose int one = table(10, 1);
	autoclose int two = table(10, 1);
	struct snapshot *a = snapshot_map(one, NULL), *b = snapshot_map(two, NULL);

	cr_assert_neq(a->base.head->multiplier, b->base.head->multiplier);
	snapshot_unmap(a);
	snapshot_unmap(b);
}

/* A changed copy of a table, sealed again; fix_sum gives it the right checksum. */
static struct snapshot *map_changed(int fd, size_t at, uint8_t flip, bool fix_sum, struct err *err)
{
	struct bytes map;
	uint8_t *copy;
	struct snapshot *s;

	cr_assert_eq(sealed_map(fd, &map, NULL), 0);
	copy = aligned_alloc(TABLE_ALIGN, map.n);
	memcpy(copy, map.p, map.n);
	copy[at] ^= flip;
	if (fix_sum)
		((struct table_head *)(void *)copy)->checksum =
			table_checksum(bytes_of(copy, map.n));

	autoclose int changed = sealed_memfd("test", bytes_of(copy, map.n), NULL);

	munmap((void *)(uintptr_t)map.p, map.n);
	free(copy);
	s = snapshot_map(changed, err);
	return s;
}

static void changed_is_refused(int fd, size_t at, uint8_t flip, bool fix_sum, const char *why)
{
	struct err err = { "" };

	cr_assert_null(map_changed(fd, at, flip, fix_sum, &err), "byte %zu", at);
	cr_assert(strstr(err.text, why), "byte %zu: %s", at, err.text);
}

/* F31 */
Test(snapshot, an_altered_table_is_refused_and_says_why)
{
	autoclose int fd = table(20, 1);

	changed_is_refused(fd, offsetof(struct table_head, magic), 1, false, "no tenant table");
	changed_is_refused(fd, offsetof(struct table_head, layout), 1, false, "another layout");
	changed_is_refused(fd, offsetof(struct table_head, build_id), 1, false, "another build");
	changed_is_refused(fd, offsetof(struct table_head, table_bytes), 64, false, "a wrong size");
	changed_is_refused(fd, offsetof(struct table_head, checksum), 1, false, "a wrong checksum");
}

/* F31 */
Test(snapshot, any_flipped_bit_is_seen)
{
	autoclose int fd = table(3, 1);
	struct bytes map;
	size_t bytes;

	cr_assert_eq(sealed_map(fd, &map, NULL), 0);
	bytes = map.n;
	munmap((void *)(uintptr_t)map.p, map.n);
	for (size_t at = 0; at < bytes; at++)
		for (unsigned bit = 0; bit < 8; bit += 7)
			cr_assert_null(map_changed(fd, at, (uint8_t)(1u << bit), false, NULL),
			               "byte %zu", at);
}

/* Even a checksum that fits does not make a table that points elsewhere: no lookup leaves it. */
Test(snapshot, offsets_that_lead_outside_are_refused_whatever_the_checksum)
{
	autoclose int fd = table(20, 1);
	uint8_t flip;
	struct snapshot *s = snapshot_map(fd, NULL);
	size_t entries_at = s->base.head->entries_at, tenants_at = s->base.head->tenants_at,
	       entry = 0, slot = 0;

	while ((s->base.entries[entry].flags & (ENTRY_USED | ENTRY_TENANT)) != ENTRY_USED)
		entry++;
	entry = entries_at + entry * sizeof(struct table_entry);
	while (s->base.slots[slot] == 0)
		slot++;
	flip = (uint8_t)(s->base.slots[slot] & 63);
	slot = s->base.head->slots_at + slot * sizeof(uint32_t);
	snapshot_unmap(s);
	changed_is_refused(fd, slot, 32, true, "leads outside");
	changed_is_refused(fd, slot, flip, true, "leads outside"); /* to no entry, but marked */
	changed_is_refused(fd, offsetof(struct table_head, slots_at) + 3, 1, true, "lie outside");
	changed_is_refused(fd, offsetof(struct table_head, slots_at), 1, true, "lie outside");
	changed_is_refused(fd, offsetof(struct table_head, slots_log2), 0x40, true,
	                   "a broken head");
	changed_is_refused(fd, offsetof(struct table_head, slots_log2), 0x08, true, "lie outside");
	changed_is_refused(fd, offsetof(struct table_head, longest), 0x80, true, "a broken head");
	changed_is_refused(fd, offsetof(struct table_head, multiplier), 1, true, "a broken head");
	changed_is_refused(fd, offsetof(struct table_head, entries_used) + 7, 1, true,
	                   "a broken head");
	changed_is_refused(fd, offsetof(struct table_head, entries_used), 1, true, "a wrong count");
	changed_is_refused(fd, offsetof(struct table_head, tenants) + 7, 0x80, true, "lie outside");
	changed_is_refused(fd, offsetof(struct table_head, cidrs) + 7, 0x40, true, "lie outside");
	changed_is_refused(fd, offsetof(struct table_head, entries_at) + 3, 1, true, "lie outside");
	changed_is_refused(fd, offsetof(struct table_head, entries_at), 1, true, "lie outside");
	changed_is_refused(fd, offsetof(struct table_head, tenants_at) + 7, 0xff, true,
	                   "lie outside");
	changed_is_refused(fd, offsetof(struct table_head, details_at) + 4, 1, true, "lie outside");
	changed_is_refused(fd, offsetof(struct table_head, details_bytes) + 7, 0xff, true,
	                   "lie outside");
	changed_is_refused(fd, tenants_at + offsetof(struct table_tenant, id_bytes), 0xf0, true,
	                   "broken tenant");
	changed_is_refused(fd, tenants_at + offsetof(struct table_tenant, state), 4, true,
	                   "broken tenant");
	changed_is_refused(fd, tenants_at + offsetof(struct table_tenant, prefix_bytes), 0x80, true,
	                   "broken tenant");
	changed_is_refused(fd, tenants_at + offsetof(struct table_tenant, prefix_at) + 3, 1, true,
	                   "broken tenant");
	changed_is_refused(fd, entry + offsetof(struct table_entry, tenant), 2, true,
	                   "broken token");
	changed_is_refused(fd, entry + offsetof(struct table_entry, detail), 1, true,
	                   "broken token");
	changed_is_refused(fd, entry + offsetof(struct table_entry, detail) + 3, 0xff, true,
	                   "broken token");
	changed_is_refused(fd, entry + offsetof(struct table_entry, cidr_count), 1, true,
	                   "broken token");
	changed_is_refused(fd, entry + offsetof(struct table_entry, id_bytes), 0xff, true,
	                   "broken token");
}

/* The whole alphabet of broken tables: whatever is accepted must be safe to ask. */
Test(snapshot, a_table_with_any_changed_byte_and_a_right_checksum_is_refused_or_safe)
{
	autoclose int fd = table(3, 1);
	struct bytes map;
	size_t bytes;

	cr_assert_eq(sealed_map(fd, &map, NULL), 0);
	bytes = map.n;
	munmap((void *)(uintptr_t)map.p, map.n);
	for (size_t at = 0; at < bytes; at++) {
		struct snapshot *s = map_changed(fd, at, 0xff, true, NULL);
		struct snapshot_hit hit;
		unsigned sum = 0;

		for (uint64_t n = 0; s && n < 4; n++)
			if (found(s, n, &hit)) {
				for (size_t i = 0; i < hit.tenant_id.n; i++)
					sum += hit.tenant_id.p[i];
				for (size_t i = 0; i < hit.token_id.n; i++)
					sum += hit.token_id.p[i];
				for (size_t i = 0; i < hit.cidr_count; i++)
					sum += hit.cidrs[i].prefix;
			}
		cr_assert(sum < UINT32_MAX); /* the sanitizer watches the reads */
		snapshot_unmap(s);
	}
}

Test(snapshot, a_cut_or_unsealed_table_is_refused)
{
	autoclose int fd = table(3, 1);
	struct err err = { "" };
	struct bytes map;

	cr_assert_eq(sealed_map(fd, &map, NULL), 0);
	for (size_t n = 0; n < map.n; n += 61) {
		autoclose int cut = sealed_memfd("test", bytes_of(map.p, n), NULL);

		cr_assert_null(snapshot_map(cut, &err));
	}

	autoclose int open_one = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert_eq(write(open_one, map.p, map.n), (ssize_t)map.n);
	cr_assert_null(snapshot_map(open_one, &err));
	cr_assert(strstr(err.text, "not sealed"), "%s", err.text);
	munmap((void *)(uintptr_t)map.p, map.n);
}

/* F29: what a worker could try. */
Test(snapshot, a_reader_can_change_nothing)
{
	autoclose int fd = table(3, 1);
	struct snapshot *s = snapshot_map(fd, NULL);
	size_t bytes = s->base.map.n;
	struct snapshot_hit hit;

	cr_assert_eq(pwrite(fd, "x", 1, 0), -1);
	cr_assert_eq(errno, EPERM);
	cr_assert_eq(ftruncate(fd, 0), -1);
	cr_assert_eq(errno, EPERM);
	cr_assert_eq(ftruncate(fd, (off_t)bytes * 2), -1);
	cr_assert_eq(errno, EPERM);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	cr_assert_eq(errno, EPERM);
	cr_assert_eq(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	cr_assert(errno == EPERM || errno == EACCES);
	/* A private mapping may be made writable: only its own copy changes. */
	cr_assert_eq(mprotect((void *)(uintptr_t)s->base.map.p, bytes, PROT_READ | PROT_WRITE), 0);
	memset((void *)(uintptr_t)s->base.map.p, 0xff, bytes);
	munmap((void *)(uintptr_t)s->base.map.p, bytes);
	s->base.map = BYTES_NONE;
	snapshot_unmap(s);
	s = snapshot_map(fd, NULL);
	cr_assert(s && found(s, 1, &hit));
	snapshot_unmap(s);
}

/* F29 */
Test(snapshot, a_store_kills_only_who_stores)
{
	autoclose int fd = table(3, 1);
	struct snapshot *s = snapshot_map(fd, NULL);
	struct snapshot_hit hit;
	pid_t child = fork();
	int status;

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile uint8_t *)(uintptr_t)s->base.map.p = 1;
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	cr_assert(found(s, 1, &hit));
	snapshot_unmap(s);
}

Test(snapshot, a_table_outlives_the_descriptor_it_came_by)
{
	int fd = table(3, 1);
	struct snapshot *s = snapshot_map(fd, NULL);
	struct snapshot_hit hit;

	close(fd);
	cr_assert(found(s, 2, &hit));
	snapshot_unmap(s);
}

/* ---- tenants by name, PBKDF2 keys ---- */

Test(snapshot, a_tenant_is_found_by_its_name_with_its_limits_and_no_other_is)
{
	struct snapshot_tenant acme = {
		.id = BYTES("acme"),
		.ordinal = 8,
		.limits = { .rates[LIMIT_ITEMS] = { 5, 10 }, .max_inflight_requests = 3 },
	};
	struct snapshot_builder *b = snapshot_builder_new(1);
	struct hasher *h = hasher_open(NULL);
	struct snapshot_hit hit;
	struct snapshot *s;
	uint8_t long_id[TENANT_ID_MAX + 1];

	cr_assert_eq(snapshot_add_tenant(b, &acme), 0);
	autoclose int fd = snapshot_seal(b, NULL);
	snapshot_builder_free(b);
	s = snapshot_map(fd, NULL);
	cr_assert(s);
	cr_assert_eq(snapshot_tokens(s), 0, "names are no tokens");
	cr_assert(snapshot_find_tenant(s, h, BYTES("acme"), &hit));
	cr_assert(bytes_eq(hit.tenant_id, BYTES("acme")) && hit.tenant_ordinal == 8);
	cr_assert_eq(hit.limits->rates[LIMIT_ITEMS].burst, 10);
	cr_assert_eq(hit.limits->max_inflight_requests, 3);
	cr_assert_eq(hit.token_id.n, 0);
	cr_assert_not(snapshot_find_tenant(s, h, BYTES("Acme"), &hit));
	cr_assert_not(snapshot_find_tenant(s, h, BYTES_NONE, &hit));
	memset(long_id, 'a', sizeof(long_id));
	cr_assert_not(snapshot_find_tenant(s, h, bytes_of(long_id, sizeof(long_id)), &hit));
	snapshot_unmap(s);
	hasher_close(h);
}

/* ---- a topic prefix ---- */

static uint32_t add_prefixed(struct snapshot_builder *b, const char *id, const char *prefix)
{
	struct snapshot_tenant t = { .id = bytes_str(id),
		                     .topic_prefix = prefix ? bytes_str(prefix) : BYTES_NONE };

	return snapshot_add_tenant(b, &t);
}

static void add_token_of(struct snapshot_builder *b, uint64_t n, uint32_t tenant)
{
	struct snapshot_token t = token_of(n);

	t.tenant = tenant;
	cr_assert(snapshot_add_token(b, &t));
}

static void prefix_is(const struct snapshot *s, uint64_t token, const char *id, const char *prefix)
{
	struct hasher *h = hasher_open(NULL);
	struct snapshot_hit by_token, by_name;

	cr_assert(found(s, token, &by_token));
	cr_assert(snapshot_find_tenant(s, h, bytes_str(id), &by_name));
	cr_expect(bytes_eq(by_token.topic_prefix, bytes_str(prefix)), "%s", id);
	cr_expect(bytes_eq(by_name.topic_prefix, bytes_str(prefix)), "%s", id);
	hasher_close(h);
}

Test(snapshot, a_tenant_may_have_a_topic_prefix_and_a_delta_changes_it_for_its_tokens_of_the_base)
{
	struct snapshot_delta of = { .base = 1, .base_tenants = 3 };
	struct snapshot_builder *b = snapshot_builder_new(1);
	char longest[TENANT_PREFIX_MAX + 1];
	struct snapshot *s;

	memset(longest, 'p', TENANT_PREFIX_MAX);
	longest[TENANT_PREFIX_MAX] = '\0';
	add_token_of(b, 0, add_prefixed(b, "none", NULL));
	add_token_of(b, 1, add_prefixed(b, "acme", "a."));
	add_token_of(b, 2, add_prefixed(b, "long", longest));
	s = mapped(sealed(b));
	prefix_is(s, 0, "none", "");
	prefix_is(s, 1, "acme", "a.");
	prefix_is(s, 2, "long", longest);

	b = snapshot_builder_new_delta(2, &of);
	snapshot_replace_tenant(b, 0, add_prefixed(b, "none", "n."));
	snapshot_replace_tenant(b, 1, add_prefixed(b, "acme", NULL));
	autoclose int fd = sealed(b);
	cr_assert_eq(snapshot_set_delta(s, fd, NULL), 0);
	prefix_is(s, 0, "none", "n.");
	prefix_is(s, 1, "acme", "");
	prefix_is(s, 2, "long", longest);
	snapshot_unmap(s);
}

Test(snapshot, tenants_without_a_topic_prefix_take_no_more_room_than_ever)
{
	uint64_t details[2];

	for (unsigned i = 0; i < 2; i++) {
		struct snapshot_builder *b = snapshot_builder_new(1);
		struct snapshot *s;

		for (unsigned n = 0; n < 1000; n++) {
			char id[16];

			snprintf(id, sizeof(id), "t%u", n);
			add_prefixed(b, id, i && n == 500 ? "a." : NULL);
		}
		s = mapped(sealed(b));
		details[i] = s->base.head->details_bytes;
		snapshot_unmap(s);
	}
	cr_assert_eq(details[0], 0);
	cr_assert_eq(details[1], 4);
}

/* Basic's password may hold a NUL. */
Test(snapshot, the_name_of_a_tenant_is_no_token)
{
	struct snapshot *s = NULL;
	struct hasher *h = hasher_open(NULL);
	uint8_t digest[TOKEN_DIGEST_BYTES];
	struct snapshot_hit hit;
	autoclose int fd = table(10, 1);

	s = snapshot_map(fd, NULL);
	hasher_sha256(h, bytes_of("\0acme", 5), digest);
	cr_assert_not(snapshot_find(s, digest, &hit));
	cr_assert(snapshot_find_tenant(s, h, BYTES("acme"), &hit), "its entry is that one");
	snapshot_unmap(s);
	hasher_close(h);
}

Test(snapshot, a_derived_key_is_found_with_its_iterations_alone)
{
	struct snapshot_builder *b = snapshot_builder_new(1);
	uint8_t derived[SNAPSHOT_PBKDF2_BYTES] = { 1, 2, 3 }, digest[TOKEN_DIGEST_BYTES];
	struct snapshot_token t = token_of(1);
	uint32_t out[SNAPSHOT_ITERATIONS_MAX];
	struct snapshot_hit hit;
	struct snapshot *s;

	t.tenant = snapshot_add_tenant(b, &(struct snapshot_tenant){ .id = BYTES("acme") });
	snapshot_key(derived, 1000, t.digest);
	snapshot_add_token(b, &t);
	snapshot_set_iterations(b, (const uint32_t[]){ 1000, 7 }, 2);
	autoclose int fd = snapshot_seal(b, NULL);
	snapshot_builder_free(b);
	s = snapshot_map(fd, NULL);
	cr_assert_eq(snapshot_iterations(s, out), 2);
	cr_assert(out[0] == 1000 && out[1] == 7);
	snapshot_key(derived, 1000, digest);
	cr_assert(snapshot_find(s, digest, &hit) && bytes_eq(hit.tenant_id, BYTES("acme")));
	snapshot_key(derived, 7, digest);
	cr_assert_not(snapshot_find(s, digest, &hit));
	snapshot_unmap(s);
}

/* ---- deltas ---- */

/* Over table(1000, base): token 3 is gone, 4 revoked, 2000 new; globex is active again. */
static int delta(uint64_t generation, uint64_t base)
{
	struct snapshot_delta of = { .base = base, .base_tenants = 2 };
	struct snapshot_builder *b = snapshot_builder_new_delta(generation, &of);
	struct snapshot_tenant initech = { .id = BYTES("initech"), .ordinal = 10 };
	struct snapshot_tenant globex = { .id = BYTES("globex"), .ordinal = 9 };
	struct snapshot_tenant acme = { .id = BYTES("acme"), .ordinal = 8 };
	struct snapshot_token gone = token_of(3), revoked = token_of(4), new = token_of(2000);
	struct err err = { "" };
	int fd;

	new.tenant = snapshot_add_tenant(b, &initech);
	snapshot_replace_tenant(b, 1, snapshot_add_tenant(b, &globex));
	revoked.tenant = snapshot_add_tenant(b, &acme);
	revoked.revoked = true;
	snapshot_add_tombstone(b, gone.digest);
	snapshot_add_token(b, &revoked);
	snapshot_add_token(b, &new);
	snapshot_set_totals(b, 3, 1000);
	fd = snapshot_seal(b, &err);
	snapshot_builder_free(b);
	cr_assert(fd >= 0, "%s", err.text);
	return fd;
}

Test(snapshot, a_delta_overrides_its_base)
{
	struct snapshot *s = mapped(table(1000, 42));
	autoclose int fd = delta(43, 42);
	struct snapshot_hit hit;

	cr_assert(found(s, 3, &hit) && !found(s, 2000, &hit));
	cr_assert_eq(snapshot_set_delta(s, fd, NULL), 0);
	cr_assert_eq(snapshot_generation(s), 43);
	cr_assert_eq(snapshot_tenants(s), 3);
	cr_assert_eq(snapshot_tokens(s), 1000);
	cr_assert_not(found(s, 3, &hit), "a tombstone ends the search");
	cr_assert(found(s, 4, &hit) && hit.revoked);
	cr_assert(bytes_eq(hit.tenant_id, BYTES("acme")));
	cr_assert(found(s, 2000, &hit) && bytes_eq(hit.tenant_id, BYTES("initech")));
	cr_assert_eq(hit.tenant_ordinal, 10);
	for (uint64_t n = 5; n < 1000; n++) {
		cr_assert(found(s, n, &hit) && !hit.revoked && hit.token_ordinal == n);
		cr_assert_eq(hit.tenant_ordinal, 8 + n % 2);
	}
	cr_assert_not(found(s, 1000, &hit));
	snapshot_unmap(s);
}

Test(snapshot, a_tenant_that_a_delta_replaces_changes_for_all_its_tokens_of_the_base)
{
	struct snapshot *s = mapped(table(1000, 42));
	autoclose int fd = delta(43, 42);
	struct hasher *h = hasher_open(NULL);
	struct snapshot_hit hit;

	cr_assert(found(s, 999, &hit) && hit.tenant_state == TENANT_SUSPENDED);
	cr_assert_eq(snapshot_set_delta(s, fd, NULL), 0);
	cr_assert(snapshot_find_tenant(s, h, BYTES("globex"), &hit));
	cr_assert_eq(hit.tenant_state, TENANT_ACTIVE);
	cr_assert(found(s, 999, &hit) && hit.tenant_state == TENANT_ACTIVE);
	cr_assert_eq(hit.block_until, 0);
	cr_assert_eq(hit.tenant_ordinal, 9);
	cr_assert(found(s, 998, &hit) && bytes_eq(hit.tenant_id, BYTES("acme")));
	snapshot_unmap(s);
	hasher_close(h);
}

Test(snapshot, a_tenant_that_a_delta_says_is_lost_has_no_name_but_one_that_came_back_has)
{
	struct snapshot *s = mapped(table(10, 42));
	struct hasher *h = hasher_open(NULL);
	struct snapshot_builder *b = snapshot_builder_new_delta(
		43, &(struct snapshot_delta){ .base = 42, .base_tenants = 2 });
	struct snapshot_hit hit;

	snapshot_add_tenant(b, &(struct snapshot_tenant){ .id = BYTES("globex"), .ordinal = 9 });
	snapshot_add_lost_tenant(b, BYTES("acme"));
	snapshot_add_lost_tenant(b, BYTES("globex"));
	snapshot_set_totals(b, 1, 10);
	autoclose int fd = snapshot_seal(b, NULL);
	snapshot_builder_free(b);
	cr_assert(snapshot_find_tenant(s, h, BYTES("acme"), &hit));
	cr_assert_eq(snapshot_set_delta(s, fd, NULL), 0);
	cr_assert_not(snapshot_find_tenant(s, h, BYTES("acme"), &hit));
	cr_assert(snapshot_find_tenant(s, h, BYTES("globex"), &hit));
	cr_assert_eq(hit.tenant_state, TENANT_ACTIVE);
	snapshot_unmap(s);
	hasher_close(h);
}

Test(snapshot, a_newer_delta_takes_the_place_of_the_one_before)
{
	struct snapshot *s = mapped(table(10, 42));
	struct snapshot_delta of = { .base = 42, .base_tenants = 2 };
	struct snapshot_builder *b = snapshot_builder_new_delta(44, &of);
	autoclose int first = delta(43, 42);
	autoclose int second = snapshot_seal(b, NULL);
	struct snapshot_hit hit;

	snapshot_builder_free(b);
	cr_assert_eq(snapshot_set_delta(s, first, NULL), 0);
	cr_assert_not(found(s, 3, &hit));
	cr_assert_eq(snapshot_set_delta(s, second, NULL), 0);
	cr_assert_eq(snapshot_generation(s), 44);
	cr_assert(found(s, 3, &hit), "as the base has it");
	cr_assert_not(found(s, 2000, &hit));
	snapshot_unmap(s);
}

/* F31 */
Test(snapshot, a_delta_of_another_base_is_refused_and_the_old_one_serves)
{
	struct snapshot *s = mapped(table(10, 42));
	autoclose int mine = delta(43, 42);
	autoclose int others = delta(50, 49);
	struct err err = { "" };
	struct snapshot_hit hit;

	cr_assert_eq(snapshot_set_delta(s, mine, NULL), 0);
	cr_assert_eq(snapshot_set_delta(s, others, &err), -1);
	cr_assert(strstr(err.text, "over base 49, not over 42"), "%s", err.text);
	cr_assert_eq(snapshot_generation(s), 43);
	cr_assert_not(found(s, 3, &hit));
	snapshot_unmap(s);
}

/* F31 */
Test(snapshot, a_base_is_no_delta_and_a_delta_no_base)
{
	struct snapshot *s = mapped(table(10, 42));
	autoclose int base = table(10, 43);
	autoclose int over = delta(43, 42);
	struct err err = { "" };

	cr_assert_eq(snapshot_set_delta(s, base, &err), -1);
	cr_assert_eq(snapshot_generation(s), 42);
	cr_assert_null(snapshot_map(over, &err));
	cr_assert(strstr(err.text, "where a base was to be"), "%s", err.text);
	snapshot_unmap(s);
}

/* A changed copy of a delta, sealed again, with the right checksum. */
static int changed_copy(int fd, size_t at, uint8_t flip, bool fix_sum)
{
	struct bytes map;
	uint8_t *copy;
	int changed;

	cr_assert_eq(sealed_map(fd, &map, NULL), 0);
	copy = aligned_alloc(TABLE_ALIGN, map.n);
	memcpy(copy, map.p, map.n);
	copy[at] ^= flip;
	if (fix_sum)
		((struct table_head *)(void *)copy)->checksum =
			table_checksum(bytes_of(copy, map.n));
	changed = sealed_memfd("test", bytes_of(copy, map.n), NULL);
	munmap((void *)(uintptr_t)map.p, map.n);
	free(copy);
	return changed;
}

/* F31 */
Test(snapshot, an_altered_delta_is_refused_or_safe)
{
	struct snapshot *s = mapped(table(10, 42));
	autoclose int fd = delta(43, 42);
	struct snapshot_hit hit;
	struct bytes map;
	size_t bytes;
	unsigned sum = 0;

	cr_assert_eq(sealed_map(fd, &map, NULL), 0);
	bytes = map.n;
	munmap((void *)(uintptr_t)map.p, map.n);
	for (size_t at = 0; at < bytes; at++) {
		autoclose int broken = changed_copy(fd, at, 0x81, false);
		autoclose int odd = changed_copy(fd, at, 0xff, true);

		cr_assert_eq(snapshot_set_delta(s, broken, NULL), -1, "byte %zu", at);
		if (snapshot_set_delta(s, odd, NULL) < 0)
			continue;
		for (uint64_t n = 0; n < 10; n++)
			if (found(s, n, &hit))
				for (size_t i = 0; i < hit.tenant_id.n; i++)
					sum += hit.tenant_id.p[i];
	}
	cr_assert_neq(sum, 0); /* the sanitizer watches the reads */
	snapshot_unmap(s);
}

Test(snapshot, a_delta_whose_tenants_lead_outside_is_refused)
{
	struct snapshot *s = mapped(table(10, 42));
	autoclose int fd = delta(43, 42);
	struct err err = { "" };
	struct table t;
	size_t at;

	cr_assert_eq(table_map(&t, fd, NULL), 0);
	at = t.head->replaced_at;
	table_unmap(&t);

	autoclose int far = changed_copy(fd, at, 4, true);
	autoclose int fewer = changed_copy(fd, offsetof(struct table_head, replaced), 3, true);
	autoclose int more = changed_copy(fd, offsetof(struct table_head, base_tenants), 1, true);

	cr_assert_eq(snapshot_set_delta(s, far, &err), -1);
	cr_assert(strstr(err.text, "broken tenant"), "%s", err.text);
	cr_assert_eq(snapshot_set_delta(s, fewer, &err), -1);
	cr_assert(strstr(err.text, "broken head"), "%s", err.text);
	cr_assert_eq(snapshot_set_delta(s, more, &err), -1);
	cr_assert(strstr(err.text, "broken head"), "%s", err.text);
	snapshot_unmap(s);
}

Test(snapshot, a_base_holds_no_tombstones)
{
	struct err err = { "" };
	autoclose int fd = table(3, 1);
	struct snapshot *s = snapshot_map(fd, NULL);
	size_t at = 0;

	while (!(s->base.entries[at].flags & ENTRY_USED))
		at++;
	at = s->base.head->entries_at + at * sizeof(struct table_entry) +
	     offsetof(struct table_entry, flags);
	snapshot_unmap(s);

	autoclose int odd = changed_copy(fd, at, ENTRY_TOMBSTONE, true);

	cr_assert_null(snapshot_map(odd, &err));
	cr_assert(strstr(err.text, "tombstone"), "%s", err.text);
}

Test(snapshot, a_delta_as_large_as_it_may_be_finds_all_that_it_says)
{
	enum { ENTRIES = 65536 };
	struct snapshot *s = mapped(table(1000, 42));
	struct snapshot_delta of = { .base = 42, .base_tenants = 2 };
	struct snapshot_builder *b = snapshot_builder_new_delta(43, &of);
	struct snapshot_tenant tenant = { .id = BYTES("t") };
	struct snapshot_hit hit;

	snapshot_expect(b, ENTRIES);
	snapshot_add_tenant(b, &tenant);
	for (uint64_t n = 0; n < ENTRIES; n++) {
		struct snapshot_token t = token_of(n);

		if (n % 2)
			snapshot_add_tombstone(b, t.digest);
		else
			snapshot_add_token(b, &t);
	}

	autoclose int fd = snapshot_seal(b, NULL);

	snapshot_builder_free(b);
	cr_assert_eq(snapshot_set_delta(s, fd, NULL), 0);
	for (uint64_t n = 0; n < ENTRIES; n++)
		cr_assert_eq(found(s, n, &hit), n % 2 == 0);
	snapshot_unmap(s);
}
