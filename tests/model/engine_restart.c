/* The engine against itself: one run undisturbed, others with the partitions at random speeds, random commits, and
 * crashes at random points (memory and uncommitted outputs gone, the committed positions and state kept). Every
 * recommendation must have the same versions, byte for byte.
 *
 * usage: test_engine_restart [SEED [ROUNDS]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "engine/engine.h"

static uint64_t seed = 1;
static int rounds = 15;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int64_t below(int64_t n)
{
    return (int64_t)(next_random() % (uint64_t)n);
}

/* One after the other they are one file. */
static const char *const rules_texts[] = {
    "apiVersion: forestall.io/v1\n"
    "kind: RuleSet\n"
    "metadata: {name: model}\n"
    "topology: {s0: [s1, s2], s1: [s3], s4: [s3]}\n"
    "rules:\n"
    "- id: sliding-rows\n"
    "  from: {x: {stream: incident, match: {severity: [sev1, sev2]}}, r: {stream: incident, match: {status: "
    "resolved}}}\n"
    "  detect: {group_by: [service], window: {size: 6h}, when: count(x) >= 2 || count(r) >= 3}\n"
    "  recommend: {category: architecture, title: \"{{ mttr }}\", supersedes: [session-rows, by-output], cooldown: 0s, "
    "spec: {problem: \"{{ count(x) }} {{ "
    "count(r) }} {{ minutes_lost }}\", solution: s}}\n"
    "- id: hopping-telemetry\n"
    "  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}, all: {stream: telemetry, where: event.value > "
    "10.0}}\n"
    "  detect: {group_by: [service], window: {size: 20m, slide: 5m}, when: avg(cpu) > 45 && count(all) > 3}\n"
    "  recommend: {category: architecture, title: \"{{ avg(cpu) }} {{ max(cpu) }}\", cooldown: 0s, spec: {problem: "
    "\"{{ sum(cpu) }} {{ distinct(all, event.name) }} {{ share(cpu, all, event.occurred_at) }}\", solution: s}}\n"
    "- id: hopping-by-name\n"
    "  from: {all: {stream: telemetry}}\n"
    "  detect: {group_by: [name], window: {size: 1h, slide: 20m, wait: 7m}, when: min(all) < 5}\n"
    "  recommend: {category: architecture, title: \"{{ services }}\", cooldown: 1h, spec: {problem: \"{{ count(all) "
    "}}\", solution: s}}\n"
    "- id: sliding-telemetry\n"
    "  from: {hot: {stream: telemetry, where: event.value > 90.0}}\n"
    "  detect: {group_by: [service], window: {size: 30m}, when: count(hot) >= 3}\n"
    "  recommend: {category: architecture, title: t, cooldown: 2h, spec: {problem: \"{{ events }}\", solution: s}}\n"
    "- id: rows-and-telemetry\n"
    "  from: {x: {stream: incident}, cpu: {stream: telemetry, match: {name: cpu_usage}}}\n"
    "  detect: {group_by: [service], window: {size: 2h, slide: 30m}, when: count(x) >= 1 && avg(cpu) > 40}\n"
    "  recommend: {category: architecture, title: \"{{ incidents }} {{ avg(cpu) }}\", cooldown: 0s, spec: {problem: p, "
    "solution: s}}\n",
    "- id: calendar-rows-and-telemetry\n"
    "  from: {x: {stream: incident}, cpu: {stream: telemetry, match: {name: cpu_usage}}}\n"
    "  detect: {group_by: [service], window: {calendar: day, timezone: Pacific/Chatham, wait: 20m}, when: count(x) > 2 "
    "|| avg(cpu) > 50}\n"
    "  recommend: {category: architecture, title: \"{{ count(x) }} {{ avg(cpu) }}\", cooldown: 0s, spec: {problem: "
    "\"{{ mttr }}\", solution: s}}\n"
    "- id: rows-and-telemetry-in-order\n"
    "  from: {x: {stream: incident}, r: {stream: incident, match: {status: resolved}}, hot: {stream: telemetry, where: "
    "event.value > 60.0}}\n"
    "  detect: {type: sequence, group_by: [service], within: 2h, max_gap: 40m, skip: past_last, steps: [{not: r}, x, "
    "{hot: {times: \"2..4\", greedy: true, where: \"size(hot) == 0 || event.value > hot[0].value\"}}, {end: {of: x, "
    "where: event.incident_id != x.incident_id}}]}\n"
    "  recommend: {category: architecture, title: \"{{ x.incident_id }} {{ hot.map(h, h.value) }}\", cooldown: 0s, "
    "spec: {problem: \"{{ end.severity }}\", solution: s}}\n"
    "- id: no-answer\n"
    "  from: {x: {stream: incident, match: {severity: sev1}}, cold: {stream: telemetry, where: event.value < 5.0}}\n"
    "  detect: {type: sequence, group_by: [service], within: 20m, skip: to_next, steps: [{x: {times: \"1..\"}}, {not: "
    "cold}]}\n"
    "  recommend: {category: architecture, title: \"{{ x.map(e, e.incident_id) }}\", cooldown: 0s, spec: {problem: p, "
    "solution: s}}\n"
    "- id: session-rows\n"
    "  from: {x: {stream: incident, match: {severity: [sev1, sev2]}}}\n"
    "  detect: {group_by: [service], window: {gap: 20m, max: 1h}, when: count(x) >= 2}\n"
    "  recommend: {category: architecture, title: \"{{ count(x) }}\", cooldown: 0s, spec: {problem: \"{{ mttr }}\", "
    "solution: s}}\n"
    "- id: session-rows-and-telemetry\n"
    "  from: {x: {stream: incident, match: {status: resolved}}, hot: {stream: telemetry, where: event.value > 80.0}}\n"
    "  detect: {group_by: [service], window: {gap: 10m}, when: count(x) + count(hot) >= 3}\n"
    "  recommend: {category: architecture, title: \"{{ first_seen }}\", cooldown: 1h, spec: {problem: \"{{ count(hot) "
    "}}\", solution: s}}\n",
    "- id: absent-telemetry\n"
    "  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}}\n"
    "  detect: {type: absence, group_by: [service], of: cpu, every: 15m}\n"
    "  recommend: {category: architecture, title: \"{{ silence }} since {{ last_seen }}\", cooldown: 0s}\n"
    "- id: absent-rows\n"
    "  from: {x: {stream: incident, match: {status: [open, resolved]}}}\n"
    "  detect: {type: absence, group_by: [service], of: x, every: 20m}\n"
    "  recommend: {category: architecture, title: \"{{ mttr }} {{ last_seen }}\", cooldown: 0s}\n"
    "- id: cascading\n"
    "  from: {x: {stream: incident}}\n"
    "  detect: {type: cascade, of: x, within: 10m}\n"
    "  recommend: {category: architecture, title: \"{{ root }} {{ root_failing }} {{ affected }} {{ mttr }}\", "
    "cooldown: "
    "0s}\n"
    "- id: cascading-telemetry\n"
    "  from: {x: {stream: telemetry, where: event.value > 60.0}}\n"
    "  detect: {type: cascade, group_by: [name], of: x, within: 20m, when: size(affected) >= 3}\n"
    "  recommend: {category: architecture, title: \"{{ root }} {{ affected }} {{ events }}\", cooldown: 0s}\n"
    "- id: new-number\n"
    "  from: {x: {stream: telemetry}}\n"
    "  detect: {type: new_value, group_by: [name], of: x, value: int(event.value), memory: 2h, warmup: 1h}\n"
    "  recommend: {category: architecture, title: \"{{ value }}\", cooldown: 30m}\n"
    "- id: reverts\n"
    "  from: {x: {stream: telemetry}}\n"
    "  detect: {type: revert, group_by: [service], of: x, value: int(event.value) / 10, memory: 1h}\n"
    "  recommend: {category: architecture, title: \"{{ previous }} {{ value }}\", cooldown: 1h}\n",
    "- id: trend-of-telemetry\n"
    "  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}, x: {stream: incident, match: {severity: sev1}}}\n"
    "  detect: {type: trend, group_by: [service], of: cpu, reset: x, window: {size: 3h, slide: 30m, wait: 2m}, step: "
    "10m, limit: 200, min_points: 3, when: slope_per_hour > 5}\n"
    "  recommend: {category: architecture, title: \"{{ slope_per_hour }} {{ current }} {{ eta }}\", cooldown: 0s}\n"
    "- id: trend-of-rows\n"
    "  from: {x: {stream: incident}}\n"
    "  detect: {type: trend, of: x, value: event.reopened, window: {size: 4h, slide: 1h}, step: 20m, limit: 1, "
    "min_points: 5, min_fit: 0, method: least_squares, when: fit > 0}\n"
    "  recommend: {category: architecture, title: \"{{ fit }} {{ current }} {{ incidents }}\", cooldown: 0s}\n"
    "- id: burn-rate\n"
    "  from: {all: {stream: telemetry, match: {name: cpu_usage}}, bad: {stream: telemetry, match: {name: cpu_usage}, "
    "where: "
    "event.value > 90.0}}\n"
    "  detect: {type: burn_rate, bad: sum(bad), all: sum(all), objective: 0.8, pairs: [{long: 30m, short: 6m, factor: "
    "2}]}\n"
    "  recommend: {category: architecture, title: \"{{ burn_long }} {{ burn_short }}\", cooldown: 20m}\n"
    "- id: burn-rate-of-rows\n"
    "  from: {all: {stream: incident}, bad: {stream: incident, match: {severity: sev1}}}\n"
    "  detect: {type: burn_rate, bad: bad, all: all, objective: 0.5, pairs: [{long: 40m, short: 15m, factor: 1}]}\n"
    "  recommend: {category: architecture, title: \"{{ burn_long }} {{ incidents }}\", cooldown: 20m}\n"
    "- id: percentiles\n"
    "  from: {all: {stream: telemetry}}\n"
    "  detect: {group_by: [name], window: {size: 4h, slide: 1h}, when: p50(all) < p95(all) - stddev(all)}\n"
    "  recommend: {category: architecture, title: \"{{ p99(all) }} {{ stddev(all) }}\", cooldown: 0s}\n"
    "- id: looks-back\n"
    "  from: {hot: {stream: telemetry, where: event.value > 60.0}, x: {stream: incident, match: {severity: sev1}}}\n"
    "  detect: {group_by: [service], window: {size: 20m, slide: 10m, wait: 2m}, when: \"count(hot) > ago(count(hot) + "
    "count(x), '90m')\"}\n"
    "  recommend: {category: architecture, title: \"{{ ago(mttr) }} {{ ago(max(hot), '90m') }}\", cooldown: 0s}\n"
    "- id: looks-back-a-day\n"
    "  from: {x: {stream: incident}}\n"
    "  detect: {group_by: [service], window: {calendar: day, timezone: Europe/Berlin}, warmup: 0s, when: count(x) > "
    "ago(count(x))}\n"
    "  recommend: {category: architecture, title: \"{{ ago(services) }} {{ ago(mttr) }}\", cooldown: 0s}\n",
    "- id: shared-by-service\n"
    "  from: {x: {stream: incident}}\n"
    "  detect: {group_by: [service, severity, status], window: {size: 6h}, when: count(x) >= 2}\n"
    "  recommend: {per: [service], needs: {detections: 3, within: 12h}, category: architecture, title: \"{{ "
    "group.severity }}\", cooldown: 0s}\n"
    "- id: shared-telemetry\n"
    "  from: {hot: {stream: telemetry, where: event.value > 60.0}}\n"
    "  detect: {group_by: [service, name], window: {size: 20m}, when: count(hot) >= 3}\n"
    "  recommend: {per: [name], category: architecture, title: \"{{ group.service }}\", cooldown: 1h}\n"
    "- id: by-output\n"
    "  from: {x: {stream: incident, match: {severity: [sev1, sev2, sev3]}}}\n"
    "  detect: {group_by: [severity], window: {size: 8h, slide: 1h}, when: count(x) >= 3}\n"
    "  recommend: {per: [incidents], needs: {detections: 2, within: 2d}, category: architecture, title: t, cooldown: "
    "0s}\n"
    "- id: shared-root\n"
    "  from: {x: {stream: incident, match: {severity: [sev1, sev2, sev3]}}}\n"
    "  detect: {type: cascade, group_by: [severity], of: x, within: 10m}\n"
    "  recommend: {per: [root, severity], needs: {detections: 2, within: 6h}, category: architecture, title: \"{{ "
    "affected }}\", "
    "cooldown: 0s}\n"};

