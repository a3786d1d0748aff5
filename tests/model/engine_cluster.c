/* Several engines over one simulated Kafka (engine_kafka.h). Whatever happens to them, every recommendation has the
 * same versions, byte for byte, as of one engine undisturbed, over the exchange in memory, and their state holds the
 * same in the end. What happens:
 *
 * - crashes before, within and after a commit, also while it was on its way to the coordinator; aborts; commits of
 *   which nobody says how they ended;
 * - rebalances of all partitions or of one, also twice in a row and back; instances that are fenced and go on for a
 *   while; some that stand still within a commit, which then ends late, or is ended by others;
 * - disks lost, or as they were a while ago; changelogs compacted; states that take their time to be restored;
 * - partitions at any speed and standing still; late, damaged and repeated records; partitions that fall silent and are
 *   marked as idle;
 * - rule sets reloaded by one instance after the other, in which rules come and go beside those that are compared;
 * - one to four instances and tasks, little memory and much.
 *
 * usage: test_engine_cluster [SEED [HISTORIES [JOBS]]]
 *
 * History SEED and those after it, in so many processes. Each follows from its number alone: `test_engine_cluster N 1`
 * is history N again. It goes on after one that failed, a few times.
 */
#include "base/clock.h"
#include "engine_kafka.h"
#include "engine_states.h"
#include "lanes.h"

enum { QUIET_ROUNDS = 2, SETS = 2, COUNTS = sizeof(struct counts) / sizeof(uint64_t) };

/* Beside the rules that are compared: these come and go. They read what those say, and are between them in order. */
static const char extra_rules[] =
    "- id: extra-hopping\n"
    "  from: {all: {stream: telemetry}}\n"
    "  detect: {group_by: [service], window: {size: 30m, slide: 10m}, when: count(all) > 2}\n"
    "  recommend: {category: architecture, title: \"{{ count(all) }}\", cooldown: 0s, spec: {problem: p, solution: "
    "s}}\n"
    "- id: extra-rows\n"
    "  from: {x: {stream: incident}}\n"
    "  detect: {group_by: [severity], window: {size: 3h}, when: count(x) >= 2}\n"
    "  recommend: {category: architecture, title: t, cooldown: 0s, spec: {problem: p, solution: s}}\n"
    "- id: extra-reader\n"
    "  from: {d: {stream: detection, match: {rule_id: [extra-hopping, %s]}}}\n"
    "  detect: {group_by: [rule_id], window: {size: 2h}, when: count(d) >= 1}\n"
    "  recommend: {category: architecture, title: t, cooldown: 0s, spec: {problem: p, solution: s}}\n";

/* All rules, and some of them: more histories in the time. */
static const struct selection_of_rules {
    unsigned texts;
    int64_t weight;
    const char *read; /* by the rules that come and go */
} selections[] = {{UINT_MAX, 5, "cascading, trend-of-rows"},
                  {1 | 1 << 3, 4, "cascading"},
                  {1 | 1 << 4, 4, "trend-of-rows, burn-rate"},
                  {1 | 1 << 1 | 1 << 2 | 1 << 6, 4, "rows-and-telemetry, no-answer"},
                  {1 | 1 << 2 | 1 << 6, 3, "calendar-rows-and-telemetry, shared-root"}};

/* A selection, without the rules that come and go and with them, and recommendations that people speak of. */
struct selected {
    struct ruleset *sets[SETS];
    struct str *ids;
    size_t id_count;
};

enum { SELECTIONS = sizeof selections / sizeof *selections };

/* Made once. */
struct fixtures {
    struct fixture fixture; /* with the rules of the history under way */
    struct selected selected[SELECTIONS];
    struct arena arena;
};

/* What one history is like. */
struct history {
    struct story story;
    struct kafka kafka;
    struct instance instances[INSTANCES_MAX];
    const struct fixtures *fixtures;
    const struct selected *selected;
    size_t newest;  /* set of rules in force */
    int64_t peril;  /* one in so many turns something happens */
    int64_t end_ms; /* of all partitions */
    int64_t now_us; /* the clocks */
    size_t total;   /* records of the log */
    int speeds[PARTITIONS];
};

