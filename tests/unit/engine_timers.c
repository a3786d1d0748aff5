/* The timers of groups: few of them wait in memory however many groups there are, a start reads few, and what they do
 * is what they do with all of them in memory, in the same order; so too with a state of before they were beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "detect/group_timer.h"
#include "engine/old_timers.h"
#include "engine/reduce.h"
#include "engine/restored_timers.h"

static const char rules_text[] =
    "apiVersion: forestall.io/v1\n"
    "kind: RuleSet\n"
    "metadata: {name: test}\n"
    "rules:\n"
    "- id: silence\n"
    "  from: {x: {stream: telemetry}}\n"
    "  detect: {type: absence, group_by: [service], of: x, every: 10m}\n"
    "  recommend: {category: architecture, title: t, cooldown: 0s, spec: {problem: p, "
    "solution: s}}\n"
    "- id: sliding\n"
    "  from: {x: {stream: telemetry}}\n"
    "  detect: {group_by: [service], window: {size: 7m}, when: count(x) > 99}\n"
    "- id: walked\n"
    "  from: {x: {stream: incident}}\n"
    "  detect: {group_by: [service], window: {size: 10m, slide: 1m}, when: count(x) > 99}\n";

enum { FEW = 2000, MANY = 10000, WAITING_MAX = 64, RULES = 2, GROUP_TIMED = 16, AT_ONE_TIME = 10 };
static const int64_t from_ms = INT64_C(1704067200000);

/* A store that counts the entries that are read in order. It is lent to one state after the other. */
struct counting {
    struct store base;
    struct store *below;
    size_t read;
};

static struct counting *counting;

static int counting_get(struct store *store, struct str key, struct buf *value, struct error *err)
{
    struct store *below = ((struct counting *)store)->below;
    return below->ops->get(below, key, value, err);
}

static int counting_write(struct store *store, const struct str_pair *entries, size_t n, struct error *err)
{
    struct store *below = ((struct counting *)store)->below;
    return below->ops->write(below, entries, n, err);
}

static struct store_iterator *counting_scan(struct store *store, struct str from, struct str to)
{
    struct store *below = ((struct counting *)store)->below;
    return below->ops->scan(below, from, to);
}

static int counting_next(struct store_iterator *iterator, struct str *key, struct str *value, struct error *err)
{
    counting->read++;
    return counting->below->ops->next(iterator, key, value, err);
}

static void counting_seek(struct store_iterator *iterator, struct str from)
{
    counting->below->ops->seek(iterator, from);
}

static void counting_scan_end(struct store_iterator *iterator)
{
    counting->below->ops->scan_end(iterator);
}

static int counting_clear(struct store *store, struct str from, struct str to, struct error *err)
{
    struct store *below = ((struct counting *)store)->below;
    return below->ops->clear(below, from, to, err);
}

static void counting_close(struct store *store)
{
    (void)store;
}

static const struct store_ops counting_ops = {counting_get,  counting_write,    counting_scan,  counting_next,
                                              counting_seek, counting_scan_end, counting_clear, counting_close};

struct fixture {
    struct arena arena;
    struct ruleset *rules;
    struct config *config;
    struct counting counting;
    struct state *state;
    struct reduce *reduce;
    size_t timers_max;
    size_t most; /* that waited */
    int64_t now_ms;
    int64_t offset;
    struct buf said; /* what was published, in order */
    uint64_t detections;
};

static void must(int result, const struct error *err)
{
    if (result != 0)
        fail_msg("%s", err->message);
}

static void publish(void *context, struct str id, struct value record, bool detection, int64_t time_ms)
{
    struct fixture *fixture = context;
    (void)record;
    fixture->detections += detection;
    buf_printf(&fixture->said, "%lld %.*s\n", (long long)time_ms, STR_ARG(id));
}

static void expire(void *context, struct str id, int64_t time_ms)
{
    (void)context;
    (void)id;
    (void)time_ms;
}

static void open_reduce(struct fixture *fixture)
{
    struct error err = {0};
    int64_t applied_ms[REDUCE_STAGES_MAX];
    for (size_t i = 0; i < REDUCE_STAGES_MAX; i++)
        applied_ms[i] = fixture->now_ms;
    fixture->state = state_new(&fixture->counting.base);
    fixture->reduce = reduce_new(&(struct reduce_options){.rules = fixture->rules,
                                                          .config = fixture->config,
                                                          .state = fixture->state,
                                                          .tasks = task_range_all(fixture->config->tasks),
                                                          .memory_bytes = 1 << 20,
                                                          .timers_max = fixture->timers_max,
                                                          .publish = publish,
                                                          .expire = expire,
                                                          .context = fixture});
    must(reduce_restore(fixture->reduce, applied_ms, &err), &err);
}

