/* See trial.h. What an expectation says is held against the newest versions at its time; each detection must be named
 * by an expectation at exactly its time. */
#include "cli/trial.h"

#include <stdlib.h>

#include "base/map.h"
#include "cli/expect.h"
#include "engine/engine.h"

enum { RULES_GATHERED_MAX = 20000, FEEDBACK_PARTITION = 3, PARTITIONS };

/* A detection that no expectation has claimed yet. */
struct detection {
    int64_t time_ms;
    struct value record;
};

/* The newest version of one recommendation, or scorecard. */
struct newest {
    struct value record;
    bool gone; /* forgotten */
    struct detection *detections;
    size_t detection_count;
    size_t detection_cap;
};

struct feedback {
    const struct testcase_event *event;
    bool told; /* why it has no effect */
};

struct trial {
    const struct testcase *testcase;
    struct arena arena;
    struct config *config;
    struct source *source;
    struct state *state;
    struct commit *commit;
    struct engine *engine;
    const struct rule *rule;   /* under test */
    struct ruleset rules;      /* it, and those whose detections it reads, and so on */
    struct map newest;         /* by id */
    struct feedback *feedback; /* by offset */
    size_t feedback_count;
    struct buf refused; /* lines about feedback that had no effect */
    bool fired;
};

static void observe_expiry(void *context, struct str id, int64_t time_ms)
{
    struct trial *trial = context;
    struct newest *newest = map_get(&trial->newest, id);
    (void)time_ms;
    if (newest != NULL)
        newest->gone = true;
}

static void observe(void *context, struct str id, struct value record, bool detection, int64_t time_ms)
{
    struct trial *trial = context;
    const struct value *rule_id = value_map_get(record, STR_LIT("rule_id"));
    ASSERT(rule_id != NULL);
    if (!str_eq(value_as_str(*rule_id), trial->rule->id))
        return; /* of a rule that it reads */
    void **slot = map_slot(&trial->newest, id);
    if (*slot == NULL)
        *slot = arena_zalloc(&trial->arena, sizeof(struct newest));
    struct newest *newest = *slot;
    newest->record = value_copy(&trial->arena, record);
    newest->gone = false;
    if (!detection)
        return;
    trial->fired = true;
    newest->detections =
        mem_grow(newest->detections, newest->detection_count, &newest->detection_cap, sizeof *newest->detections);
    newest->detections[newest->detection_count++] = (struct detection){time_ms, newest->record};
}

static void observe_scorecard(void *context, const struct scorecard_record *scorecard, int64_t time_ms)
{
    struct trial *trial = context;
    const struct value *id = value_map_get(scorecard->map, STR_LIT("id"));
    (void)time_ms;
    if (!str_eq(value_as_str(*id), trial->rule->id))
        return;
    void **slot = map_slot(&trial->newest, scorecard->id);
    if (*slot == NULL)
        *slot = arena_zalloc(&trial->arena, sizeof(struct newest));
    ((struct newest *)*slot)->record = value_copy(&trial->arena, scorecard->map);
    trial->fired = true;
}

static bool has_rule(const struct ruleset *rules, const struct rule *rule)
{
    for (size_t i = 0; i < rules->count; i++)
        if (str_eq(rules->rules[i].id, rule->id))
            return true;
    return false;
}

/* The rule and all that it reads, in order of id, and the rule's history; they borrow from its set. */
static void gather_rules(struct trial *trial, const struct rule *rule)
{
    size_t count = 1;
    const struct rule **queue = arena_alloc(&trial->arena, (RULES_GATHERED_MAX + 1) * sizeof(struct rule *));
    queue[0] = rule;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < queue[i]->read_count && count < RULES_GATHERED_MAX; k++)
            queue[count++] = queue[i]->reads[k];
    struct rule *rules = arena_alloc(&trial->arena, (count + 1) * sizeof *rules);
    trial->rules = (struct ruleset){.rules = rules, .level_max = rule->level};
    for (size_t i = 0; i < count; i++) {
        if (has_rule(&trial->rules, queue[i]))
            continue;
        size_t at = trial->rules.count++;
        for (; at > 0 && str_cmp(rules[at - 1].id, queue[i]->id) > 0; at--)
            rules[at] = rules[at - 1];
        rules[at] = *queue[i];
        rules[at].history = NULL;
    }
    trial->rules.all_count = trial->rules.count;
    if (rule->history == NULL)
        return;
    for (size_t i = 0; i < trial->rules.count; i++)
        if (str_eq(rules[i].id, rule->id))
            rules[i].history = &rules[trial->rules.count];
    rules[trial->rules.all_count++] = *rule->history;
}

