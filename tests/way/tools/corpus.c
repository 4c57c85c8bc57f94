/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus.c -- prints the corpus of requests that the unit tests walk through the stages
 * (tests/unit/worker/http_corpus.def), so that the way tests can send the same bytes to the whole
 * program: group, name, outcome and bytes in hex, tabs between them.
 */
#include <stdio.h>

static void print(const char *group, const char *name, const char *outcome, const char *bytes,
                  size_t n)
{
	printf("%s\t%s\t%s\t", group, name, outcome);
	for (size_t i = 0; i < n; i++)
		printf("%02x", (unsigned char)bytes[i]);
	putchar('\n');
}

int main(void)
{
#define CASE(group, name, outcome, bytes) print(#group, #name, outcome, bytes, sizeof(bytes) - 1);
#include "tests/unit/worker/http_corpus.def"
#undef CASE
	return 0;
}