static void close_reduce(struct fixture *fixture)
{
    fixture->detections = reduce_counters(fixture->reduce)->detections;
    reduce_free(fixture->reduce);
    state_free(fixture->state);
}

static void open_fixture(struct fixture *fixture, size_t timers_max)
{
    *fixture = (struct fixture){.timers_max = timers_max, .now_ms = INT64_MIN};
    struct diagnostics diagnostics = {.arena = &fixture->arena};
    fixture->rules = ruleset_load_text("test.yaml", str_of(rules_text), &diagnostics);
    fixture->config =
        config_load_text("test", STR_LIT("state: {tasks: 1}\nlimits: {groups: 1000000}\n"), NULL, 0, &diagnostics);
    assert_true(fixture->rules != NULL && fixture->config != NULL);
    diagnostics_fini(&diagnostics);
    fixture->counting = (struct counting){.base = {&counting_ops}, .below = store_memory_new()};
    counting = &fixture->counting;
    open_reduce(fixture);
}

static void close_fixture(struct fixture *fixture)
{
    close_reduce(fixture);
    fixture->counting.below->ops->close(fixture->counting.below);
    config_free(fixture->config);
    ruleset_free(fixture->rules);
    buf_fini(&fixture->said);
    arena_fini(&fixture->arena);
}

static void look(struct fixture *fixture)
{
    size_t waiting = reduce_timers(fixture->reduce);
    fixture->most = waiting > fixture->most ? waiting : fixture->most;
}

static void advance(struct fixture *fixture, int64_t to_ms)
{
    struct error err = {0};
    int64_t before_ms[REDUCE_STAGES_MAX];
    for (size_t i = 0; i < REDUCE_STAGES_MAX; i++)
        before_ms[i] = to_ms;
    fixture->now_ms = to_ms;
    for (bool more = true; more;) {
        must(reduce_advance(fixture->reduce, before_ms, &more, &err), &err);
        look(fixture);
    }
}

static void commit(struct fixture *fixture)
{
    const struct str_pair *dirty;
    struct error err = {0};
    reduce_before_commit(fixture->reduce);
    size_t n = state_dirty(fixture->state, &dirty);
    struct store *below = fixture->counting.below;
    must(below->ops->write(below, dirty, n, &err), &err);
    state_settle(fixture->state);
}

static void see(struct fixture *fixture, int service, int64_t time_ms)
{
    static const struct exchange_match matches[] = {{0, 0}, {1, 0}};
    struct exchange *exchange = reduce_exchange(fixture->reduce);
    struct event event;
    char name[16];
    int n = snprintf(name, sizeof name, "s%d", service);
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = time_ms;
    event.at.offset = fixture->offset++;
    event.values[TELEMETRY_SERVICE] = value_str((struct str){name, (size_t)n});
    event.values[TELEMETRY_OCCURRED_AT] = value_time_ms(time_ms);
    exchange->ops->event(exchange, &event, matches, RULES);
}

/* Many groups are seen, each at the time of some others, and a third of them again; then nothing comes. */
static void see_all(struct fixture *fixture, int groups)
{
    for (int i = 0; i < groups; i++)
        see(fixture, (int)(i * INT64_C(7919) % groups), from_ms + i / AT_ONE_TIME * 100);
    advance(fixture, from_ms + 4 * MINUTE_MS);
    commit(fixture);
    for (int i = 0; i < groups; i += 3)
        see(fixture, i, from_ms + 5 * MINUTE_MS + i % 7 * 1000);
    advance(fixture, from_ms + 6 * MINUTE_MS);
    commit(fixture);
}

static size_t count_kind(const struct fixture *fixture, enum state_kind kind)
{
    struct store *below = fixture->counting.below;
    struct store_iterator *iterator = below->ops->scan(below, (struct str){0}, (struct str){0});
    struct str key, value;
    struct error err;
    size_t count = 0;
    while (below->ops->next(iterator, &key, &value, &err) == 0)
        count += key.p[2] == (char)kind;
    below->ops->scan_end(iterator);
    return count;
}