static size_t partition_of(const struct stream *stream)
{
    switch (stream->id) {
    case STREAM_INCIDENT:
        return 0;
    case STREAM_DEPLOYMENT:
        return 1;
    case STREAM_FEEDBACK:
        return FEEDBACK_PARTITION;
    default:
        return 2;
    }
}

/* Detections at `at_ms` are expected: they are claimed. */
static void claim(struct newest *newest, int64_t at_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < newest->detection_count; i++)
        if (newest->detections[i].time_ms != at_ms)
            newest->detections[kept++] = newest->detections[i];
    newest->detection_count = kept;
}

static void put_at(struct buf *out, int64_t at_ms)
{
    buf_puts(out, "at ");
    duration_write(out, at_ms - TESTCASE_ZERO_MS);
}

/* `{service: cart, environment: null}`, as `group:` takes it. */
static void put_group(struct buf *out, struct value group)
{
    buf_byte(out, '{');
    for (size_t i = 0; group.type == VALUE_MAP && i < group.n; i++) {
        struct str key = value_as_str(group.items[2 * i]);
        buf_printf(out, "%s%.*s: ", i > 0 ? ", " : "", STR_ARG(key));
        expect_put(out, key, group.items[2 * i + 1]);
    }
    buf_byte(out, '}');
}

static void put_group_of(struct buf *out, struct value record)
{
    const struct value *group = value_map_get(record, STR_LIT("group"));
    put_group(out, group != NULL ? *group : value_null());
}

/* `name value, …` of the fields that tell most of a recommendation, then of its values. */
static void put_summary(struct buf *out, struct value record)
{
    static const char *const names[] = {"occurrences", "incidents", "mttr", "impact_score", "priority", NULL};
    const struct value *title = value_map_get(record, STR_LIT("title"));
    buf_printf(out, "%*s", EXPECT_INDENT, "");
    if (title != NULL)
        expect_put(out, STR_LIT("title"), *title);
    buf_puts(out, ": ");
    for (size_t i = 0; names[i] != NULL; i++) {
        const struct value *v = value_map_get(record, str_of(names[i]));
        if (v == NULL || value_is_null(*v))
            continue;
        buf_printf(out, "%s%s ", i > 0 ? ", " : "", names[i]);
        expect_put(out, str_of(names[i]), *v);
    }
    const struct value *values = value_map_get(record, STR_LIT("values"));
    for (size_t i = 0; values != NULL && values->type == VALUE_MAP && i < values->n; i++) {
        struct str name = value_as_str(values->items[2 * i]);
        if (memchr(name.p, '(', name.n) == NULL)
            continue; /* the record has it under its own name */
        buf_printf(out, ", %.*s ", STR_ARG(name));
        expect_put(out, name, values->items[2 * i + 1]);
    }
    buf_byte(out, '\n');
}

/* What `that` reads, so that its answer can be understood. */
struct reads {
    struct buf *out;
    const char *const *fields;
    const struct value *slots;
    bool any;
};

static void put_read(void *context, int slot)
{
    struct reads *reads = context;
    buf_printf(reads->out, "%s%s ", reads->any ? ", " : "", reads->fields[slot]);
    expect_put(reads->out, str_of(reads->fields[slot]), reads->slots[slot]);
    reads->any = true;
}

static bool check_that(struct trial *trial, const struct testcase_expect *expect, struct value record, struct buf *why)
{
    const char *const *fields = testcase_fields(trial->rule);
    struct value slots[64];
    size_t n = 0;
    uint64_t errors = 0;
    if (expect->that == NULL)
        return true;
    for (; fields[n] != NULL && n < sizeof slots / sizeof *slots; n++) {
        const struct value *v = value_map_get(record, str_of(fields[n]));
        slots[n] = v == NULL ? value_null() : *v;
    }
    struct cel_frame frame = {.slots = slots, .slot_count = n, .arena = &trial->arena};
    if (cel_eval_bool(expect->that, &frame, &errors, &errors))
        return true;
    struct reads reads = {why, fields, slots, false};
    buf_printf(why, "%*sthat  expected ", EXPECT_INDENT, "");
    cel_print(expect->that, why);
    buf_printf(why, "\n%*sgot      ", EXPECT_INDENT + 6, "");
    cel_slots(expect->that, put_read, &reads);
    buf_puts(why, errors > 0 ? "; it ends in an error\n" : "\n");
    return false;
}

