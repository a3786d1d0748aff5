/* Recommendations of removed rules: which rules they are of. */
#include "cli/gone.h"

#include "base/map.h"

enum { NAMED_MAX = 5 };

static bool is_settled(struct value record)
{
    struct str status = published_text(record, "status");
    return str_is(status, "dismissed") || str_is(status, "superseded") || str_is(status, "validated");
}

size_t gone_count(const struct published *published, const struct ruleset *rules, struct arena *arena,
                  const char **names)
{
    struct map seen = {0};
    struct buf text = {0};
    size_t count = 0;
    for (size_t i = 0; rules != NULL && i < published->recommendation_count; i++) {
        struct str rule = published_text(published->recommendations[i], "rule_id");
        if (is_settled(published->recommendations[i]) || ruleset_find(rules, rule) != NULL)
            continue;
        count++;
        void **slot = map_slot(&seen, rule);
        if (*slot == NULL && seen.count <= NAMED_MAX)
            buf_printf(&text, "%s%.*s", text.len > 0 ? ", " : "", STR_ARG(rule));
        *slot = names;
    }
    if (seen.count > NAMED_MAX)
        buf_printf(&text, " and %zu more", seen.count - NAMED_MAX);
    *names = arena_str(arena, buf_str(&text)).p;
    buf_fini(&text);
    map_fini(&seen);
    return count;
}
