/* The life of a recommendation: which feedback is allowed when, what it changes, what the engine changes by itself. */
#include "recommend_driver.h"

#include "recommend/feedback.h"

#define RULE(cooldown)                                                                                                 \
    "- id: cart-fails\n"                                                                                               \
    "  from: {bad: {stream: incident, match: {service: cart}}}\n"                                                      \
    "  detect: {group_by: [service, environment], window: {size: 30d}, when: count(bad) >= 1}\n"                       \
    "  recommend: {category: code_quality, title: '{{ count(bad) }} of them', complexity: low" cooldown "}\n"

static struct driver driver;

/* Times in days; the window's count is the day. */
static void incident(enum outcome outcome, int day)
{
    struct made *made = made_new(&driver.kept, DAYS(day), outcome, true);
    struct incident data = {.id = arena_printf(&driver.kept, "i%d", day), .severity = "sev5", .opened_ms = DAYS(day)};
    (void)made_add(made, incident_row(&driver.kept, data), true);
    made->slots[OUT_FIXED_COUNT] = value_double(day);
    driver_evaluate(&driver, made);
}

/* What a test says of feedback; times are absolute, 0 where left out. */
struct said {
    const char *event_id; /* default: its own */
    const char *id;       /* default: of the one recommendation */
    const char *action;
    int64_t expected;
    int64_t until_ms;
    const char *comment;
};

static int say_at(int64_t time_ms, struct said said, struct error *err)
{
    static int number;
    struct event event;
    struct value *v = event.values;
    event_clear(&event, stream_get(STREAM_FEEDBACK));
    driver_pass(&driver, time_ms, false);
    event.time_ms = time_ms;
    v[FEEDBACK_EVENT_ID] =
        value_text(said.event_id != NULL ? said.event_id : arena_printf(&driver.kept, "said-%d", ++number));
    v[FEEDBACK_RECOMMENDATION_ID] = value_text(said.id != NULL ? said.id : "cart-fails:0123456789abcdef");
    v[FEEDBACK_ACTION] = value_text(said.action);
    v[FEEDBACK_ACTOR] = value_text("ann");
    v[FEEDBACK_OCCURRED_AT] = value_time_ms(time_ms);
    if (said.expected != 0)
        v[FEEDBACK_EXPECTED_VERSION] = value_int(said.expected);
    if (said.until_ms != 0)
        v[FEEDBACK_UNTIL] = value_time_ms(said.until_ms);
    if (said.comment != NULL)
        v[FEEDBACK_COMMENT] = value_text(said.comment);
    int result = recommender_feedback(driver.recommender, &event, &driver.arena, err);
    arena_reset(&driver.arena);
    return result;
}

static void say(int64_t time_ms, const char *action)
{
    struct error err;
    assert_int_equal(say_at(time_ms, (struct said){.action = action}, &err), 0);
}

static void refused(int64_t time_ms, struct said said, const char *why)
{
    struct error err = {0};
    size_t before = driver.version_count;
    assert_int_equal(say_at(time_ms, said, &err), -1);
    assert_int_equal(err.class, ERROR_BAD_INPUT);
    assert_string_equal(err.message, why);
    assert_int_equal(driver.version_count, before);
}

