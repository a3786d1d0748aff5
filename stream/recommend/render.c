/* Recommendations as records: maps in the order of their fields. */
#include "recommend/render.h"

#include <math.h>

#include "recommend/lifecycle.h"
#include "recommend/newest.h"

enum { FIELDS_MAX = 50 };

struct record {
    struct arena *arena;
    struct value *pairs;
    size_t count;
};

static struct record record_new(struct arena *arena)
{
    return (struct record){arena, arena_alloc(arena, (size_t)2 * FIELDS_MAX * sizeof(struct value)), 0};
}

static void put(struct record *record, const char *name, struct value v)
{
    ASSERT(record->count < FIELDS_MAX);
    record->pairs[2 * record->count] = value_text(name);
    record->pairs[2 * record->count + 1] = v;
    record->count++;
}

static struct value record_map(const struct record *record)
{
    return value_map(record->pairs, record->count);
}

static struct value time_or_null(int64_t time_ms, int64_t unknown)
{
    return time_ms == unknown ? value_null() : value_time_ms(time_ms);
}

struct value render_group(struct value group, struct arena *arena)
{
    struct value *pairs = arena_alloc(arena, ((size_t)group.n * 2 + 1) * sizeof *pairs);
    for (uint32_t i = 0; i < group.n; i++) {
        const struct value *member = &group.items[(size_t)2 * i];
        struct value *pair = &pairs[(size_t)2 * i];
        struct value v = member[1];
        pair[0] = member[0];
        if (v.type != VALUE_STRING && v.type != VALUE_NULL) {
            struct buf text = {0};
            value_template(&text, v);
            v = value_str(arena_str(arena, buf_str(&text)));
            buf_fini(&text);
        }
        pair[1] = v;
    }
    return value_map(pairs, group.n);
}

/* What the rule says, else the group's service, else those seen. */
static struct value services(const struct recommendation *it, struct value named, struct value group,
                             struct arena *arena)
{
    if (named.type == VALUE_LIST)
        return named;
    const struct value *service = value_map_get(group, STR_LIT("service"));
    bool of_group = service != NULL && service->type == VALUE_STRING;
    size_t count = of_group ? 1 : it->service_count;
    struct value *items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = of_group ? *service : value_str(it->services[i]);
    return value_list(items, count);
}

static struct value benefit(const struct impact *impact, struct arena *arena)
{
    struct record record = record_new(arena);
    put(&record, "incidents_per_30d", value_double((double)impact->incidents));
    put(&record, "minutes_per_30d", value_double((double)impact->lost_ms / MINUTE_MS));
    return record_map(&record);
}

static struct value tallies(const struct recommendation *it, enum tally_kind kind, struct arena *arena, bool *capped)
{
    static const char *const names[] = {"path", "cause", "component"};
    struct counted counted = tally_count(&it->settled[kind], kind, it->rows, it->row_count, arena);
    *capped |= counted.capped;
    struct value *items = arena_alloc(arena, (counted.count + 1) * sizeof *items);
    struct value *pairs = arena_alloc(arena, (4 * counted.count + 1) * sizeof *pairs);
    for (size_t i = 0; i < counted.count; i++) {
        struct value *pair = &pairs[4 * i];
        pair[0] = value_text(names[kind]);
        pair[1] = value_str(counted.items[i].text);
        pair[2] = value_text("count");
        pair[3] = value_int((int64_t)counted.items[i].count);
        items[i] = value_map(pair, 2);
    }
    return value_list(items, counted.count);
}

static struct value text_or_null(struct str text)
{
    return text.p == NULL ? value_null() : value_str(text);
}

