/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/expand.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(expand, .init = folder_new, .fini = folder_free);

static const char *with(const char *value)
{
	static char text[600];

	snprintf(text, sizeof(text), "kafka:\n  client_id: %s\n", value);
	return text;
}

static const char *with_file(const char *name)
{
	static char text[400];

	snprintf(text, sizeof(text), "kafka:\n  client_id: \"${file:%s}\"\n", file_path(name));
	return text;
}

#define ASSERT_GIVES(value, want)                                                                  \
	do {                                                                                       \
		ASSERT_LOADS_WITH_SINK(with(value));                                               \
		cr_assert_str_eq(conf->kafka.client_id, (want));                                   \
	} while (0)

/* O3 */
Test(expand, variables_defaults_and_dollars)
{
	setenv("HG_A", "va-lue", 1);
	setenv("HG_EMPTY", "", 1);
	unsetenv("HG_NONE");
	ASSERT_GIVES("${HG_A}", "va-lue");
	ASSERT_GIVES("a.${HG_A}.b.${HG_A}", "a.va-lue.b.va-lue");
	ASSERT_GIVES("${HG_NONE:-x}", "x");
	ASSERT_GIVES("${HG_EMPTY:-y}", "y");
	ASSERT_GIVES("a${HG_NONE:-}b", "ab");
	ASSERT_GIVES("a${HG_EMPTY}b", "ab");
	ASSERT_ONE_ERROR(with("$$"), "headgate.yaml:3:14: error: 'kafka.client_id' cannot be '$$'");
}

/* O3 */
Test(expand, two_dollars_are_one)
{
	put_mode("pw", "x\n", 0600);
	char text[500];

	snprintf(text, sizeof(text),
	         "kafka: {tls: {enabled: true}, sasl: {mechanism: PLAIN, username: 'a$$b$${c}', "
	         "password_file: %s}}\n",
	         file_path("pw"));
	ASSERT_LOADS_WITH_SINK(text);
	cr_assert_str_eq(conf->kafka.sasl.username, "a$b${c}");
}

/* O3 */
Test(expand, an_unset_variable_is_an_error_at_its_place)
{
	unsetenv("HG_NONE");
	ASSERT_ONE_ERROR(with("${HG_NONE}"),
	                 "headgate.yaml:3:14: error: the variable HG_NONE is not set\n");
	ASSERT_SAID("  help: ${HG_NONE:-default} gives it a default\n");
}

Test(expand, what_is_no_expansion_is_refused)
{
	static const char *const bad[] = { "$",          "a$b",        "\"${\"",    "\"${A\"",
		                           "\"${}\"",    "\"${A B}\"", "\"${1A}\"", "\"${A:+x}\"",
		                           "\"${x:y}\"", "$HOME" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_assert_null(load_with_sink(with(bad[i])), "%s", bad[i]);
		cr_assert_eq(report.errors, 1, "%s: %s", bad[i], got);
	}
}

/* O3: after YAML parsing, so nothing that comes in becomes structure, and only once. */
Test(expand, what_a_file_holds_stays_text)
{
	put("v", "x: [ ${HG_A} $$\n");
	char text[500];

	snprintf(text, sizeof(text), "tenants:\n  dsn: \"${file:%s}\"\n", file_path("v"));
	cr_assert_eq(chmod(file_path("v"), 0600), 0);
	ASSERT_LOADS_WITH_SINK(text);
	cr_assert_str_eq(conf->tenants.dsn, "x: [ ${HG_A} $$");
}

/* O3 */
Test(expand, expanded_text_is_in_no_message)
{
	setenv("HG_A", "hunter2 with blanks", 1);
	put("v", "hunter2 with blanks\n");
	ASSERT_ONE_ERROR(with("${HG_A}"),
	                 "headgate.yaml:3:14: error: 'kafka.client_id' cannot be '${HG_A}': ");
	ASSERT_NOT_SAID("hunter2");
	ASSERT_ONE_ERROR(with_file("v"), "error: 'kafka.client_id' cannot be '${file:v}': ");
	ASSERT_NOT_SAID("hunter2");
	ASSERT_ONE_ERROR("workers: ${HG_A}\n", "'workers' cannot be '${HG_A}'");
	ASSERT_NOT_SAID("hunter2");
	ASSERT_ONE_ERROR("kafka: {brokers: ['${HG_A}']}\n", "'kafka.brokers' cannot be '${HG_A}'");
	ASSERT_NOT_SAID("hunter2");
}