static void run_out(struct fixture *fixture)
{
    for (int minutes = 7; minutes < 20; minutes++)
        advance(fixture, from_ms + minutes * (int64_t)MINUTE_MS);
    commit(fixture);
    assert_int_equal(count_kind(fixture, STATE_GROUP), 0);
    assert_int_equal(count_kind(fixture, STATE_PART), 0);
    assert_int_equal(count_kind(fixture, STATE_TIMER), 0);
}

/* What comes of it with all timers in memory. */
static void expect(struct fixture *fixture, int groups)
{
    open_fixture(fixture, SIZE_MAX / 2);
    see_all(fixture, groups);
    run_out(fixture);
    assert_true(fixture->most >= (size_t)groups);
    assert_int_equal(reduce_counters(fixture->reduce)->detections, groups);
    assert_true(fixture->said.len > 0);
}

static void check_said(const struct fixture *expected, const struct fixture *actual)
{
    assert_true(str_eq(buf_str(&expected->said), buf_str(&actual->said)));
}

static void test_memory_does_not_grow(void **state)
{
    struct fixture all, few, many;
    (void)state;
    expect(&all, MANY);
    open_fixture(&few, WAITING_MAX);
    see_all(&few, FEW);
    run_out(&few);
    close_fixture(&few);
    open_fixture(&many, WAITING_MAX);
    see_all(&many, MANY);
    run_out(&many);
    check_said(&all, &many);
    assert_true(few.most <= WAITING_MAX + 1 && many.most <= WAITING_MAX + 1);
    close_fixture(&many);
    close_fixture(&all);
}

/* How many entries a start reads. */
static size_t restart(struct fixture *fixture)
{
    close_reduce(fixture);
    fixture->counting.read = 0;
    open_reduce(fixture);
    assert_true(reduce_timers(fixture->reduce) > 0 && reduce_timers(fixture->reduce) <= WAITING_MAX);
    return fixture->counting.read;
}

static void test_a_start_reads_little(void **state)
{
    struct fixture all, few, many;
    (void)state;
    expect(&all, MANY);
    open_fixture(&few, WAITING_MAX);
    open_fixture(&many, WAITING_MAX);
    counting = &few.counting;
    see_all(&few, FEW);
    size_t read_of_few = restart(&few);
    counting = &many.counting;
    see_all(&many, MANY);
    size_t read_of_many = restart(&many);
    assert_int_equal(read_of_few, read_of_many);
    assert_true(read_of_many < 2 * WAITING_MAX);
    run_out(&many);
    check_said(&all, &many);
    close_fixture(&few);
    close_fixture(&many);
    close_fixture(&all);
}

/* A crash amid a commit's batches: entries are left that no record speaks of. */
static void test_entries_of_nobody(void **state)
{
    struct fixture all, left;
    struct buf key = {0};
    struct error err = {0};
    (void)state;
    expect(&all, FEW);
    open_fixture(&left, WAITING_MAX);
    see_all(&left, FEW);
    struct store *below = left.counting.below;
    struct store_iterator *iterator = below->ops->scan(below, (struct str){0}, (struct str){0});
    struct str_pair entry;
    struct arena arena = {0};
    struct str_pair *entries = arena_alloc(&arena, (size_t)RULES * 2 * FEW * sizeof *entries);
    size_t n = 0;
    while (below->ops->next(iterator, &entry.key, &entry.value, &err) == 0) {
        struct group_timer timer;
        if (!group_timer_read(entry.key, &timer))
            continue;
        timer.time_ms -= timer.hash % MINUTE_MS;
        group_timer_key(&key, &timer);
        entries[n++] = (struct str_pair){arena_str(&arena, buf_str(&key)), {"", 0}};
        timer.hash++; /* a group that is not known */
        group_timer_key(&key, &timer);
        entries[n++] = (struct str_pair){arena_str(&arena, buf_str(&key)), {"", 0}};
    }
    below->ops->scan_end(iterator);
    must(below->ops->write(below, entries, n, &err), &err);
    (void)restart(&left);
    run_out(&left);
    check_said(&all, &left);
    buf_fini(&key);
    arena_fini(&arena);
    close_fixture(&left);
    close_fixture(&all);
}

