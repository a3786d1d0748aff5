/* Comparing by what the records are as JSON, so that a time is the same as its text. */
#include "cli/diff.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/time_text.h"
#include "cli/record.h"
#include "cli/table.h"

/* Old and new in one line up to that many bytes together. */
enum { SHORT_MAX = 60, DEPTH_MAX = 3 };

static const char *const left_out[] = {"version",    "life_version",  "status",     "validation", "history",
                                       "supersedes", "superseded_by", "event_time", "rule_hash",  NULL};
static const char *const spans[] = {"mttd", "mttd_median", "mttr", "mttr_median", "values.eta", "values.silence", NULL};

/* A recommendation of the replay. */
struct replayed {
    struct arena arena;
    struct value record;
    bool is_live;
};

struct diff {
    const struct published *live;
    struct map replayed;
    struct value *fresh; /* not live, in the order of `published` */
    size_t fresh_count;
    /* While printing. */
    FILE *out;
    bool json;
    size_t listed; /* of a JSON list */
};

struct diff *diff_new(const struct published *live)
{
    struct diff *diff = mem_zalloc(sizeof *diff);
    diff->live = live;
    return diff;
}

static void drop(struct replayed *replayed)
{
    if (replayed != NULL)
        arena_fini(&replayed->arena);
    free(replayed);
}

void diff_free(struct diff *diff)
{
    struct map_entry *entry;
    if (diff == NULL)
        return;
    for (size_t i = 0; map_next(&diff->replayed, &i, &entry);)
        drop(entry->value);
    map_fini(&diff->replayed);
    free(diff->fresh);
    free(diff);
}

void diff_see(struct diff *diff, struct str id, struct value record)
{
    void **slot = map_slot(&diff->replayed, id);
    if (*slot == NULL)
        *slot = mem_zalloc(sizeof(struct replayed));
    struct replayed *replayed = *slot;
    arena_reset(&replayed->arena);
    replayed->record = value_copy(&replayed->arena, record);
}

void diff_forget(struct diff *diff, struct str id)
{
    drop(map_remove(&diff->replayed, id));
}

static bool is_of(struct str name, const char *const *names)
{
    while (*names != NULL && !str_is(name, *names))
        names++;
    return *names != NULL;
}

static bool same(struct value a, struct value b)
{
    struct buf texts[2] = {{0}, {0}};
    value_json(&texts[0], a);
    value_json(&texts[1], b);
    bool equal = str_eq(buf_str(&texts[0]), buf_str(&texts[1]));
    buf_fini(&texts[0]);
    buf_fini(&texts[1]);
    return equal;
}

/* What differs in one member, and where: "spec.problem". */
struct change {
    struct str name;
    struct value old;
    struct value now;
};

/* For people: texts as they are, spans as "25m", lists and maps by what is in them. */
static void put_value(struct buf *out, struct str name, struct value v)
{
    size_t start = out->len;
    if (v.type == VALUE_NULL)
        buf_puts(out, "none");
    else if (v.type == VALUE_STRING)
        buf_str_put(out, value_as_str(v));
    else if (is_of(name, spans) && (v.type == VALUE_INT || v.type == VALUE_DOUBLE))
        duration_print(out, v.type == VALUE_INT ? v.i : (int64_t)v.d);
    else if (v.type == VALUE_LIST && v.n > 0 && v.items[0].type == VALUE_STRING)
        record_put_list(out, v);
    else if (v.type == VALUE_TIMESTAMP)
        time_print_ms(out, value_ms(v));
    else
        value_json(out, v);
    if (out->len == start)
        buf_puts(out, "(empty)");
}

