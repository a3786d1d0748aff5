/* The words of an explanation: of numbers, names, conditions and inputs. */
#include "cli/explain.h"
#include "rule/cel_possible.h"

enum { UNITS = 4 };

const char *explain_span(const struct explanation *e, int64_t ms)
{
    struct buf text = {0};
    duration_print(&text, ms);
    const char *result = arena_str(e->arena, buf_str(&text)).p;
    buf_fini(&text);
    return result;
}

const char *explain_number(const struct explanation *e, int64_t n)
{
    const char *digits = arena_printf(e->arena, "%lld", (long long)n);
    size_t left = strlen(digits);
    const char *text = "";
    for (; left > 0; digits++, left--)
        text = arena_printf(e->arena, "%s%c%s", text, *digits, left % 3 == 1 && left > 1 ? "," : "");
    return text;
}

const char *explain_bytes(const struct explanation *e, double bytes)
{
    static const char *const units[UNITS] = {"B", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit + 1 < UNITS; unit++)
        bytes /= 1024;
    return arena_printf(e->arena, bytes < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

struct value explain_list(const struct explanation *e, const struct value *items, size_t n)
{
    struct value *copy = arena_alloc(e->arena, (n + 1) * sizeof *copy);
    memcpy(copy, items, n * sizeof *copy);
    return value_list(copy, n);
}

struct value explain_map(const struct explanation *e, const struct value *pairs, size_t n)
{
    struct value *copy = arena_alloc(e->arena, (2 * n + 1) * sizeof *copy);
    memcpy(copy, pairs, 2 * n * sizeof *copy);
    return value_map(copy, n);
}

const char *explain_join(const struct explanation *e, const char *text, const char *separator, struct str more)
{
    return arena_printf(e->arena, "%s%s%.*s", text, *text == '\0' ? "" : separator, STR_ARG(more));
}

const char *explain_group(const struct explanation *e)
{
    const char *text = "";
    for (size_t i = 0; i < e->rule->group_count; i++)
        text = explain_join(e, text, i + 1 < e->rule->group_count ? ", " : " and ", e->rule->group[i].name);
    return text;
}

/* "the part of different deployment_id among deploys that caused has too". */
static const char *share_words(const struct explanation *e, const struct aggregate *share)
{
    const struct aggregate *over = &e->rule->aggregates[share->over];
    const struct rule_input *input = &e->rule->inputs[over->input];
    return arena_printf(e->arena, "the part of different %s among %.*s that %.*s has too",
                        explain_words(e, over->expr, input->stream), STR_ARG(input->name),
                        STR_ARG(e->rule->inputs[e->rule->aggregates[share->of].input].name));
}

/* "the mean of latency 1d before". */
static const char *ago_words(const struct explanation *e, const struct aggregate *ago)
{
    const char *written = explain_canonical(e, ago->expr);
    const char *words = explain_words(e, ago->expr, NULL);
    const char *when = "in the window before";
    bool single = false;
    for (size_t i = 0; i < e->rule->aggregate_count; i++)
        single |= str_is(e->rule->aggregates[i].text, written);
    if (e->rule->window.kind == WINDOW_HOPPING && ago->ago_ms != e->rule->window.size_ms)
        when = arena_printf(e->arena, "%s before", explain_span(e, ago->ago_ms));
    return arena_printf(e->arena, single ? "%s %s" : "(%s) %s", words, when);
}

/* "the mean of latency". */
static const char *aggregate_words(const struct explanation *e, const struct aggregate *aggregate)
{
    if (aggregate->function == AGGREGATE_SHARE)
        return share_words(e, aggregate);
    if (aggregate->function == AGGREGATE_AGO)
        return ago_words(e, aggregate);
    struct str input = e->rule->inputs[aggregate->input].name;
    const struct stream *stream = e->rule->inputs[aggregate->input].stream;
    const char *what = "";
    if (aggregate->expr != NULL &&
        !(aggregate->field >= 0 && strcmp(stream->fields[aggregate->field].name, "value") == 0))
        what = explain_words(e, aggregate->expr, stream);
    const char *of = *what == '\0' ? "" : " ";
    switch (aggregate->function) {
    case AGGREGATE_COUNT:
        return arena_printf(e->arena, "the number of %.*s", STR_ARG(input));
    case AGGREGATE_DISTINCT:
        return arena_printf(e->arena, "the number of different %s among %.*s", what, STR_ARG(input));
    case AGGREGATE_SUM:
        return arena_printf(e->arena, "the sum%s%s of %.*s", of, what, STR_ARG(input));
    case AGGREGATE_AVG:
        return arena_printf(e->arena, "the mean%s%s of %.*s", of, what, STR_ARG(input));
    case AGGREGATE_MIN:
        return arena_printf(e->arena, "the least%s%s of %.*s", of, what, STR_ARG(input));
    case AGGREGATE_MAX:
        return arena_printf(e->arena, "the greatest%s%s of %.*s", of, what, STR_ARG(input));
    case AGGREGATE_STDDEV:
        return arena_printf(e->arena, "the standard deviation%s%s of %.*s", of, what, STR_ARG(input));
    case AGGREGATE_P50:
        return arena_printf(e->arena, "the median%s%s of %.*s", of, what, STR_ARG(input));
    case AGGREGATE_P90:
    case AGGREGATE_P95:
    case AGGREGATE_P99:
        return arena_printf(e->arena, "the %.2sth percentile%s%s of %.*s", aggregate->text.p + 1, of, what,
                            STR_ARG(input));
    default:
        return arena_printf(e->arena, "%.*s", STR_ARG(aggregate->text));
    }
}

static struct str slot_words(const void *context, int slot)
{
    static const char *const fixed[OUT_FIXED_COUNT] = {
        [OUT_FIRST_SEEN] = "the time of the first event",
        [OUT_LAST_SEEN] = "the time of the last event",
        [OUT_INCIDENTS] = "the number of incidents",
        [OUT_MTTR] = "the mean time to resolve",
        [OUT_MTTR_MEDIAN] = "the median time to resolve",
        [OUT_MTTD] = "the mean time to detect",
        [OUT_MTTD_MEDIAN] = "the median time to detect",
        [OUT_MINUTES_LOST] = "the number of minutes lost",
        [OUT_GROUP] = "group",
        [OUT_SERVICES] = "the list of services",
        [OUT_CODE_REFS] = "the list of code references",
        [OUT_EVENTS] = "the number of events",
    };
    const struct explanation *e = context;
    if (slot < OUT_FIXED_COUNT)
        return str_of(fixed[slot]);
    size_t first = rule_aggregate_slot(e->rule, 0);
    if ((size_t)slot < first)
        return e->rule->outputs[slot - OUT_FIXED_COUNT].name;
    return str_of(aggregate_words(e, &e->rule->aggregates[(size_t)slot - first]));
}

const char *explain_words(const struct explanation *e, const struct cel *cel, const struct stream *stream)
{
    struct buf text = {0};
    const struct cel_words words = {.context = e, .slot = slot_words, .stream = stream};
    cel_put_words(&text, cel, &words);
    const char *result = arena_str(e->arena, buf_str(&text)).p;
    buf_fini(&text);
    return result;
}

const char *explain_canonical(const struct explanation *e, const struct cel *cel)
{
    struct buf text = {0};
    cel_print(cel, &text);
    const char *result = arena_str(e->arena, buf_str(&text)).p;
    buf_fini(&text);
    return result;
}

/* "severity is sev1 or sev2". */
static const char *term_words(const struct explanation *e, const struct rule_input *input,
                              const struct match_term *term)
{
    struct buf text = {0};
    buf_puts(&text, input->stream->fields[term->field].name);
    buf_puts(&text, " is ");
    for (size_t i = 0; i < term->count; i++) {
        buf_puts(&text, i == 0 ? "" : i + 1 == term->count ? " or " : ", ");
        value_template(&text, term->values[i]);
    }
    const char *result = arena_str(e->arena, buf_str(&text)).p;
    buf_fini(&text);
    return result;
}

static const char *noun_of(const struct rule_input *input)
{
    static const char *const nouns[STREAM_COUNT] = {
        [STREAM_INCIDENT] = "incidents", [STREAM_DEPLOYMENT] = "deployments", [STREAM_TELEMETRY] = "telemetry",
        [STREAM_FEEDBACK] = "feedback",  [STREAM_DETECTION] = "detections",   [STREAM_SCORECARD] = "scorecards",
    };
    return nouns[input->stream->id];
}

static void count_condition(void *context, const struct cel *condition)
{
    size_t *count = context;
    (void)condition;
    ++*count;
}

const char *explain_input(const struct explanation *e, const struct rule_input *input)
{
    const char *conditions = "";
    for (size_t i = 0; i < input->match_count; i++)
        if (!(input->any_rule && input->match[i].field == stream_maker_field(input->stream)))
            conditions = explain_join(e, conditions, " and ", str_of(term_words(e, input, &input->match[i])));
    size_t parts = 0;
    if (input->where != NULL)
        cel_conditions(input->where, count_condition, &parts);
    if (parts > 0)
        conditions = explain_join(e, conditions, " and ",
                                  str_of(arena_printf(e->arena, parts > 1 && *conditions != '\0' ? "(%s)" : "%s",
                                                      explain_words(e, input->where, input->stream))));
    return arena_printf(e->arena, "%s%s%s%s", input->updates ? "updates of " : "", noun_of(input),
                        *conditions == '\0' ? "" : " where ", conditions);
}
