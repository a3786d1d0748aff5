/* Rendering of a true evaluation's title, spec and numbers. */
#include "recommend/newest.h"

#include <math.h>
#include <stdlib.h>

#include "recommend/recommendation.h"

static const struct {
    enum value_type type;
    bool nullable;
} part_types[NEWEST_PARTS] = {
    [NEWEST_INCIDENTS] = {VALUE_INT, true},    [NEWEST_MTTR] = {VALUE_INT, true},
    [NEWEST_MTTR_MEDIAN] = {VALUE_INT, true},  [NEWEST_MTTD] = {VALUE_INT, true},
    [NEWEST_MTTD_MEDIAN] = {VALUE_INT, true},  [NEWEST_MINUTES_LOST] = {VALUE_DOUBLE, true},
    [NEWEST_VALUES] = {VALUE_MAP, false},      [NEWEST_TITLE] = {VALUE_STRING, false},
    [NEWEST_SERVICES] = {VALUE_LIST, true},    [NEWEST_PROBLEM] = {VALUE_STRING, true},
    [NEWEST_SOLUTION] = {VALUE_STRING, true},  [NEWEST_IMPLEMENTATION] = {VALUE_LIST, false},
    [NEWEST_TESTING] = {VALUE_LIST, false},    [NEWEST_ROLLOUT] = {VALUE_LIST, false},
    [NEWEST_EFFORT] = {VALUE_STRING, true},    [NEWEST_DEPENDENCIES] = {VALUE_LIST, false},
    [NEWEST_CODE_PATHS] = {VALUE_LIST, false}, [NEWEST_REFERENCES] = {VALUE_LIST, false},
};

struct rendering {
    const struct cel_frame *frame;
    struct arena *arena;
    struct newest_notes notes;
    size_t bytes_left;
};

static struct value take_text(struct rendering *rendering, struct str text)
{
    struct str kept = text_cut(text, rendering->bytes_left);
    if (kept.n < text.n)
        *rendering->notes.capped = true;
    rendering->bytes_left -= kept.n;
    return value_str(arena_str(rendering->arena, kept));
}

static struct value text(struct rendering *rendering, const struct template *template)
{
    if (template == NULL)
        return value_null();
    struct buf out = {0};
    template_render(template, rendering->frame, &out, rendering->notes.template_errors);
    struct value v = take_text(rendering, buf_str(&out));
    buf_fini(&out);
    return v;
}

static struct value texts(struct rendering *rendering, const struct template_list *list)
{
    struct value *items = arena_alloc(rendering->arena, (list->count + 1) * sizeof *items);
    for (size_t i = 0; i < list->count; i++)
        items[i] = text(rendering, list->items[i]);
    return value_list(items, list->count);
}

static struct value code_paths(struct rendering *rendering, const struct recommend *recommend)
{
    struct value *items = arena_alloc(rendering->arena, (recommend->code_count + 1) * sizeof *items);
    for (size_t i = 0; i < recommend->code_count; i++)
        items[i] = text(rendering, recommend->code[i].path);
    return value_list(items, recommend->code_count);
}

static int text_order(const void *left, const void *right)
{
    return str_cmp(value_as_str(*(const struct value *)left), value_as_str(*(const struct value *)right));
}

size_t texts_distinct(struct value *all, size_t count)
{
    qsort(all, count, sizeof *all, text_order);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || text_order(&all[kept - 1], &all[i]) != 0)
            all[kept++] = all[i];
    return kept;
}

/* A service named by a template: text as it is, other values as templates print them; null names none. */
static size_t add_service(struct rendering *rendering, struct value v, struct value *out, size_t n)
{
    if (value_is_null(v))
        return n;
    struct buf printed = {0};
    value_template(&printed, v);
    out[n] = value_str(arena_str(rendering->arena, text_cut(buf_str(&printed), REMEMBERED_TEXT_BYTES_MAX)));
    buf_fini(&printed);
    return n + (out[n].n > 0);
}

static size_t add_services(struct rendering *rendering, struct value v, struct value *out, size_t n)
{
    if (v.type != VALUE_LIST)
        return add_service(rendering, v, out, n);
    for (uint32_t i = 0; i < v.n; i++)
        n = add_service(rendering, v.items[i], out, n);
    return n;
}

static struct value services(struct rendering *rendering, const struct recommend *recommend)
{
    const struct template *const *templates = recommend->services != NULL ? &recommend->services : NULL;
    size_t count = recommend->services != NULL ? 1 : recommend->service_items.count;
    if (count == 0)
        return value_null();
    struct value *named = arena_alloc(rendering->arena, count * sizeof *named);
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        const struct template *template = templates != NULL ? templates[i] : recommend->service_items.items[i];
        named[i] = template_value(template, rendering->frame, rendering->notes.template_errors);
        most += named[i].type == VALUE_LIST ? named[i].n : 1;
    }
    struct value *items = arena_alloc(rendering->arena, (most + 1) * sizeof *items);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n = add_services(rendering, named[i], items, n);
    n = texts_distinct(items, n);
    if (n > RECOMMENDATION_SERVICES_MAX) {
        n = RECOMMENDATION_SERVICES_MAX;
        *rendering->notes.capped = true;
    }
    return value_list(items, n);
}

