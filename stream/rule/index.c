/* See index.h. Every input is registered under one field: the most telling one that its match, or an equality that its
 * where implies, pins down. An event's value of that field finds the inputs registered under it; inputs with nothing of
 * the kind are candidates for every event. Numbers of entries are in the order of (rule, input), and so is the walk,
 * which merges the few sorted lists that an event finds. Immutable; any thread may select. */
#include "rule/index.h"

#include <stdlib.h>

/* The fields by how much they tell, first the most; fields not named come after, before the last ones. */
static const char *const telling[] = {"incident_id", "name",      "root_cause", "deployment_id", "commit_sha",
                                      "version",     "component", "event_id",   "title",         "message",
                                      "service",     "strategy",  "unit",       "environment"};
static const char *const vague[] = {"detected_by", "severity", "worst_severity", "level", "status", "kind"};
enum { TELLING = sizeof telling / sizeof *telling, VAGUE = sizeof vague / sizeof *vague };

/* A value and the entries registered under it: ids[start, start + count). */
struct bucket {
    uint64_t hash;
    struct value value;
    uint32_t start;
    uint32_t count; /* 0: a free slot */
};

struct field_table {
    int field;
    struct bucket *buckets; /* open addressing */
    size_t mask;
};

struct rule_index {
    struct arena arena;
    const struct stream *stream;
    struct index_entry *entries;
    size_t entry_count;
    struct field_table tables[STREAM_FIELDS_MAX];
    size_t table_count;
    uint32_t *ids;
    uint32_t always_count; /* without a field; they come first in ids */
    field_mask reads;
};

static int rank(const struct stream *stream, int field)
{
    for (int i = 0; i < TELLING; i++)
        if (strcmp(stream->fields[field].name, telling[i]) == 0)
            return i;
    for (int i = 0; i < VAGUE; i++)
        if (strcmp(stream->fields[field].name, vague[i]) == 0)
            return TELLING + 1 + i;
    return TELLING;
}

/* Only strings and null are hashed; a term over anything else is no way in. */
static bool hashable(const struct value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i].type != VALUE_STRING && values[i].type != VALUE_NULL)
            return false;
    return count > 0;
}

static uint64_t value_hash(struct value v)
{
    return v.type == VALUE_STRING ? hash_bytes(v.s, v.n, 0) : 1;
}

/* An input registered under one value of one field; field -1: under none. */
struct registration {
    uint32_t id;
    int field;
    uint64_t hash;
    struct value value;
};

struct registrations {
    struct registration *items;
    size_t count;
    size_t cap;
};

static void register_value(struct registrations *to, uint32_t id, int field, struct value value)
{
    to->items = mem_grow(to->items, to->count, &to->cap, sizeof *to->items);
    to->items[to->count++] = (struct registration){id, field, field < 0 ? 0 : value_hash(value), value};
}

static void register_input(struct registrations *to, uint32_t id, const struct rule_input *input)
{
    int best = -1;
    const struct match_term *term = NULL;
    struct value implied = {0};
    for (size_t i = 0; i < input->match_count; i++) {
        const struct match_term *candidate = &input->match[i];
        if (hashable(candidate->values, candidate->count) &&
            (best < 0 || rank(input->stream, candidate->field) < rank(input->stream, best))) {
            best = candidate->field;
            term = candidate;
        }
    }
    for (int field = 0; input->where != NULL && field < input->stream->field_count; field++) {
        struct value constant;
        if ((best < 0 || rank(input->stream, field) < rank(input->stream, best)) &&
            cel_implies_equal(input->where, field, &constant) && hashable(&constant, 1)) {
            best = field;
            term = NULL;
            implied = constant;
        }
    }
    if (term == NULL) {
        register_value(to, id, best, implied);
        return;
    }
    for (size_t i = 0; i < term->count; i++) {
        bool twice = false;
        for (size_t j = 0; j < i; j++)
            twice |= value_eq(term->values[i], term->values[j]);
        if (!twice)
            register_value(to, id, best, term->values[i]);
    }
}

/* By field, value and then id, so that the entries of one bucket lie together in their order. */
static int by_place(const void *left, const void *right)
{
    const struct registration *a = left;
    const struct registration *b = right;
    if (a->field != b->field)
        return a->field < b->field ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    int order = a->field < 0 ? 0 : value_order(a->value, b->value);
    if (order != 0)
        return order;
    return (a->id > b->id) - (a->id < b->id);
}

static struct bucket *find_bucket(const struct field_table *table, struct value value, uint64_t hash)
{
    for (size_t i = hash & table->mask;; i = (i + 1) & table->mask) {
        struct bucket *bucket = &table->buckets[i];
        if (bucket->count == 0 || (bucket->hash == hash && value_eq(bucket->value, value)))
            return bucket;
    }
}