/* Why no one recommendation is meant. */
static void put_matches(struct buf *why, const struct trial *trial, struct value group, size_t matches)
{
    const char *what = trial->rule->scorecard != NULL ? "scorecard" : "recommendation";
    buf_printf(why, "%*s", EXPECT_INDENT, "");
    if (matches == 0)
        buf_printf(why, "there is no %s", what);
    else
        buf_printf(why, "there are %zu %ss: name one by `group:`", matches, what);
    if (matches == 0 && group.type == VALUE_MAP) {
        buf_puts(why, " of ");
        put_group(why, group);
    }
    struct map_entry *entry;
    const char *before = matches == 0 ? "; there is one of " : ": ";
    for (size_t i = 0; map_next(&trial->newest, &i, &entry);) {
        if (((struct newest *)entry->value)->gone)
            continue;
        buf_puts(why, before);
        put_group_of(why, ((struct newest *)entry->value)->record);
        before = ", ";
    }
    buf_byte(why, '\n');
}

/* The recommendation that a group names, and how many it could be. */
static size_t find_newest(const struct trial *trial, struct value group, struct newest **found)
{
    size_t matches = 0;
    struct map_entry *entry;
    for (size_t i = 0; map_next(&trial->newest, &i, &entry);) {
        struct newest *newest = entry->value;
        if (newest->gone || !expect_group(group, newest->record))
            continue;
        *found = newest;
        matches++;
    }
    return matches;
}

/* Holds one expectation against the newest versions. */
static bool check_expect(struct trial *trial, const struct testcase_expect *expect, struct buf *why)
{
    struct newest *found = NULL;
    struct buf lines = {0};
    size_t matches = find_newest(trial, expect->group, &found);
    bool good = matches == 1;
    if (good) {
        claim(found, expect->at_ms);
        if (expect->recommendation.type == VALUE_MAP)
            good = expect_fields(expect->recommendation, found->record, &lines);
        good = check_that(trial, expect, found->record, &lines) && good;
    } else {
        put_matches(&lines, trial, expect->group, matches);
    }
    if (!good) {
        buf_printf(why, "    %s:%d:%d: ", trial->testcase->file, expect->line, expect->column);
        put_at(why, expect->at_ms);
        if (matches == 1) {
            buf_puts(why, ", ");
            put_group_of(why, found->record);
        }
        buf_byte(why, '\n');
        buf_str_put(why, buf_str(&lines));
    }
    buf_fini(&lines);
    return good;
}

static bool check_unclaimed(const struct trial *trial, struct buf *why)
{
    bool good = true;
    struct map_entry *entry;
    for (size_t i = 0; map_next(&trial->newest, &i, &entry);) {
        const struct newest *newest = entry->value;
        for (size_t k = 0; k < newest->detection_count; k++) {
            const struct detection *detection = &newest->detections[k];
            buf_printf(why, "    %s:%d: ", trial->testcase->file, trial->testcase->line);
            put_at(why, detection->time_ms);
            buf_puts(why, ", a detection of ");
            put_group_of(why, detection->record);
            buf_puts(why, " that no `expect` item names\n");
            put_summary(why, detection->record);
            good = false;
        }
    }
    return good;
}

/* `expect: []` of a scorecard: no window has one. */
static bool check_no_scorecard(const struct trial *trial, struct buf *why)
{
    bool good = true;
    struct map_entry *entry;
    if (trial->rule->scorecard == NULL || !trial->testcase->expects_none)
        return true;
    for (size_t i = 0; map_next(&trial->newest, &i, &entry);) {
        buf_printf(why, "    %s:%d: a scorecard of ", trial->testcase->file, trial->testcase->line);
        put_group_of(why, ((struct newest *)entry->value)->record);
        buf_puts(why, " where none is expected\n");
        good = false;
    }
    return good;
}

static void put_feedback(struct trial *trial, struct feedback *feedback)
{
    buf_printf(&trial->refused, "    %s:%d: ", trial->testcase->file, feedback->event->line);
    put_at(&trial->refused, feedback->event->at_ms);
    buf_puts(&trial->refused, ", the feedback has no effect\n");
    feedback->told = true;
}

/* What is published is observed elsewhere; dead letters are of refused feedback alone. */
static int take_refused(void *context, const struct commit_record *record, struct error *err)
{
    struct trial *trial = context;
    (void)err;
    for (size_t i = 0; record->output == OUTPUT_DEAD_LETTER && i < record->header_count; i++) {
        if (strcmp(record->headers[i].name, "forestall.offset") != 0)
            continue;
        struct feedback *feedback = &trial->feedback[strtoull(record->headers[i].value.p, NULL, 10)];
        if (feedback->told)
            continue;
        put_feedback(trial, feedback);
        buf_printf(&trial->refused, "%*s%.*s\n", EXPECT_INDENT, "", STR_ARG(record->headers[0].value));
    }
    return 0;
}

/* The one of the feedback's group at its time; none where there is not exactly one. */
static struct str name_feedback(void *context, const struct event *event)
{
    struct trial *trial = context;
    struct feedback *feedback = &trial->feedback[event->at.offset];
    struct newest *found = NULL;
    size_t matches = find_newest(trial, feedback->event->group, &found);
    if (matches == 1)
        return value_as_str(*value_map_get(found->record, STR_LIT("recommendation_id")));
    put_feedback(trial, feedback);
    put_matches(&trial->refused, trial, feedback->event->group, matches);
    return STR_LIT("");
}

