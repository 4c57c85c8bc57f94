/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/import_moose_map.c"

#include <criterion/criterion.h>

static const char ID_COLUMN[] = "{'name':'id','data_type':'String','required':true,'unique':false,"
				"'primary_key':true,'default':null,'annotations':[],'ttl':null,"
				"'codec':null,'comment':'x'}";

/* JSON with ' for ". */
static json_t *parse(const char *text)
{
	autofree char *json = xstrdup(text);
	json_error_t error;
	json_t *out;

	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	out = json_loads(json, JSON_REJECT_DUPLICATES, &error);
	cr_assert(out, "%s: %s", error.text, json);
	return out;
}

static json_t *endpoint(const char *name, const char *version, const char *path, const char *topic,
                        const char *columns)
{
	autofree char *text = NULL;

	cr_assert(asprintf(&text,
	                   "{'name':'%s','version':%s,'path':'%s','method':'POST','api_type':{"
	                   "'INGRESS':{'target_topic_id':'%s','dead_letter_queue':null,"
	                   "'data_model':{'columns':[%s],'allow_extra_fields':false}}}}",
	                   name, version, path, topic, columns) > 0);
	return parse(text);
}

static json_t *map_of(const char *topics, json_t *endpoint_1, json_t *endpoint_2)
{
	json_t *map = json_pack("{s:{s:o},s:o}", "api_endpoints", "INGRESS_1", endpoint_1, "topics",
	                        parse(topics));

	if (endpoint_2)
		json_object_set_new(json_object_get(map, "api_endpoints"), "INGRESS_2", endpoint_2);
	return map;
}

/* Takes the map. The entries as one text, with ' for ". */
static char *mapped(json_t *map)
{
	struct err err = { "" };
	json_t *entries = import_moose_map(map, &err);
	char *text;

	cr_assert(entries, "%s", err.text);
	text = json_dumps(entries, JSON_COMPACT);
	json_decref(entries);
	json_decref(map);
	for (char *p = text; *p; p++)
		if (*p == '"')
			*p = '\'';
	return text;
}

static void expect_one(json_t *e, const char *topics, const char *want)
{
	autofree char *got = mapped(map_of(topics, e, NULL));

	cr_expect_str_eq(got, want);
}

static void expect_error(json_t *e, const char *topics, const char *want)
{
	autofree char *got = mapped(map_of(topics, e, NULL));

	cr_expect(strstr(got, "'error':'") && strstr(got, want), "%s", got);
}

Test(import_moose_map, a_model_without_a_version_keeps_what_the_gateway_reads)
{
	expect_one(endpoint("Foo", "null", "ingest/Foo", "Foo", ID_COLUMN), "{}",
	           "[{'file':'Foo.json','model':{'name':'Foo','columns':["
	           "{'name':'id','data_type':'String','required':true}]}}]");
}

Test(import_moose_map, a_version_makes_file_and_topic_and_is_not_repeated)
{
	expect_one(endpoint("Foo", "'1.10'", "ingest/Foo/1.10", "Foo_1_10", ID_COLUMN), "{}",
	           "[{'file':'Foo_1_10.json','model':{'name':'Foo','version':'1.10','columns':["
	           "{'name':'id','data_type':'String','required':true}]}}]");
}

Test(import_moose_map, a_path_and_a_topic_of_its_own_are_kept)
{
	expect_one(endpoint("Foo", "'2'", "ingest/some/where/2", "Other", ID_COLUMN), "{}",
	           "[{'file':'Foo_2.json','model':{'name':'Foo','version':'2',"
	           "'path':'some/where/2','columns':[{'name':'id','data_type':'String',"
	           "'required':true}],'topic':'Other'}}]");
}

Test(import_moose_map, the_path_of_a_longer_name_is_a_path_of_its_own)
{
	expect_one(endpoint("Foo", "null", "ingest/FooBar", "Foo", ID_COLUMN), "{}",
	           "[{'file':'Foo.json','model':{'name':'Foo','path':'FooBar','columns':["
	           "{'name':'id','data_type':'String','required':true}]}}]");
}

Test(import_moose_map, queue_extra_fields_and_schema_id_are_kept)
{
	json_t *e =
		parse("{'name':'Foo','path':'ingest/Foo','method':'POST','api_type':{'INGRESS':{"
	              "'target_topic_id':'Foo','dead_letter_queue':'FooDeadLetterQueue',"
	              "'data_model':{'allow_extra_fields':true,'columns':[]}}}}");

	expect_one(e, "{'Foo':{'schema_config':{'kind':'JSON','reference':{'id':7}}}}",
	           "[{'file':'Foo.json','model':{'name':'Foo','columns':[],"
	           "'allow_extra_fields':true,'dead_letter_queue':'FooDeadLetterQueue',"
	           "'schema_id':7}}]");
}