static struct field_table *table_of(struct rule_index *index, int field, size_t registered)
{
    if (index->table_count > 0 && index->tables[index->table_count - 1].field == field)
        return &index->tables[index->table_count - 1];
    size_t size = 8;
    while (size < registered * 2)
        size *= 2;
    struct field_table *table = &index->tables[index->table_count++];
    *table = (struct field_table){field, arena_zalloc(&index->arena, size * sizeof(struct bucket)), size - 1};
    index->reads |= FIELD_BIT(field);
    return table;
}

static void fill_tables(struct rule_index *index, struct registrations *all)
{
    if (all->count == 0)
        return;
    qsort(all->items, all->count, sizeof *all->items, by_place);
    index->ids = arena_alloc(&index->arena, all->count * sizeof *index->ids);
    for (size_t i = 0; i < all->count; i++) {
        const struct registration *item = &all->items[i];
        index->ids[i] = item->id;
        if (item->field < 0) {
            index->always_count++;
            continue;
        }
        struct field_table *table = table_of(index, item->field, all->count - i);
        struct bucket *bucket = find_bucket(table, item->value, item->hash);
        if (bucket->count == 0)
            *bucket = (struct bucket){item->hash, item->value, (uint32_t)i, 0};
        bucket->count++;
    }
}

struct rule_index *rule_index_new(const struct ruleset *set, enum stream_id stream,
                                  bool (*filter)(const struct rule *rule, const struct rule_input *input))
{
    struct rule_index *index = mem_zalloc(sizeof *index);
    index->stream = stream_get(stream);
    struct registrations all = {0};
    struct index_entry *entries = NULL;
    size_t cap = 0;
    for (size_t i = 0; i < set->count; i++)
        for (size_t j = 0; j < set->rules[i].input_count; j++) {
            const struct rule_input *input = &set->rules[i].inputs[j];
            if (input->stream != index->stream || (filter != NULL && !filter(&set->rules[i], input)))
                continue;
            register_input(&all, (uint32_t)index->entry_count, input);
            entries = mem_grow(entries, index->entry_count, &cap, sizeof *entries);
            entries[index->entry_count++] = (struct index_entry){&set->rules[i], (int)i, (int)j};
            index->reads |= input->reads;
        }
    index->entries = entries;
    fill_tables(index, &all);
    free(all.items);
    return index;
}

void rule_index_free(struct rule_index *index)
{
    if (index == NULL)
        return;
    free(index->entries);
    arena_fini(&index->arena);
    free(index);
}

bool rule_index_empty(const struct rule_index *index)
{
    return index->entry_count == 0;
}

field_mask rule_index_reads(const struct rule_index *index)
{
    return index->reads;
}

/* A sorted list of entry numbers, part of it walked. */
struct cursor {
    const uint32_t *next;
    const uint32_t *end;
};

static size_t find_lists(const struct rule_index *index, const struct event *event, struct cursor *cursors)
{
    size_t count = 0;
    if (index->always_count > 0)
        cursors[count++] = (struct cursor){index->ids, index->ids + index->always_count};
    for (size_t i = 0; i < index->table_count; i++) {
        const struct field_table *table = &index->tables[i];
        struct value value = event->values[table->field];
        if (!hashable(&value, 1))
            continue;
        const struct bucket *bucket = find_bucket(table, value, value_hash(value));
        if (bucket->count > 0)
            cursors[count++] = (struct cursor){index->ids + bucket->start, index->ids + bucket->start + bucket->count};
    }
    return count;
}

/* NOLINTNEXTLINE(readability-function-size): one parameter over the limit, in the hottest of calls. */
void rule_index_select(const struct rule_index *index, const struct event *event, struct arena *arena,
                       void (*visit)(void *context, const struct index_entry *entry), void *context, uint64_t *errors,
                       uint64_t *null_errors)
{
    struct cursor cursors[STREAM_FIELDS_MAX + 1];
    size_t count = find_lists(index, event, cursors);
    struct cel_frame frame = {.event = event, .arena = arena};
    while (count > 0) {
        size_t least = 0;
        for (size_t i = 1; i < count; i++)
            if (*cursors[i].next < *cursors[least].next)
                least = i;
        const struct index_entry *entry = &index->entries[*cursors[least].next];
        if (++cursors[least].next == cursors[least].end)
            cursors[least] = cursors[--count];
        const struct rule_input *input = &entry->rule->inputs[entry->input];
        if (rule_input_matches(input, event) &&
            (input->where == NULL || cel_eval_bool(input->where, &frame, errors, null_errors)))
            visit(context, entry);
    }
}