static void open_engine(struct history *history, struct instance *instance)
{
    struct error err;
    struct engine_options options = {.rules = history->selected->sets[history->newest],
                                     .config = history->fixtures->fixture.config,
                                     .source = &instance->source,
                                     .state = state_new(lend(instance->store)),
                                     .commit = &instance->commit,
                                     .scratch_dir = below(2) == 0 ? P_tmpdir : NULL,
                                     .shared = true,
                                     .live = true,
                                     .until_ms = INT64_MAX,
                                     .publish_from_ms = INT64_MIN};
    stop_often(&options);
    instance->rules = history->newest;
    instance->state = options.state;
    instance->dying = false;
    must(engine_new(&instance->engine, &options, &err), &err);
    instance->needs_restore = true;
}

static void close_engine(struct instance *instance)
{
    instance->dying = true;
    engine_free(instance->engine);
    state_free(instance->state);
}

static void start(struct history *history, int number)
{
    static const struct source_ops source_ops = {.poll = sim_poll,
                                                 .release = sim_release,
                                                 .end_offsets = sim_end_offsets,
                                                 .read_to = sim_read_to,
                                                 .finished = sim_finished,
                                                 .owned = sim_owned};
    static const struct commit_ops commit_ops = {.commit = sim_commit,
                                                 .start = sim_start,
                                                 .finish = sim_finish,
                                                 .restore = sim_restore,
                                                 .ready = sim_ready,
                                                 .others = sim_others};
    struct instance *instance = &history->instances[number];
    *instance = (struct instance){
        .source = {.ops = &source_ops, .partitions = history->kafka.described, .partition_count = history->kafka.all},
        .commit = {.ops = &commit_ops},
        .kafka = &history->kafka,
        .number = number,
        .store = store_memory_new()};
    open_engine(history, instance);
}

/* Time passes: the steady clock, and the other one with the log. */
static void tick(struct history *history)
{
    size_t visible = 0;
    for (size_t i = 0; i < PARTITIONS; i++)
        visible += history->kafka.visible[i];
    int64_t span_ms = history->kafka.log->end_ms - story_from_ms;
    history->now_us += below(400 * 1000);
    clock_mono_fix(history->now_us);
    clock_wall_fix(story_from_ms + span_ms * (int64_t)visible / (int64_t)history->total);
}

static int reload(struct history *history, struct instance *instance, struct error *err)
{
    bool switched = false;
    int result = engine_reload(instance->engine, history->selected->sets[history->newest], &switched, err);
    if (switched)
        instance->rules = history->newest;
    history->kafka.counts->reloads += switched;
    return result;
}

static void turn(struct history *history, struct instance *instance, bool commit)
{
    struct error err = {0};
    bool worked;
    int result;
    tick(history);
    if (instance->frozen > 0) {
        instance->frozen--;
        return;
    }
    if (instance->needs_restore) {
        result = engine_restore(instance->engine, &err);
        instance->needs_restore = result != 0;
    } else if (instance->rules != history->newest && (instance->calm || below(4) == 0)) {
        result = reload(history, instance, &err);
    } else {
        result = engine_step(instance->engine, &worked, &err);
        if (result == 0 && commit)
            result = engine_commit(instance->engine, &err);
    }
    if (result != 0 && err.class != ERROR_ABORT)
        fail_msg("%s", err.message);
    instance->needs_restore = instance->needs_restore || result != 0;
}

static void crash(struct history *history, struct instance *instance)
{
    close_engine(instance);
    open_engine(history, instance);
    history->kafka.counts->crashes++;
}

static void set_disk_back(struct history *history, struct instance *instance, bool all)
{
    struct counts *counts = history->kafka.counts;
    close_engine(instance);
    for (int task = 0; task < history->kafka.tasks; task++)
        if (all || below(2) == 0)
            set_back(instance, task, all ? 0 : (size_t)below((int64_t)instance->store_next[task] + 1));
    open_engine(history, instance);
    counts->lost_disks += all;
    counts->stale_disks += !all;
}

static void disturb(struct history *history)
{
    struct kafka *kafka = &history->kafka;
    struct instance *instance = &history->instances[below(kafka->instances)];
    switch (below(history->peril * 10)) {
    case 0:
    case 1:
        move_partitions(kafka, true);
        break;
    case 2:
    case 3:
        move_partitions(kafka, false);
        break;
    case 4:
        set_disk_back(history, instance, true);
        break;
    case 5:
        set_disk_back(history, instance, false);
        break;
    case 6:
    case 7:
        crash(history, instance);
        break;
    case 8:
        instance->needs_restore = true;
        break;
    case 9:
        instance->frozen = (int)below(30);
        break;
    case 10:
        compact(&kafka->changelog[below(kafka->tasks)]);
        break;
    case 11: /* before that there is no set in force which another could follow */
        if (is_settled(kafka))
            history->newest = 1 - history->newest;
        if (below(2) == 0)
            move_partitions(kafka, true);
        break;
    default:
        break;
    }
}