static void print_text(struct diff *diff, const struct change *change)
{
    struct buf old = {0};
    struct buf now = {0};
    /* Evidence is long and no person reads it as JSON. */
    bool counted = change->old.type == VALUE_LIST && change->now.type == VALUE_LIST && str_is(change->name, "evidence");
    if (counted) {
        buf_printf(&old, "%u events", (unsigned)change->old.n);
        buf_printf(&now, "%u %s", (unsigned)change->now.n, change->old.n == change->now.n ? "others" : "events");
    } else {
        put_value(&old, change->name, change->old);
        put_value(&now, change->name, change->now);
    }
    bool lines = memchr(old.p, '\n', old.len) != NULL || memchr(now.p, '\n', now.len) != NULL;
    if (!lines && old.len + now.len <= SHORT_MAX) {
        (void)fprintf(diff->out, "    %-22.*s %.*s → %.*s\n", STR_ARG(change->name), STR_ARG(buf_str(&old)),
                      STR_ARG(buf_str(&now)));
    } else {
        (void)fprintf(diff->out, "    %.*s\n", STR_ARG(change->name));
        table_paragraph(diff->out, "      - ", buf_str(&old), table_width(diff->out));
        table_paragraph(diff->out, "      + ", buf_str(&now), table_width(diff->out));
    }
    buf_fini(&old);
    buf_fini(&now);
}

static void print_json(struct diff *diff, const struct change *change)
{
    struct buf line = {0};
    buf_puts(&line, diff->listed++ > 0 ? "," : "");
    buf_puts(&line, "{\"name\":");
    value_json_string(&line, change->name);
    buf_puts(&line, ",\"old\":");
    value_json(&line, change->old);
    buf_puts(&line, ",\"new\":");
    value_json(&line, change->now);
    buf_byte(&line, '}');
    (void)fwrite(line.p, 1, line.len, diff->out);
    buf_fini(&line);
}

static struct value of_name(struct value map, struct str name)
{
    const struct value *found = map.type == VALUE_MAP ? value_map_get(map, name) : NULL;
    return found != NULL ? *found : value_null();
}

static bool differs(struct value old, struct value now)
{
    for (uint32_t i = 0; i < old.n; i++)
        if (!is_of(value_as_str(old.items[2 * i]), left_out) &&
            !same(old.items[2 * i + 1], of_name(now, value_as_str(old.items[2 * i]))))
            return true;
    for (uint32_t i = 0; i < now.n; i++)
        if (!is_of(value_as_str(now.items[2 * i]), left_out) &&
            !same(of_name(old, value_as_str(now.items[2 * i])), now.items[2 * i + 1]))
            return true;
    return false;
}

static void print_changes(struct diff *diff, struct str above, struct value old, struct value now, int depth);

static void print_member(struct diff *diff, struct str above, const struct change *member, int depth)
{
    struct buf name = {0};
    if (above.n > 0)
        buf_printf(&name, "%.*s.", STR_ARG(above));
    buf_str_put(&name, member->name);
    struct change change = {buf_str(&name), member->old, member->now};
    bool maps = change.old.type == VALUE_MAP && change.now.type == VALUE_MAP;
    if (maps && depth < DEPTH_MAX)
        print_changes(diff, change.name, change.old, change.now, depth + 1);
    else if (!same(change.old, change.now))
        (diff->json ? print_json : print_text)(diff, &change);
    buf_fini(&name);
}

/* The members of the old map in its order, then those that only the new one has. */
static void print_changes(struct diff *diff, struct str above, struct value old, struct value now, int depth)
{
    for (uint32_t i = 0; i < old.n; i++) {
        struct str name = value_as_str(old.items[2 * i]);
        if (depth > 0 || !is_of(name, left_out))
            print_member(diff, above, &(struct change){name, old.items[2 * i + 1], of_name(now, name)}, depth);
    }
    for (uint32_t i = 0; i < now.n; i++) {
        struct str name = value_as_str(now.items[2 * i]);
        if ((depth > 0 || !is_of(name, left_out)) && value_map_get(old, name) == NULL)
            print_member(diff, above, &(struct change){name, value_null(), now.items[2 * i + 1]}, depth);
    }
}

/* "+ new       P0 48 high  Title", and its id below. */
static void print_head(struct diff *diff, const char *mark, enum table_colour colour, struct value record)
{
    struct str id = record_text(record_member(record, "recommendation_id"));
    table_colour(diff->out, colour);
    (void)fputs(mark, diff->out);
    table_colour(diff->out, TABLE_PLAIN);
    (void)fprintf(
        diff->out, "%.*s %.0f %.*s  %.*s\n    %.*s\n", STR_ARG(record_text(record_member(record, "priority"))),
        record_number(record_member(record, "impact_score")), STR_ARG(record_text(record_member(record, "impact"))),
        STR_ARG(record_text(record_member(record, "title"))), STR_ARG(id));
}

