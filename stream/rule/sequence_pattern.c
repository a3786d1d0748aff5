/* From steps to states, the last step first, so that each step knows the state it leads to.
 *
 * A step becomes one state for each event it may take. A state that may be left without an event has a twin that is
 * reached by passing over an event and cannot be left so, which keeps each way of leaving single. A negation is a way
 * to a stop state from every state that waits behind it; a step that is optional needs copies of what follows without
 * that way, for an event that it takes ends the negation.
 */
#include "rule/sequence_pattern.h"

static const uint32_t NONE = UINT32_MAX;

/* A conjunction of literals. */
struct guard {
    const struct sequence_literal *literals;
    uint32_t count;
    bool never;
};

struct builder {
    struct arena *arena;
    struct sequence_pattern *pattern;
    const struct sequence_step *steps;
    size_t state_cap;
    size_t at;                          /* the step being built */
    int following;                      /* the step behind it, or -1 */
    uint32_t stops[SEQUENCE_STEPS_MAX]; /* the stop state of each negated step, or NONE */
    uint32_t greedy_sink;               /* what the step led to before greed held it back, or NONE */
    uint32_t greedy_sink_copy;
    bool too_large;
};

static const struct guard always = {0};
static const struct guard never = {.never = true};

static struct guard guard_literal(struct builder *b, int condition, bool negated)
{
    struct sequence_literal *literal = arena_alloc(b->arena, sizeof *literal);
    *literal = (struct sequence_literal){(uint8_t)condition, negated};
    return (struct guard){.literals = literal, .count = 1};
}

static struct guard guard_and(struct builder *b, struct guard one, struct guard other)
{
    if (one.never || other.never)
        return never;
    uint32_t n = one.count + other.count;
    struct sequence_literal *literals = arena_alloc(b->arena, (n + 1) * sizeof *literals);
    for (uint32_t i = 0; i < n; i++)
        literals[i] = i < one.count ? one.literals[i] : other.literals[i - one.count];
    return (struct guard){.literals = literals, .count = n};
}

static struct guard guard_until(struct builder *b, struct guard guard)
{
    int until = b->steps[b->at].until;
    return until < 0 ? guard : guard_and(b, guard_literal(b, until, true), guard);
}

static struct guard guard_take(struct builder *b)
{
    return guard_until(b, guard_literal(b, b->steps[b->at].condition, false));
}

/* When an event may be passed over under `contiguity`. */
static struct guard guard_ignore(struct builder *b, enum sequence_contiguity contiguity)
{
    switch (contiguity) {
    case SEQUENCE_RELAXED:
        return guard_literal(b, b->steps[b->at].condition, true);
    case SEQUENCE_RELAXED_ANY:
        return always;
    case SEQUENCE_STRICT:
        break;
    }
    return never;
}

static uint32_t add_state(struct builder *b, enum sequence_state_kind kind, size_t step)
{
    struct sequence_pattern *p = b->pattern;
    if (p->state_count == SEQUENCE_STATES_MAX) {
        b->too_large = true;
        return 0;
    }
    if (p->state_count == b->state_cap) {
        b->state_cap = b->state_cap == 0 ? 16 : 2 * b->state_cap;
        struct sequence_state *states = arena_alloc(b->arena, b->state_cap * sizeof *states);
        if (p->state_count > 0)
            memcpy(states, p->states, p->state_count * sizeof *states);
        p->states = states;
    }
    p->states[p->state_count] = (struct sequence_state){.kind = kind, .step = (uint16_t)step};
    return (uint32_t)p->state_count++;
}

static void add(struct builder *b, uint32_t from, enum sequence_action action, uint32_t target, struct guard guard)
{
    struct sequence_state *state = &b->pattern->states[from];
    if (guard.never || b->too_large)
        return;
    if (state->transition_count == state->transition_cap) {
        state->transition_cap = state->transition_cap == 0 ? 4 : 2 * state->transition_cap;
        struct sequence_transition *grown = arena_alloc(b->arena, state->transition_cap * sizeof *grown);
        if (state->transition_count > 0)
            memcpy(grown, state->transitions, state->transition_count * sizeof *grown);
        state->transitions = grown;
    }
    state->transitions[state->transition_count++] = (struct sequence_transition){
        .action = action, .target = target, .guard = guard.literals, .guard_count = guard.count};
}