/* Samples are the rule's as it is now; only their paths are templates. */
static struct value code(const struct recommend *recommend, struct value paths, struct arena *arena)
{
    struct value *items = arena_alloc(arena, (recommend->code_count + 1) * sizeof *items);
    for (size_t i = 0; i < recommend->code_count; i++) {
        struct record sample = {arena, arena_alloc(arena, 6 * sizeof(struct value)), 0};
        put(&sample, "path", i < paths.n ? paths.items[i] : value_null());
        put(&sample, "language", text_or_null(recommend->code[i].language));
        put(&sample, "text", value_str(recommend->code[i].text));
        items[i] = record_map(&sample);
    }
    return value_list(items, recommend->code_count);
}

static struct value spec(const struct recommend *recommend, const struct value *newest, struct arena *arena)
{
    struct record record = record_new(arena);
    put(&record, "problem", newest[NEWEST_PROBLEM]);
    put(&record, "solution", newest[NEWEST_SOLUTION]);
    put(&record, "implementation", newest[NEWEST_IMPLEMENTATION]);
    put(&record, "testing", newest[NEWEST_TESTING]);
    put(&record, "rollout", newest[NEWEST_ROLLOUT]);
    put(&record, "effort", newest[NEWEST_EFFORT]);
    put(&record, "dependencies", newest[NEWEST_DEPENDENCIES]);
    put(&record, "code", code(recommend, newest[NEWEST_CODE_PATHS], arena));
    put(&record, "references", newest[NEWEST_REFERENCES]);
    return record_map(&record);
}

/* Title and spec: the newest evaluation's, unless a decision froze them. */
struct wording {
    struct value title;
    struct value spec;
};

static struct wording wording_of(const struct recommendation *it, const struct value *newest, struct arena *arena)
{
    const struct buf *frozen = &it->life.frozen;
    if (frozen->len == 0)
        return (struct wording){newest[NEWEST_TITLE], spec(it->is.rule->recommend, newest, arena)};
    struct reader r = reader_of(frozen->p, frozen->len);
    struct value parts;
    ASSERT(value_decode(&r, arena, &parts) && parts.n == 2);
    return (struct wording){parts.items[0], parts.items[1]};
}

void render_spec(struct buf *out, const struct recommendation *it)
{
    struct arena arena = {0};
    const struct value *newest = newest_decode(buf_str(&it->newest), &arena);
    ASSERT(newest != NULL);
    struct value parts[] = {newest[NEWEST_TITLE], spec(it->is.rule->recommend, newest, &arena)};
    value_encode(out, value_list(parts, 2));
    arena_fini(&arena);
}

static struct value measures(const struct comparison *comparison, struct arena *arena)
{
    struct value *items = arena_alloc(arena, (comparison->measure_count + 1) * sizeof *items);
    for (size_t i = 0; i < comparison->measure_count; i++) {
        const struct compared *measure = &comparison->measures[i];
        struct record record = {arena, arena_alloc(arena, 8 * sizeof(struct value)), 0};
        put(&record, "name", value_str(measure->name));
        put(&record, "before", isnan(measure->before) ? value_null() : value_double(measure->before));
        put(&record, "after", isnan(measure->after) ? value_null() : value_double(measure->after));
        put(&record, "met", measure->met == MET_UNKNOWN ? value_null() : value_bool(measure->met == MET_YES));
        items[i] = record_map(&record);
    }
    return value_list(items, comparison->measure_count);
}

static struct value validation(const struct recommendation *it, struct arena *arena)
{
    struct record record = record_new(arena);
    const struct comparison *comparison = &it->comparison;
    bool any = comparison->day_ms != INT64_MIN;
    put(&record, "state", value_text(comparison_state_name(comparison->state)));
    put(&record, "implemented_at", time_or_null(it->life.implemented_ms, INT64_MIN));
    put(&record, "before_from", any ? value_time_ms(comparison_before_ms(comparison)) : value_null());
    put(&record, "before_to", any ? value_time_ms(comparison->day_ms) : value_null());
    put(&record, "after_from", any ? value_time_ms(comparison_after_ms(comparison)) : value_null());
    put(&record, "after_to", any ? value_time_ms(comparison_end_ms(comparison)) : value_null());
    put(&record, "measures", measures(comparison, arena));
    return record_map(&record);
}

