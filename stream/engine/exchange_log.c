/* Encoding what is sent, by task. See exchange_wire.h for the bytes. */
#include "engine/exchange_log.h"

#include <stdlib.h>

#include "engine/exchange_wire.h"
#include "engine/row_keys.h"
#include "engine/touch.h"
#include "recommend/feedback.h"

/* The records of one task. */
struct lane {
    struct buf bytes;
    size_t *ends; /* of the records that are full */
    size_t end_count;
    size_t end_cap;
    size_t begin; /* of the record that is being written */
};

struct exchange_log {
    struct exchange exchange; /* first: the exchange's functions find the log by it */
    const struct ruleset *rules;
    struct touches *touches;
    struct row_keys keys;
    struct lane *lanes;  /* by task: what is being sent */
    struct lane *handed; /* what was handed over last */
    int tasks;
    bool hurries;
    struct arena arena; /* of one call */
    struct buf scratch;
    struct exchange_match *matches; /* of one event and task; grows to the most that one had */
    size_t match_cap;
};

static struct exchange_log *log_of(struct exchange *exchange)
{
    return (struct exchange_log *)exchange;
}

/* Where the next item of a task goes; a record that is long enough ends before it. */
static struct buf *lane_open(struct exchange_log *log, int task)
{
    struct lane *lane = &log->lanes[task];
    if (lane->bytes.len - lane->begin >= EXCHANGE_RECORD_BYTES) {
        lane->ends = mem_grow(lane->ends, lane->end_count, &lane->end_cap, sizeof *lane->ends);
        lane->ends[lane->end_count++] = lane->bytes.len;
        lane->begin = lane->bytes.len;
    }
    if (lane->bytes.len == lane->begin)
        buf_byte(&lane->bytes, WIRE_VERSION);
    return &lane->bytes;
}

static void send_partial(struct exchange *exchange, const struct exchange_partial *partial)
{
    struct exchange_log *log = log_of(exchange);
    struct buf *out = lane_open(log, group_task(partial->group, log->tasks));
    wire_put_partial(out, log->rules, partial, &log->scratch);
    pane_free(partial->pane);
}

static void send_update(struct exchange *exchange, const struct event *event)
{
    struct exchange_log *log = log_of(exchange);
    buf_reset(&log->scratch);
    struct buf *out = lane_open(log, row_keys_put(&log->keys, event, &log->scratch));
    wire_put_update(out, log->keys.config->sources, event);
}

/* Those of the matches whose group is of the task. */
static size_t matches_of(struct exchange_log *log, const int *tasks, const struct exchange_match *matches, size_t n,
                         int task)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (tasks[i] != task)
            continue;
        log->matches = mem_grow(log->matches, count, &log->match_cap, sizeof *log->matches);
        log->matches[count++] = matches[i];
    }
    return count;
}

static void send_event(struct exchange *exchange, const struct event *event, const struct exchange_match *matches,
                       size_t n)
{
    struct exchange_log *log = log_of(exchange);
    int *tasks = arena_alloc(&log->arena, (n + 1) * sizeof *tasks);
    for (size_t i = 0; i < n; i++) {
        const struct rule *rule = &log->rules->rules[matches[i].rule];
        tasks[i] = group_task(touch_group(rule, &rule->inputs[matches[i].input], event, &log->arena).hash, log->tasks);
    }
    for (int task = 0; task < log->tasks; task++) {
        size_t count = matches_of(log, tasks, matches, n, task);
        if (count > 0)
            wire_put_event(lane_open(log, task), log->rules, event, log->matches, count);
    }
    arena_reset(&log->arena);
}

static void send_feedback(struct exchange *exchange, const struct event *event, struct exchange_record record)
{
    struct exchange_log *log = log_of(exchange);
    struct feedback_target target;
    bool known = feedback_about(log->rules, event, &target);
    int task = known ? group_task(target.hash, log->tasks) : 0;
    wire_put_feedback(lane_open(log, task), log->keys.config->sources, event, record);
}