static bool is_relaxed_not(const struct sequence_step *step)
{
    return step->negated && step->contiguity != SEQUENCE_STRICT;
}

/* The negated step that still holds where the step being built waits, or -1. */
static int current_not(const struct builder *b)
{
    for (size_t i = b->at; i > b->pattern->first; i--) {
        const struct sequence_step *before = &b->steps[i - 1];
        if (is_relaxed_not(before))
            return (int)(i - 1);
        if (before->negated || !before->optional)
            return -1;
    }
    return -1;
}

static uint32_t stop_of(struct builder *b, int negated)
{
    if (b->stops[negated] == NONE)
        b->stops[negated] = add_state(b, SEQUENCE_STATE_STOP, (size_t)negated);
    return b->stops[negated];
}

static void add_stop(struct builder *b, uint32_t state, int negated)
{
    if (negated < 0)
        return;
    uint32_t stop = stop_of(b, negated);
    add(b, state, SEQUENCE_PROCEED, stop, guard_literal(b, b->steps[negated].condition, false));
}

/* While a step takes more events, the negation behind it holds already. */
static void add_following_stop(struct builder *b, uint32_t state)
{
    if (b->following >= 0 && is_relaxed_not(&b->steps[b->following]))
        add_stop(b, state, b->following);
}

static uint32_t copy_state(struct builder *b, uint32_t from)
{
    struct sequence_state original = b->pattern->states[from];
    uint32_t copy = add_state(b, original.kind, original.step);
    for (uint32_t i = 0; i < original.transition_count; i++) {
        const struct sequence_transition *t = &original.transitions[i];
        add(b, copy, t->action, t->target == from ? copy : t->target,
            (struct guard){.literals = t->guard, .count = t->guard_count});
    }
    return copy;
}

struct copying {
    uint32_t from;
    uint32_t copy;
};

/* Two ways at most from each step to the next. */
struct copies {
    struct copying todo[2 * SEQUENCE_STEPS_MAX + 2];
    size_t count;
    uint32_t stop; /* of the negation that the copies are without */
};

static uint32_t add_copy(struct builder *b, struct copies *copies, uint32_t from)
{
    const struct sequence_state *state = &b->pattern->states[from];
    uint32_t copy = add_state(b, state->kind, state->step);
    ASSERT(copies->count < sizeof copies->todo / sizeof *copies->todo);
    copies->todo[copies->count++] = (struct copying){from, copy};
    return copy;
}

static void fill_copy(struct builder *b, struct copies *copies, struct copying now)
{
    struct sequence_state original = b->pattern->states[now.from];
    for (uint32_t i = 0; i < original.transition_count && !b->too_large; i++) {
        const struct sequence_transition *t = &original.transitions[i];
        bool proceeds = t->action == SEQUENCE_PROCEED;
        uint32_t target = t->target == now.from ? now.copy : t->target;
        if (proceeds && t->target == copies->stop)
            continue;
        if (proceeds && b->pattern->states[t->target].kind != SEQUENCE_STATE_STOP)
            target = add_copy(b, copies, t->target);
        add(b, now.copy, t->action, target, (struct guard){.literals = t->guard, .count = t->guard_count});
    }
}

/* Where an event taken by the step being built leads: for an optional step, to a copy of `sink` without the negation in
 * force before the step, and so on along the steps that may be left out. */
static uint32_t without_nots(struct builder *b, uint32_t sink)
{
    int negated = current_not(b);
    if (negated < 0 || !b->steps[b->at].optional)
        return sink;
    struct copies copies = {.stop = b->stops[negated]};
    uint32_t first = add_copy(b, &copies, sink);
    while (copies.count > 0 && !b->too_large)
        fill_copy(b, &copies, copies.todo[--copies.count]);
    return first;
}

/* Greed: `sink` goes on only with an event that the step itself does not take. */
static void hold_back(struct builder *b, uint32_t sink)
{
    struct guard not_taken = guard_literal(b, b->steps[b->at].condition, true);
    struct sequence_state *state = &b->pattern->states[sink];
    for (uint32_t i = 0; i < state->transition_count; i++) {
        struct sequence_transition *t = &state->transitions[i];
        struct guard both = guard_and(b, (struct guard){.literals = t->guard, .count = t->guard_count}, not_taken);
        t->guard = both.literals;
        t->guard_count = both.count;
    }
}

