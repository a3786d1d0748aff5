/* From what is sent to what is pending. */
#include "engine/inbox.h"

#include <stdlib.h>

#include "detect/span.h"
#include "engine/item_bytes.h"
#include "engine/scratch.h"
#include "recommend/feedback.h"

/* A block of the scratch file: each sorted run is read with a buffer of one or two. */
enum { BLOCK_BYTES_MIN = 4 * 1024, BLOCK_BYTES_MAX = 64 * 1024, BLOCKS_OF_MEMORY = 128 };

struct inbox {
    struct exchange exchange; /* first: the exchange's functions find the inbox by it */
    const struct ruleset *rules;
    struct scratch *scratch; /* NULL: all stays in memory */
    size_t memory_bytes;
    struct pending **stages;
    size_t stage_count;
    int64_t *applied_ms; /* by stage */
    bool *within;        /* by stage: it is at `place` */
    struct pending_item place;
    struct buf encoded;             /* what is encoded on its way into pending, which copies it */
    struct exchange_match *matches; /* of one event and level, likewise; grows to the most that one had */
    size_t match_cap;
};

size_t inbox_stages(const struct ruleset *rules)
{
    return (size_t)rules->level_max + 1;
}

static struct inbox *inbox_of(struct exchange *exchange)
{
    return (struct inbox *)exchange;
}

static bool was_applied(const struct inbox *inbox, size_t stage, const struct pending_item *item)
{
    if (item->time_ms != inbox->applied_ms[stage])
        return item->time_ms < inbox->applied_ms[stage];
    return inbox->within[stage] && !pending_before(&inbox->place, item);
}

static void push(struct inbox *inbox, size_t stage, struct pending_item item)
{
    ASSERT(stage < inbox->stage_count);
    item.stage = (uint8_t)stage;
    if (!was_applied(inbox, stage, &item))
        pending_push(inbox->stages[stage], item);
    else
        pane_free(item.pane);
}

static void take_partial(struct exchange *exchange, const struct exchange_partial *partial)
{
    struct inbox *inbox = inbox_of(exchange);
    const struct rule *of = &inbox->rules->rules[partial->rule];
    push(inbox, of->stage,
         (struct pending_item){.time_ms = span_pane(&of->window, partial->pane->start_ms).end_ms,
                               .level = of->level,
                               .kind = PENDING_PANE,
                               .rule = partial->rule,
                               .group = partial->group,
                               .pane = partial->pane,
                               .key = partial->key});
}

static void take_update(struct exchange *exchange, const struct event *event)
{
    struct inbox *inbox = inbox_of(exchange);
    buf_reset(&inbox->encoded);
    event_encode(&inbox->encoded, event, FIELD_BIT(event->stream->field_count) - 1);
    push(inbox, LEVEL_SOURCE,
         (struct pending_item){.time_ms = event->time_ms,
                               .level = LEVEL_SOURCE,
                               .kind = PENDING_UPDATE,
                               .at = event->at,
                               .bytes = buf_str(&inbox->encoded)});
}

/* The event for those of its rules that are of one level and stage; how many those are. */
static size_t push_event(struct inbox *inbox, const struct event *event, const struct exchange_match *matches, size_t n,
                         const struct rule *like)
{
    const struct rule *rules = inbox->rules->rules;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (rules[matches[i].rule].level != like->level || rules[matches[i].rule].stage != like->stage)
            continue;
        inbox->matches = mem_grow(inbox->matches, count, &inbox->match_cap, sizeof *inbox->matches);
        inbox->matches[count++] = matches[i];
    }
    buf_reset(&inbox->encoded);
    item_event_encode(&inbox->encoded, &(struct item_event){event, inbox->matches, count});
    push(inbox, like->stage,
         (struct pending_item){.time_ms = event->time_ms,
                               .level = like->level,
                               .kind = PENDING_EVENT,
                               .at = event->at,
                               .bytes = buf_str(&inbox->encoded)});
    return count;
}