/* DESIGN section 7, written out once more. */
static void test_what_is_allowed(void **state)
{
    static const char *const allowed[LIFE_STATUSES] = {
        [LIFE_PROPOSED] = "accept, start, implement, dismiss, comment",
        [LIFE_ACCEPTED] = "start, implement, dismiss, comment",
        [LIFE_IN_PROGRESS] = "implement, dismiss, comment",
        [LIFE_IMPLEMENTED] = "dismiss, reopen, comment",
        [LIFE_VALIDATING] = "dismiss, reopen, comment",
        [LIFE_VALIDATED] = "dismiss, reopen, comment",
        [LIFE_INEFFECTIVE] = "implement, dismiss, reopen, comment",
        [LIFE_DISMISSED] = "reopen, comment",
        [LIFE_SUPERSEDED] = "reopen, comment",
        [LIFE_REOPENED] = "accept, start, implement, dismiss, comment",
    };
    static const char *const targets[LIFE_ACTIONS] = {"accepted", "in_progress", "implemented", "dismissed",
                                                      "reopened"};
    const struct stream_field *action = &stream_get(STREAM_FEEDBACK)->fields[FEEDBACK_ACTION];
    (void)state;
    for (int status = 0; status < LIFE_STATUSES; status++) {
        struct buf text = {0};
        lifecycle_allowed(&text, (enum life_status)status);
        assert_true(str_is(buf_str(&text), allowed[status]));
        for (int i = 0; i < LIFE_ACTIONS; i++)
            assert_int_equal(lifecycle_allows((enum life_status)status, (enum life_action)i),
                             strstr(allowed[status], lifecycle_action_name((enum life_action)i)) != NULL);
        buf_fini(&text);
    }
    for (int i = 0; i < LIFE_COMMENT; i++) {
        assert_string_equal(lifecycle_action_name((enum life_action)i), action->symbols[i]);
        assert_string_equal(life_status_name(lifecycle_target((enum life_action)i)), targets[i]);
    }
    assert_int_equal(lifecycle_target(LIFE_COMMENT), LIFE_STATUSES);
}

