/* SPDX-License-Identifier: Apache-2.0 */
/* spool_rows.h -- files of the spool with rows that tests can tell apart. */
#pragma once
#include "tests/unit/worker/store_folder.h"
#include "worker/spool_file.h"

enum { SPOOL_ROWS_MS = 1000 };

/* One group: a row for each word of "logs=a spans=b ...": its topic, and its value. */
static inline void rows_add(struct store_file *f, const char *words)
{
	struct err err = { "" };
	char text[1024], *save = NULL;

	snprintf(text, sizeof(text), "%s", words);
	cr_assert_eq(store_file_begin(f, &err), 0, "%s", err.text);
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		char *value = strchr(word, '=');
		struct store_row row = {
			.received_ms = SPOOL_ROWS_MS,
			.flags = INT64_C(7) << STORE_WORD_SHIFT | 3 << STORE_ITEMS_SHIFT,
			.tenant = BYTES("acme"),
			.signal = BYTES("logs"),
			.headers = BYTES(
				"[[\"X-Scope-OrgID\",\"acme\"],[\"a\",\"q\\\"\\\\\\u0001\"]]"),
		};

		*value++ = '\0';
		row.topic = bytes_str(word);
		row.value = bytes_str(value);
		cr_assert_eq(store_file_add(f, &row, &err), 0, "%s", err.text);
	}
	cr_assert_eq(store_file_commit(f, &err), 0, "%s", err.text);
}

static inline struct store_file *rows_file(const char *words)
{
	struct err err = { "" };
	struct store_file *f = store_file_create(&folder, 0, &err);

	cr_assert(f, "%s", err.text);
	rows_add(f, words);
	return f;
}
