/* Words of reports. */
#include "cli/report_words.h"

#include <ctype.h>
#include <math.h>

#include "cli/published.h"

static const char *taken(struct arena *arena, struct buf *text)
{
    const char *kept = arena_str(arena, buf_str(text)).p;
    buf_fini(text);
    return kept;
}

double words_double(struct value record, const char *name, double missing)
{
    struct value v = published_value(record, name);
    return v.type == VALUE_INT ? (double)v.i : v.type == VALUE_DOUBLE ? v.d : missing;
}

const char *words_number(struct arena *arena, double n)
{
    struct buf text = {0};
    if (!isfinite(n))
        return "-";
    buf_printf(&text, "%.2f", n);
    while (text.p[text.len - 1] == '0')
        text.len--;
    if (text.p[text.len - 1] == '.')
        text.len--;
    return text.len == 2 && memcmp(text.p, "-0", 2) == 0 ? (buf_fini(&text), "0") : taken(arena, &text);
}

const char *words_count(struct arena *arena, size_t n, const char *one, const char *many)
{
    if (n == 0)
        return arena_printf(arena, "no %s", many);
    return arena_printf(arena, "%zu %s", n, n == 1 ? one : many);
}

const char *words_span(struct arena *arena, double ms)
{
    struct buf text = {0};
    if (!isfinite(ms) || fabs(ms) > 1e15)
        return "-";
    int64_t whole_ms = (int64_t)ms;
    duration_print(&text, whole_ms < SECOND_MS ? whole_ms : whole_ms / SECOND_MS * SECOND_MS);
    return taken(arena, &text);
}

const char *words_span_of(struct arena *arena, struct value record, const char *name)
{
    return words_span(arena, words_double(record, name, NAN));
}

const char *words_day(struct arena *arena, int64_t ms)
{
    struct buf text = {0};
    if (ms == INT64_MIN || ms == INT64_MAX)
        return "-";
    time_print_ms(&text, ms);
    text.len = strlen("2026-11-26");
    return taken(arena, &text);
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) != 0 || c == '_' || c == '-';
}

const char *words_text(struct arena *arena, struct str text)
{
    const struct str nothing = STR_LIT("unknown");
    struct buf out = {0};
    for (size_t i = 0; i < text.n; i++) {
        struct str rest = {text.p + i, text.n - i};
        bool begins = i == 0 || !is_word(text.p[i - 1]);
        if (begins && str_starts(rest, nothing) && (rest.n == nothing.n || !is_word(rest.p[nothing.n]))) {
            buf_puts(&out, "not known");
            i += nothing.n - 1;
        } else if (str_starts(rest, STR_LIT("()")) && begins) {
            i++;
        } else if (isspace((unsigned char)text.p[i]) != 0) {
            if (out.len > 0 && out.p[out.len - 1] != ' ')
                buf_byte(&out, ' ');
        } else {
            buf_byte(&out, (uint8_t)text.p[i]);
        }
    }
    while (out.len > 0 && out.p[out.len - 1] == ' ')
        out.len--;
    return taken(arena, &out);
}

const char *words_list(struct arena *arena, struct value list)
{
    struct buf text = {0};
    if (list.type != VALUE_LIST || list.n == 0)
        return "-";
    for (uint32_t i = 0; i < list.n; i++) {
        buf_puts(&text, i == 0 ? "" : i + 1 == list.n ? " and " : ", ");
        buf_puts(&text,
                 words_text(arena, list.items[i].type == VALUE_STRING ? value_as_str(list.items[i]) : (struct str){0}));
    }
    return taken(arena, &text);
}

const char *words_name(struct arena *arena, struct str name)
{
    char *text = arena_printf(arena, "%.*s", STR_ARG(name));
    for (char *p = text; *p != '\0'; p++)
        *p = *p == '_' ? ' ' : *p;
    return text;
}

const char *words_category(struct arena *arena, struct str category)
{
    if (str_is(category, "observability_gap"))
        return "Observability gaps";
    return words_first_upper(arena, words_name(arena, category));
}

const char *words_first_upper(struct arena *arena, const char *text)
{
    char *upper = arena_printf(arena, "%s", text);
    upper[0] = (char)toupper((unsigned char)upper[0]);
    return upper;
}

const char *words_sentence(struct arena *arena, const char *text)
{
    size_t n = strlen(text);
    return n == 0 || strchr(".!?:", text[n - 1]) != NULL ? text : arena_printf(arena, "%s.", text);
}