static bool is_first_of_its_kind(const struct rule *rules, const struct exchange_match *matches, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (rules[matches[k].rule].level == rules[matches[i].rule].level &&
            rules[matches[k].rule].stage == rules[matches[i].rule].stage)
            return false;
    return true;
}

static void take_event(struct exchange *exchange, const struct event *event, const struct exchange_match *matches,
                       size_t n)
{
    struct inbox *inbox = inbox_of(exchange);
    size_t left = n;
    for (size_t i = 0; left > 0; i++)
        if (is_first_of_its_kind(inbox->rules->rules, matches, i))
            left -= push_event(inbox, event, matches, n, &inbox->rules->rules[matches[i].rule]);
}

static void take_feedback(struct exchange *exchange, const struct event *event, struct exchange_record record)
{
    struct inbox *inbox = inbox_of(exchange);
    struct feedback_target target;
    bool known = feedback_about(inbox->rules, event, &target);
    buf_reset(&inbox->encoded);
    item_feedback_encode(&inbox->encoded, event, record);
    push(inbox, known ? target.rule->stage : LEVEL_RULE,
         (struct pending_item){.time_ms = event->time_ms,
                               .level = known ? target.rule->level : (uint8_t)inbox->rules->level_max,
                               .kind = PENDING_FEEDBACK,
                               .at = event->at,
                               .bytes = buf_str(&inbox->encoded)});
}

static void take_change(struct exchange *exchange, const struct exchange_change *change)
{
    struct inbox *inbox = inbox_of(exchange);
    buf_reset(&inbox->encoded);
    item_change_encode(&inbox->encoded, &(struct item_change){change->before, change->after});
    push(inbox, change->stage,
         (struct pending_item){.time_ms = change->time_ms,
                               .level = change->level,
                               .kind = PENDING_CHANGE,
                               .at = change->at,
                               .bytes = buf_str(&inbox->encoded)});
}

static size_t block_bytes(size_t memory_bytes)
{
    size_t bytes = memory_bytes / BLOCKS_OF_MEMORY;
    return bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : bytes > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : bytes;
}

struct inbox *inbox_new(const struct inbox_options *options)
{
    static const struct exchange_ops ops = {take_partial, take_update, take_event, take_feedback, take_change};
    struct inbox *inbox = mem_zalloc(sizeof *inbox);
    inbox->exchange.ops = &ops;
    inbox->rules = options->rules;
    inbox->memory_bytes = options->memory_bytes;
    if (options->scratch_dir != NULL)
        inbox->scratch = scratch_new(options->scratch_dir, block_bytes(options->memory_bytes));
    inbox->stage_count = inbox_stages(options->rules);
    inbox->stages = mem_alloc(inbox->stage_count * sizeof(struct pending *));
    inbox->applied_ms = mem_alloc(inbox->stage_count * sizeof *inbox->applied_ms);
    inbox->within = mem_zalloc(inbox->stage_count * sizeof *inbox->within);
    for (size_t i = 0; i < inbox->stage_count; i++) {
        inbox->stages[i] = pending_new(options->rules, inbox->scratch);
        inbox->applied_ms[i] = INT64_MIN;
    }
    return inbox;
}

void inbox_free(struct inbox *inbox)
{
    if (inbox == NULL)
        return;
    for (size_t i = 0; i < inbox->stage_count; i++)
        pending_free(inbox->stages[i]);
    scratch_free(inbox->scratch);
    free(inbox->stages);
    free(inbox->applied_ms);
    free(inbox->within);
    free(inbox->matches);
    buf_fini(&inbox->encoded);
    free(inbox);
}

struct exchange *inbox_exchange(struct inbox *inbox)
{
    return &inbox->exchange;
}

