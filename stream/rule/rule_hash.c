/* The hash of a rule's meaning, by which its state is found again: id, the inputs that detect, grouping, window and
 * `when`, with macros and lists expanded, the functions that panes keep, and `per`. Title, spec, validation and tests
 * may change without losing state.
 *
 * The canonical text is part of what is stored: a change to it starts every rule anew. */
#include "rule/rule_load.h"
#include "rule/sequence.h"
#include "rule/topology.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    return value_order(*(const struct value *)a, *(const struct value *)b);
}

static void put_term(struct buf *out, const struct match_term *term)
{
    buf_varint(out, (uint64_t)term->field);
    struct value *sorted = mem_alloc(term->count * sizeof *sorted);
    memcpy(sorted, term->values, term->count * sizeof *sorted);
    qsort(sorted, term->count, sizeof *sorted, by_value);
    for (size_t i = 0; i < term->count; i++)
        if (i == 0 || value_order(sorted[i - 1], sorted[i]) != 0)
            value_encode(out, sorted[i]);
    free(sorted);
}

static void put_cel(struct buf *out, const struct cel *cel)
{
    struct buf text = {0};
    if (cel != NULL)
        cel_print(cel, &text);
    buf_text(out, buf_str(&text));
    buf_fini(&text);
}

static void put_input(struct buf *out, const struct rule *rule, const struct rule_input *input)
{
    buf_text(out, input->name);
    buf_text(out, str_of(input->stream->name));
    buf_byte(out, input->updates);
    for (int field = 0; field < input->stream->field_count; field++)
        for (size_t i = 0; i < input->match_count; i++)
            if (input->match[i].field == field && !(input->any_rule && field == stream_maker_field(input->stream)))
                put_term(out, &input->match[i]);
    buf_byte(out, 0xff);
    put_cel(out, input->where);
    for (size_t i = 0; i < rule->group_count; i++) {
        buf_text(out, input->group[i].name);
        buf_zigzag(out, input->group[i].field);
        put_cel(out, input->group[i].expr);
    }
}

/* The functions that are folded, in the order in which panes keep them: a template that calls a new one asks for what
 * no pane has, so it starts anew; any other change of a text keeps the state. */
static void put_aggregates(struct buf *out, const struct rule *rule)
{
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        const struct aggregate *aggregate = &rule->aggregates[i];
        if (!aggregate->detects)
            continue;
        buf_varint(out, i);
        buf_byte(out, (uint8_t)aggregate->function);
        buf_text(out, aggregate->input >= 0 ? rule->inputs[aggregate->input].name : STR_LIT(""));
        put_cel(out, aggregate->expr);
        if (aggregate->function == AGGREGATE_AGO)
            buf_zigzag(out, aggregate->ago_ms);
    }
}

static void put_condition(struct buf *out, const struct rule *rule, const struct sequence_condition *condition)
{
    buf_varint(out, condition->count);
    for (size_t i = 0; i < condition->count; i++) {
        const struct sequence_alternative *one = &condition->alternatives[i];
        buf_text(out, one->input >= 0 ? rule->inputs[one->input].name : str_of(""));
        buf_text(out, str_of(one->stream->name));
        put_cel(out, one->where);
    }
}

static void put_sequence(struct buf *out, const struct rule *rule, const struct sequence_spec *spec)
{
    const struct sequence_options *options = &spec->pattern.options;
    buf_varint(out, options->step_count);
    for (size_t i = 0; i < options->step_count; i++) {
        const struct sequence_step *step = &options->steps[i];
        buf_text(out, spec->outputs[i].name);
        buf_byte(out, (uint8_t)(step->negated | step->optional << 1 | step->greedy << 2 | spec->outputs[i].list << 3));
        buf_byte(out, step->contiguity);
        buf_byte(out, step->inner);
        buf_varint(out, step->times_min);
        buf_varint(out, step->times_max);
        buf_byte(out, step->until >= 0);
    }
    for (size_t i = 0; i < spec->condition_count; i++)
        put_condition(out, rule, &spec->conditions[i]);
    buf_zigzag(out, options->within_ms);
    buf_zigzag(out, options->max_gap_ms);
    buf_byte(out, (uint8_t)options->skip);
    buf_varint(out, options->skip < SEQUENCE_TO_FIRST ? 0 : (uint64_t)options->skip_step);
    buf_zigzag(out, spec->warmup_ms);
}