/* The record as it was written before it told of its timer. */
static struct str without_timer(struct str value, struct arena *arena)
{
    struct reader r = reader_of(value.p, value.n);
    (void)read_text(&r);
    for (int i = 0; i < 3; i++)
        (void)read_zigzag(&r);
    struct str old = arena_str(arena, (struct str){value.p, value.n - reader_left(&r) + 1});
    uint8_t flags = read_byte(&r);
    assert_true((flags & GROUP_TIMED) != 0 && (flags & 2) == 0);
    ((char *)(uintptr_t)old.p)[old.n - 1] = (char)(flags & ~GROUP_TIMED);
    return old;
}

/* The store as another version would have left it, brought here by its changelog. */
static struct store *age(const struct fixture *fixture)
{
    struct store *below = fixture->counting.below;
    struct store *aged = store_memory_new();
    struct store_iterator *iterator = below->ops->scan(below, (struct str){0}, (struct str){0});
    struct str_pair batch[1 + RESTORED_TIMERS_MAX];
    struct arena arena = {0};
    const struct restored_timers timers = {aged, 0, true, &arena};
    struct error err = {0};
    while (below->ops->next(iterator, &batch[0].key, &batch[0].value, &err) == 0) {
        size_t n = 1;
        if (state_is_derived(batch[0].key))
            continue;
        if (batch[0].key.p[2] == STATE_GROUP)
            batch[0].value = without_timer(batch[0].value, &arena);
        must(restored_timers_add(&timers, batch, &n, &err), &err);
        must(aged->ops->write(aged, batch, n, &err), &err);
    }
    below->ops->scan_end(iterator);
    arena_fini(&arena);
    return aged;
}

static void test_an_old_state(void **state)
{
    struct fixture all, old;
    (void)state;
    expect(&all, MANY);
    open_fixture(&old, WAITING_MAX);
    see_all(&old, MANY);
    close_reduce(&old);
    struct store *aged = age(&old);
    old.counting.below->ops->close(old.counting.below);
    old.counting.below = aged;
    assert_int_equal(count_kind(&old, STATE_TIMER), 0);
    open_reduce(&old);
    assert_int_equal(count_kind(&old, STATE_TIMER), RULES * MANY);
    assert_true(restart(&old) < 2 * WAITING_MAX);
    run_out(&old);
    check_said(&all, &old);
    close_fixture(&old);
    close_fixture(&all);
}

/* What a changelog's changes make of the timers: one change after the other, and all of them at once. */
static void test_changes_of_the_changelog(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture, WAITING_MAX);
    see_all(&fixture, FEW);
    struct store *below = fixture.counting.below;
    struct store *other = store_memory_new();
    struct store_iterator *iterator = below->ops->scan(below, (struct str){0}, (struct str){0});
    struct str_pair batch[2 * (1 + RESTORED_TIMERS_MAX)];
    struct arena arena = {0};
    struct buf key = {0}, value = {0};
    struct error err = {0};
    const struct restored_timers timers = {other, 0, false, &arena};
    struct str_pair entry;
    while (below->ops->next(iterator, &entry.key, &entry.value, &err) == 0) {
        struct group_record record;
        if (entry.key.p[2] != STATE_GROUP)
            continue;
        assert_true(group_record_read(entry, &record) && record.timed && group_timer_of(0, &record, &key));
        size_t n = 2;
        batch[0] = entry;
        batch[1] = (struct str_pair){entry.key, {NULL, 0}};
        must(restored_timers_add(&timers, batch, &n, &err), &err);
        assert_int_equal(n, 2); /* it came and went */
        n = 2;
        batch[1] = entry;
        must(restored_timers_add(&timers, batch, &n, &err), &err);
        must(other->ops->write(other, batch, n, &err), &err);
        buf_reset(&value);
        assert_int_equal(other->ops->get(other, buf_str(&key), &value, &err), 0);
        n = 1;
        batch[0].value = (struct str){NULL, 0};
        must(restored_timers_add(&timers, batch, &n, &err), &err);
        must(other->ops->write(other, batch, n, &err), &err);
        assert_int_equal(other->ops->get(other, buf_str(&key), &value, &err), 1);
    }
    below->ops->scan_end(iterator);
    other->ops->close(other);
    buf_fini(&key);
    buf_fini(&value);
    arena_fini(&arena);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_does_not_grow),     cmocka_unit_test(test_a_start_reads_little),
        cmocka_unit_test(test_entries_of_nobody),        cmocka_unit_test(test_an_old_state),
        cmocka_unit_test(test_changes_of_the_changelog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