static struct value change_map(const struct life_change *change, bool first, struct arena *arena)
{
    struct record record = {arena, arena_alloc(arena, 10 * sizeof(struct value)), 0};
    put(&record, "at", value_time_ms(change->at_ms));
    put(&record, "from", first ? value_null() : value_text(life_status_name(change->from)));
    put(&record, "to", value_text(life_status_name(change->to)));
    put(&record, "actor", value_str(change->actor));
    put(&record, "comment", text_or_null(change->comment));
    return record_map(&record);
}

static struct value history(const struct recommendation *it, struct arena *arena)
{
    const struct life *life = &it->life;
    const struct life_change first = {
        .at_ms = it->created_ms, .to = LIFE_PROPOSED, .actor = str_of(LIFE_ENGINE), .comment = {0}};
    struct value *items = arena_alloc(arena, (life->change_count + 1) * sizeof *items);
    items[0] = change_map(&first, true, arena);
    for (size_t i = 0; i < life->change_count; i++)
        items[i + 1] = change_map(&life->changes[i], false, arena);
    return value_list(items, life->change_count + 1);
}

static struct value supersedes(const struct life *life, struct arena *arena)
{
    struct value *items = arena_alloc(arena, (life->supersedes_count + 1) * sizeof *items);
    for (size_t i = 0; i < life->supersedes_count; i++)
        items[i] = value_str(life->supersedes[i]);
    return value_list(items, life->supersedes_count);
}

static struct value notes(const struct recommendation *it, bool capped, struct arena *arena)
{
    struct value *items = arena_alloc(arena, 4 * sizeof *items);
    size_t n = 0;
    if (it->life.status == LIFE_DISMISSED && it->life.until_ms != INT64_MAX) {
        struct buf text = {0};
        buf_puts(&text, NOTE_DISMISSED);
        time_print_ms(&text, it->life.until_ms);
        items[n++] = value_str(arena_str(arena, buf_str(&text)));
        buf_fini(&text);
    }
    if (it->approximate)
        items[n++] = value_text("approximate");
    if (it->capped || capped)
        items[n++] = value_text("capped");
    if (it->evicted)
        items[n++] = value_text("evicted");
    return value_list(items, n);
}

static void put_identity(struct record *record, const struct recommendation *it, struct str id)
{
    put(record, "recommendation_id", value_str(id));
    put(record, "rule_id", value_str(it->is.rule->id));
    put(record, "rule_hash", value_text(arena_printf(record->arena, "%016llx", (unsigned long long)it->is.rule->hash)));
    put(record, "version", value_null());
    put(record, "life_version", value_null());
    put(record, "status", value_text(life_status_name(it->life.status)));
}

static void put_weight(struct record *record, const struct recommendation *it, const struct impact *impact)
{
    const struct recommend *recommend = it->is.rule->recommend;
    put(record, "priority", value_text(impact_priority(impact->level, recommend->complexity_high)));
    put(record, "impact_score", value_int(impact->score));
    put(record, "impact", value_text(impact_level_name(impact->level)));
    put(record, "complexity", value_text(recommend->complexity_high ? "high" : "low"));
    put(record, "roadmap", value_text(roadmap_names[recommend->roadmap]));
    put(record, "severity", text_or_null(impact->severity));
    put(record, "frequency", value_int(impact->frequency));
}

static void put_numbers(struct record *record, const struct recommendation *it, const struct value *newest)
{
    put(record, "detections", value_int((int64_t)it->detections));
    put(record, "firings", value_int((int64_t)it->firings));
    put(record, "occurrences", value_int((int64_t)it->occurrences));
    put(record, "incidents", newest[NEWEST_INCIDENTS]);
    put(record, "first_seen", time_or_null(it->first_seen_ms, INT64_MAX));
    put(record, "last_seen", time_or_null(it->last_seen_ms, INT64_MIN));
    put(record, "mttd", newest[NEWEST_MTTD]);
    put(record, "mttd_median", newest[NEWEST_MTTD_MEDIAN]);
    put(record, "mttr", newest[NEWEST_MTTR]);
    put(record, "mttr_median", newest[NEWEST_MTTR_MEDIAN]);
    put(record, "minutes_lost", newest[NEWEST_MINUTES_LOST]);
}