/* O3 */
Test(expand, nor_is_it_where_values_are_compared)
{
	static const char *const cases[] = {
		"auth: {default_tenant: '${HG_A}'}\n",
		"protocols: {otlp: {logs_topic: '${HG_A}'}}\n",
		"kafka: {brokers: ['${HG_B}']}\n",
		"auth: {token_headers: ['${HG_C}', '${HG_C}']}\n",
		"admin: {listen: '${HG_D}'}\n",
		"listeners: [{name: '${HG_C}'}, {name: '${HG_C}', listen: 127.0.0.1:1}]\n",
		"kafka: {sasl: {mechanism: '${HG_E}'}}\n",
		"kafka: {tls: {enabled: true, ca_file: '/${HG_E}'}}\n",
		"kafka: {tls: {enabled: true, ca_file: '/${HG_E}'}, client_id: '${cred:x}'}\n",
		"routes: [{name: '${HG_C}'}, {name: '${HG_C}'}]\n",
		"routes: [{name: a, path: /a, protocol: '${HG_C}', topic: t}]\n",
		"routes: [{name: a, path: '${HG_C}', protocol: opaque, topic: t}]\n",
		"routes: [{name: a, path: /a, protocol: opaque, topic: '${HG_A}'}]\n",
		"routes: [{name: a, listeners: ['${HG_C}']}]\n",
		"routes: [{name: a, scope: '${HG_C}'}]\n",
		"routes: [{name: a, topic_prefix: '{${HG_C}'}]\n",
		"record: {topic_prefix: '{${HG_C}'}\n",
		"protocols: {models: {dir: '/${HG_C}'}}\n",
		"protocols: {models: {path_prefix: '${HG_C}'}}\n",
		"usage: {enabled: true, topic: '${HG_A}'}\n",
	};

	setenv("HG_A", "..", 1);
	setenv("HG_B", "hunter2:x", 1);
	setenv("HG_C", "hunter2", 1);
	setenv("HG_D", "1.2.3.4:5432", 1);
	setenv("HG_E", "HUNTER2", 1);
	setenv("CREDENTIALS_DIRECTORY", "/hunter2", 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_assert_null(load_with_sink(cases[i]), "%s", cases[i]);
		ASSERT_NOT_SAID("'..'");
		ASSERT_NOT_SAID("hunter2");
		ASSERT_NOT_SAID("HUNTER2");
		ASSERT_NOT_SAID("5432");
	}
}

Test(expand, one_final_newline_goes)
{
	put("v", "abc\n");
	ASSERT_LOADS_WITH_SINK(with_file("v"));
	cr_assert_str_eq(conf->kafka.client_id, "abc");
	put("v", "abc\r\n");
	ASSERT_LOADS_WITH_SINK(with_file("v"));
	cr_assert_str_eq(conf->kafka.client_id, "abc");
	put("v", "abc\n\n");
	ASSERT_ONE_ERROR(with_file("v"), "it holds a control character");
}

Test(expand, a_file_has_its_limits)
{
	static char huge[70000];
	FILE *f;

	memset(huge, 'a', 65536);
	put("v", huge);
	ASSERT_ONE_ERROR(with_file("v"), "it is too long");
	memset(huge, 'a', 65537);
	put("v", huge);
	ASSERT_ONE_ERROR(with_file("v"), ": File too large\n");
	f = fopen(file_path("v"), "w");
	fwrite("a\0b", 1, 3, f);
	fclose(f);
	ASSERT_ONE_ERROR(with_file("v"), "holds a NUL byte\n");
	ASSERT_ONE_ERROR(with_file("gone"), ": No such file or directory\n");
	ASSERT_ONE_ERROR(with_file("conf.d"), "is no regular file\n");
	ASSERT_ONE_ERROR(with("\"${file:x}\""), "a file is named by its absolute path\n");
}

Test(expand, many_expansions_end_at_64_KiB)
{
	static char huge[65000], text[700];

	memset(huge, 'a', 60000);
	put("v", huge);
	snprintf(text, sizeof(text), "${file:%s}${file:%s}", file_path("v"), file_path("v"));
	ASSERT_ONE_ERROR(with(text), "the value is over 64 KiB when expanded\n");
}

Test(expand, credentials_come_from_their_folder)
{
	put_mode("conf.d/dbpw", "geheim\n", 0600);
	setenv("CREDENTIALS_DIRECTORY", file_path("conf.d"), 1);
	ASSERT_GIVES("\"${cred:dbpw}\"", "geheim");
	ASSERT_ONE_ERROR(with("\"${cred:../v}\""), "a credential has a name without slashes\n");
	ASSERT_ONE_ERROR(with("\"${cred:..}\""), "a credential has a name without slashes\n");
	ASSERT_ONE_ERROR(with("\"${cred:}\""), "a credential has a name without slashes\n");
	unsetenv("CREDENTIALS_DIRECTORY");
	ASSERT_ONE_ERROR(with("\"${cred:dbpw}\""), "$CREDENTIALS_DIRECTORY is not set\n");
}