enum { PARTITIONS = 6, EVENTS = 1500, INCIDENT_PARTITIONS = 2, FEEDBACK_FIRST = 4, FEEDBACK = 300, SOURCES = 3 };

static const struct source_partition partitions[PARTITIONS] = {{0, {"incidents", 9}, 0}, {0, {"incidents", 9}, 1},
                                                               {1, {"telemetry", 9}, 0}, {1, {"telemetry", 9}, 1},
                                                               {2, {"words", 5}, 0},     {2, {"words", 5}, 1}};

struct record {
    struct str value;
    int64_t timestamp_ms;
};

/* The log: JSON records a partition, in offset order. */
struct log {
    struct record *records[PARTITIONS];
    size_t counts[PARTITIONS];
    int64_t end_ms;
    struct arena arena;
};

/* What outlives a crash. */
struct durable {
    struct commit base;
    struct store *store;
    struct commit_position positions[PARTITIONS];
    int64_t applied_ms;
    bool committed;
    struct map outputs; /* id -> struct buf of lines */
    size_t dead_letters;
    size_t refused; /* of them: feedback */
};

struct fixture {
    struct config *config;
    struct ruleset *rules;
    struct log log;
};

static void add_at(struct log *log, size_t partition, const char *text, int64_t timestamp_ms)
{
    struct record *records = mem_realloc(log->records[partition], (log->counts[partition] + 1) * sizeof *records);
    log->records[partition] = records;
    records[log->counts[partition]++] = (struct record){arena_str(&log->arena, str_of(text)), timestamp_ms};
}