Test(import_moose_map, nested_columns_are_mapped_as_outer_ones)
{
	expect_one(
		endpoint("Foo", "null", "ingest/Foo", "Foo",
	                 "{'name':'n','required':true,'materialized':'a','unique':false,"
	                 "'data_type':{'elementNullable':true,'elementType':{'name':'In',"
	                 "'jwt':false,'columns':[{'name':'a','data_type':'Int8','required':false,"
	                 "'default':null,'annotations':[['LowCardinality',true]]}]}}}"),
		"{}",
		"[{'file':'Foo.json','model':{'name':'Foo','columns':[{'name':'n','data_type':"
		"{'elementNullable':true,'elementType':{'name':'In','jwt':false,'columns':["
		"{'name':'a','data_type':'Int8','required':false}]}},'required':true,"
		"'materialized':'a'}]}}]");
}

Test(import_moose_map, what_is_no_ingest_endpoint_is_left_out)
{
	json_t *egress =
		parse("{'name':'q','path':'api/q','method':'GET','api_type':{'EGRESS':{}}}");
	autofree char *got = mapped(
		map_of("{}", egress, endpoint("Foo", "null", "ingest/Foo", "Foo", ID_COLUMN)));

	cr_expect(strstr(got, "[{'file':'Foo.json'") == got && !strstr(got, "error"), "%s", got);
}

Test(import_moose_map, entries_are_sorted_by_file)
{
	autofree char *got = mapped(map_of("{}", endpoint("b", "null", "ingest/b", "b", ID_COLUMN),
	                                   endpoint("A", "null", "ingest/A", "A", ID_COLUMN)));

	cr_expect(strstr(got, "A.json") < strstr(got, "b.json"), "%s", got);
}

Test(import_moose_map, two_models_of_one_file_are_refused)
{
	autofree char *got =
		mapped(map_of("{}", endpoint("a_1", "null", "ingest/a_1", "a_1", ID_COLUMN),
	                      endpoint("A", "'1'", "ingest/A/1", "A_1", ID_COLUMN)));

	cr_expect(strstr(got, "'error':'its file A_1.json would be that of another model too'"),
	          "%s", got);
}

Test(import_moose_map, what_cannot_be_mapped_says_why)
{
	expect_error(endpoint("Foo", "null", "intake/Foo", "Foo", ID_COLUMN), "{}",
	             "its path 'intake/Foo' is not below ingest/");
	expect_error(endpoint("../x", "null", "ingest/../x", "x", ID_COLUMN), "{}",
	             "name and version are letters");
	expect_error(endpoint("Foo", "'1/../../2'", "ingest/Foo/1", "x", ID_COLUMN), "{}",
	             "name and version are letters");
	expect_error(endpoint("Foo", "null", "ingest/Foo", "", ID_COLUMN), "{}",
	             "it has no target_topic_id");
	expect_error(endpoint("Foo", "null", "ingest/Foo", "Foo", ID_COLUMN),
	             "{'Foo':{'schema_config':{'kind':'JSON','reference':{'subjectLatest':'s'}}}}",
	             "the schema of topic 'Foo' is named by its subject");
	expect_error(parse("{'name':'Foo','path':'ingest/Foo','method':'PUT','api_type':{"
	                   "'INGRESS':{}}}"),
	             "{}", "its method is 'PUT'");
	expect_error(parse("{'name':'Foo','path':'ingest/Foo','method':'POST','api_type':{"
	                   "'INGRESS':{'target_topic_id':'Foo'}}}"),
	             "{}", "it has no data_model");
}

Test(import_moose_map, a_column_type_that_the_gateway_does_not_know_is_refused_with_its_name)
{
	expect_error(endpoint("Foo", "null", "ingest/Foo", "Foo",
	                      "{'name':'x','data_type':'Interval','required':true}"),
	             "{}", "column x: ");
}

Test(import_moose_map, another_document_is_no_map)
{
	json_t *other = parse("{'api_endpoints':[]}");
	struct err err = { "" };

	cr_expect_null(import_moose_map(other, &err));
	cr_expect(strstr(err.text, "no infrastructure map"));
	json_decref(other);
}
