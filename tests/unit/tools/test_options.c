/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/options.c"

#include <criterion/criterion.h>

static const struct command_option test_options[] = {
	{ "bytes-burst", "SIZE", "", 0 },
	{ "follow", NULL, "", 0 },
	{ "lines", "N", "", 'n' },
	{ 0 },
};

static int nothing(struct ctl *c)
{
	(void)c;
	return 0;
}

static const struct command test_command = {
	"test it", "ID [MORE]", "", test_options, 1, 2, nothing, NULL,
};

static struct ctl c;
static bool help;

static int parsed(const char *text)
{
	static char line[256];
	static char *argv[16];
	int argc = 0;

	free(c.values);
	c = (struct ctl){ .command = &test_command };
	help = false;
	snprintf(line, sizeof(line), "it %s", text);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	opterr = 0;
	return options_parse(&c, argc, argv, &help);
}

Test(options, options_of_the_command_and_common_ones_stand_anywhere)
{
	cr_expect_eq(parsed("--json a --bytes-burst 5MB -n 3 b --follow -q -c file"), 0);
	cr_expect(c.json && c.quiet);
	cr_expect_str_eq(c.conf_file, "file");
	cr_expect_str_eq(ctl_value(&c, "bytes-burst"), "5MB");
	cr_expect_str_eq(ctl_value(&c, "lines"), "3");
	cr_expect(ctl_given(&c, "follow"));
	cr_expect_eq(c.arg_count, 2);
	cr_expect_str_eq(c.args[0], "a");
	cr_expect_str_eq(c.args[1], "b");
	cr_expect_null(c.args[2]);
	cr_expect_eq(parsed("a"), 0);
	cr_expect_not(ctl_given(&c, "follow"));
	cr_expect_null(ctl_value(&c, "lines"));
}

Test(options, what_is_wrong_is_exit_2)
{
	cr_expect_eq(parsed(""), EXIT_USAGE, "an operand is wanted");
	cr_expect_eq(parsed("a b c"), EXIT_USAGE, "one too many");
	cr_expect_eq(parsed("a --nonsense"), EXIT_USAGE);
	cr_expect_eq(parsed("a --bytes-burst"), EXIT_USAGE, "its value is missing");
	cr_expect_eq(parsed("a --follow=yes"), EXIT_USAGE, "it takes none");
	cr_expect_eq(parsed("a -x"), EXIT_USAGE);
}

Test(options, help_needs_no_operand)
{
	cr_expect_eq(parsed("--help"), 0);
	cr_expect(help);
}

Test(options, a_dash_alone_and_what_follows_two_are_operands)
{
	cr_expect_eq(parsed("-"), 0);
	cr_expect_str_eq(c.args[0], "-");
	cr_expect_eq(parsed("-- --json"), 0);
	cr_expect_not(c.json);
	cr_expect_str_eq(c.args[0], "--json");
}

Test(options, underscores_are_dashes_in_names_alone)
{
	char *text = options_with_dashes("--bytes_burst=a_b");

	cr_expect_str_eq(text, "--bytes-burst=a_b");
	free(text);
	text = options_with_dashes("a_b");
	cr_expect_str_eq(text, "a_b");
	free(text);
}
