/* Rules of every detector, and logs of events and feedback for them. */
#ifndef FORESTALL_TESTS_ENGINE_STORY_H
#define FORESTALL_TESTS_ENGINE_STORY_H

#include <limits.h>

#include "engine_lives.h"

/* One after the other they are one file; so is the first with some of the others, where those read none that is
 * missing.
 */
static const char *const rules_texts[] = {
    "apiVersion: forestall.io/v1\n"
    "kind: RuleSet\n"
    "metadata: {name: model}\n"
    "topology: {s0: [s1, s2], s1: [s3], s4: [s3]}\n"
    "rules:\n",
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
    "- id: often-detected\n"
    "  from: {d: {stream: detection, match: {rule_id: [sliding-telemetry, absent-telemetry, reverts]}}, x: {stream: "
    "incident, match: {severity: sev1}}}\n"
    "  detect: {group_by: [service], window: {size: 3h}, when: count(d) >= 2 || count(x) >= 2}\n"
    "  recommend: {category: architecture, title: \"{{ count(d) }} {{ count(x) }}\", cooldown: 0s}\n"
    "- id: thrice-removed\n"
    "  from: {d: {stream: detection, match: {rule_id: [often-detected, new-number]}}}\n"
    "  detect: {group_by: [rule_id], window: {size: 2h, slide: 30m}, when: count(d) >= 2}\n"
    "  recommend: {category: architecture, title: \"{{ count(d) }}\", cooldown: 0s}\n"
    "- id: stands-for-what-it-reads\n"
    "  from: {d: {stream: detection, match: {rule_id: [session-rows-and-telemetry, hopping-by-name]}}}\n"
    "  detect: {group_by: [service], window: {size: 4h}, when: count(d) >= 2}\n"
    "  recommend: {category: architecture, title: \"{{ count(d) }}\", cooldown: 0s, supersedes: "
    "[session-rows-and-telemetry]}\n",
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

/* What a log is like. */
struct story {
    int events;
    int feedback;
    int64_t step_ms; /* between two events, at most */
    int quiet;       /* a partition that has nothing in the middle third; PARTITIONS: none */
    int incidents;
    int services;
};

static const int64_t story_from_ms = INT64_C(1704067200000);

static void make_incident(struct log *log, const struct story *story, int number, int64_t time_ms)
{
    static const char *const statuses[] = {"open", "acknowledged", "resolved", "open", "cancelled"};
    int incident = (int)below(story->incidents);
    add(log, (size_t)(incident % INCIDENT_PARTITIONS),
        arena_printf(&log->arena,
                     "{\"event_id\":\"e%d\",\"incident_id\":\"i%d\",\"status\":\"%s\",\"occurred_at\":%lld,"
                     "\"service\":\"s%d\",\"severity\":\"sev%d\",\"title\":\"t\"}",
                     number, incident, statuses[below(5)], (long long)time_ms, incident % story->services,
                     1 + (int)below(4)));
}

static void make_telemetry(struct log *log, int service, int64_t time_ms)
{
    add(log, INCIDENT_PARTITIONS + (size_t)(service % 2),
        below(60) == 0 ? "not json"
                       : arena_printf(&log->arena,
                                      "{\"service\":\"s%d\",\"name\":\"%s\",\"value\":%lld.%lld,\"occurred_at\":%lld}",
                                      service, below(2) ? "cpu_usage" : "memory_usage", (long long)below(100),
                                      (long long)below(10), (long long)time_ms));
}

static void make_log(struct log *log, const struct story *story)
{
    int64_t at_ms = story_from_ms;
    for (int i = 0; i < story->events; i++) {
        at_ms += below(40) == 0 ? below(60 * story->step_ms) : below(story->step_ms);
        int64_t jittered_ms = at_ms - below(3 * MINUTE_MS); /* some are late */
        if (below(4) == 0)                                  /* at windows' ends */
            jittered_ms -= jittered_ms % (10 * MINUTE_MS);
        int service = (int)below(story->services);
        bool middle = i > story->events / 3 && i < story->events * 2 / 3;
        if (below(5) == 0)
            make_incident(log, story, i, jittered_ms);
        else if (!middle || INCIDENT_PARTITIONS + service % 2 != story->quiet)
            make_telemetry(log, service, jittered_ms);
    }
    log->end_ms = at_ms;
}

/* The recommendations there are, in order of id (the map's is of addresses), and one that there is not. */
static struct str *story_ids(const struct map *outputs, struct arena *arena, size_t *count)
{
    struct str *ids = arena_alloc(arena, (outputs->count + 1) * sizeof *ids);
    struct map_entry *entry;
    size_t n = 0;
    for (size_t i = 0; map_next(outputs, &i, &entry); n++) {
        size_t at = n;
        for (; at > 0 && str_cmp(ids[at - 1], entry->key) > 0; at--)
            ids[at] = ids[at - 1];
        ids[at] = arena_str(arena, entry->key);
    }
    ids[n] = STR_LIT("nothing:0123456789abcdef");
    *count = n + 1;
    return ids;
}

/* What people say of recommendations, at append times that are not quite in order; some of it twice, some of nothing.
 */
static void add_feedback(struct log *log, const struct story *story, const struct str *ids, size_t count)
{
    static const char *const actions[] = {"accept", "start", "implement", "dismiss", "reopen", "comment"};
    for (int i = 0; i < story->feedback; i++) {
        int64_t at_ms = story_from_ms + (log->end_ms - story_from_ms) / story->feedback * i - below(4 * MINUTE_MS);
        struct str id = ids[below(below(3) == 0 || count < 9 ? (int64_t)count : 8)];
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

enum { TEXTS = sizeof rules_texts / sizeof *rules_texts };

/* `texts`: bit i for the text i. */
static void story_rules(struct buf *text, unsigned texts)
{
    for (size_t i = 0; i < TEXTS; i++)
        if ((texts >> i & 1) != 0)
            buf_puts(text, rules_texts[i]);
}

static void load_story(struct fixture *fixture, const char *config)
{
    struct buf text = {0};
    story_rules(&text, UINT_MAX);
    load(fixture, buf_str(&text), config);
    buf_fini(&text);
}

#endif