static void add(struct log *log, size_t partition, const char *text)
{
    add_at(log, partition, text, INT64_C(1900000000000));
}

static void make_log(struct log *log)
{
    int64_t at_ms = INT64_C(1704067200000);
    struct arena *arena = &log->arena;
    for (int i = 0; i < EVENTS; i++) {
        at_ms += below(90 * SECOND_MS);
        int64_t jittered = at_ms - below(3 * MINUTE_MS); /* some are late */
        int service = (int)below(6);
        if (below(5) == 0) {
            static const char *const statuses[] = {"open", "acknowledged", "resolved", "open", "cancelled"};
            int incident = (int)below(80);
            add(log, (size_t)(incident % INCIDENT_PARTITIONS),
                arena_printf(arena,
                             "{\"event_id\":\"e%d\",\"incident_id\":\"i%d\",\"status\":\"%s\",\"occurred_at\":%lld,"
                             "\"service\":\"s%d\",\"severity\":\"sev%d\",\"title\":\"t\"}",
                             i, incident, statuses[below(5)], (long long)jittered, incident % 6, 1 + (int)below(4)));
            continue;
        }
        add(log, INCIDENT_PARTITIONS + (size_t)(service % 2),
            below(60) == 0
                ? "not json"
                : arena_printf(arena, "{\"service\":\"s%d\",\"name\":\"%s\",\"value\":%lld.%lld,\"occurred_at\":%lld}",
                               service, below(2) ? "cpu_usage" : "memory_usage", (long long)below(100),
                               (long long)below(10), (long long)jittered));
    }
    log->end_ms = at_ms;
}