static int open_trial(struct trial *trial, const struct rule *rule, struct error *err)
{
    static const struct source_partition partitions[PARTITIONS] = {
        {0, {"incident", 8}, 0}, {1, {"deployment", 10}, 0}, {2, {"telemetry", 9}, 0}, {3, {"feedback", 8}, 0}};
    struct diagnostics diagnostics = {.arena = &trial->arena};
    trial->config = config_load_text("tests", STR_LIT("state: {tasks: 1}\n"), NULL, 0, &diagnostics);
    diagnostics_fini(&diagnostics);
    ASSERT(trial->config != NULL);
    struct config_source *sources = arena_zalloc(&trial->config->arena, PARTITIONS * sizeof *sources);
    for (int i = 0; i < PARTITIONS; i++)
        sources[i] = (struct config_source){.topic = partitions[i].topic_name,
                                            .stream = stream_find(partitions[i].topic_name),
                                            .idle_lag_ms = INT64_MAX,
                                            .max_future_skew_ms = INT64_MAX / 4};
    trial->config->sources = sources;
    trial->config->source_count = PARTITIONS;
    trial->rule = rule;
    trial->feedback = arena_alloc(&trial->arena, (trial->testcase->event_count + 1) * sizeof(struct feedback));
    gather_rules(trial, rule);
    trial->source = source_memory_new(partitions, PARTITIONS);
    trial->state = state_new(store_memory_new());
    trial->commit = commit_plain_new(take_refused, trial);
    struct engine_options options = {.rules = &trial->rules,
                                     .config = trial->config,
                                     .source = trial->source,
                                     .state = trial->state,
                                     .commit = trial->commit,
                                     .until_ms = INT64_MAX,
                                     .publish_from_ms = INT64_MIN,
                                     .observe = observe,
                                     .observe_expiry = observe_expiry,
                                     .observe_scorecard = observe_scorecard,
                                     .name_feedback = name_feedback,
                                     .observe_context = trial};
    TRY(engine_new(&trial->engine, &options, err));
    return engine_restore(trial->engine, err);
}

static void close_trial(struct trial *trial)
{
    struct map_entry *entry;
    for (size_t i = 0; map_next(&trial->newest, &i, &entry);)
        free(((struct newest *)entry->value)->detections);
    map_fini(&trial->newest);
    buf_fini(&trial->refused);
    engine_free(trial->engine);
    trial->commit->ops->close(trial->commit);
    trial->source->ops->close(trial->source);
    state_free(trial->state);
    config_free(trial->config);
    arena_fini(&trial->arena);
}

/* Feeds events and moves time, stopping at each expectation. */
static int play(struct trial *trial, bool *good, struct buf *why, struct error *err)
{
    const struct testcase *testcase = trial->testcase;
    size_t next = 0;
    for (size_t i = 0; i <= testcase->expect_count; i++) {
        bool last = i == testcase->expect_count;
        int64_t until_ms = last ? testcase->advance_to_ms : testcase->expects[i].at_ms;
        for (; next < testcase->event_count && (last || testcase->events[next].at_ms <= until_ms); next++) {
            struct event event = testcase->events[next].event;
            if (event.stream->id == STREAM_FEEDBACK)
                trial->feedback[trial->feedback_count++] = (struct feedback){&testcase->events[next], false};
            engine_event(trial->engine, partition_of(event.stream), &event);
        }
        TRY(engine_advance(trial->engine, until_ms, err));
        TRY(engine_commit(trial->engine, err));
        if (!last && !check_expect(trial, &testcase->expects[i], why))
            *good = false;
    }
    return 0;
}

struct trial_result trial_run(struct arena *arena, const struct testcase *testcase, const struct rule *rule)
{
    struct trial trial = {.testcase = testcase};
    struct error err = {0};
    struct buf why = {0};
    bool good = true;
    int status = open_trial(&trial, rule, &err);
    if (status == 0)
        status = play(&trial, &good, &why, &err);
    if (status == 0)
        good = check_unclaimed(&trial, &why) && check_no_scorecard(&trial, &why) && good;
    good = good && trial.refused.len == 0;
    buf_str_put(&why, buf_str(&trial.refused));
    if (status != 0)
        buf_printf(&why, "    %s\n", err.message);
    struct trial_result result = {
        .passed = status == 0 && good, .fired = trial.fired, .why = arena_str(arena, buf_str(&why))};
    close_trial(&trial);
    buf_fini(&why);
    return result;
}
