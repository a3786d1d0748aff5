/* Inside the reader of tests: what testcase.c, testcase_event.c and testcase_fill.c share. */
#ifndef FORESTALL_RULE_TESTCASE_LOAD_H
#define FORESTALL_RULE_TESTCASE_LOAD_H

#include "base/map.h"
#include "rule/check.h"
#include "rule/testcase.h"

enum { TEST_EVENTS_MAX = 200000, TEST_REPEAT_MAX = 100000 };
/* What one field of one event may take to compute. */
enum { TEST_STEPS_MAX = 10000, TEST_BYTES_MAX = 64 * 1024 };

/* The field that names the incident or the deployment has the same number in both streams. */
enum { ROW_ID = INCIDENT_ID };
_Static_assert((int)INCIDENT_ID == (int)DEPLOYMENT_ID, "one number serves both");

/* A test's events while they are gathered; `filled` says which values the file gave. */
struct test_event {
    struct testcase_event made;
    size_t order; /* as written */
    field_mask given;
};

struct test_load {
    struct arena *arena;
    const struct rule *rule;
    struct diagnostics *diagnostics;
    bool check_only; /* a repetition is made once or twice, to see that it can be */
    bool sound;      /* the rule itself has no errors */
    const struct yaml_node *given;
    struct test_event *events; /* heap */
    size_t event_count;
    size_t event_cap;
    struct cel_budget *budget; /* of the load; NULL: none */
    struct arena scratch;      /* of one evaluation */
};

/* testcase_event.c: adds the events of one item of `events`. */
void test_event_read(struct test_load *load, const struct yaml_node *item);
/* Checks the form of `given`. */
void test_given_check(struct test_load *load);

/* testcase_fill.c: sorts by time and fills the required fields that nobody gave. */
void test_events_fill(struct test_load *load);

/* Which recommendation is meant: its group's keys, each a text or null; null where `node` is NULL. */
struct value test_group_read(struct test_load *load, const struct yaml_node *node);
/* Durations from the test's zero, up to ten years; true with the time in ms since the epoch. */
bool test_time_read(struct test_load *load, const struct yaml_node *node, const char *what, int64_t *ms);

/* testcase_field.c: an error where the expected text can be no value of the record's field. */
void test_field_check(struct test_load *load, const struct yaml_node *key, const struct yaml_node *node);

#endif