/* What people say of the recommendations there are, at append times that are not quite in order; some of it twice, some
 * of nothing. */
static void add_feedback(struct log *log, const struct map *outputs)
{
    static const char *const actions[] = {"accept", "start", "implement", "dismiss", "reopen", "comment"};
    struct str *ids = arena_alloc(&log->arena, (outputs->count + 1) * sizeof *ids);
    size_t count = 0;
    struct map_entry *entry;
    for (size_t i = 0; map_next(outputs, &i, &entry); count++) { /* in order of id: the map's is of addresses */
        size_t at = count;
        for (; at > 0 && str_cmp(ids[at - 1], entry->key) > 0; at--)
            ids[at] = ids[at - 1];
        ids[at] = arena_str(&log->arena, entry->key);
    }
    ids[count] = STR_LIT("nothing:0123456789abcdef");
    int64_t from_ms = INT64_C(1704067200000);
    for (int i = 0; i < FEEDBACK; i++) {
        int64_t at_ms = from_ms + (log->end_ms - from_ms) / FEEDBACK * i - below(4 * MINUTE_MS);
        struct str id = ids[below(below(3) == 0 ? (int64_t)count + 1 : 8)];
        const char *until =
            below(2) == 0 ? "null" : arena_printf(&log->arena, "%lld", (long long)(at_ms + below(6 * HOUR_MS)));
        const char *version = below(5) == 0 ? arena_printf(&log->arena, "%lld", (long long)below(5)) : "null";
        add_at(log, FEEDBACK_FIRST + (size_t)below(2),
               arena_printf(&log->arena,
                            "{\"event_id\":\"f%lld\",\"recommendation_id\":\"%.*s\",\"action\":\"%s\",\"until\":%s,"
                            "\"expected_version\":%s,\"actor\":\"a%d\",\"occurred_at\":0}",
                            (long long)(i - below(2)), STR_ARG(id), actions[below(6)], until, version, i),
               at_ms);
    }
}