void inbox_timer(struct inbox *inbox, int64_t time_ms, enum pending_kind kind, int rule, uint64_t group)
{
    bool below_rules = kind == PENDING_ROW_EXPIRY || kind == PENDING_RULE_EXPIRY;
    bool above_rules = kind == PENDING_APPEARED;
    size_t stage = below_rules ? LEVEL_SOURCE : inbox->rules->rules[rule].stage;
    uint8_t level = below_rules   ? LEVEL_SOURCE
                    : above_rules ? (uint8_t)(inbox->rules->level_max + 1)
                                  : inbox->rules->rules[rule].level;
    pending_push(inbox->stages[stage], (struct pending_item){.time_ms = time_ms,
                                                             .level = level,
                                                             .stage = (uint8_t)stage,
                                                             .kind = (uint8_t)kind,
                                                             .rule = rule,
                                                             .group = group});
}

void inbox_sift_timers(struct inbox *inbox, size_t stage, bool (*stays)(void *context, const struct pending_item *item),
                       void *context)
{
    pending_sift_timers(inbox->stages[stage], stays, context);
}

static size_t sent_bytes(const struct inbox *inbox)
{
    size_t bytes = 0;
    for (size_t i = 0; i < inbox->stage_count; i++)
        bytes += pending_bytes(inbox->stages[i]);
    return bytes;
}

/* The stage that has most goes as a whole, so that runs are long. */
int inbox_bound(struct inbox *inbox, struct error *err)
{
    while (inbox->scratch != NULL && sent_bytes(inbox) > inbox->memory_bytes) {
        struct pending *most = inbox->stages[0];
        for (size_t i = 1; i < inbox->stage_count; i++)
            if (pending_bytes(inbox->stages[i]) > pending_bytes(most))
                most = inbox->stages[i];
        TRY(pending_spill(most, err));
        ASSERT(pending_bytes(most) == 0);
    }
    return 0;
}

const struct pending_item *inbox_first(const struct inbox *inbox, const int64_t *before_ms)
{
    const struct pending_item *best = NULL;
    for (size_t i = 0; i < inbox->stage_count; i++) {
        const struct pending_item *first = pending_first(inbox->stages[i]);
        if (first != NULL && first->time_ms < before_ms[i] && (best == NULL || pending_before(first, best)))
            best = first;
    }
    return best;
}

int inbox_next(struct inbox *inbox, const int64_t *before_ms, struct pending_item *item, bool *any, struct error *err)
{
    const struct pending_item *first = inbox_first(inbox, before_ms);
    *any = first != NULL;
    return *any ? pending_pop(inbox->stages[first->stage], before_ms[first->stage], item, any, err) : 0;
}

void inbox_done(struct inbox *inbox, struct pending_item *item)
{
    pending_done(inbox->stages[item->stage], item);
}

void inbox_set_applied(struct inbox *inbox, size_t stage, int64_t applied_ms)
{
    inbox->applied_ms[stage] = applied_ms;
    inbox->within[stage] = false;
}

void inbox_set_place(struct inbox *inbox, size_t stage, const struct pending_item *place)
{
    inbox->applied_ms[stage] = place->time_ms;
    inbox->within[stage] = true;
    inbox->place = (struct pending_item){.time_ms = place->time_ms,
                                         .level = place->level,
                                         .kind = place->kind,
                                         .rule = place->rule,
                                         .group = place->group};
}

const struct pending_item *inbox_place(const struct inbox *inbox, size_t stage)
{
    return inbox->within[stage] ? &inbox->place : NULL;
}

int64_t inbox_applied(const struct inbox *inbox, size_t stage)
{
    return inbox->applied_ms[stage];
}

void inbox_clear(struct inbox *inbox)
{
    for (size_t i = 0; i < inbox->stage_count; i++)
        pending_clear(inbox->stages[i]);
}

size_t inbox_bytes(const struct inbox *inbox)
{
    size_t bytes = sent_bytes(inbox) + (inbox->scratch != NULL ? (size_t)scratch_bytes(inbox->scratch) : 0);
    for (size_t i = 0; i < inbox->stage_count; i++)
        bytes += pending_timer_bytes(inbox->stages[i]);
    return bytes;
}

uint64_t inbox_spilled(const struct inbox *inbox)
{
    return inbox->scratch == NULL ? 0 : scratch_written(inbox->scratch);
}
