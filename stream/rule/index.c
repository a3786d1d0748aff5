/* See index.h. A table is over the values of up to two fields, hashed together, and may tell the inputs of one hash
 * apart by a prefix of a further field. Inputs with no way in are in the table over nothing.
 *
 * Prefixes are sorted, and each knows the longest other one that it starts with. Those that a text starts with are
 * then on the chain that begins at the greatest prefix not above the text: one search finds all.
 *
 * Numbers of entries are in the order of (rule, input), and so is the walk, which merges the sorted lists that an event
 * finds. Immutable; any thread may select. A lookup costs the number of tables, which the rule set's variety of
 * predicates decides and not its size, the search among prefixes, and the inputs met. */
#include "rule/index.h"

#include <stdlib.h>

#include "rule/index_way.h"

static const uint32_t NONE = UINT32_MAX;

struct span {
    uint32_t start;
    uint32_t count;
};

struct prefix {
    struct str text;
    uint32_t above; /* the longest prefix that this one starts with; NONE */
    uint32_t depth; /* how many there are above, itself included */
    struct span ids;
};

/* One combination of values. */
struct bucket {
    uint64_t hash;
    struct value values[WAY_FIELDS_MAX];
    struct span span; /* of ids, or of prefixes where the table has a prefix's field */
    /* How many further inputs there are whose where can only end in an error. */
    uint32_t errors;
    uint32_t null_errors;
    bool used; /* false: a free slot */
};

struct table {
    struct key_shape shape;
    struct bucket *buckets; /* open addressing */
    size_t mask;
    size_t lists_max; /* how many lists an event can find here */
};

struct entry {
    struct index_entry entry; /* what is visited */
    const struct rule_input *input;
    bool matched;   /* who finds the entry has met its match */
    field_mask way; /* fields by which it is found */
};

struct rule_index {
    struct arena arena;
    const struct stream *stream;
    struct entry *entries;
    size_t entry_count;
    struct table *tables;
    size_t table_count;
    uint32_t *ids;
    size_t id_count;
    struct prefix *prefixes;
    size_t prefix_count;
    size_t lists_max;
    field_mask hashed; /* fields of the tables' values */
    field_mask reads;
};

/* An input under one of its keys. */
struct registration {
    uint32_t id;
    struct key key;
};

struct registrations {
    struct registration *items;
    size_t count;
    size_t cap;
};

static int shape_order(const struct key_shape *a, const struct key_shape *b)
{
    for (int i = 0; i < WAY_FIELDS_MAX; i++)
        if (a->fields[i] != b->fields[i])
            return a->fields[i] < b->fields[i] ? -1 : 1;
    return (a->prefix_field > b->prefix_field) - (a->prefix_field < b->prefix_field);
}