static int durable_commit(struct commit *commit, const struct commit_batch *batch, struct state *state,
                          struct error *err)
{
    struct durable *durable = (struct durable *)commit;
    for (size_t i = 0; i < batch->record_count; i++) {
        const struct commit_record *record = &batch->records[i];
        if (record->output == OUTPUT_DEAD_LETTER) {
            durable->dead_letters++;
            durable->refused += str_eq(record->headers[1].value, partitions[FEEDBACK_FIRST].topic_name);
            continue;
        }
        void **slot = map_slot(&durable->outputs, record->key);
        if (*slot == NULL)
            *slot = mem_zalloc(sizeof(struct buf));
        buf_str_put(*slot, record->value);
        buf_byte(*slot, '\n');
    }
    const struct str_pair *dirty;
    size_t n = state_dirty(state, &dirty);
    if (durable->store->ops->write(durable->store, dirty, n, err) != 0)
        return -1;
    state_settle(state);
    for (size_t i = 0; i < PARTITIONS; i++)
        durable->positions[i] = batch->positions[i];
    durable->applied_ms = batch->applied_ms;
    durable->committed = true;
    return 0;
}

static int durable_restore(struct commit *commit, struct state *state, struct arena *arena, struct commit_restored *out,
                           struct error *err)
{
    struct durable *durable = (struct durable *)commit;
    (void)state;
    (void)arena;
    (void)err;
    *out = (struct commit_restored){
        .first_start = !durable->committed, .positions = durable->positions, .applied_ms = durable->applied_ms};
    return 0;
}

static void durable_close(struct commit *commit)
{
    (void)commit;
}

static const struct commit_ops durable_ops = {durable_commit, durable_restore, durable_close};

/* The store's close is not the engine's business: state_free closes it, so it is lent behind a wrapper. */
struct lent {
    struct store base;
    struct store *store;
};

static int lent_get(struct store *store, struct str key, struct buf *value, struct error *err)
{
    struct store *below_it = ((struct lent *)store)->store;
    return below_it->ops->get(below_it, key, value, err);
}

static int lent_write(struct store *store, const struct str_pair *entries, size_t n, struct error *err)
{
    struct store *below_it = ((struct lent *)store)->store;
    return below_it->ops->write(below_it, entries, n, err);
}

static struct store_iterator *lent_scan(struct store *store, struct str from, struct str to)
{
    struct store *below_it = ((struct lent *)store)->store;
    return below_it->ops->scan(below_it, from, to);
}

static int lent_next(struct store_iterator *iterator, struct str *key, struct str *value, struct error *err);
static void lent_scan_end(struct store_iterator *iterator);