/* Partitions differ in speed, and change it now and then; some stand still for a while. */
static bool feed(struct history *history)
{
    struct kafka *kafka = &history->kafka;
    static const int speeds[] = {0, 1, 1, 3, 10};
    bool left = false;
    for (size_t i = 0; i < PARTITIONS; i++) {
        size_t most = kafka->log->counts[i] - kafka->visible[i];
        if (below(12) == 0)
            history->speeds[i] = speeds[below(5)];
        size_t more = (size_t)below(1 + history->speeds[i] * (1 + (int64_t)kafka->log->counts[i] / 60));
        kafka->visible[i] += more < most ? more : most;
        left = left || kafka->visible[i] < kafka->log->counts[i];
    }
    return left;
}

static void come_to_rest(struct history *history)
{
    struct kafka *kafka = &history->kafka;
    for (int i = 0; i < kafka->instances; i++) {
        history->instances[i].calm = true;
        history->instances[i].frozen = 0;
        memset(history->instances[i].not_ready, 0, sizeof history->instances[i].not_ready);
    }
    for (int quiet = 0; quiet < QUIET_ROUNDS; quiet++) {
        uint64_t before = kafka->changes;
        bool busy = false;
        for (int i = 0; i < kafka->instances; i++) {
            busy = busy || history->instances[i].needs_restore || history->instances[i].rules != history->newest;
            turn(history, &history->instances[i], true);
        }
        if (busy || kafka->changes != before)
            quiet = -1;
    }
}

static void run_cluster(struct history *history)
{
    struct kafka *kafka = &history->kafka;
    move_partitions(kafka, true);
    for (int i = 0; i < kafka->instances; i++)
        start(history, i);
    for (int64_t more = 1 + below(30); more > 0;) { /* what lies before the ends is applied after all was read */
        more -= !feed(history);
        for (int i = 0; i < kafka->instances; i++) {
            disturb(history);
            turn(history, &history->instances[below(kafka->instances)], below(3) == 0);
        }
    }
    come_to_rest(history);
    for (int i = 0; i < kafka->instances; i++)
        close_engine(&history->instances[i]);
}

static void close_disks(struct history *history)
{
    for (int i = 0; i < history->kafka.instances; i++)
        history->instances[i].store->ops->close(history->instances[i].store);
}

/* The end of each partition is an event far beyond all others, which lets everything before it be applied. */
static void add_ends(struct log *log, int64_t end_ms)
{
    for (size_t i = 0; i < INCIDENT_PARTITIONS; i++)
        add(log, i,
            arena_printf(&log->arena,
                         "{\"event_id\":\"end%zu\",\"incident_id\":\"end%zu\",\"status\":\"open\",\"occurred_at\":%lld,"
                         "\"service\":\"end\",\"severity\":\"sev5\",\"title\":\"t\"}",
                         i, i, (long long)end_ms));
    for (size_t i = INCIDENT_PARTITIONS; i < FEEDBACK_FIRST; i++)
        add(log, i,
            arena_printf(&log->arena, "{\"service\":\"end\",\"name\":\"end\",\"value\":1,\"occurred_at\":%lld}",
                         (long long)end_ms));
    for (size_t i = FEEDBACK_FIRST; i < PARTITIONS; i++)
        add_at(log, i,
               "{\"event_id\":\"end\",\"recommendation_id\":\"none:0123456789abcdef\",\"action\":\"comment\","
               "\"actor\":\"a\",\"occurred_at\":0}",
               end_ms);
}

/* One engine over the exchange in memory, fed all at once, without an end: time comes from the log alone, and from the
 * marks that the cluster made. */
static void run_alone(const struct fixture *fixture, const struct kafka *kafka, struct durable *durable)
{
    struct error err = {0};
    struct engine *engine;
    struct state *state = state_new(lend(durable->store));
    struct feed all;
    feed_open(&all, &fixture->log, durable);
    struct engine_options options = {.rules = fixture->rules,
                                     .config = fixture->config,
                                     .source = all.source,
                                     .state = state,
                                     .commit = &durable->base,
                                     .until_ms = INT64_MAX,
                                     .marks = kafka->marks,
                                     .mark_count = kafka->mark_count,
                                     .publish_from_ms = INT64_MIN};
    must(engine_new(&engine, &options, &err), &err);
    must(engine_restore(engine, &err), &err);
    (void)feed_some(&all, true);
    for (bool worked = true; worked;)
        must(engine_step(engine, &worked, &err), &err);
    must(engine_commit(engine, &err), &err);
    engine_free(engine);
    state_free(state);
    all.source->ops->close(all.source);
}

