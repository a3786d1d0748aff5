/* The record: its fields and their order, templates, services, and that it is what the Avro schema takes. */
#include "recommend_driver.h"

#include "codec/avro_write.h"
#include "codec/schemas_embedded.h"

#define HEAD                                                                                                           \
    "- id: cart-fails\n"                                                                                               \
    "  from:\n"                                                                                                        \
    "    bad: {stream: incident, match: {service: cart}}\n"                                                            \
    "  detect: {group_by: [service, environment], window: {size: 30d}, when: 'count(bad) >= 1 && avg(bad, "            \
    "event.reopened) >= 0'}\n"

static const char full_rule[] =
    HEAD "  recommend:\n"
         "    category: deployment_pipeline\n"
         "    title: 'Canary for {{ group.service }}'\n"
         "    complexity: high\n"
         "    roadmap: automation\n"
         "    spec:\n"
         "      problem: '{{ count(bad) }} failures, {{ minutes_lost }} minutes, MTTR {{ mttr }}, MTTD {{ mttd }}'\n"
         "      solution: A canary\n"
         "      implementation: [Add it, 'Watch {{ services }}']\n"
         "      testing: [Break it]\n"
         "      rollout: [Staging, Production]\n"
         "      effort: 3d\n"
         "      dependencies: [Argo]\n"
         "      code: [{path: 'deploy/{{ group.service }}.yaml', language: yaml, text: '{{ not.a.template }}'}]\n"
         "      references: [https://example.org/canary]\n"
         "  validate: {measures: {opened: {value: 'distinct(bad, event.service)', met: after <= before}}}\n";

static const char bare_rule[] = HEAD "  recommend: {category: code_quality, title: T, cooldown: 0s}\n";

static const char expected[] =
    "{\"recommendation_id\":\"cart-fails:0123456789abcdef\",\"rule_id\":\"cart-fails\",\"rule_hash\":\"%016llx\","
    "\"version\":1,\"life_version\":1,\"status\":\"proposed\",\"category\":\"deployment_pipeline\","
    "\"title\":\"Canary for cart\",\"group\":{\"service\":\"cart\",\"environment\":null},\"services\":[\"cart\"],"
    "\"priority\":\"P3\",\"impact_score\":16,\"impact\":\"medium\",\"complexity\":\"high\",\"roadmap\":\"automation\","
    "\"severity\":\"sev1\",\"frequency\":1,\"detections\":1,\"firings\":1,\"occurrences\":1,\"incidents\":1,"
    "\"first_seen\":\"1970-01-02T00:00:00.000Z\",\"last_seen\":\"1970-01-02T00:00:00.000Z\",\"mttd\":null,"
    "\"mttd_median\":null,\"mttr\":1500000,\"mttr_median\":1500001,\"minutes_lost\":25.25,"
    "\"estimated_benefit\":{\"incidents_per_30d\":1,\"minutes_per_30d\":25.25},"
    "\"evidence\":[{\"stream\":\"incident\",\"event_id\":\"event-a\",\"incident_id\":\"a\",\"service\":\"cart\","
    "\"occurred_at\":\"1970-01-02T00:00:00.000Z\",\"summary\":\"It broke\"}],"
    "\"code_refs\":[{\"path\":\"src/a.c\",\"count\":1}],\"root_causes\":[{\"cause\":\"capacity\",\"count\":1}],"
    "\"components\":[{\"component\":\"redis\",\"count\":1}],"
    "\"values\":{\"count(bad)\":3,\"incidents\":1,\"minutes_lost\":25.25},"
    "\"spec\":{\"problem\":\"3 failures, 25.25 minutes, MTTR 25m, MTTD unknown\",\"solution\":\"A canary\","
    "\"implementation\":[\"Add it\",\"Watch cart, web\"],\"testing\":[\"Break it\"],"
    "\"rollout\":[\"Staging\",\"Production\"],\"effort\":\"3d\",\"dependencies\":[\"Argo\"],"
    "\"code\":[{\"path\":\"deploy/cart.yaml\",\"language\":\"yaml\",\"text\":\"{{ not.a.template }}\"}],"
    "\"references\":[\"https://example.org/canary\"]},"
    "\"validation\":{\"state\":\"none\",\"implemented_at\":null,\"before_from\":null,\"before_to\":null,"
    "\"after_from\":null,\"after_to\":null,\"measures\":[]},"
    "\"history\":[{\"at\":\"1970-01-02T00:00:00.000Z\",\"from\":null,\"to\":\"proposed\",\"actor\":\"forestall\","
    "\"comment\":null}],\"supersedes\":[],\"superseded_by\":null,\"notes\":[\"approximate\",\"capped\"],"
    "\"event_time\":\"1970-01-02T00:00:00.000Z\"}";