/* What is counted together. One recommendation a group is what it always was. */
static void put_per(struct buf *out, const struct rule *rule)
{
    if (!rule_is_shared(rule))
        return;
    buf_byte(out, 0xfd);
    for (size_t i = 0; i < rule->recommend->per_count; i++)
        buf_text(out, rule->recommend->per[i].name);
}

/* The value's function is among the aggregates, but two rules are compared without those. */
static void put_trend(struct buf *out, const struct rule *rule, const struct trend_spec *spec)
{
    buf_text(out, rule->inputs[spec->of].name);
    put_cel(out, rule->aggregates[spec->value_aggregate].expr);
    buf_zigzag(out, spec->step_ms);
    buf_double(out, spec->limit);
    buf_zigzag(out, spec->min_points);
    buf_double(out, spec->min_fit);
    buf_byte(out, (uint8_t)spec->method);
    buf_text(out, spec->reset >= 0 ? rule->inputs[spec->reset].name : STR_LIT(""));
}

/* As of a trend. */
static void put_burn_rate(struct buf *out, const struct rule *rule, const struct burn_spec *spec)
{
    const int sides[] = {spec->bad_aggregate, spec->all_aggregate};
    for (size_t i = 0; i < 2; i++) {
        const struct aggregate *side = &rule->aggregates[sides[i]];
        buf_byte(out, (uint8_t)side->function);
        buf_text(out, rule->inputs[side->input].name);
        put_cel(out, side->expr);
    }
    buf_double(out, spec->objective);
    buf_varint(out, spec->pair_count);
    for (size_t i = 0; i < spec->pair_count; i++) {
        buf_zigzag(out, spec->pairs[i].long_ms);
        buf_zigzag(out, spec->pairs[i].short_ms);
        buf_double(out, spec->pairs[i].factor);
    }
}

/* How long the rule is silent: two rules are compared without their functions, but not where one begins later. */
static void put_look_back(struct buf *out, const struct rule *rule)
{
    if (rule->look_back_ms == 0)
        return;
    buf_zigzag(out, rule->look_back_ms);
    buf_zigzag(out, rule->warmup_ms);
}

/* What the detector's own keys say, beside group, window and `when`. */
static void put_spec(struct buf *out, const struct rule *rule)
{
    switch (rule->type) {
    case DETECTOR_WINDOW:
        put_look_back(out, rule);
        break;
    case DETECTOR_SEQUENCE:
        put_sequence(out, rule, rule->spec.sequence);
        break;
    case DETECTOR_ABSENCE:
        buf_text(out, rule->inputs[rule->spec.absence->of].name);
        buf_zigzag(out, rule->spec.absence->every_ms);
        break;
    case DETECTOR_CASCADE:
        buf_text(out, rule->inputs[rule->spec.cascade->of].name);
        buf_zigzag(out, rule->spec.cascade->within_ms);
        topology_encode(out, rule->spec.cascade->topology);
        break;
    case DETECTOR_TREND:
        put_trend(out, rule, rule->spec.trend);
        break;
    case DETECTOR_BURN_RATE:
        put_burn_rate(out, rule, rule->spec.burn);
        break;
    case DETECTOR_NEW_VALUE:
    case DETECTOR_REVERT:
        buf_text(out, rule->inputs[rule->spec.memory->of].name);
        put_cel(out, rule->spec.memory->value);
        buf_zigzag(out, rule->spec.memory->memory_ms);
        buf_zigzag(out, rule->spec.memory->warmup_ms);
        break;
    default:
        break;
    }
}

uint64_t rule_hash(const struct rule *rule)
{
    struct buf text = {0};
    buf_text(&text, STR_LIT("rule 2"));
    buf_text(&text, rule->id);
    for (size_t i = 0; i < rule->input_count; i++)
        if (rule->inputs[i].detects)
            put_input(&text, rule, &rule->inputs[i]);
    buf_byte(&text, 0xfe);
    buf_byte(&text, (uint8_t)rule->type);
    put_spec(&text, rule);
    buf_byte(&text, (uint8_t)rule->window.kind);
    buf_zigzag(&text, rule->window.size_ms);
    buf_zigzag(&text, rule->window.slide_ms);
    buf_zigzag(&text, rule->window.wait_ms);
    buf_zigzag(&text, rule->window.gap_ms);
    buf_zigzag(&text, rule->window.max_ms);
    buf_byte(&text, (uint8_t)rule->window.calendar);
    buf_text(&text, rule->window.zone_name);
    put_aggregates(&text, rule);
    put_cel(&text, rule->when);
    put_per(&text, rule);
    uint64_t hash = hash_bytes(text.p, text.len, 0);
    buf_fini(&text);
    return hash;
}
