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
    struct pending **levels;
    size_t level_count;
    int64_t *applied_ms; /* by level */
    struct waiting_panes panes;
    struct buf scratch;             /* what is encoded on its way into pending, which copies it */
    struct exchange_match *matches; /* of one event and level, likewise; grows to the most that one had */
    size_t match_cap;
};

size_t inbox_levels(const struct ruleset *rules)
{
    return (size_t)message_level(MESSAGE_KINDS, rules->level_max);
}

static struct inbox *inbox_of(struct exchange *exchange)
{
    return (struct inbox *)exchange;
}

static void push(struct inbox *inbox, struct pending_item item)
{
    ASSERT(item.level < inbox->level_count);
    if (item.time_ms >= inbox->applied_ms[item.level])
        pending_push(inbox->levels[item.level], item);
}

static void take_partial(struct exchange *exchange, const struct exchange_partial *partial)
{
    struct inbox *inbox = inbox_of(exchange);
    const struct rule *of = &inbox->rules->rules[partial->rule];
    int64_t end_ms = span_pane(&of->window, partial->pane->start_ms).end_ms;
    if (end_ms < inbox->applied_ms[of->level]) {
        pane_free(partial->pane);
        return;
    }
    if (!waiting_panes_add(&inbox->panes, partial->rule, partial->group, partial->pane))
        return;
    push(inbox, (struct pending_item){.time_ms = end_ms,
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
    push(inbox, (struct pending_item){.time_ms = event->time_ms,
                                      .level = LEVEL_SOURCE,
                                      .kind = PENDING_UPDATE,
                                      .at = event->at,
                                      .bytes = buf_str(&inbox->scratch)});
}

/* The event for those of its rules that are of one level; how many those are. */
static size_t push_event(struct inbox *inbox, const struct event *event, const struct exchange_match *matches, size_t n,
                         int level)
{
    const struct rule *rules = inbox->rules->rules;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (rules[matches[i].rule].level != level)
            continue;
        inbox->matches = mem_grow(inbox->matches, count, &inbox->match_cap, sizeof *inbox->matches);
        inbox->matches[count++] = matches[i];
    }
    if (count == 0)
        return 0;
    buf_reset(&inbox->scratch);
    item_event_encode(&inbox->scratch, &(struct item_event){event, inbox->matches, count});
    push(inbox, (struct pending_item){.time_ms = event->time_ms,
                                      .level = (uint8_t)level,
                                      .kind = PENDING_EVENT,
                                      .at = event->at,
                                      .bytes = buf_str(&inbox->scratch)});
    return count;
}

static void take_event(struct exchange *exchange, const struct event *event, const struct exchange_match *matches,
                       size_t n)
{
    size_t left = n;
    for (int level = LEVEL_RULE; left > 0; level++)
        left -= push_event(inbox_of(exchange), event, matches, n, level);
}

static void take_feedback(struct exchange *exchange, const struct event *event, struct exchange_record record)
{
    struct inbox *inbox = inbox_of(exchange);
    buf_reset(&inbox->scratch);
    item_feedback_encode(&inbox->scratch, event, record);
    push(inbox, (struct pending_item){.time_ms = event->time_ms,
                                      .level = feedback_level(inbox->rules, event),
                                      .kind = PENDING_FEEDBACK,
                                      .at = event->at,
                                      .bytes = buf_str(&inbox->scratch)});
}

static void take_change(struct exchange *exchange, const struct exchange_change *change)
{
    struct inbox *inbox = inbox_of(exchange);
    buf_reset(&inbox->scratch);
    item_change_encode(&inbox->scratch, &(struct item_change){change->before, change->after});
    push(inbox, (struct pending_item){.time_ms = change->time_ms,
                                      .level = change->level,
                                      .kind = PENDING_CHANGE,
                                      .at = change->at,
                                      .bytes = buf_str(&inbox->scratch)});
}

static void take_message(struct exchange *exchange, const struct recommend_message *message)
{
    struct inbox *inbox = inbox_of(exchange);
    buf_reset(&inbox->scratch);
    item_message_encode(&inbox->scratch, message);
    push(inbox, (struct pending_item){.time_ms = message->time_ms,
                                      .level = message_level(message->kind, inbox->rules->level_max),
                                      .kind = PENDING_MESSAGE,
                                      .rule = message->to.rule_number,
                                      .group = message->to.hash,
                                      .at = {message->from.rule_number, 0, (int64_t)message->from.hash},
                                      .bytes = buf_str(&inbox->scratch)});
}

struct inbox *inbox_new(const struct ruleset *rules)
{
    static const struct exchange_ops ops = {take_partial,  take_update, take_event,
                                            take_feedback, take_change, take_message};
    struct inbox *inbox = mem_zalloc(sizeof *inbox);
    inbox->exchange.ops = &ops;
    inbox->rules = rules;
    inbox->level_count = inbox_levels(rules);
    inbox->levels = mem_alloc(inbox->level_count * sizeof(struct pending *));
    inbox->applied_ms = mem_alloc(inbox->level_count * sizeof *inbox->applied_ms);
    for (size_t i = 0; i < inbox->level_count; i++) {
        inbox->levels[i] = pending_new();
        inbox->applied_ms[i] = INT64_MIN;
    }
    return inbox;
}

void inbox_free(struct inbox *inbox)
{
    if (inbox == NULL)
        return;
    waiting_panes_clear(&inbox->panes);
    for (size_t i = 0; i < inbox->level_count; i++)
        pending_free(inbox->levels[i]);
    free(inbox->levels);
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
    uint8_t level = below_rules ? LEVEL_SOURCE : inbox->rules->rules[rule].level;
    pending_push(
        inbox->levels[level],
        (struct pending_item){.time_ms = time_ms, .level = level, .kind = (uint8_t)kind, .rule = rule, .group = group});
}

bool inbox_next(struct inbox *inbox, const int64_t *before_ms, struct pending_item *item)
{
    size_t best = inbox->level_count;
    int64_t best_ms = INT64_MAX;
    for (size_t i = 0; i < inbox->level_count; i++) {
        const struct pending_item *first = pending_first(inbox->levels[i]);
        if (first == NULL || first->time_ms >= before_ms[i] || (best < inbox->level_count && first->time_ms >= best_ms))
            continue;
        best = i;
        best_ms = first->time_ms;
    }
    if (best == inbox->level_count || !pending_pop(inbox->levels[best], before_ms[best], item))
        return false;
    if (item->kind == PENDING_PANE)
        waiting_panes_take(&inbox->panes, item->rule, item->group, item->pane);
    return true;
}

void inbox_done(struct inbox *inbox, struct pending_item *item)
{
    pending_done(inbox->levels[item->level], item);
}

void inbox_set_applied(struct inbox *inbox, size_t level, int64_t applied_ms)
{
    inbox->applied_ms[level] = applied_ms;
}

int64_t inbox_applied(const struct inbox *inbox, size_t level)
{
    return inbox->applied_ms[level];
}

void inbox_clear(struct inbox *inbox)
{
    waiting_panes_clear(&inbox->panes);
    for (size_t i = 0; i < inbox->level_count; i++)
        pending_clear(inbox->levels[i]);
}

size_t inbox_bytes(const struct inbox *inbox)
{
    size_t bytes = inbox->panes.bytes;
    for (size_t i = 0; i < inbox->level_count; i++)
        bytes += pending_bytes(inbox->levels[i]);
    return bytes;
}