static struct driver driver;

static struct made *one_incident(enum outcome outcome)
{
    struct made *made = made_new(&driver.kept, DAYS(1), outcome, true);
    (void)made_add(made,
                   incident_row(&driver.kept, (struct incident){.id = "a",
                                                                .severity = "sev1",
                                                                .title = "It broke",
                                                                .root_cause = "capacity",
                                                                .component = "redis",
                                                                .code_refs = {"src/a.c"},
                                                                .opened_ms = DAYS(1),
                                                                .resolved_ms = DAYS(1) + 1515 * SECOND_MS}),
                   true);
    return made;
}

static struct value *services(void)
{
    struct value *items = arena_alloc(&driver.kept, 2 * sizeof *items);
    items[0] = value_text("cart");
    items[1] = value_text("web");
    return items;
}

static void publish_full(void)
{
    driver_open(&driver, full_rule);
    struct made *made = one_incident(DETECTS);
    made->slots[OUT_INCIDENTS] = value_double(1);
    made->slots[OUT_MTTR] = value_span_ms(1500000);
    made->slots[OUT_MTTR_MEDIAN] = value_span_ms(1500001);
    made->slots[OUT_MINUTES_LOST] = value_double(25.25);
    made->slots[OUT_SERVICES] = value_list(services(), 2);
    made->slots[OUT_FIXED_COUNT] = value_double(3); /* the average, the second, is null */
    made->slots[OUT_FIXED_COUNT + 2] = value_double(7);
    assert_int_equal(driver.group.rule->aggregate_count, 3);
    assert_false(driver.group.rule->aggregates[2].detects); /* validate's alone is no value */
    made->evaluation.approximate = made->evaluation.capped = true;
    driver_evaluate(&driver, made);
}

static void test_every_field(void **state)
{
    (void)state;
    publish_full();
    struct buf want = {0};
    struct buf got = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    buf_printf(&want, expected, (unsigned long long)driver.rules->rules[0].hash);
#pragma GCC diagnostic pop
    value_json(&got, driver.versions[0]);
    buf_byte(&want, 0);
    buf_byte(&got, 0);
    assert_string_equal(got.p, want.p);
    assert_int_equal(recommender_counters(driver.recommender)->template_errors, 0);
    buf_fini(&want);
    buf_fini(&got);
    driver_close(&driver);
}

static void encodes(struct value record)
{
    struct avro_encoder *encoder;
    struct error err;
    struct buf out = {0};
    assert_int_equal(avro_encoder_new(&encoder, str_of(schema_embedded_find("recommendation")), &err), 0);
    if (avro_encode(encoder, record, &out, &err) != 0)
        fail_msg("%s", err.message);
    assert_true(out.len > 100);
    buf_fini(&out);
    avro_encoder_free(encoder);
}

static void test_the_schema_takes_it(void **state)
{
    (void)state;
    publish_full();
    encodes(driver.versions[0]);
    driver_close(&driver);
    driver_open(&driver, bare_rule);
    struct made *made = made_new(&driver.kept, DAYS(1), DETECTS, false);
    made->slots[OUT_INCIDENTS] = value_double(0); /* what every detector says; null does not fit the schema */
    driver_evaluate(&driver, made);
    encodes(driver.versions[0]);
    driver_close(&driver);
}

static void test_what_is_left_out(void **state)
{
    (void)state;
    driver_open(&driver, bare_rule);
    driver_evaluate(&driver, made_new(&driver.kept, DAYS(1), DETECTS, true));
    assert_field(
        &driver, "spec",
        "{\"problem\":null,\"solution\":null,\"implementation\":[],\"testing\":[],\"rollout\":[],\"effort\":null,"
        "\"dependencies\":[],\"code\":[],\"references\":[]}");
    assert_field(&driver, "incidents", "null");
    assert_field(&driver, "minutes_lost", "null");
    assert_field(&driver, "first_seen", "null");
    assert_field(&driver, "last_seen", "null");
    assert_field(&driver, "values", "{}");
    assert_field(&driver, "notes", "[]");
    assert_field(&driver, "complexity", "\"high\"");
    assert_field(&driver, "roadmap", "\"quality\"");
    driver_close(&driver);
}

static void test_group_values_are_text(void **state)
{
    (void)state;
    driver_open(&driver, bare_rule);
    struct made *made = made_new(&driver.kept, DAYS(1), DETECTS, true);
    made->group[1] = value_int(7);
    made->group[3] = value_bool(true);
    driver_evaluate(&driver, made);
    assert_field(&driver, "group", "{\"service\":\"7\",\"environment\":\"true\"}");
    driver_close(&driver);
}

