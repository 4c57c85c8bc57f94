/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_node.c -- builds the tree from libyaml's events with a stack of its own. libyaml accepts
 * much that would let two readers see two files (duplicate keys, unknown aliases, more documents);
 * all of it is refused here. A YAML syntax error ends its own file only.
 */
#include "conf/yaml_node.h"

#include <errno.h>
#include <fcntl.h>
#include <yaml.h>

enum { DEPTH_MAX = 32, SHOWN_KEY_BYTES = 64 };

struct frame { /* a container that is open */
	struct yaml_node *node, *last;
	struct yaml_node *key; /* of the value to come */
	bool has_key, drop; /* drop: the value to come belongs to a key that was refused */
};

struct builder {
	struct report *r;
	const struct source *source;
	struct yaml_node *root;
	struct frame stack[DEPTH_MAX];
	size_t depth;
	unsigned documents;
	bool stop; /* the rest of the file is not read; what was built stands */
	bool failed; /* there is no tree */
};

static struct place place_of(const struct builder *b, const yaml_mark_t *from,
                             const yaml_mark_t *to)
{
	struct place at = { .source = b->source, .width = 1 };

	at.line = (unsigned)from->line + 1; /* libyaml counts from 0, in code points */
	at.col = (unsigned)from->column + 1;
	if (to && to->line > from->line)
		at.width = UINT16_MAX; /* to the end of the line: the excerpt cuts it */
	else if (to && to->column > from->column)
		at.width = (unsigned)(to->column - from->column);
	return at;
}

/* ---- duplicates ---- */

static int by_key(const void *va, const void *vb)
{
	const struct yaml_node *a = *(struct yaml_node *const *)va;
	const struct yaml_node *b = *(struct yaml_node *const *)vb;
	int order = strcmp(a->key->text, b->key->text);

	if (order)
		return order;
	if (a->key->at.line != b->key->at.line)
		return a->key->at.line < b->key->at.line ? -1 : 1;
	return a->key->at.col < b->key->at.col ? -1 : a->key->at.col > b->key->at.col;
}

static void say_duplicate(struct builder *b, const struct yaml_node *first,
                          const struct yaml_node *again)
{
	const struct place *at = &first->key->at;

	report_error(b->r, again->key->at, "duplicate key '%.*s': first at %s:%u:%u",
	             SHOWN_KEY_BYTES, again->key->text, source_path(at->source), at->line, at->col);
	report_help(b->r, "take out one of the two");
}

/* The first one stays in the tree, so that nothing else is said about the others. */
static void refuse_duplicates(struct builder *b, struct yaml_node *map)
{
	autofree struct yaml_node **sorted = xcalloc(map->count, sizeof(struct yaml_node *));
	struct yaml_node *first = NULL, *last = NULL;
	size_t n = 0;

	for (struct yaml_node *c = map->first; c; c = c->next)
		sorted[n++] = c;
	qsort(sorted, n, sizeof(struct yaml_node *), by_key);
	for (size_t i = 0; i < n; i++) {
		if (first && strcmp(first->key->text, sorted[i]->key->text) == 0) {
			say_duplicate(b, first, sorted[i]);
			sorted[i]->count = SIZE_MAX; /* the mark of those to be taken out */
		} else {
			first = sorted[i];
		}
	}
	for (struct yaml_node *c = map->first; c; c = c->next) {
		if (c->count == SIZE_MAX) {
			last->next = c->next; /* never the first child: that one is no duplicate */
			map->count--;
		} else {
			last = c;
		}
	}
}

/* ---- building ---- */

static struct yaml_node *node_new(struct builder *b, enum node_kind kind, const yaml_mark_t *from,
                                  const yaml_mark_t *to)
{
	struct yaml_node *n = pool_zalloc(report_pool(b->r), sizeof(*n));

	n->kind = kind;
	n->text = "";
	n->at = place_of(b, from, to);
	return n;
}

static void append(struct frame *f, struct yaml_node *n)
{
	if (f->last)
		f->last->next = n;
	else
		f->node->first = n;
	f->last = n;
	f->node->count++;
}

/* The value of the open key is there, or is one of those that are refused. */
static void value_done(struct frame *f)
{
	f->key = NULL;
	f->has_key = f->drop = false;
}

