/* Limits and texts shared by the decoders. */
#include "codec/field.h"

#include <stdio.h>
#include <stdlib.h>

const char *field_kind_text(enum field_kind kind)
{
    static const char *const texts[] = {
        [FIELD_STRING] = "a string",   [FIELD_ENUM] = "an enum's symbol", [FIELD_TIME] = "a time",
        [FIELD_SPAN] = "a number",     [FIELD_INT] = "a whole number",    [FIELD_DOUBLE] = "a number",
        [FIELD_STRINGS] = "a list",    [FIELD_LABELS] = "a map",          [FIELD_MAP] = "a map",
        [FIELD_BOOL] = "true or false"};
    return texts[kind];
}

struct str field_quote(struct str text)
{
    if (text.n <= FIELD_QUOTE_MAX)
        return text;
    size_t n = FIELD_QUOTE_MAX;
    while (n > 0 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
        n--;
    return (struct str){text.p, n};
}

int field_symbol_error(struct error *err, const struct stream_field *field, struct str text)
{
    char symbols[256];
    size_t used = 0;
    for (const char *const *symbol = field->symbols; *symbol != NULL && used < sizeof symbols; symbol++) {
        int n = snprintf(symbols + used, sizeof symbols - used, "%s%s", used == 0 ? "" : ", ", *symbol);
        used += n > 0 ? (size_t)n : 0;
    }
    struct str quoted = field_quote(text);
    return error_set(err, ERROR_BAD_INPUT, "field '%s': '%.*s' is none of %s", field->name, STR_ARG(quoted), symbols);
}

/* By key, then by place: equal keys lie together, the last one last. */
static int pair_order(const void *a, const void *b)
{
    const struct value *x = *(const struct value *const *)a;
    const struct value *y = *(const struct value *const *)b;
    int order = str_cmp(value_as_str(*x), value_as_str(*y));
    return order != 0 ? order : (x > y) - (x < y);
}

/* For many pairs: sorts pointers to them, then marks all but the first of a key by a null key. */
static bool drop_repeats_sorted(struct value *pairs, size_t n, struct arena *arena)
{
    struct value **sorted = arena_alloc(arena, n * sizeof(struct value *));
    for (size_t i = 0; i < n; i++)
        sorted[i] = &pairs[2 * i];
    qsort(sorted, n, sizeof(struct value *), pair_order);
    bool repeated = false;
    struct value *first = sorted[0];
    for (size_t i = 1; i < n; i++) {
        if (!str_eq(value_as_str(*first), value_as_str(*sorted[i]))) {
            first = sorted[i];
            continue;
        }
        first[1] = sorted[i][1];
        sorted[i]->type = VALUE_NULL;
        repeated = true;
    }
    return repeated;
}

static bool drop_repeats(struct value *pairs, size_t n)
{
    bool repeated = false;
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (pairs[2 * k].type != VALUE_NULL && str_eq(value_as_str(pairs[2 * k]), value_as_str(pairs[2 * i]))) {
                pairs[2 * k + 1] = pairs[2 * i + 1];
                pairs[2 * i].type = VALUE_NULL;
                repeated = true;
                break;
            }
    return repeated;
}

size_t field_pairs_unique(struct value *pairs, size_t n, struct arena *arena)
{
    enum { FEW = 16 };
    if (n < 2 || !(n <= FEW ? drop_repeats(pairs, n) : drop_repeats_sorted(pairs, n, arena)))
        return n;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (pairs[2 * i].type != VALUE_NULL) {
            pairs[2 * kept] = pairs[2 * i];
            pairs[2 * kept + 1] = pairs[2 * i + 1];
            kept++;
        }
    return kept;
}