/* Numbers that JSON has no form for are left out. */
static void test_values_are_finite(void **state)
{
    (void)state;
    driver_open(&driver, bare_rule);
    struct made *made = made_new(&driver.kept, DAYS(1), DETECTS, true);
    made->slots[OUT_FIXED_COUNT] = value_int(4);
    made->slots[OUT_FIXED_COUNT + 1] = value_double(1e308 * 10);
    driver_evaluate(&driver, made);
    assert_field(&driver, "values", "{\"count(bad)\":4}");
    driver_close(&driver);
}

static void published_services(const char *key, enum outcome second, const char *json)
{
    char rule[2048];
    (void)snprintf(rule, sizeof rule, "%s  recommend: {category: code_quality, title: T, cooldown: 0s%s}\n", HEAD, key);
    driver_open(&driver, rule);
    struct made *made = one_incident(DETECTS);
    (void)made_add(made, metric("seen too", DAYS(1)), true);
    made->slots[OUT_SERVICES] = value_list(services(), 2);
    driver_evaluate(&driver, made);
    if (second != QUIET) { /* a second true evaluation names other services */
        made = made_new(&driver.kept, DAYS(2), second, true);
        made->slots[OUT_SERVICES] = value_list(services(), 1);
        driver_evaluate(&driver, made);
    }
    assert_field(&driver, "services", json);
    driver_close(&driver);
}

static void test_services_by_template(void **state)
{
    (void)state;
    published_services("", QUIET, "[\"cart\"]");
    published_services(", services: '{{ services }}'", QUIET, "[\"cart\",\"web\"]");
    published_services(", services: '{{ services }}'", TRUE_ONLY, "[\"cart\"]");
    published_services(", services: [web, 'the-{{ group.service }}', web]", QUIET, "[\"the-cart\",\"web\"]");
    published_services(", services: ['{{ group.environment }}', '{{ services }}', api]", QUIET,
                       "[\"api\",\"cart\",\"web\"]");
    published_services(", services: '{{ mttr }}'", QUIET, "[]");
}

/* Without a service in the group they are those seen. */
static void test_services_seen(void **state)
{
    (void)state;
    driver_open(&driver, bare_rule);
    struct made *made = one_incident(DETECTS);
    made->group[1] = value_null();
    (void)made_add(made, metric("api", DAYS(1)), true);
    driver_evaluate(&driver, made);
    assert_field(&driver, "services", "[\"api\",\"cart\"]");
    driver_close(&driver);
}

static void test_template_errors(void **state)
{
    (void)state;
    driver_open(&driver,
                HEAD "  recommend: {category: code_quality, title: '{{ 1 / int(count(bad)) }} of 1', cooldown: 0s}\n");
    struct made *made = made_new(&driver.kept, DAYS(1), DETECTS, true);
    made->slots[OUT_FIXED_COUNT] = value_double(0);
    driver_evaluate(&driver, made);
    assert_field(&driver, "title", "\"unknown of 1\"");
    assert_int_equal(recommender_counters(driver.recommender)->template_errors, 1);
    driver_close(&driver);
}

/* A text beyond all bounds is cut, between characters. */
static void test_long_texts(void **state)
{
    (void)state;
    driver_open(&driver,
                HEAD "  recommend: {category: code_quality, title: 'a{{ group.service }}', spec: {problem: P}}\n");
    enum { BYTES = 300 * 1024 };
    char *long_text = arena_alloc(&driver.kept, BYTES);
    for (int i = 0; i < BYTES; i += 2)
        memcpy(long_text + i, "\xc3\xa9", 2);
    struct made *made = made_new(&driver.kept, DAYS(1), DETECTS, true);
    made->group[1] = value_str((struct str){long_text, BYTES});
    driver_evaluate(&driver, made);
    assert_int_equal(last(&driver, "title").n, 256 * 1024 - 1);
    assert_true(utf8_valid(last(&driver, "title").s, last(&driver, "title").n));
    assert_field(&driver, "notes", "[\"capped\"]");
    driver_close(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field),       cmocka_unit_test(test_the_schema_takes_it),
        cmocka_unit_test(test_what_is_left_out),  cmocka_unit_test(test_group_values_are_text),
        cmocka_unit_test(test_values_are_finite), cmocka_unit_test(test_services_by_template),
        cmocka_unit_test(test_services_seen),     cmocka_unit_test(test_template_errors),
        cmocka_unit_test(test_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