static int bucket_order(const struct key *a, const struct key *b)
{
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    for (int i = 0; i < WAY_FIELDS_MAX; i++) {
        int order = value_order(a->values[i], b->values[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

/* By table, bucket, prefix and then id, so that what belongs together lies together in its order. */
static int by_place(const void *left, const void *right)
{
    const struct registration *a = left;
    const struct registration *b = right;
    int order = shape_order(&a->key.shape, &b->key.shape);
    if (order == 0)
        order = bucket_order(&a->key, &b->key);
    if (order == 0)
        order = str_cmp(a->key.prefix, b->key.prefix);
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

/* Of the shape's fields. */
static bool values_equal(const struct key_shape *shape, const struct value *a, const struct value *b)
{
    for (int i = 0; i < WAY_FIELDS_MAX && shape->fields[i] >= 0; i++)
        if (!value_eq(a[i], b[i]))
            return false;
    return true;
}

static struct bucket *find_bucket(const struct table *table, const struct value *values, uint64_t hash)
{
    for (size_t i = hash & table->mask;; i = (i + 1) & table->mask) {
        struct bucket *bucket = &table->buckets[i];
        if (!bucket->used || (bucket->hash == hash && values_equal(&table->shape, bucket->values, values)))
            return bucket;
    }
}

static void register_input(struct registrations *to, uint32_t id, const struct way *way)
{
    for (size_t i = 0; i < way_keys(way); i++) {
        to->items = mem_grow(to->items, to->count, &to->cap, sizeof *to->items);
        to->items[to->count++] = (struct registration){id, way_key(way, i)};
    }
}

/* The end of the run of registrations from `i` on that go with the first by `same`. */
static size_t run_end(const struct registrations *all, size_t i, size_t end,
                      bool (*same)(const struct registration *, const struct registration *))
{
    size_t k = i + 1;
    while (k < end && same(&all->items[i], &all->items[k]))
        k++;
    return k;
}

static bool same_table(const struct registration *a, const struct registration *b)
{
    return shape_order(&a->key.shape, &b->key.shape) == 0;
}

static bool same_bucket(const struct registration *a, const struct registration *b)
{
    return bucket_order(&a->key, &b->key) == 0;
}

static bool same_prefix(const struct registration *a, const struct registration *b)
{
    return str_eq(a->key.prefix, b->key.prefix);
}

/* The ids of a run, each once. */
static struct span fill_ids(struct rule_index *index, const struct registrations *all, size_t i, size_t end)
{
    struct span span = {(uint32_t)index->id_count, 0};
    for (; i < end; i++)
        if (!all->items[i].key.error && (span.count == 0 || index->ids[index->id_count - 1] != all->items[i].id)) {
            index->ids[index->id_count++] = all->items[i].id;
            span.count++;
        }
    return span;
}

/* The prefixes of a run, which is sorted by them; the greatest depth is kept in the table. */
static struct span fill_prefixes(struct rule_index *index, struct table *table, const struct registrations *all,
                                 size_t i, size_t end)
{
    struct span span = {(uint32_t)index->prefix_count, 0};
    while (i < end) {
        size_t next = run_end(all, i, end, same_prefix);
        struct prefix *prefix = &index->prefixes[index->prefix_count];
        uint32_t above = span.count == 0 ? NONE : (uint32_t)index->prefix_count - 1;
        *prefix = (struct prefix){.text = all->items[i].key.prefix, .depth = 1};
        while (above != NONE && !str_starts(prefix->text, index->prefixes[above].text))
            above = index->prefixes[above].above;
        prefix->above = above;
        if (above != NONE)
            prefix->depth = index->prefixes[above].depth + 1;
        if (prefix->depth > table->lists_max)
            table->lists_max = prefix->depth;
        prefix->ids = fill_ids(index, all, i, next);
        index->prefix_count++;
        span.count++;
        i = next;
    }
    return span;
}

/* A history selects what its rule selects: errors are the rule's. */
static bool counts(const struct rule_index *index, uint32_t id)
{
    return index->entries[id].entry.rule->type != DETECTOR_HISTORY;
}

static void count_errors(const struct rule_index *index, struct bucket *bucket, const struct registrations *all,
                         size_t i, size_t end)
{
    for (size_t k = i; k < end; k++) {
        const struct key *key = &all->items[k].key;
        if (!key->error || (k > i && all->items[k - 1].id == all->items[k].id) || !counts(index, all->items[k].id))
            continue;
        bucket->null_errors += key->error_by_null;
        bucket->errors += !key->error_by_null;
    }
}

static void fill_table(struct rule_index *index, struct table *table, const struct registrations *all, size_t i,
                       size_t end)
{
    size_t size = 8;
    while (size < (end - i) * 2)
        size *= 2;
    *table = (struct table){.shape = all->items[i].key.shape, .mask = size - 1, .lists_max = 1};
    table->buckets = arena_zalloc(&index->arena, size * sizeof *table->buckets);
    for (int k = 0; k < WAY_FIELDS_MAX; k++)
        if (table->shape.fields[k] >= 0)
            index->hashed |= FIELD_BIT(table->shape.fields[k]);
    while (i < end) {
        size_t next = run_end(all, i, end, same_bucket);
        const struct key *key = &all->items[i].key;
        struct bucket *bucket = find_bucket(table, key->values, key->hash);
        bucket->used = true;
        bucket->hash = key->hash;
        memcpy(bucket->values, key->values, sizeof bucket->values);
        bucket->span =
            table->shape.prefix_field < 0 ? fill_ids(index, all, i, next) : fill_prefixes(index, table, all, i, next);
        count_errors(index, bucket, all, i, next);
        i = next;
    }
    index->lists_max += table->lists_max;
}

static void fill_tables(struct rule_index *index, struct registrations *all)
{
    size_t cap = 0;
    if (all->count == 0)
        return;
    qsort(all->items, all->count, sizeof *all->items, by_place);
    index->ids = arena_alloc(&index->arena, all->count * sizeof *index->ids);
    index->prefixes = arena_alloc(&index->arena, all->count * sizeof *index->prefixes);
    for (size_t i = 0; i < all->count;) {
        size_t next = run_end(all, i, all->count, same_table);
        index->tables = mem_grow(index->tables, index->table_count, &cap, sizeof *index->tables);
        fill_table(index, &index->tables[index->table_count++], all, i, next);
        i = next;
    }
}

static void add_entries(struct rule_index *index, const struct ruleset *set,
                        bool (*filter)(const struct rule *rule, const struct rule_input *input))
{
    size_t cap = 0;
    for (size_t i = 0; i < set->all_count; i++)
        for (size_t j = 0; j < set->rules[i].input_count; j++) {
            const struct rule_input *input = &set->rules[i].inputs[j];
            if (input->stream != index->stream || (filter != NULL && !filter(&set->rules[i], input)))
                continue;
            index->entries = mem_grow(index->entries, index->entry_count, &cap, sizeof *index->entries);
            index->entries[index->entry_count++] =
                (struct entry){.entry = {&set->rules[i], (int)i, (int)j}, .input = input};
            index->reads |= input->reads;
        }
}

struct rule_index *rule_index_new(const struct ruleset *set, enum stream_id stream,
                                  bool (*filter)(const struct rule *rule, const struct rule_input *input))
{
    struct rule_index *index = mem_zalloc(sizeof *index);
    struct arena scratch = {0};
    struct registrations all = {0};
    index->stream = stream_get(stream);
    add_entries(index, set, filter);
    const struct rule_input **inputs = arena_alloc(&scratch, index->entry_count * sizeof(struct rule_input *));
    for (size_t i = 0; i < index->entry_count; i++)
        inputs[i] = index->entries[i].input;
    const struct way *ways = ways_choose(inputs, index->entry_count, &scratch);
    for (size_t i = 0; i < index->entry_count; i++) {
        index->entries[i].matched = ways[i].matched;
        for (size_t k = 0; k < ways[i].count; k++)
            index->entries[i].way |= FIELD_BIT(ways[i].parts[k]->field);
        register_input(&all, (uint32_t)i, &ways[i]);
    }
    fill_tables(index, &all);
    free(all.items);
    arena_fini(&scratch);
    return index;
}

void rule_index_free(struct rule_index *index)
{
    if (index == NULL)
        return;
    free(index->entries);
    free(index->tables);
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

field_mask rule_index_way(const struct rule_index *index, const struct rule_input *input)
{
    for (size_t i = 0; i < index->entry_count; i++)
        if (index->entries[i].input == input)
            return index->entries[i].way;
    return 0;
}

/* A sorted list of entry numbers, part of it walked. */
struct cursor {
    const uint32_t *next;
    const uint32_t *end;
};

static struct cursor cursor_over(const struct rule_index *index, struct span span)
{
    return (struct cursor){index->ids + span.start, index->ids + span.start + span.count};
}

/* Adds the lists of the prefixes, among those of `span`, that the text starts with. */
static size_t find_prefixes(const struct rule_index *index, struct span span, struct str text, struct cursor *cursors)
{
    size_t count = 0;
    uint32_t low = span.start;
    uint32_t high = span.start + span.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(index->prefixes[middle].text, text) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t at = low == span.start ? NONE : low - 1;
    while (at != NONE && !str_starts(text, index->prefixes[at].text))
        at = index->prefixes[at].above;
    for (; at != NONE; at = index->prefixes[at].above)
        cursors[count++] = cursor_over(index, index->prefixes[at].ids);
    return count;
}

/* The table's bucket for the event. A free slot is an empty one. */
static const struct bucket *bucket_of(const struct table *table, const struct event *event, const uint64_t *hashes)
{
    struct value values[WAY_FIELDS_MAX] = {0};
    for (int i = 0; i < WAY_FIELDS_MAX && table->shape.fields[i] >= 0; i++)
        values[i] = event->values[table->shape.fields[i]];
    return find_bucket(table, values, way_hash(table->shape.fields, hashes));
}

static size_t find_lists(const struct rule_index *index, const struct event *event, struct cursor *cursors,
                         uint64_t *errors, uint64_t *null_errors)
{
    uint64_t hashes[STREAM_FIELDS_MAX];
    size_t count = 0;
    for (field_mask left = index->hashed; left != 0; left &= left - 1) {
        int field = __builtin_ctz(left);
        hashes[field] = way_value_hash(event->values[field]);
    }
    for (size_t i = 0; i < index->table_count; i++) {
        const struct table *table = &index->tables[i];
        const struct bucket *bucket = bucket_of(table, event, hashes);
        int prefix_field = table->shape.prefix_field;
        *errors += bucket->errors;
        *null_errors += bucket->null_errors;
        if (bucket->span.count == 0)
            continue;
        if (prefix_field < 0)
            cursors[count++] = cursor_over(index, bucket->span);
        else if (event->values[prefix_field].type == VALUE_STRING)
            count += find_prefixes(index, bucket->span, value_as_str(event->values[prefix_field]), cursors + count);
    }
    return count;
}

/* A heap of cursors by their next number: moves the one at `at` down to its place. */
static void sift(struct cursor *heap, size_t count, size_t at)
{
    struct cursor moving = heap[at];
    for (size_t kid = 2 * at + 1; kid < count; kid = 2 * at + 1) {
        if (kid + 1 < count && *heap[kid + 1].next < *heap[kid].next)
            kid++;
        if (*moving.next <= *heap[kid].next)
            break;
        heap[at] = heap[kid];
        at = kid;
    }
    heap[at] = moving;
}

/* The least number of all lists, taken off them. */
static uint32_t take(struct cursor *heap, size_t *count)
{
    uint32_t least = *heap[0].next;
    if (++heap[0].next == heap[0].end && --*count > 0) /* a copy onto itself waits for its own stores */
        heap[0] = heap[*count];
    if (*count > 1)
        sift(heap, *count, 0);
    return least;
}

/* NOLINTNEXTLINE(readability-function-size): one parameter over the limit, in the hottest of calls. */
size_t rule_index_select(const struct rule_index *index, const struct event *event, struct arena *arena,
                         void (*visit)(void *context, const struct index_entry *entry), void *context, uint64_t *errors,
                         uint64_t *null_errors)
{
    struct cursor *heap = arena_alloc(arena, (index->lists_max + 1) * sizeof *heap);
    size_t count = find_lists(index, event, heap, errors, null_errors);
    struct cel_frame frame = {.event = event, .arena = arena};
    uint32_t last = NONE;
    size_t met = 0;
    for (size_t i = count / 2; i-- > 0;)
        sift(heap, count, i);
    while (count > 0) {
        uint32_t id = take(heap, &count);
        if (id == last)
            continue;
        last = id;
        met++;
        const struct entry *entry = &index->entries[id];
        uint64_t ignored = 0;
        bool counted = counts(index, id);
        if ((entry->matched || rule_input_matches(entry->input, event)) &&
            (entry->input->where == NULL ||
             cel_eval_bool(entry->input->where, &frame, counted ? errors : &ignored, counted ? null_errors : &ignored)))
            visit(context, &entry->entry);
    }
    return met;
}