/* Of rules that come and go nothing is compared. */
static void leave_out_extra(struct map *outputs)
{
    struct map_entry *entry;
    for (size_t i = 0; map_next(outputs, &i, &entry);)
        if (str_starts(entry->key, STR_LIT("extra-"))) {
            struct buf *lines = map_remove(outputs, entry->key);
            buf_fini(lines);
            free(lines);
        }
}

/* What the changelogs hold is what one engine's store holds, and what the disk of each task's owner does. */
static void compare_disks(struct history *history, struct store *alone)
{
    struct error err;
    const struct kafka *kafka = &history->kafka;
    struct store *logged = store_memory_new();
    struct states states = {.rules = history->fixtures->fixture.rules,
                            .applied_ms =
                                history->end_ms - history->fixtures->fixture.config->sources[0].out_of_orderness_ms,
                            .task = -1};
    for (int task = 0; task < kafka->tasks; task++)
        for (size_t i = 0; i < kafka->changelog[task].count; i++) {
            struct str_pair pair = {kafka->changelog[task].entries[i].key, kafka->changelog[task].entries[i].value};
            must(logged->ops->write(logged, &pair, 1, &err), &err);
        }
    compare_states(&states, alone, logged);
    for (int task = 0; task < kafka->tasks; task++) {
        states.task = task;
        compare_states(&states, logged, history->instances[kafka->owner[PARTITIONS + task]].store);
    }
    logged->ops->close(logged);
    check_timers(alone);
    for (int i = 0; i < kafka->instances; i++)
        check_timers(history->instances[i].store);
}

static const struct selected *draw_rules(struct fixtures *fixtures)
{
    int64_t sum = 0;
    size_t i = 0;
    for (size_t k = 0; k < SELECTIONS; k++)
        sum += selections[k].weight;
    for (int64_t at = below(sum); at >= selections[i].weight; i++)
        at -= selections[i].weight;
    fixtures->fixture.rules = fixtures->selected[i].sets[0];
    return &fixtures->selected[i];
}

static struct story draw_story(void)
{
    static const int sizes[] = {25, 25, 50, 50, 100, 200};
    static const int64_t steps_ms[] = {20 * SECOND_MS, 90 * SECOND_MS, 90 * SECOND_MS, 10 * MINUTE_MS, HOUR_MS};
    int events = below(300) == 0 ? 1000 : 5 + (int)below(sizes[below(6)]);
    return (struct story){.events = events,
                          .feedback = (int)below(1 + events / 4),
                          .step_ms = steps_ms[below(5)],
                          .quiet = (int)below(PARTITIONS + 1),
                          .incidents = 3 + (int)below(80),
                          .services = 2 + (int)below(5)};
}

static void draw_config(struct config *config)
{
    static const int64_t lags_ms[] = {INT64_MAX, INT64_MAX, SECOND_MS, 5 * SECOND_MS, 30 * SECOND_MS};
    static const int64_t intervals_ms[] = {0, 0, 500, 3000};
    config->tasks = 1 + (int)below(TASKS_MAX);
    config->commit_interval_ms = intervals_ms[below(4)];
    config->recommendations.format = below(2) == 0 ? FORMAT_AVRO : FORMAT_JSON;
    for (size_t i = 0; i < SOURCES; i++)
        config->sources[i].idle_lag_ms = lags_ms[below(5)];
}

static void draw_history(struct history *history, struct fixtures *fixtures)
{
    static const int64_t perils[] = {2, 5, 5, 20};
    static const int64_t ends_ms[] = {10 * MINUTE_MS, HOUR_MS, 12 * HOUR_MS, 2 * DAY_MS};
    struct log *log = &fixtures->fixture.log;
    *history = (struct history){
        .fixtures = fixtures, .story = draw_story(), .peril = perils[below(4)], .newest = (size_t)below(SETS)};
    history->selected = draw_rules(fixtures);
    draw_config(fixtures->fixture.config);
    make_log(log, &history->story);
    if (history->story.feedback > 0)
        add_feedback(log, &history->story, history->selected->ids, history->selected->id_count);
    history->end_ms = log->end_ms + ends_ms[below(4)];
    add_ends(log, history->end_ms);
    for (size_t i = 0; i < PARTITIONS; i++) {
        history->total += log->counts[i];
        history->speeds[i] = 1;
    }
}