/* ---- files of options ---- */

static const char *with_password(void)
{
	static char text[400];

	snprintf(text, sizeof(text),
	         "kafka: {tls: {enabled: true}, sasl: {mechanism: PLAIN, username: u,\n"
	         "  password_file: %s}}\n",
	         file_path("pw"));
	return text;
}

/* O3 */
Test(expand, a_secret_file_open_to_others_is_refused_with_the_cure)
{
	put_mode("pw", "geheim\n", 0644);
	ASSERT_ONE_ERROR(
		with_password(),
		"headgate.yaml:3:18: error: the secret file 'pw' is open to others (mode 0644)\n");
	ASSERT_SAID("  help: chmod o-rwx pw\n");
	put_mode("pw", "geheim\n", 0602);
	ASSERT_ONE_ERROR(with_password(), "is open to others (mode 0602)\n");
	put_mode("pw", "geheim\n", 0640);
	ASSERT_LOADS_WITH_SINK(with_password());
	cr_assert(bytes_eq(conf->kafka.sasl.password_file.content, BYTES("geheim")));
	put_mode("pw", "geheim\n", 0600);
	ASSERT_LOADS_WITH_SINK(with_password());
}

/* O3 */
Test(expand, a_secret_file_of_a_foreign_group_is_refused)
{
	put_mode("pw", "geheim\n", 0640);
	if (chown(file_path("pw"), (uid_t)-1, 12345) != 0)
		cr_skip_test("only root can give a file to a group that is not its own");
	ASSERT_ONE_ERROR(with_password(), "is open to the group 12345 (mode 0640)\n");
	ASSERT_SAID("  help: chgrp ");
	cr_assert_eq(chmod(file_path("pw"), 0600), 0);
	ASSERT_LOADS_WITH_SINK(with_password());
}

Test(expand, a_secret_behind_an_expansion_is_as_private)
{
	char text[300];

	put_mode("dsn", "host=db\n", 0644);
	snprintf(text, sizeof(text), "tenants: {dsn: \"${file:%s}\"}\n", file_path("dsn"));
	ASSERT_ONE_ERROR(text, "the secret file 'dsn' is open to others");
	cr_assert_eq(chmod(file_path("dsn"), 0600), 0);
	ASSERT_LOADS_WITH_SINK(text);
	cr_assert_str_eq(conf->tenants.dsn, "host=db");
}

Test(expand, an_empty_secret_is_none)
{
	put_mode("pw", "\n", 0600);
	ASSERT_ONE_ERROR(with_password(), "the file 'pw' is empty\n");
}

Test(expand, a_certificate_may_be_open_and_has_1_MiB)
{
	static char pem[MIB + 2], text[300];

	memset(pem, 'x', MIB);
	put("ca", pem);
	snprintf(text, sizeof(text), "kafka: {tls: {enabled: true, ca_file: %s}}\n",
	         file_path("ca"));
	ASSERT_LOADS_WITH_SINK(text);
	cr_assert_eq(conf->kafka.tls.ca_file.content.n, MIB);
	pem[MIB] = 'x';
	put("ca", pem);
	ASSERT_ONE_ERROR(text, ": File too large\n");
}

Test(expand, a_key_keeps_its_last_newline)
{
	char text[500];
	size_t n;

	put("c", "CERT\n");
	put_mode("k", "KEY\n", 0600);
	n = (size_t)snprintf(text, sizeof(text), "admin: {tls: {cert_file: %s, ", file_path("c"));
	snprintf(text + n, sizeof(text) - n, "key_file: %s}}\n", file_path("k"));
	ASSERT_LOADS_WITH_SINK(text);
	cr_assert(bytes_eq(conf->admin.tls.pairs.v[0].key_file.content, BYTES("KEY\n")));
	cr_assert(bytes_eq(conf->admin.tls.pairs.v[0].cert_file.content, BYTES("CERT\n")));
}

Test(expand, offline_no_file_is_opened)
{
	offline = true;
	ASSERT_LOADS_WITH_SINK(with_password());
	cr_assert_eq(conf->kafka.sasl.password_file.content.n, 0);
	ASSERT_LOADS_WITH_SINK(with_file("gone"));
	cr_assert_str_eq(conf->kafka.client_id, "headgate");
	unsetenv("CREDENTIALS_DIRECTORY");
	ASSERT_LOADS_WITH_SINK("tenants: {source: postgres, dsn: \"password=${cred:x}\"}\n");
}

Test(expand, a_path_alone_is_not_opened)
{
	ASSERT_LOADS_WITH_SINK(
		"tenants: {file: /nonexistent/x}\nlog: {audit_file: /nonexistent/y}\n");
	cr_assert_str_eq(conf->log.audit_file.path, "/nonexistent/y");
}
