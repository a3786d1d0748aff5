/* A log of the exchange that was made anew: what a task's state knows of the old one's offsets is void, also for who
 * drives the task only after commits by others, and after a restore of theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/commit_kafka.h"
#include "engine/tasks.h"

enum { INPUT, TASK, PARTITIONS, OLD_OFFSET = 5000, TIME_MS = 60000 };

static const struct source_partition partitions[PARTITIONS] = {{0, {"telemetry", 9}, 0}, {1, {"exchange", 8}, 0}};
static const char rules_text[] = "apiVersion: forestall.io/v1\nkind: RuleSet\nmetadata: {name: test}\nrules:\n"
                                 "- {id: r, from: {x: {stream: telemetry}}, detect: {group_by: [service], window: "
                                 "{size: 1h}, when: count(x) > 3}}\n";

struct fixture {
    struct commit commit;
    bool ready;
    struct config *config;
    struct ruleset *rules;
    struct state *state;
    struct watermark watermark;
    struct source *source;
    struct tasks *tasks;
    struct outbox outbox;
    struct commit_position positions[PARTITIONS]; /* as committed */
};

static int is_ready(struct commit *commit, int task, bool *ready, struct error *err)
{
    (void)task;
    (void)err;
    *ready = ((struct fixture *)commit)->ready;
    return 0;
}

static int swallow(void *context, const struct commit_record *record, struct error *err)
{
    (void)context;
    (void)record;
    (void)err;
    return 0;
}

static void set_up(struct fixture *fixture)
{
    static const struct commit_ops ops = {.ready = is_ready};
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    *fixture = (struct fixture){.commit = {&ops}};
    fixture->config = config_load_text("test", str_of("state: {tasks: 1}\n"), NULL, 0, &diagnostics);
    fixture->rules = ruleset_load_text("test.yaml", str_of(rules_text), &diagnostics);
    struct config_source *source = arena_zalloc(&fixture->config->arena, sizeof *source);
    *source = (struct config_source){.topic = STR_LIT("telemetry"), .stream = stream_get(STREAM_TELEMETRY)};
    fixture->config->sources = source;
    fixture->config->source_count = 1;
    fixture->state = state_new(store_memory_new());
    watermark_init(&fixture->watermark, 1);
    fixture->watermark.partitions[INPUT] =
        (struct watermark_partition){.max_time_ms = TIME_NONE, .mark_ms = TIME_NONE, .first_ms = 0, .owned = true};
    fixture->positions[TASK] = (struct commit_position){.owned = true, .max_time_ms = TIME_NONE};
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

static void tear_down(struct fixture *fixture)
{
    outbox_fini(&fixture->outbox);
    watermark_fini(&fixture->watermark);
    state_free(fixture->state);
    ruleset_free(fixture->rules);
    config_free(fixture->config);
}

static void begin(struct fixture *fixture)
{
    const struct tasks_options options = {.reduce = {.rules = fixture->rules,
                                                     .config = fixture->config,
                                                     .state = fixture->state,
                                                     .tasks = task_range_all(1),
                                                     .memory_bytes = fixture->config->state_memory_bytes},
                                          .source = fixture->source,
                                          .commit = &fixture->commit,
                                          .watermark = &fixture->watermark,
                                          .input_count = 1};
    fixture->tasks = tasks_new(&options);
    tasks_restore(fixture->tasks, fixture->positions);
}

static void read_on(struct fixture *fixture)
{
    struct error err;
    bool ignored;
    assert_int_equal(tasks_read(fixture->tasks, true, &ignored, &err), 0);
    assert_int_equal(tasks_advance(fixture->tasks, &ignored, &err), 0);
}

/* What was sent to the task is on its log then. */
static void commit_all(struct fixture *fixture)
{
    struct error err;
    tasks_before_commit(fixture->tasks, &fixture->outbox, fixture->positions + TASK);
    for (size_t i = 0; i < fixture->outbox.count; i++)
        source_memory_add(fixture->source, TASK, fixture->outbox.records[i].value, 0);
    outbox_clear(&fixture->outbox);
    tasks_committed(fixture->tasks);
    struct commit *plain = commit_plain_new(swallow, NULL);
    assert_int_equal(plain->ops->commit(plain, &(struct commit_batch){0}, fixture->state, &err), 0);
    plain->ops->close(plain);
}

/* Its state knows of a record at OLD_OFFSET that was not applied. */
static void live_with_the_old_log(struct fixture *fixture)
{
    struct event event;
    fixture->source = source_memory_new(partitions, PARTITIONS);
    fixture->ready = true;
    begin(fixture);
    read_on(fixture);
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = TIME_MS / 2;
    event.values[TELEMETRY_SERVICE] = value_text("cart");
    struct exchange *exchange = tasks_exchange(fixture->tasks);
    exchange->ops->event(exchange, &event, &(struct exchange_match){0, 0}, 1);
    source_memory_skip(fixture->source, TASK, OLD_OFFSET);
    commit_all(fixture);
    read_on(fixture);
    commit_all(fixture);
    assert_int_equal(fixture->positions[TASK].offset, OLD_OFFSET);
    tasks_free(fixture->tasks);
    fixture->source->ops->close(fixture->source);
}

/* The positions, as a restore reads them. */
static void committed_again(struct fixture *fixture)
{
    struct commit_position *position = &fixture->positions[TASK];
    struct commit_task task = {.incarnation = 1, .next = 2};
    struct commit_position parsed = {.owned = true, .offset = position->offset, .read_offset = position->offset};
    struct buf text = {0};
    struct error err;
    commit_task_print(&text, &task, position, TIME_NONE);
    assert_int_equal(commit_task_parse(buf_str(&text), &task, &parsed, &err), 0);
    buf_fini(&text);
    *position = parsed;
}

static void test_a_task_that_is_driven_later_goes_on(void **unused)
{
    struct fixture fixture;
    (void)unused;
    set_up(&fixture);
    live_with_the_old_log(&fixture);

    fixture.source = source_memory_new(partitions, PARTITIONS);
    fixture.positions[TASK].offset = fixture.positions[TASK].read_offset = 0;
    fixture.positions[TASK].anew = true;
    fixture.ready = false;
    begin(&fixture);
    read_on(&fixture);
    commit_all(&fixture);
    committed_again(&fixture);
    assert_true(fixture.positions[TASK].anew);
    tasks_free(fixture.tasks);

    fixture.ready = true;
    fixture.watermark.partitions[INPUT].max_time_ms = TIME_MS;
    begin(&fixture);
    read_on(&fixture);
    commit_all(&fixture);
    read_on(&fixture);
    assert_int_equal(tasks_applied(fixture.tasks), TIME_MS);
    /* What it knows now is of the new log. */
    commit_all(&fixture);
    committed_again(&fixture);
    assert_false(fixture.positions[TASK].anew);
    tasks_free(fixture.tasks);
    fixture.source->ops->close(fixture.source);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_task_that_is_driven_later_goes_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
