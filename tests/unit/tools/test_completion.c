/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/completion.c"

#include <criterion/criterion.h>
#include "tools/ctl/options.h"

static char words[256];

static enum takes takes_of(const char *placeholder)
{
	enum takes takes;
	struct buf b;

	buf_init_fixed(&b, words, sizeof(words) - 1);
	takes = completion_takes(placeholder, &b);
	words[b.n] = '\0';
	return takes;
}

Test(completion, a_placeholder_of_the_help_says_what_may_stand_there)
{
	cr_expect_eq(takes_of(NULL), TAKES_NONE);
	cr_expect_eq(takes_of(""), TAKES_NONE);
	cr_expect_eq(takes_of("FILE"), TAKES_FILE);
	cr_expect_eq(takes_of("[FILE]..."), TAKES_FILE);
	cr_expect_eq(takes_of("DIR"), TAKES_FOLDER);
	cr_expect_eq(takes_of("ID [MORE]"), TAKES_ANYTHING);
	cr_expect_eq(takes_of("P"), TAKES_ANYTHING, "a path of a URL is none of a file");
	cr_expect_str_eq(words, "");
	cr_expect_eq(takes_of("SIGNAL"), TAKES_WORD);
	cr_expect_str_eq(words, "traces metrics logs events opaque");
	cr_expect_eq(takes_of("-"), TAKES_WORD);
	cr_expect_str_eq(words, "-");
}

static const char *short_help(const char *help)
{
	struct buf b;

	buf_init_fixed(&b, words, sizeof(words) - 1);
	completion_help(help, &b);
	words[b.n] = '\0';
	return words;
}

Test(completion, a_help_is_cut_to_what_fits_beside_a_word)
{
	cr_expect_str_eq(short_help("the control socket (default: the one that -c names,\nor not)"),
	                 "the control socket");
	cr_expect_str_eq(short_help("one\ntwo (three)"), "one");
	cr_expect_str_eq(short_help("as it is"), "as it is");
	cr_expect_str_eq(short_help(""), "");
}

Test(completion, a_group_is_told_once)
{
	unsigned tenant = 0, lone = 0;

	for (const struct command *const *p = commands; *p; p++) {
		char *group = completion_group(p);

		tenant += group && strcmp(group, "tenant") == 0;
		lone += group && !strchr((*p)->name, ' ');
		free(group);
	}
	cr_expect_eq(tenant, 1);
	cr_expect_eq(lone, 0);
}

static bool is_of(const struct command_option *row, const struct command_option *rows)
{
	for (; rows->name; rows++)
		if (row != rows && (strcmp(row->name, rows->name) == 0 ||
		                    (row->letter && row->letter == rows->letter)))
			return true;
	return false;
}

Test(completion, no_option_hides_one_of_all_commands_or_of_its_own)
{
	for (const struct command *const *p = commands; *p; p++) {
		for (const struct command_option *o = (*p)->options; o && o->name; o++) {
			cr_expect_not(is_of(o, common_options), "%s --%s", (*p)->name, o->name);
			cr_expect_not(is_of(o, (*p)->options), "%s --%s", (*p)->name, o->name);
		}
	}
}

/* The scripts trust in it: what of a row is not quoted in any of them. */
Test(completion, names_are_of_letters_digits_and_dashes)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	for (const struct command *const *p = commands; *p; p++) {
		const char *blank = strchr((*p)->name, ' ');
		size_t n = strspn((*p)->name, allowed);

		cr_expect((*p)->name[n] == '\0' || (*p)->name + n == blank, "%s", (*p)->name);
		cr_expect(!blank || !blank[1 + strspn(blank + 1, allowed)], "%s", (*p)->name);
		for (const struct command_option *o = (*p)->options; o && o->name; o++)
			cr_expect_eq(o->name[strspn(o->name, allowed)], '\0', "--%s", o->name);
	}
}

Test(completion, quotes_of_a_text_end_no_string)
{
	struct buf b;

	buf_init_fixed(&b, words, sizeof(words) - 1);
	completion_quoted("a client's 'x'", "\\'", &b);
	words[b.n] = '\0';
	cr_expect_str_eq(words, "a client\\'s \\'x\\'");
}