static int lent_wipe(struct store *store, struct error *err)
{
    struct store *below_it = ((struct lent *)store)->store;
    return below_it->ops->wipe(below_it, err);
}

static void lent_close(struct store *store)
{
    free(store);
}

static const struct store_ops *memory_ops;

static int lent_next(struct store_iterator *iterator, struct str *key, struct str *value, struct error *err)
{
    return memory_ops->next(iterator, key, value, err);
}

static void lent_scan_end(struct store_iterator *iterator)
{
    memory_ops->scan_end(iterator);
}

static struct store *lend(struct store *store)
{
    static const struct store_ops ops = {lent_get,      lent_write, lent_scan, lent_next,
                                         lent_scan_end, lent_wipe,  lent_close};
    struct lent *lent = mem_zalloc(sizeof *lent);
    memory_ops = store->ops;
    lent->base.ops = &ops;
    lent->store = store;
    return &lent->base;
}

/* A fresh source over what the log holds from the committed positions on, fed in random portions. */
struct feed {
    struct source *source;
    const struct log *log;
    size_t given[PARTITIONS];
};

static void feed_open(struct feed *feed, const struct log *log, const struct durable *durable)
{
    feed->log = log;
    feed->source = source_memory_new(partitions, PARTITIONS);
    for (size_t i = 0; i < PARTITIONS; i++) {
        feed->given[i] = durable->committed ? (size_t)durable->positions[i].offset : 0;
        if (feed->given[i] > 0)
            source_memory_skip(feed->source, i, (int64_t)feed->given[i]);
    }
}

static bool feed_some(struct feed *feed, bool all)
{
    bool left = false;
    for (size_t i = 0; i < PARTITIONS; i++) {
        int64_t portion = all ? INT64_MAX : below(30);
        for (; portion > 0 && feed->given[i] < feed->log->counts[i]; portion--, feed->given[i]++)
            source_memory_add(feed->source, i, feed->log->records[i][feed->given[i]].value,
                              feed->log->records[i][feed->given[i]].timestamp_ms);
        left = left || feed->given[i] < feed->log->counts[i];
    }
    return left;
}

static void must(int result, const struct error *err)
{
    if (result != 0)
        fail_msg("%s", err->message);
}

/* One life of the engine: true when it came to the end of the log, false when it was killed. */
static bool live(const struct fixture *fixture, struct durable *durable, bool disturbed)
{
    struct feed feed;
    struct error err = {0};
    struct engine *engine;
    struct state *state = state_new(lend(durable->store));
    feed_open(&feed, &fixture->log, durable);
    struct engine_options options = {.rules = fixture->rules,
                                     .config = fixture->config,
                                     .source = feed.source,
                                     .state = state,
                                     .commit = &durable->base,
                                     .until_ms = INT64_MAX,
                                     .publish_from_ms = INT64_MIN};
    must(engine_new(&engine, &options, &err), &err);
    must(engine_restore(engine, &err), &err);
    bool killed = false;
    for (bool left = true; left && !killed;) {
        bool worked;
        left = feed_some(&feed, !disturbed);
        must(engine_step(engine, &worked, &err), &err);
        if (disturbed && below(3) == 0)
            must(engine_commit(engine, &err), &err);
        killed = disturbed && below(15) == 0;
    }
    if (!killed) {
        source_memory_end(feed.source);
        while (!engine_finished(engine)) {
            bool worked;
            must(engine_step(engine, &worked, &err), &err);
        }
        must(engine_end(engine, true, &err), &err);
    }
    engine_free(engine);
    state_free(state);
    feed.source->ops->close(feed.source);
    return !killed;
}

static void durable_init(struct durable *durable)
{
    *durable = (struct durable){.store = store_memory_new(), .applied_ms = INT64_MIN};
    durable->base.ops = &durable_ops;
}

static void durable_fini(struct durable *durable)
{
    struct map_entry *entry;
    for (size_t i = 0; map_next(&durable->outputs, &i, &entry);) {
        buf_fini(entry->value);
        free(entry->value);
    }
    map_fini(&durable->outputs);
    durable->store->ops->close(durable->store);
}

