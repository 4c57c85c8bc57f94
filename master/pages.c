/* SPDX-License-Identifier: Apache-2.0 */
#include "master/pages.h"

#include <fcntl.h>
#include <stdio.h>

#include "common/log.h"

struct page {
	int fd, reader_fd;
	struct stats *stats;
	bool taken;
};

struct pages {
	unsigned tenant_slots;
	struct page *v;
	unsigned count;
	uint64_t tokens; /* of the pages of workers */
	struct last_uses uses; /* of the dead, and what was read of the living */
};

/* A descriptor of its own open file: F_GETFL of a dup would still say read-write, and mmap with it.
 */
static int open_reader(int fd, struct err *err)
{
	char path[32];
	int reader;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	return reader < 0 ? err_errno(err, "can't open a stats page read-only (%s)", path) : reader;
}

static int add_page(struct pages *p, struct err *err)
{
	uint64_t tokens = p->count < PAGE_SLOTS ? 0 : p->tokens;
	autoclose int fd = stats_memfd_with_uses(p->tenant_slots, tokens, err);
	autoclose int reader = fd < 0 ? -1 : open_reader(fd, err);
	struct stats *stats = reader < 0 ? NULL : stats_map(fd, true, p->tenant_slots, err);

	if (!stats)
		return -1;
	p->v = xrealloc(p->v, p->count + 1, sizeof(*p->v));
	p->v[p->count++] = (struct page){ take_fd(&fd), take_fd(&reader), stats, false };
	return 0;
}

struct pages *pages_open(unsigned tenant_slots, struct err *err)
{
	struct pages *p = xcalloc(1, sizeof(*p));

	p->tenant_slots = tenant_slots;
	if (pages_grow(p, 0, err) < 0) {
		pages_close(p);
		return NULL;
	}
	p->v[PAGE_MASTER].taken = p->v[PAGE_BASE].taken = true;
	atomic_store(&stats_head(p->v[PAGE_MASTER].stats)->slot, -1);
	atomic_store(&stats_head(p->v[PAGE_MASTER].stats)->pid, getpid());
	return p;
}

void pages_close(struct pages *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->count; i++) {
		stats_unmap(p->v[i].stats);
		close(p->v[i].fd);
		close(p->v[i].reader_fd);
	}
	last_uses_done(&p->uses);
	free(p->v);
	free(p);
}

void pages_keep_uses(struct pages *p, uint64_t tokens)
{
	assert(p->count == PAGE_SLOTS);
	p->tokens = tokens;
}

int pages_grow(struct pages *p, unsigned slots, struct err *err)
{
	while (p->count < PAGE_SLOTS + PAGES_PER_SLOT * slots)
		if (add_page(p, err) < 0)
			return -1;
	return 0;
}

unsigned pages_count(const struct pages *p)
{
	return p->count;
}

unsigned pages_take(struct pages *p, unsigned slot, uint64_t generation)
{
	unsigned first = PAGE_SLOTS + PAGES_PER_SLOT * slot;

	assert(first + PAGES_PER_SLOT <= p->count);
	for (unsigned i = first; i < first + PAGES_PER_SLOT; i++) {
		if (p->v[i].taken)
			continue;
		p->v[i].taken = true;
		atomic_store(&stats_head(p->v[i].stats)->slot, (int)slot);
		atomic_store(&stats_head(p->v[i].stats)->generation, generation);
		return i;
	}
	assert(!"a third process in one slot");
	return 0;
}

static void read_uses(struct pages *p, unsigned index)
{
	struct err err;

	if (p->tokens > 0 && uses_collect(p->v[index].fd, p->tokens, &p->uses, &err) < 0)
		log_warn("pages", "last uses of tokens are lost", KV_S("error", err.text));
}

void pages_fold(struct pages *p, unsigned index)
{
	struct err err;

	assert(index >= PAGE_SLOTS && index < p->count && p->v[index].taken);
	read_uses(p, index);
	if (p->tokens > 0 && uses_clear(p->v[index].fd, p->tokens, &err) < 0)
		log_warn("pages", "last uses of tokens stay where they were",
		         KV_S("error", err.text));
	stats_fold(p->v[PAGE_BASE].stats, p->v[index].stats);
	p->v[index].taken = false;
}

const struct last_uses *pages_uses(struct pages *p, bool anew)
{
	for (unsigned i = PAGE_SLOTS; anew && i < p->count; i++)
		if (p->v[i].taken)
			read_uses(p, i);
	return &p->uses;
}

struct stats *pages_stats(const struct pages *p, unsigned index)
{
	return p->v[index].stats;
}

int pages_fd(const struct pages *p, unsigned index)
{
	return p->v[index].fd;
}

int pages_fd_reader(const struct pages *p, unsigned index)
{
	return p->v[index].reader_fd;
}