static int64_t draw_memory(void)
{
    static const int64_t bytes[] = {16 * 1024, 256 * 1024, 256 * 1024, 64 * 1024 * 1024};
    return bytes[below(4)];
}

static void play(struct fixtures *fixtures, uint64_t number, struct counts *counts)
{
    struct fixture *fixture = &fixtures->fixture;
    struct history history;
    struct durable alone;
    seed = (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
    seed = (seed ^ seed >> 30) * UINT64_C(0xBF58476D1CE4E5B9) | 1;
    draw_history(&history, fixtures);
    fixture->config->state_memory_bytes = draw_memory();
    kafka_init(&history.kafka, &fixture->log, fixture->config, 1 + (int)below(INSTANCES_MAX), counts);
    run_cluster(&history);
    durable_init(&alone);
    fixture->config->state_memory_bytes = draw_memory();
    run_alone(fixture, &history.kafka, &alone);
    leave_out_extra(&history.kafka.outputs);
    struct durable cluster = {.outputs = history.kafka.outputs, .dead_letters = history.kafka.dead_letters};
    compare(&alone, &cluster);
    compare_disks(&history, alone.store);
    counts->dead_letters += alone.dead_letters;
    counts->recommendations += alone.outputs.count;
    close_disks(&history);
    kafka_fini(&history.kafka);
    durable_fini(&alone);
    log_fini(&fixture->log);
}

static void select_rules(struct fixtures *fixtures, size_t number)
{
    static const struct story story = {300, 0, 90 * SECOND_MS, PARTITIONS, 80, 6};
    struct selected *selected = &fixtures->selected[number];
    struct fixture *fixture = &fixtures->fixture;
    struct durable durable;
    struct buf text = {0};
    story_rules(&text, selections[number].texts);
    selected->sets[0] = fixture->rules = load_rules(buf_str(&text));
    buf_printf(&text, extra_rules, selections[number].read);
    selected->sets[1] = load_rules(buf_str(&text));
    buf_fini(&text);
    make_log(&fixture->log, &story);
    durable_init(&durable);
    assert_true(live(fixture, &durable, false));
    selected->ids = story_ids(&durable.outputs, &fixtures->arena, &selected->id_count);
    durable_fini(&durable);
    log_fini(&fixture->log);
}

static void fixtures_init(struct fixtures *fixtures)
{
    load_story(&fixtures->fixture, "limits: {window_events: 40}\n");
    ruleset_free(fixtures->fixture.rules);
    for (size_t i = 0; i < SELECTIONS; i++)
        select_rules(fixtures, i);
}

static void fixtures_fini(struct fixtures *fixtures)
{
    for (size_t i = 0; i < SELECTIONS; i++)
        for (size_t k = 0; k < SETS; k++)
            ruleset_free(fixtures->selected[i].sets[k]);
    fixtures->fixture.rules = NULL;
    fixture_fini(&fixtures->fixture);
    arena_fini(&fixtures->arena);
}

static void test_a_cluster_says_what_one_engine_says(void **state)
{
    struct fixtures fixtures = {0};
    struct counts counts = {0};
    (void)state;
    fixtures_init(&fixtures);
    for (uint64_t number; lanes_next(&number); lanes_done((const uint64_t *)&counts))
        play(&fixtures, number, &counts);
    fixtures_fini(&fixtures);
}

static const char *const names[COUNTS] = {"commits",
                                          "aborts",
                                          "fenced commits",
                                          "late commits",
                                          "commits ended by others",
                                          "commits of unknown outcome",
                                          "unstable positions",
                                          "crashes",
                                          "commits of the dying",
                                          "lost disks",
                                          "stale disks",
                                          "rebalances",
                                          "reloads",
                                          "marks",
                                          "questions for others' times",
                                          "dead letters",
                                          "recommendations",
                                          "versions"};

int main(int argc, char **argv)
{
    const struct lanes_options options = {.name = "test_engine_cluster",
                                          .test = cmocka_unit_test(test_a_cluster_says_what_one_engine_says),
                                          .counts = names,
                                          .count = COUNTS,
                                          .histories = 200};
    return lanes_main(argc, argv, &options);
}