static void print_whole(struct diff *diff, const char *mark, enum table_colour colour, struct value record)
{
    if (!diff->json) {
        print_head(diff, mark, colour, record);
        return;
    }
    struct buf line = {0};
    buf_puts(&line, diff->listed++ > 0 ? "," : "");
    value_json(&line, record);
    (void)fwrite(line.p, 1, line.len, diff->out);
    buf_fini(&line);
}

static void print_changed(struct diff *diff, size_t number, struct value old, struct value now)
{
    if (!diff->json) {
        print_head(diff, "~ changed  ", TABLE_YELLOW, now);
        print_changes(diff, (struct str){0}, old, now, 0);
        return;
    }
    struct buf line = {0};
    buf_puts(&line, number > 0 ? "," : "");
    buf_puts(&line, "{\"recommendation_id\":");
    value_json(&line, record_member(now, "recommendation_id"));
    buf_puts(&line, ",\"fields\":[");
    (void)fwrite(line.p, 1, line.len, diff->out);
    buf_fini(&line);
    diff->listed = 0;
    print_changes(diff, (struct str){0}, old, now, 0);
    (void)fputs("]}", diff->out);
}

static int by_impact(const void *left, const void *right)
{
    struct value a = *(const struct value *)left;
    struct value b = *(const struct value *)right;
    double more = record_number(record_member(b, "impact_score")) - record_number(record_member(a, "impact_score"));
    if (more != 0)
        return more < 0 ? -1 : 1;
    return str_cmp(record_text(record_member(a, "recommendation_id")),
                   record_text(record_member(b, "recommendation_id")));
}

static struct replayed *find(const struct diff *diff, struct value live)
{
    return map_get(&diff->replayed, record_text(record_member(live, "recommendation_id")));
}

/* Splits the replay's into those that are live, too, and `fresh`. */
static void match(struct diff *diff)
{
    struct map_entry *entry;
    for (size_t i = 0; i < diff->live->recommendation_count; i++) {
        struct replayed *replayed = find(diff, diff->live->recommendations[i]);
        if (replayed != NULL)
            replayed->is_live = true;
    }
    diff->fresh = mem_alloc((diff->replayed.count + 1) * sizeof *diff->fresh);
    for (size_t i = 0; map_next(&diff->replayed, &i, &entry);) {
        const struct replayed *replayed = entry->value;
        if (!replayed->is_live)
            diff->fresh[diff->fresh_count++] = replayed->record;
    }
    qsort(diff->fresh, diff->fresh_count, sizeof *diff->fresh, by_impact);
}

static void between(struct diff *diff, const char *json)
{
    diff->listed = 0;
    if (diff->json)
        (void)fputs(json, diff->out);
}

bool diff_print(struct diff *diff, FILE *out, bool json)
{
    const struct published *live = diff->live;
    size_t gone = 0;
    size_t changed = 0;
    diff->out = out;
    diff->json = json;
    match(diff);
    between(diff, "{\"new\":[");
    for (size_t i = 0; i < diff->fresh_count; i++)
        print_whole(diff, "+ new      ", TABLE_GREEN, diff->fresh[i]);
    between(diff, "],\"gone\":[");
    for (size_t i = 0; i < live->recommendation_count; i++)
        if (find(diff, live->recommendations[i]) == NULL) {
            print_whole(diff, "- gone     ", TABLE_RED, live->recommendations[i]);
            gone++;
        }
    between(diff, "],\"changed\":[");
    for (size_t i = 0; i < live->recommendation_count; i++) {
        const struct replayed *replayed = find(diff, live->recommendations[i]);
        if (replayed != NULL && differs(live->recommendations[i], replayed->record))
            print_changed(diff, changed++, live->recommendations[i], replayed->record);
    }
    size_t same_count = live->recommendation_count - gone - changed;
    bool any = diff->fresh_count + gone + changed > 0;
    if (json)
        (void)fprintf(out, "],\"same\":%zu}\n", same_count);
    else
        (void)fprintf(out, "%s%zu new, %zu gone, %zu changed, %zu the same\n", any ? "\n" : "", diff->fresh_count, gone,
                      changed, same_count);
    return any;
}