static void send_change(struct exchange *exchange, const struct exchange_change *change)
{
    struct exchange_log *log = log_of(exchange);
    const struct touch *touches;
    uint64_t ignored = 0; /* clauses that end in errors count where the change is applied */
    size_t n = touches_of_row(log->touches, change, &log->arena, &touches);
    touches_errors(log->touches, &ignored, &ignored);
    uint32_t wanted = 0; /* a bit a task, of which there are 32 at most */
    for (size_t i = 0; i < n; i++)
        wanted |= UINT32_C(1) << group_task(touches[i].hash, log->tasks);
    for (int task = 0; task < log->tasks; task++)
        if ((wanted >> task & 1) != 0)
            wire_put_change(lane_open(log, task), change);
    log->hurries = log->hurries || wanted != 0;
    arena_reset(&log->arena);
}

void exchange_log_source(struct exchange_log *log, const struct exchange_source *source)
{
    for (int task = 0; task < log->tasks; task++)
        wire_put_source(lane_open(log, task), source);
}

void exchange_log_stages(struct exchange_log *log, const struct exchange_stages *stages)
{
    for (int task = 0; task < log->tasks; task++)
        wire_put_stages(lane_open(log, task), stages);
}

struct exchange_log *exchange_log_new(const struct ruleset *rules, const struct config *config)
{
    static const struct exchange_ops ops = {send_partial, send_update, send_event, send_feedback, send_change};
    struct exchange_log *log = mem_zalloc(sizeof *log);
    log->exchange.ops = &ops;
    log->rules = rules;
    log->tasks = config->tasks;
    log->touches = touches_new(rules);
    row_keys_init(&log->keys, config);
    log->lanes = mem_zalloc((size_t)log->tasks * sizeof *log->lanes);
    log->handed = mem_zalloc((size_t)log->tasks * sizeof *log->handed);
    return log;
}

void exchange_log_free(struct exchange_log *log)
{
    if (log == NULL)
        return;
    for (int task = 0; task < log->tasks; task++) {
        buf_fini(&log->lanes[task].bytes);
        buf_fini(&log->handed[task].bytes);
        free(log->lanes[task].ends);
        free(log->handed[task].ends);
    }
    free(log->lanes);
    free(log->handed);
    free(log->matches);
    touches_free(log->touches);
    row_keys_fini(&log->keys);
    arena_fini(&log->arena);
    buf_fini(&log->scratch);
    free(log);
}

struct exchange *exchange_log_exchange(struct exchange_log *log)
{
    return &log->exchange;
}

static void lane_clear(struct lane *lane)
{
    buf_reset(&lane->bytes);
    lane->end_count = lane->begin = 0;
}

bool exchange_log_hurries(const struct exchange_log *log)
{
    return log->hurries;
}

void exchange_log_hand(struct exchange_log *log, void (*record)(void *context, int task, struct str bytes),
                       void *context)
{
    struct lane *lanes = log->lanes;
    log->lanes = log->handed;
    log->handed = lanes;
    log->hurries = false;
    for (int task = 0; task < log->tasks; task++) {
        const struct lane *lane = &lanes[task];
        size_t from = 0;
        for (size_t i = 0; i < lane->end_count; i++) {
            record(context, task, (struct str){lane->bytes.p + from, lane->ends[i] - from});
            from = lane->ends[i];
        }
        if (lane->bytes.len > from)
            record(context, task, (struct str){lane->bytes.p + from, lane->bytes.len - from});
    }
}

void exchange_log_sent(struct exchange_log *log)
{
    for (int task = 0; task < log->tasks; task++)
        lane_clear(&log->handed[task]);
}

size_t exchange_log_bytes(const struct exchange_log *log)
{
    size_t bytes = 0;
    for (int task = 0; task < log->tasks; task++)
        bytes += log->lanes[task].bytes.len;
    return bytes;
}

void exchange_log_clear(struct exchange_log *log)
{
    for (int task = 0; task < log->tasks; task++)
        lane_clear(&log->lanes[task]);
    exchange_log_sent(log);
    log->hurries = false;
}
