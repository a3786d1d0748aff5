/* From what is sent to what is pending. */
#include "engine/inbox.h"

#include <stdlib.h>

#include "detect/span.h"
#include "engine/item_bytes.h"
#include "engine/waiting_panes.h"
#include "recommend/feedback.h"

struct inbox {
    struct exchange exchange; /* first: the exchange's functions find the inbox by it */
    const struct ruleset *rules;
    struct pending **stages;
    size_t stage_count;
    int64_t *applied_ms; /* by stage */
    struct waiting_panes panes;
    struct buf scratch;             /* what is encoded on its way into pending, which copies it */
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

static void push(struct inbox *inbox, size_t stage, struct pending_item item)
{
    ASSERT(stage < inbox->stage_count);
    item.stage = (uint8_t)stage;
    if (item.time_ms >= inbox->applied_ms[stage])
        pending_push(inbox->stages[stage], item);
}

static void take_partial(struct exchange *exchange, const struct exchange_partial *partial)
{
    struct inbox *inbox = inbox_of(exchange);
    const struct rule *of = &inbox->rules->rules[partial->rule];
    int64_t end_ms = span_pane(&of->window, partial->pane->start_ms).end_ms;
    if (end_ms < inbox->applied_ms[of->stage]) {
        pane_free(partial->pane);
        return;
    }
    if (!waiting_panes_add(&inbox->panes, partial->rule, partial->group, partial->pane))
        return;
    push(inbox, of->stage,
         (struct pending_item){.time_ms = end_ms,
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
    buf_reset(&inbox->scratch);
    event_encode(&inbox->scratch, event, FIELD_BIT(event->stream->field_count) - 1);
    push(inbox, LEVEL_SOURCE,
         (struct pending_item){.time_ms = event->time_ms,
                               .level = LEVEL_SOURCE,
                               .kind = PENDING_UPDATE,
                               .at = event->at,
                               .bytes = buf_str(&inbox->scratch)});
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
    buf_reset(&inbox->scratch);
    item_event_encode(&inbox->scratch, &(struct item_event){event, inbox->matches, count});
    push(inbox, like->stage,
         (struct pending_item){.time_ms = event->time_ms,
                               .level = like->level,
                               .kind = PENDING_EVENT,
                               .at = event->at,
                               .bytes = buf_str(&inbox->scratch)});
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
    buf_reset(&inbox->scratch);
    item_feedback_encode(&inbox->scratch, event, record);
    push(inbox, known ? target.rule->stage : LEVEL_RULE,
         (struct pending_item){.time_ms = event->time_ms,
                               .level = known ? target.rule->level : (uint8_t)inbox->rules->level_max,
                               .kind = PENDING_FEEDBACK,
                               .at = event->at,
                               .bytes = buf_str(&inbox->scratch)});
}

static void take_change(struct exchange *exchange, const struct exchange_change *change)
{
    struct inbox *inbox = inbox_of(exchange);
    buf_reset(&inbox->scratch);
    item_change_encode(&inbox->scratch, &(struct item_change){change->before, change->after});
    push(inbox, change->stage,
         (struct pending_item){.time_ms = change->time_ms,
                               .level = change->level,
                               .kind = PENDING_CHANGE,
                               .at = change->at,
                               .bytes = buf_str(&inbox->scratch)});
}

struct inbox *inbox_new(const struct ruleset *rules)
{
    static const struct exchange_ops ops = {take_partial, take_update, take_event, take_feedback, take_change};
    struct inbox *inbox = mem_zalloc(sizeof *inbox);
    inbox->exchange.ops = &ops;
    inbox->rules = rules;
    inbox->stage_count = inbox_stages(rules);
    inbox->stages = mem_alloc(inbox->stage_count * sizeof(struct pending *));
    inbox->applied_ms = mem_alloc(inbox->stage_count * sizeof *inbox->applied_ms);
    for (size_t i = 0; i < inbox->stage_count; i++) {
        inbox->stages[i] = pending_new();
        inbox->applied_ms[i] = INT64_MIN;
    }
    return inbox;
}

void inbox_free(struct inbox *inbox)
{
    if (inbox == NULL)
        return;
    waiting_panes_clear(&inbox->panes);
    for (size_t i = 0; i < inbox->stage_count; i++)
        pending_free(inbox->stages[i]);
    free(inbox->stages);
    free(inbox->applied_ms);
    free(inbox->matches);
    buf_fini(&inbox->scratch);
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

bool inbox_next(struct inbox *inbox, const int64_t *before_ms, struct pending_item *item)
{
    const struct pending_item *best = NULL;
    size_t stage = 0;
    for (size_t i = 0; i < inbox->stage_count; i++) {
        const struct pending_item *first = pending_first(inbox->stages[i]);
        if (first == NULL || first->time_ms >= before_ms[i] || (best != NULL && !pending_before(first, best)))
            continue;
        best = first;
        stage = i;
    }
    if (best == NULL || !pending_pop(inbox->stages[stage], before_ms[stage], item))
        return false;
    if (item->kind == PENDING_PANE)
        waiting_panes_take(&inbox->panes, item->rule, item->group, item->pane);
    return true;
}

void inbox_done(struct inbox *inbox, struct pending_item *item)
{
    pending_done(inbox->stages[item->stage], item);
}

void inbox_set_applied(struct inbox *inbox, size_t stage, int64_t applied_ms)
{
    inbox->applied_ms[stage] = applied_ms;
}

int64_t inbox_applied(const struct inbox *inbox, size_t stage)
{
    return inbox->applied_ms[stage];
}

void inbox_clear(struct inbox *inbox)
{
    waiting_panes_clear(&inbox->panes);
    for (size_t i = 0; i < inbox->stage_count; i++)
        pending_clear(inbox->stages[i]);
}

size_t inbox_bytes(const struct inbox *inbox)
{
    size_t bytes = inbox->panes.bytes;
    for (size_t i = 0; i < inbox->stage_count; i++)
        bytes += pending_bytes(inbox->stages[i]);
    return bytes;
}