static void test_the_way_to_implemented(void **state)
{
    (void)state;
    driver_open(&driver, RULE(""));
    incident(DETECTS, 1);
    say(DAYS(1) + 1, "accept"); /* within the cooldown */
    say(DAYS(1) + 2, "start");
    say(DAYS(1) + 3, "implement");
    assert_int_equal(driver.version_count, 4);
    assert_field(&driver, "version", "4");
    assert_field(&driver, "life_version", "4");
    assert_field(&driver, "status", "\"implemented\"");
    assert_field(&driver, "validation",
                 "{\"state\":\"none\",\"implemented_at\":\"1970-01-02T00:00:00.003Z\",\"before_from\":"
                 "\"1969-12-03T00:00:00.000Z\",\"before_to\":\"1970-01-02T00:00:00.000Z\",\"after_from\":"
                 "\"1970-01-03T00:00:00.000Z\",\"after_to\":\"1970-02-02T00:00:00.000Z\",\"measures\":[{\"name\":"
                 "\"incidents\",\"before\":0,\"after\":null,\"met\":null}]}");
    assert_field(&driver, "history",
                 "[{\"at\":\"1970-01-02T00:00:00.000Z\",\"from\":null,\"to\":\"proposed\",\"actor\":\"forestall\","
                 "\"comment\":null},"
                 "{\"at\":\"1970-01-02T00:00:00.001Z\",\"from\":\"proposed\",\"to\":\"accepted\",\"actor\":\"ann\","
                 "\"comment\":null},"
                 "{\"at\":\"1970-01-02T00:00:00.002Z\",\"from\":\"accepted\",\"to\":\"in_progress\",\"actor\":\"ann\","
                 "\"comment\":null},"
                 "{\"at\":\"1970-01-02T00:00:00.003Z\",\"from\":\"in_progress\",\"to\":\"implemented\",\"actor\":"
                 "\"ann\",\"comment\":null}]");
    driver_restart(&driver);
    driver_damage(&driver, DAYS(2));
    driver_close(&driver);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    driver_open(&driver, RULE(""));
    refused(DAYS(1), (struct said){.action = "accept"},
            "there is no recommendation 'cart-fails:0123456789abcdef': it was not made yet, or is forgotten by now");
    incident(DETECTS, 1);
    say(DAYS(1) + 1, "accept");
    refused(DAYS(1) + 2, (struct said){.action = "accept"},
            "'accept' is not allowed: the status is accepted, with life_version 2; allowed now: start, implement, "
            "dismiss, comment");
    refused(DAYS(1) + 2, (struct said){.action = "start", .expected = 1},
            "stale: expected_version is 1, but life_version is 2, with status accepted; allowed now: start, implement, "
            "dismiss, comment");
    refused(DAYS(1) + 2, (struct said){.action = "start", .expected = 3},
            "stale: expected_version is 3, but life_version is 2, with status accepted; allowed now: start, implement, "
            "dismiss, comment");
    refused(DAYS(1) + 2, (struct said){.action = "start", .id = "cart-fails:0123456789abcdee"},
            "there is no recommendation 'cart-fails:0123456789abcdee': it was not made yet, or is forgotten by now");
    refused(DAYS(1) + 2, (struct said){.action = "start", .id = "other:0123456789abcdef"},
            "there is no recommendation 'other:0123456789abcdef': no rule of that id makes recommendations");
    static const char *const malformed[] = {"",
                                            ":",
                                            ":0123456789abcdef",
                                            "cart-fails:0123456789ABCDEF",
                                            "cart-fails:0123456789abcde",
                                            "cart-fails.0123456789abcdef"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        refused(DAYS(1) + 2, (struct said){.action = "start", .id = malformed[i]},
                arena_printf(&driver.kept,
                             "there is no recommendation '%s': an id is RULE:DIGITS, with 16 hexadecimal digits in "
                             "lower case",
                             malformed[i]));
    assert_int_equal(driver.version_count, 2);
    driver_close(&driver);
}

/* Two people at once: the first one's word counts. A repeated event is neither applied nor refused. */
static void test_two_at_once_and_repeats(void **state)
{
    struct error err;
    (void)state;
    driver_open(&driver, RULE(""));
    incident(DETECTS, 1);
    struct said accepts = {.action = "accept", .expected = 1, .event_id = "a"};
    assert_int_equal(say_at(DAYS(2), accepts, &err), 0);
    refused(DAYS(2), (struct said){.action = "dismiss", .expected = 1, .event_id = "b"},
            "stale: expected_version is 1, but life_version is 2, with status accepted; allowed now: start, implement, "
            "dismiss, comment");
    assert_int_equal(say_at(DAYS(2), accepts, &err), 0);
    assert_int_equal(driver.version_count, 2);
    assert_int_equal(recommender_counters(driver.recommender)->feedback, 1);
    assert_int_equal(recommender_counters(driver.recommender)->repeated, 1);
    /* What was refused had no effect, so it may come again. */
    assert_int_equal(say_at(DAYS(2), (struct said){.action = "dismiss", .event_id = "b"}, &err), 0);
    assert_field(&driver, "status", "\"dismissed\"");
    for (int i = 0; i < LIFE_SEEN_MAX - 1; i++)
        say(DAYS(2), "comment");
    assert_int_equal(say_at(DAYS(2), (struct said){.action = "dismiss", .event_id = "b"}, &err), 0);
    driver_restart(&driver);
    assert_int_equal(say_at(DAYS(2), (struct said){.action = "dismiss", .event_id = "b"}, &err), 0);
    say(DAYS(2), "comment");
    assert_int_equal(say_at(DAYS(2), (struct said){.action = "dismiss", .event_id = "b"}, &err), -1);
    driver_close(&driver);
}

static void test_comments_and_the_length_of_history(void **state)
{
    struct error err;
    (void)state;
    driver_open(&driver, RULE(""));
    incident(DETECTS, 1);
    assert_int_equal(say_at(DAYS(1), (struct said){.action = "comment", .comment = "why?"}, &err), 0);
    assert_field(&driver, "life_version", "1");
    assert_field(&driver, "notes", "[]");
    assert_field(&driver, "history",
                 "[{\"at\":\"1970-01-02T00:00:00.000Z\",\"from\":null,\"to\":\"proposed\",\"actor\":\"forestall\","
                 "\"comment\":null},"
                 "{\"at\":\"1970-01-02T00:00:00.000Z\",\"from\":\"proposed\",\"to\":\"proposed\",\"actor\":\"ann\","
                 "\"comment\":\"why?\"}]");
    for (int i = 0; i < LIFE_CHANGES_MAX; i++)
        say(DAYS(1) + i, "comment");
    struct value history = last(&driver, "history");
    assert_int_equal(history.n, LIFE_CHANGES_MAX + 1);
    assert_true(value_is_null(*value_map_get(history.items[0], STR_LIT("from"))));
    assert_true(value_is_null(*value_map_get(history.items[1], STR_LIT("comment")))); /* "why?" had to go */
    assert_field(&driver, "notes", "[\"capped\"]");
    driver_close(&driver);
}

/* Title and spec stay as they were accepted; counts go on. */
static void test_what_is_accepted_is_frozen(void **state)
{
    (void)state;
    driver_open(&driver, RULE(", cooldown: 0s"));
    incident(DETECTS, 1);
    incident(FIRES, 2);
    assert_field(&driver, "life_version", "2"); /* the title has changed */
    say(DAYS(2), "accept");
    incident(FIRES, 3);
    assert_field(&driver, "title", "\"2 of them\"");
    assert_field(&driver, "occurrences", "3");
    assert_field(&driver, "life_version", "3");
    driver_restart(&driver);
    say(DAYS(4), "implement");
    incident(FIRES, 5);
    assert_field(&driver, "title", "\"2 of them\"");
    assert_field(&driver, "life_version", "4"); /* and validating, from midnight on */
    say(DAYS(6), "reopen");
    assert_field(&driver, "title", "\"5 of them\"");
    assert_field(&driver, "life_version", "6");
    incident(FIRES, 7);
    assert_field(&driver, "title", "\"7 of them\"");
    assert_field(&driver, "life_version", "7");
    driver_close(&driver);
}

static void test_dismissed_until(void **state)
{
    struct error err;
    (void)state;
    driver_open(&driver, RULE(""));
    incident(DETECTS, 1);
    assert_int_equal(say_at(DAYS(1), (struct said){.action = "dismiss", .until_ms = DAYS(40)}, &err), 0);
    assert_int_equal(driver.version_count, 2);
    for (int day = 2; day < 30; day += 3)
        incident(DETECTS, day);
    driver_restart(&driver);
    driver_pass(&driver, DAYS(40), false);
    assert_int_equal(driver.version_count, 2);
    driver_pass(&driver, DAYS(40), true);
    assert_int_equal(driver.version_count, 3);
    assert_int_equal(last_time(&driver), DAYS(40));
    assert_field(&driver, "status", "\"proposed\"");
    assert_field(&driver, "life_version", "3");
    assert_field(&driver, "detections", "11");
    assert_field(&driver, "title", "\"29 of them\"");
    /* One that is past is now; one that is overtaken does nothing. */
    assert_int_equal(say_at(DAYS(41), (struct said){.action = "dismiss", .until_ms = DAYS(3)}, &err), 0);
    driver_pass(&driver, DAYS(41), true);
    assert_field(&driver, "status", "\"proposed\"");
    assert_int_equal(last_time(&driver), DAYS(41));
    assert_int_equal(say_at(DAYS(42), (struct said){.action = "dismiss", .until_ms = DAYS(45)}, &err), 0);
    say(DAYS(43), "reopen");
    say(DAYS(44), "dismiss");
    driver_pass(&driver, DAYS(100), true);
    assert_field(&driver, "status", "\"dismissed\"");
    driver_close(&driver);
}

/* By itself the engine only says so of what was validated. */
static void validate(int64_t time_ms)
{
    struct error err;
    struct recommendation *it;
    struct recommendation_identity identity =
        per_identity_of(driver.group.rule, 0, driver.group.hash, driver.options.tasks.count);
    assert_int_equal(recommendation_load(&it, driver.state, &identity, &err), 0);
    lifecycle_transition(it, &(struct lifecycle_step){.to = LIFE_VALIDATED, .at_ms = time_ms, .actor = STR_LIT("m")});
    recommendation_save(it, driver.state);
    recommendation_free(it);
    driver_restart(&driver);
}

static void test_a_detection_reopens_what_was_validated(void **state)
{
    (void)state;
    driver_open(&driver, RULE(""));
    incident(DETECTS, 1);
    say(DAYS(2), "implement");
    incident(DETECTS, 3);
    assert_field(&driver, "status", "\"implemented\"");
    validate(DAYS(3));
    incident(FIRES, 4);
    assert_field(&driver, "status", "\"validated\"");
    incident(DETECTS, 5);
    assert_field(&driver, "status", "\"reopened\"");
    assert_field(&driver, "title", "\"5 of them\"");
    assert_true(driver.detections[driver.version_count - 1]);
    struct value history = last(&driver, "history");
    struct buf json = {0};
    value_json(&json, history.items[history.n - 1]);
    assert_true(str_is(buf_str(&json), "{\"at\":\"1970-01-06T00:00:00.000Z\",\"from\":\"validated\",\"to\":"
                                       "\"reopened\",\"actor\":\"forestall\",\"comment\":null}"));
    buf_fini(&json);
    driver_close(&driver);
}

static struct str expired_id;
static int64_t expired_ms;

static void expire(void *context, struct str id, int64_t time_ms)
{
    (void)context;
    expired_id = arena_str(&driver.kept, id);
    expired_ms = time_ms;
}

static int count_entry(void *context, struct str key, struct str value)
{
    (void)key;
    (void)value;
    ++*(int *)context;
    return 0;
}

static int entries(void)
{
    struct error err;
    int count = 0;
    assert_int_equal(state_scan(driver.state, STR_LIT(""), count_entry, &count, &err), 0);
    return count;
}

static void test_closed_ones_are_forgotten(void **state)
{
    (void)state;
    driver_open(&driver, RULE(""));
    driver.options.expire = expire;
    recommender_free(driver.recommender);
    driver.recommender = recommender_new(&driver.options);
    expired_ms = 0;
    incident(DETECTS, 1);
    say(DAYS(2), "dismiss");
    driver_pass(&driver, DAYS(300), true);
    incident(FIRES, 300); /* it is not over, so it stays dismissed */
    driver_restart(&driver);
    driver_pass(&driver, DAYS(700), false);
    assert_int_equal(expired_ms, 0);
    driver_pass(&driver, DAYS(700), true);
    assert_int_equal(expired_ms, DAYS(700));
    assert_true(str_is(expired_id, "cart-fails:0123456789abcdef"));
    assert_int_equal(entries(), 0);
    assert_int_equal(driver.version_count, 2);
    /* What comes then is a recommendation of its own. */
    incident(DETECTS, 701);
    assert_field(&driver, "version", "1");
    assert_field(&driver, "status", "\"proposed\"");
    assert_field(&driver, "occurrences", "1");
    driver_close(&driver);
}

static void test_open_ones_stay(void **state)
{
    (void)state;
    driver_open(&driver, RULE(""));
    driver.options.expire = expire;
    recommender_free(driver.recommender);
    driver.recommender = recommender_new(&driver.options);
    expired_ms = 0;
    incident(DETECTS, 1);
    say(DAYS(2), "dismiss");
    say(DAYS(3), "reopen");
    say(DAYS(4), "accept");
    driver_pass(&driver, DAYS(2000), true);
    assert_int_equal(expired_ms, 0);
    driver_close(&driver);
}

/* An `until` ends with the dismissal: it keeps nothing for ever. */
static void test_an_overtaken_until(void **state)
{
    struct error err;
    (void)state;
    driver_open(&driver, RULE(""));
    driver.options.expire = expire;
    recommender_free(driver.recommender);
    driver.recommender = recommender_new(&driver.options);
    expired_ms = 0;
    incident(DETECTS, 1);
    assert_int_equal(say_at(DAYS(2), (struct said){.action = "dismiss", .until_ms = DAYS(900)}, &err), 0);
    say(DAYS(3), "reopen");
    say(DAYS(4), "implement");
    validate(DAYS(5));
    driver_pass(&driver, DAYS(600), true);
    assert_int_equal(expired_ms, DAYS(405));
    driver_close(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_allowed),
        cmocka_unit_test(test_the_way_to_implemented),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_two_at_once_and_repeats),
        cmocka_unit_test(test_comments_and_the_length_of_history),
        cmocka_unit_test(test_what_is_accepted_is_frozen),
        cmocka_unit_test(test_dismissed_until),
        cmocka_unit_test(test_a_detection_reopens_what_was_validated),
        cmocka_unit_test(test_closed_ones_are_forgotten),
        cmocka_unit_test(test_open_ones_stay),
        cmocka_unit_test(test_an_overtaken_until),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
