/* Recommendations by what people type of their ids. */
#include "cli/find.h"

#include <stdio.h>
#include <strings.h>

enum { LISTED_MAX = 8, NEAR_MAX = 3, DIGITS = 16, DIGITS_LEAST = 4, PART_LEAST = 3 };

static struct str id_of(const struct value *record)
{
    return published_text(*record, "recommendation_id");
}

static void list_line(const struct value *record)
{
    (void)fprintf(stderr, "  %.*s  %.*s\n", STR_ARG(id_of(record)), STR_ARG(published_text(*record, "title")));
}

static void say_several(const struct published *published, const char *id, size_t count)
{
    size_t listed = 0;
    (void)fprintf(stderr, "error: '%s' is the beginning of %zu recommendations:\n", id, count);
    for (size_t i = 0; i < published->recommendation_count && listed < LISTED_MAX; i++)
        if (str_starts(id_of(&published->recommendations[i]), str_of(id))) {
            list_line(&published->recommendations[i]);
            listed++;
        }
    if (count > listed)
        (void)fprintf(stderr, "  and %zu more\n", count - listed);
}

/* `part` stands somewhere in the text, whatever the case. */
static bool has_part(struct str text, struct str part)
{
    for (size_t i = 0; i + part.n <= text.n; i++)
        if (strncasecmp(text.p + i, part.p, part.n) == 0)
            return true;
    return false;
}

/* Of the same rule, or of one that is spelt nearly so; or what was typed is a part of its id or title. */
static bool near(const struct value *record, struct str id)
{
    struct str rule = published_text(*record, "rule_id");
    const char *colon = memchr(id.p, ':', id.n);
    struct str typed = {id.p, colon != NULL ? (size_t)(colon - id.p) : id.n};
    if (id.n >= PART_LEAST && (has_part(id_of(record), id) || has_part(published_text(*record, "title"), id)))
        return true;
    return str_distance(rule, typed, NEAR_MAX) <= NEAR_MAX;
}

static void say_none(const struct published *published, const char *id)
{
    size_t listed = 0;
    (void)fprintf(stderr, "error: there is no recommendation '%s'", id);
    if (published->recommendation_count == 0) {
        (void)fputs(": there is none at all yet\n", stderr);
        return;
    }
    for (size_t i = 0; i < published->recommendation_count && listed < LISTED_MAX; i++)
        if (near(&published->recommendations[i], str_of(id))) {
            (void)fprintf(stderr, "%s", listed == 0 ? "; did you mean\n" : "");
            list_line(&published->recommendations[i]);
            listed++;
        }
    if (listed == 0)
        (void)fprintf(stderr, ": `forestall recommendations list --all` shows the %zu that there are\n",
                      published->recommendation_count);
}

/* Of a rule that has made one recommendation the rule's id names it, whatever longer ids begin so; else NULL. */
static const struct value *only_of_rule(const struct published *published, struct str rule)
{
    const struct value *found = NULL;
    for (size_t i = 0; i < published->recommendation_count; i++) {
        if (!str_eq(published_text(published->recommendations[i], "rule_id"), rule))
            continue;
        if (found != NULL)
            return NULL;
        found = &published->recommendations[i];
    }
    return found;
}

const struct value *find_recommendation(const struct published *published, const char *id)
{
    const struct value *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < published->recommendation_count; i++) {
        const struct value *record = &published->recommendations[i];
        if (str_is(id_of(record), id))
            return record;
        if (id[0] != '\0' && str_starts(id_of(record), str_of(id))) {
            found = record;
            count++;
        }
    }
    if (count > 1)
        found = only_of_rule(published, str_of(id));
    if (count >= 1 && found != NULL)
        return found;
    if (count == 0)
        say_none(published, id);
    else
        say_several(published, id, count);
    return NULL;
}

struct str find_short_id(const struct published *published, struct value record)
{
    struct str id = published_text(record, "recommendation_id");
    struct str rule = published_text(record, "rule_id");
    size_t shared = 0;
    if (only_of_rule(published, rule) != NULL)
        return rule;
    for (size_t i = 0; i < published->recommendation_count; i++) {
        struct str other = id_of(&published->recommendations[i]);
        size_t n = 0;
        while (n < id.n && n < other.n && id.p[n] == other.p[n])
            n++;
        if (!str_eq(id, other) && n > shared)
            shared = n;
    }
    size_t least = id.n > DIGITS ? id.n - DIGITS + DIGITS_LEAST : id.n;
    id.n = shared + 1 > least ? shared + 1 : least;
    return id;
}