static void compare(const struct durable *expected, const struct durable *actual)
{
    struct map_entry *entry;
    assert_int_equal(expected->outputs.count, actual->outputs.count);
    assert_int_equal(expected->dead_letters, actual->dead_letters);
    for (size_t i = 0; map_next(&expected->outputs, &i, &entry);) {
        const struct buf *want = entry->value;
        const struct buf *got = map_get(&actual->outputs, entry->key);
        assert_non_null(got);
        if (!str_eq(buf_str(want), buf_str(got))) {
            size_t at = 0;
            while (at < want->len && at < got->len && want->p[at] == got->p[at])
                at++;
            size_t from = at > 300 ? at - 300 : 0;
            fail_msg("%.*s differs at byte %zu:\n%.*s\n---\n%.*s", STR_ARG(entry->key), at, 500, want->p + from, 500,
                     got->p + from);
        }
    }
}

static void load(struct fixture *fixture)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    static const char config_text[] = "state: {tasks: 3}\ncommit_interval: 60s\ntime: {late: dead_letter}\n"
                                      "limits: {window_events: 40}\n";
    fixture->config = config_load_text("model", str_of(config_text), NULL, 0, &diagnostics);
    struct buf text = {0};
    for (size_t i = 0; i < sizeof rules_texts / sizeof *rules_texts; i++)
        buf_puts(&text, rules_texts[i]);
    fixture->rules = ruleset_load_text("model.yaml", buf_str(&text), &diagnostics);
    buf_fini(&text);
    for (size_t i = 0; i < diagnostics.count; i++)
        if (!diagnostics.items[i].warning)
            fail_msg("%d:%d: %s", diagnostics.items[i].line, diagnostics.items[i].column, diagnostics.items[i].message);
    fixture->config->state_memory_bytes = 256 * 1024; /* groups leave memory, and partitions wait for the slowest */
    struct config_source *sources = arena_zalloc(&fixture->config->arena, SOURCES * sizeof *sources);
    static const enum stream_id streams[SOURCES] = {STREAM_INCIDENT, STREAM_TELEMETRY, STREAM_FEEDBACK};
    for (int i = 0; i < SOURCES; i++)
        sources[i] = (struct config_source){.topic = partitions[2 * i].topic_name,
                                            .stream = stream_get(streams[i]),
                                            .idle_lag_ms = INT64_MAX,
                                            .out_of_orderness_ms = 2 * MINUTE_MS,
                                            .max_future_skew_ms = 0};
    fixture->config->sources = sources;
    fixture->config->source_count = SOURCES;
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

static void test_restarts_change_nothing(void **state)
{
    struct fixture fixture = {0};
    (void)state;
    load(&fixture);
    for (int round = 0; round < rounds; round++) {
        uint64_t seed_of_round = seed;
        struct durable silent;
        struct durable undisturbed;
        struct durable disturbed;
        make_log(&fixture.log);
        durable_init(&silent);
        assert_true(live(&fixture, &silent, false));
        add_feedback(&fixture.log, &silent.outputs);
        durable_fini(&silent);
        durable_init(&undisturbed);
        durable_init(&disturbed);
        assert_true(live(&fixture, &undisturbed, false));
        int lives = 1;
        while (!live(&fixture, &disturbed, true))
            lives++;
        print_message("seed %llu: %zu recommendations, %zu dead letters, %d lives\n", (unsigned long long)seed_of_round,
                      undisturbed.outputs.count, undisturbed.dead_letters, lives);
        assert_true(undisturbed.outputs.count > 5);
        assert_true(undisturbed.refused > 20 && undisturbed.refused < FEEDBACK - 20);
        compare(&undisturbed, &disturbed);
        durable_fini(&undisturbed);
        durable_fini(&disturbed);
        for (size_t i = 0; i < PARTITIONS; i++) {
            free(fixture.log.records[i]);
            fixture.log.records[i] = NULL;
            fixture.log.counts[i] = 0;
        }
        arena_fini(&fixture.log.arena);
    }
    ruleset_free(fixture.rules);
    config_free(fixture.config);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (argc > 2)
        rounds = (int)strtol(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_restarts_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