/* Ways to leave without an event; the `until` event itself is not held back by greed. */
static void add_proceed(struct builder *b, uint32_t state, uint32_t sink)
{
    const struct sequence_step *step = &b->steps[b->at];
    bool split = step->greedy && step->until >= 0 && b->greedy_sink == sink;
    if (split) {
        add(b, state, SEQUENCE_PROCEED, b->greedy_sink_copy, guard_literal(b, step->until, false));
        add(b, state, SEQUENCE_PROCEED, sink, guard_literal(b, step->until, true));
    } else {
        add(b, state, SEQUENCE_PROCEED, sink, always);
    }
}

struct single {
    uint32_t sink;    /* where a taken event leads */
    uint32_t proceed; /* where the step leads without one */
    struct guard take;
    struct guard ignore;
    bool optional;
};

static uint32_t add_single(struct builder *b, const struct single *single)
{
    uint32_t state = add_state(b, SEQUENCE_STATE_NORMAL, b->at);
    uint32_t sink = without_nots(b, single->sink);
    add(b, state, SEQUENCE_TAKE, sink, single->take);
    if (single->optional)
        add_proceed(b, state, single->proceed);
    if (single->ignore.never)
        return state;
    uint32_t waiting = state;
    if (single->optional) {
        waiting = add_state(b, SEQUENCE_STATE_NORMAL, b->at);
        add(b, waiting, SEQUENCE_TAKE, sink, single->take);
        add(b, waiting, SEQUENCE_IGNORE, waiting, single->ignore);
        add_stop(b, waiting, current_not(b));
    }
    add(b, state, SEQUENCE_IGNORE, waiting, single->ignore);
    return state;
}

static uint32_t add_looping(struct builder *b, uint32_t sink)
{
    const struct sequence_step *step = &b->steps[b->at];
    struct guard ignore = guard_ignore(b, step->inner);
    if (!ignore.never)
        ignore = guard_until(b, ignore);
    uint32_t state = add_state(b, SEQUENCE_STATE_NORMAL, b->at);
    if (step->greedy) {
        if (step->until >= 0) {
            b->greedy_sink = sink;
            b->greedy_sink_copy = copy_state(b, sink);
        }
        add_proceed(b, state, sink);
        hold_back(b, sink);
    } else {
        add_proceed(b, state, sink);
    }
    add(b, state, SEQUENCE_TAKE, state, guard_take(b));
    add_following_stop(b, state);
    if (!ignore.never) {
        uint32_t waiting = add_state(b, SEQUENCE_STATE_NORMAL, b->at);
        add(b, waiting, SEQUENCE_TAKE, state, guard_take(b));
        add(b, waiting, SEQUENCE_IGNORE, waiting, ignore);
        add(b, state, SEQUENCE_IGNORE, waiting, ignore);
        add_following_stop(b, waiting);
    }
    return state;
}

/* The states of a step that may take several events, or of one that may be left out. */
static uint32_t add_times(struct builder *b, uint32_t sink, uint32_t proceed)
{
    const struct sequence_step *step = &b->steps[b->at];
    bool unbounded = step->times_max == SEQUENCE_UNBOUNDED;
    if (step->greedy && !unbounded && step->times_max > step->times_min)
        hold_back(b, sink);
    struct guard inner = guard_ignore(b, step->inner);
    struct single single = {.sink = sink, .proceed = proceed, .take = guard_take(b), .optional = true};
    single.ignore = inner.never ? inner : guard_until(b, inner);
    for (uint32_t i = step->times_min; !unbounded && i < step->times_max; i++) {
        single.sink = add_single(b, &single);
        add_following_stop(b, single.sink);
    }
    single.optional = false;
    for (uint32_t i = 1; i < step->times_min; i++) {
        single.sink = add_single(b, &single);
        add_following_stop(b, single.sink);
    }
    single.optional = step->optional;
    single.ignore = b->at == b->pattern->first ? never : guard_ignore(b, step->contiguity);
    return add_single(b, &single);
}