struct str render_id(const struct recommendation *it, struct arena *arena)
{
    return str_of(arena_printf(arena, "%.*s:%016llx", STR_ARG(it->is.rule->id), (unsigned long long)it->is.hash));
}

struct rendered render_content(const struct recommendation *it, const struct impact *impact, struct arena *arena)
{
    const struct recommend *recommend = it->is.rule->recommend;
    struct record record = record_new(arena);
    struct value group = value_null();
    struct reader r = reader_of(it->group.p, it->group.n);
    ASSERT(value_decode(&r, arena, &group) && group.type == VALUE_MAP);
    const struct value *newest = newest_decode(buf_str(&it->newest), arena);
    ASSERT(newest != NULL);
    bool capped = false;
    struct str id = render_id(it, arena);
    struct wording wording = wording_of(it, newest, arena);
    put_identity(&record, it, id);
    put(&record, "category", value_text(category_names[recommend->category]));
    put(&record, "title", wording.title);
    put(&record, "group", render_group(group, arena));
    put(&record, "services", services(it, newest[NEWEST_SERVICES], group, arena));
    put_weight(&record, it, impact);
    put_numbers(&record, it, newest);
    put(&record, "estimated_benefit", benefit(impact, arena));
    put(&record, "evidence", evidence_value(&it->evidence, arena));
    put(&record, "code_refs", tallies(it, TALLY_CODE_REFS, arena, &capped));
    put(&record, "root_causes", tallies(it, TALLY_ROOT_CAUSES, arena, &capped));
    put(&record, "components", tallies(it, TALLY_COMPONENTS, arena, &capped));
    put(&record, "values", newest[NEWEST_VALUES]);
    put(&record, "spec", wording.spec);
    put(&record, "validation", validation(it, arena));
    put(&record, "history", history(it, arena));
    put(&record, "supersedes", supersedes(&it->life, arena));
    put(&record, "superseded_by", text_or_null(it->life.superseded_by));
    put(&record, "notes", notes(it, capped, arena));
    put(&record, "event_time", value_null());
    return (struct rendered){record.pairs, record.count, id};
}

uint64_t render_hash(const struct rendered *rendered)
{
    struct buf encoded = {0};
    value_encode(&encoded, value_map(rendered->pairs, rendered->count));
    uint64_t hash = hash_bytes(encoded.p, encoded.len, 0);
    buf_fini(&encoded);
    return hash;
}

static struct value *find(const struct rendered *rendered, const char *name)
{
    for (size_t i = 0; i < rendered->count; i++)
        if (str_is(value_as_str(rendered->pairs[2 * i]), name))
            return &rendered->pairs[2 * i + 1];
    ASSERT(false);
    return NULL;
}

uint64_t render_life_hash(const struct rendered *rendered)
{
    const struct value parts[] = {*find(rendered, "status"), *find(rendered, "title"), *find(rendered, "spec")};
    struct buf encoded = {0};
    value_encode(&encoded, value_list(parts, 3));
    uint64_t hash = hash_bytes(encoded.p, encoded.len, 0);
    buf_fini(&encoded);
    return hash;
}

struct value render_stamp(struct rendered *rendered, struct render_versions versions, int64_t time_ms)
{
    *find(rendered, "version") = value_int((int64_t)versions.version);
    *find(rendered, "life_version") = value_int((int64_t)versions.life_version);
    *find(rendered, "event_time") = value_time_ms(time_ms);
    return value_map(rendered->pairs, rendered->count);
}