static void take_key(struct builder *b, struct frame *f, struct yaml_node *n)
{
	f->has_key = true;
	f->key = n;
	if (n->kind != NODE_SCALAR) {
		report_error(b->r, n->at, "a list or map cannot be a key here");
		f->drop = true;
	} else if (strcmp(n->text, "<<") == 0) {
		report_error(b->r, n->at, "merge keys (<<) are not allowed");
		report_help(b->r, "write the keys out");
		f->drop = true;
	}
}

static void take_node(struct builder *b, struct yaml_node *n)
{
	struct frame *f = b->depth ? &b->stack[b->depth - 1] : NULL;

	if (!f) {
		b->root = n;
	} else if (f->node->kind == NODE_LIST) {
		append(f, n);
	} else if (!f->has_key) {
		take_key(b, f, n);
	} else {
		n->key = f->key;
		if (!f->drop)
			append(f, n);
		value_done(f);
	}
}

static void open_container(struct builder *b, enum node_kind kind, const yaml_event_t *ev)
{
	struct yaml_node *n = node_new(b, kind, &ev->start_mark, NULL);

	if (b->depth == DEPTH_MAX) {
		report_error(b->r, n->at, "nested too deeply: at most %d levels", DEPTH_MAX);
		b->stop = b->failed = true;
		return;
	}
	take_node(b, n);
	b->stack[b->depth++] = (struct frame){ .node = n };
}

static void close_container(struct builder *b)
{
	struct yaml_node *n = b->stack[--b->depth].node;

	if (n->kind == NODE_MAP && n->count > 1)
		refuse_duplicates(b, n);
}

static void take_scalar(struct builder *b, const yaml_event_t *ev)
{
	struct yaml_node *n = node_new(b, NODE_SCALAR, &ev->start_mark, &ev->end_mark);
	const uint8_t *text = ev->data.scalar.value;
	size_t len = ev->data.scalar.length;

	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (len && memchr(text, '\0', len))
		report_error(b->r, n->at, "a NUL character is not allowed");
	else
		n->text = (const char *)pool_dup(report_pool(b->r), bytes_of(text, len + 1)).p;
	take_node(b, n);
}

static void refuse_alias(struct builder *b, const yaml_event_t *ev)
{
	struct frame *f = b->depth ? &b->stack[b->depth - 1] : NULL;
	bool is_map = f && f->node->kind == NODE_MAP;

	if (!is_map || !f->drop) { /* of `<<: *x` one error is enough */
		report_error(b->r, place_of(b, &ev->start_mark, &ev->end_mark),
		             "aliases are not allowed");
		report_help(b->r, "write the value again");
	}
	if (is_map && !f->has_key)
		f->has_key = f->drop = true;
	else if (is_map)
		value_done(f);
}

static void refuse_document(struct builder *b, const yaml_event_t *ev)
{
	b->documents++;
	if (b->documents > 1) {
		report_error(b->r, place_of(b, &ev->start_mark, &ev->end_mark),
		             "a second document is not allowed");
		report_help(b->r, "a file holds one document: take out this ---");
		b->stop = true;
	} else if (ev->data.document_start.tag_directives.start !=
	           ev->data.document_start.tag_directives.end) {
		report_error(b->r, place_of(b, &ev->start_mark, NULL),
		             "tag directives (%%TAG) are not allowed");
	}
}

/* Anchors and tags are refused; the node they stand at is taken as if they did not. */
static void refuse_properties(struct builder *b, const yaml_event_t *ev, const uint8_t *anchor,
                              const uint8_t *tag)
{
	struct place at = place_of(b, &ev->start_mark, NULL);

	if (anchor)
		report_error(b->r, at, "anchors (&) are not allowed");
	if (tag)
		report_error(b->r, at, "tags (!) are not allowed");
}