/* A finite number as a double; null else. */
static struct value number(struct value v)
{
    double d = v.type == VALUE_DOUBLE ? v.d
               : v.type == VALUE_INT  ? (double)v.i
               : v.type == VALUE_UINT ? (double)v.u
                                      : NAN;
    return isfinite(d) ? value_double(d) : value_null();
}

/* A span as milliseconds, as records have them: what a trend's `eta` or an absence's `silence` was. */
static struct value number_or_span(struct value v)
{
    return v.type == VALUE_DURATION ? value_double((double)value_ms(v)) : number(v);
}

static struct value whole(struct value v)
{
    struct value d = number(v);
    return d.type == VALUE_DOUBLE && fabs(d.d) < 1e15 ? value_int((int64_t)d.d) : value_null();
}

static struct value span(struct value v)
{
    return v.type == VALUE_DURATION ? value_int(value_ms(v)) : value_null();
}

static struct value values(const struct rule *rule, const struct evaluation *evaluation, struct arena *arena)
{
    struct value *pairs = arena_alloc(arena, (rule_slot_count(rule) + 2) * 2 * sizeof *pairs);
    size_t n = 0;
    for (size_t i = 0; i < rule->aggregate_count && rule_aggregate_slot(rule, i) < evaluation->slot_count; i++) {
        struct value d = number(evaluation->slots[rule_aggregate_slot(rule, i)]);
        if (!rule->aggregates[i].detects || rule->aggregates[i].part || value_is_null(d))
            continue;
        pairs[2 * n] = value_str(text_cut(rule->aggregates[i].text, REMEMBERED_TEXT_BYTES_MAX));
        pairs[2 * n++ + 1] = d;
    }
    for (size_t i = 0; i < rule->output_count; i++) {
        struct value d = number_or_span(evaluation->slots[OUT_FIXED_COUNT + i]);
        if (value_is_null(d))
            continue;
        pairs[2 * n] = value_str(rule->outputs[i].name);
        pairs[2 * n++ + 1] = d;
    }
    static const enum output_slot outputs[] = {OUT_INCIDENTS, OUT_MINUTES_LOST};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        struct value d = number(evaluation->slots[outputs[i]]);
        if (value_is_null(d))
            continue;
        pairs[2 * n] = value_text(output_names[outputs[i]]);
        pairs[2 * n++ + 1] = d;
    }
    return value_map(pairs, n);
}

void newest_encode(struct buf *out, const struct rule *rule, const struct evaluation *evaluation, struct arena *arena,
                   struct newest_notes notes)
{
    const struct recommend *recommend = rule->recommend;
    const struct value *slots = evaluation->slots;
    struct cel_frame frame = {.slots = slots, .slot_count = evaluation->slot_count, .arena = arena};
    struct rendering rendering = {&frame, arena, notes, NEWEST_BYTES_MAX};
    struct value parts[NEWEST_PARTS];
    parts[NEWEST_INCIDENTS] = whole(slots[OUT_INCIDENTS]);
    parts[NEWEST_MTTR] = span(slots[OUT_MTTR]);
    parts[NEWEST_MTTR_MEDIAN] = span(slots[OUT_MTTR_MEDIAN]);
    parts[NEWEST_MTTD] = span(slots[OUT_MTTD]);
    parts[NEWEST_MTTD_MEDIAN] = span(slots[OUT_MTTD_MEDIAN]);
    parts[NEWEST_MINUTES_LOST] = number(slots[OUT_MINUTES_LOST]);
    parts[NEWEST_VALUES] = values(rule, evaluation, arena);
    parts[NEWEST_TITLE] = text(&rendering, recommend->title);
    parts[NEWEST_SERVICES] = services(&rendering, recommend);
    parts[NEWEST_PROBLEM] = text(&rendering, recommend->problem);
    parts[NEWEST_SOLUTION] = text(&rendering, recommend->solution);
    parts[NEWEST_IMPLEMENTATION] = texts(&rendering, &recommend->implementation);
    parts[NEWEST_TESTING] = texts(&rendering, &recommend->testing);
    parts[NEWEST_ROLLOUT] = texts(&rendering, &recommend->rollout);
    parts[NEWEST_EFFORT] = text(&rendering, recommend->effort);
    parts[NEWEST_DEPENDENCIES] = texts(&rendering, &recommend->dependencies);
    parts[NEWEST_CODE_PATHS] = code_paths(&rendering, recommend);
    parts[NEWEST_REFERENCES] = texts(&rendering, &recommend->references);
    value_encode(out, value_list(parts, NEWEST_PARTS));
}

const struct value *newest_decode(struct str encoded, struct arena *arena)
{
    struct reader r = reader_of(encoded.p, encoded.n);
    struct value parts;
    if (!value_decode(&r, arena, &parts) || parts.type != VALUE_LIST || parts.n != NEWEST_PARTS)
        return NULL;
    for (int i = 0; i < NEWEST_PARTS; i++)
        if (parts.items[i].type != part_types[i].type && !(part_types[i].nullable && value_is_null(parts.items[i])))
            return NULL;
    return parts.items;
}
