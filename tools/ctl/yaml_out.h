/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_out.h -- a tenants.yaml (records.md 2.3) as JSON and back: read to be changed, written
 * whole. Scalars are strings, as the strict reader has them; comments are lost. Text in, text out:
 * the file itself is registry_file.c's.
 */
#pragma once
#include "common/buf.h"
#include "tools/ctl/ctl.h"

/* NULL if the text is no YAML of ours, or empty. */
json_t *tenants_from_yaml(const char *path, struct bytes text) MUST_USE;
/* Block style, a fixed order of keys; reads back to the same. */
void tenants_to_yaml(const json_t *root, struct buf *out);
/* A line that holds only a comment, or text with one behind it. */
bool has_comment(struct bytes text);