static void take_event(struct builder *b, const yaml_event_t *ev)
{
	switch ((int)ev->type) { /* a library's enum */
	case YAML_DOCUMENT_START_EVENT:
		refuse_document(b, ev);
		return;
	case YAML_ALIAS_EVENT:
		refuse_alias(b, ev);
		return;
	case YAML_SCALAR_EVENT:
		refuse_properties(b, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
		take_scalar(b, ev);
		return;
	case YAML_SEQUENCE_START_EVENT:
		refuse_properties(b, ev, ev->data.sequence_start.anchor,
		                  ev->data.sequence_start.tag);
		open_container(b, NODE_LIST, ev);
		return;
	case YAML_MAPPING_START_EVENT:
		refuse_properties(b, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
		open_container(b, NODE_MAP, ev);
		return;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_container(b);
		return;
	case YAML_STREAM_END_EVENT:
		b->stop = true;
		return;
	}
}

/* ---- syntax errors ---- */

/* What cannot be decoded has a byte offset alone: line and column are counted here. */
static struct place place_of_offset(const struct builder *b, struct bytes text, size_t offset)
{
	struct place at = { .source = b->source, .line = 1, .col = 1, .width = 1 };

	for (size_t i = 0; i < min_size(offset, text.n); i++) {
		if (text.p[i] == '\n') {
			at.line++;
			at.col = 1;
		} else if ((text.p[i] & 0xc0) != 0x80) {
			at.col++;
		}
	}
	return at;
}

/* True if the character at a mark is a tab; the mark's index counts code points. */
static bool is_tab(struct bytes text, size_t index)
{
	size_t at = 0;

	for (size_t i = 0; i < text.n; i++) {
		if ((text.p[i] & 0xc0) == 0x80)
			continue;
		if (at++ == index)
			return text.p[i] == '\t';
	}
	return false;
}

static void say_syntax(struct builder *b, const yaml_parser_t *p, struct bytes text)
{
	struct place at = place_of(b, &p->problem_mark, NULL);

	b->failed = true;
	if (p->error == YAML_MEMORY_ERROR)
		out_of_memory();
	if (p->error == YAML_READER_ERROR) {
		report_error(b->r, place_of_offset(b, text, p->problem_offset),
		             "this is no text file in UTF-8: %s", p->problem);
	} else if (is_tab(text, p->problem_mark.index)) {
		report_error(b->r, at, "a tab cannot stand here");
		report_help(b->r, "indent with spaces");
	} else if (p->context && p->context_mark.line != p->problem_mark.line) {
		report_error(b->r, at, "YAML: %s (%s that began in line %zu)", p->problem,
		             p->context, p->context_mark.line + 1);
	} else {
		report_error(b->r, at, "YAML: %s", p->problem);
	}
}

struct yaml_node *yaml_read_text(struct report *r, const char *path, struct bytes text)
{
	struct builder b = { .r = r, .source = report_source(r, path, text) };
	yaml_parser_t parser;
	yaml_event_t ev;

	if (!yaml_parser_initialize(&parser))
		out_of_memory();
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, text.n ? text.p : (const uint8_t *)"", text.n);
	while (!b.stop) {
		if (!yaml_parser_parse(&parser, &ev)) {
			say_syntax(&b, &parser, text);
			break;
		}
		take_event(&b, &ev);
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&parser);
	return b.failed ? NULL : b.root;
}

/* ---- files ---- */

static void free_text(void *p)
{
	free(p);
}

/* All of fd, at most max bytes. -1 with errno; EFBIG if it is longer. */
static int read_all(int fd, size_t max, struct bytes *out)
{
	struct buf b;
	char chunk[16 * KIB];
	ssize_t n;

	buf_init(&b, max);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			buf_add(&b, chunk, (size_t)n);
		if (n < 0 || b.failed) {
			int why = n < 0 ? errno : EFBIG;

			buf_done(&b);
			errno = why;
			return -1;
		}
	}
	*out = buf_view(&b);
	return 0;
}

struct yaml_node *yaml_read(struct report *r, const char *path, size_t max_bytes)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct bytes text = BYTES_NONE;

	if (fd < 0 || read_all(fd, max_bytes, &text) < 0) {
		int why = errno;
		struct place at = { .source = report_source(r, path, BYTES_NONE) };

		report_error(r, at, "can't read this file: %s", strerror(why));
		return NULL;
	}
	pool_on_free(report_pool(r), free_text, (void *)text.p);
	return yaml_read_text(r, path, text);
}

const char *yaml_library_version(void)
{
	return yaml_get_version_string();
}