static uint32_t add_step(struct builder *b, uint32_t sink)
{
    b->greedy_sink = NONE;
    uint32_t first = sink;
    if (b->steps[b->at].times_max == SEQUENCE_UNBOUNDED)
        first = add_looping(b, without_nots(b, sink));
    first = add_times(b, first, sink);
    add_stop(b, first, current_not(b));
    return first;
}

/* A negated step. A relaxed one between others is built with its neighbours. */
static uint32_t add_not(struct builder *b, uint32_t sink)
{
    const struct sequence_step *step = &b->steps[b->at];
    bool last = b->pattern->states[sink].kind == SEQUENCE_STATE_END;
    struct guard other = guard_literal(b, step->condition, true);
    if (step->contiguity == SEQUENCE_STRICT) {
        uint32_t state = add_state(b, SEQUENCE_STATE_NORMAL, b->at);
        add(b, state, last ? SEQUENCE_IGNORE : SEQUENCE_PROCEED, sink, other);
        add_stop(b, state, (int)b->at);
        return state;
    }
    if (!last)
        return sink;
    uint32_t state = add_state(b, SEQUENCE_STATE_PENDING, b->at);
    add_stop(b, state, (int)b->at);
    add(b, state, SEQUENCE_IGNORE, state, other);
    return state;
}

static void check(const struct sequence_options *options, size_t first)
{
    size_t n = options->step_count;
    ASSERT(n <= SEQUENCE_STEPS_MAX && first < n);
    for (size_t i = 0; i < n; i++) {
        const struct sequence_step *step = &options->steps[i];
        const struct sequence_step *before = i > 0 ? &options->steps[i - 1] : NULL;
        ASSERT(step->condition < SEQUENCE_CONDITIONS_MAX && step->until < SEQUENCE_CONDITIONS_MAX);
        if (step->negated) {
            ASSERT(before == NULL || (!before->negated && !before->optional));
            ASSERT((i > 0 && i < n - 1) || options->within_ms > 0 || (i > 0 && step->contiguity == SEQUENCE_STRICT));
            ASSERT(i > 0 || step->contiguity != SEQUENCE_STRICT);
            continue;
        }
        ASSERT(step->times_min >= 1 && step->times_min <= SEQUENCE_TIMES_MAX);
        ASSERT(step->times_max == SEQUENCE_UNBOUNDED ||
               (step->times_max >= step->times_min && step->times_max <= SEQUENCE_TIMES_MAX));
        ASSERT(step->until < 0 || step->times_max == SEQUENCE_UNBOUNDED);
        ASSERT(!step->greedy || step->inner != SEQUENCE_RELAXED_ANY);
        ASSERT(!step->optional || before == NULL || !before->greedy);
    }
    ASSERT(options->skip < SEQUENCE_TO_FIRST ||
           (options->skip_step >= 0 && (size_t)options->skip_step < n && !options->steps[options->skip_step].negated));
}

int sequence_pattern_compile(const struct sequence_options *options, struct arena *arena,
                             struct sequence_pattern *pattern, struct error *err)
{
    size_t n = options->step_count;
    *pattern = (struct sequence_pattern){.options = *options};
    pattern->first = n > 0 && options->steps[0].negated ? 1 : 0;
    check(options, pattern->first);
    struct sequence_step *steps = arena_alloc(arena, n * sizeof *steps);
    memcpy(steps, options->steps, n * sizeof *steps);
    pattern->options.steps = steps;

    struct builder b = {.arena = arena, .pattern = pattern, .steps = steps, .following = -1, .greedy_sink = NONE};
    for (size_t i = 0; i < n; i++)
        b.stops[i] = NONE;
    uint32_t sink = add_state(&b, SEQUENCE_STATE_END, 0);
    for (size_t i = n; i-- > pattern->first;) {
        b.at = i;
        sink = steps[i].negated ? add_not(&b, sink) : add_step(&b, sink);
        b.following = (int)i;
    }
    if (b.too_large)
        return error_set(err, ERROR_BAD_INPUT, "the steps make more than %d states: fewer or smaller `times` would do",
                         SEQUENCE_STATES_MAX);
    pattern->states[sink].kind = SEQUENCE_STATE_START;
    pattern->start = sink;
    return 0;
}
