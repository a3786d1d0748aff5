/* The choice of ways in, by counting: how many inputs have a key says how many an event with that key would meet. */
#include "rule/index_way.h"

#include <stdlib.h>

/* Fullest keys up to FEW count alike: then the field that tells more decides. A pair of fields is tried where no single
 * one gets so far, from an input's BEST fields, with at most PAIR_KEYS_MAX keys. */
enum { FEW = 4, BEST = 4, PAIR_KEYS_MAX = 32, INPUT_KEYS_MIN = 16 };

/* The fields by how much they tell, first the most; fields not named come after, before the last ones. */
static const char *const telling[] = {"incident_id", "name",      "root_cause", "deployment_id", "commit_sha",
                                      "version",     "component", "event_id",   "title",         "message",
                                      "service",     "strategy",  "unit",       "environment"};
static const char *const vague[] = {"detected_by", "severity", "worst_severity", "level", "status", "kind"};
enum { TELLING = sizeof telling / sizeof *telling, VAGUE = sizeof vague / sizeof *vague };

/* Counts by hash; two keys of one hash count as one, which makes a way look worse and nothing wrong. */
struct tally {
    struct tally_slot {
        uint64_t hash;
        uint64_t count; /* 0: a free slot */
    } *slots;
    size_t mask;
};

/* The parts of one input. */
struct parts {
    struct way_part *items;
    size_t count;
};

static int rank(const struct stream *stream, const struct way_part *part)
{
    const char *name = stream->fields[part->field].name;
    for (int i = 0; i < TELLING && part->prefix_count == 0; i++)
        if (strcmp(name, telling[i]) == 0)
            return i;
    for (int i = 0; i < VAGUE; i++)
        if (strcmp(name, vague[i]) == 0)
            return TELLING + 1 + i;
    return TELLING;
}

uint64_t way_value_hash(struct value v)
{
    return v.type == VALUE_STRING ? hash_bytes(v.s, v.n, 0) : 1;
}

static uint64_t mix(uint64_t h, uint64_t more)
{
    h = (h ^ more) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 32;
}

uint64_t way_hash(const int fields[WAY_FIELDS_MAX], const uint64_t *hashes)
{
    uint64_t h = 0;
    for (int i = 0; i < WAY_FIELDS_MAX && fields[i] >= 0; i++)
        h = mix(h, hashes[fields[i]]);
    return h;
}

static size_t part_keys(const struct way_part *part)
{
    return part->value_count + part->prefix_count + part->null;
}

size_t way_keys(const struct way *way)
{
    size_t n = 1;
    for (size_t i = 0; i < way->count; i++)
        n *= part_keys(way->parts[i]);
    return n;
}

static void put_part(struct key *key, const struct way_part *part, size_t i, size_t *fields)
{
    if (i >= part->value_count && i < part->value_count + part->prefix_count) {
        key->shape.prefix_field = part->field;
        key->prefix = value_as_str(part->prefixes[i - part->value_count]);
        return;
    }
    bool null = i >= part->value_count;
    struct value v = null ? value_null() : part->values[i];
    key->error |= null && part->null_error;
    key->error_by_null |= null && part->null_error_by_null;
    key->shape.fields[*fields] = part->field;
    key->values[*fields] = v;
    key->hash = mix(key->hash, way_value_hash(v));
    ++*fields;
}

struct key way_key(const struct way *way, size_t i)
{
    struct key key = {.shape = {{-1, -1}, -1}};
    size_t fields = 0;
    for (size_t k = 0; k < way->count; k++) {
        size_t n = part_keys(way->parts[k]);
        put_part(&key, way->parts[k], i % n, &fields);
        i /= n;
    }
    key.error &= way->matched;
    return key;
}

/* Of the whole key, its shape included. */
static uint64_t tally_hash(const struct key *key)
{
    uint64_t h = key->hash;
    for (int i = 0; i < WAY_FIELDS_MAX; i++)
        h = mix(h, (uint64_t)key->shape.fields[i] + 1);
    h = mix(h, (uint64_t)key->shape.prefix_field + 1);
    return key->shape.prefix_field < 0 ? h : mix(h, str_hash(key->prefix));
}

static struct tally tally_new(size_t keys)
{
    size_t size = 16;
    while (size < keys * 2)
        size *= 2;
    return (struct tally){mem_zalloc(size * sizeof(struct tally_slot)), size - 1};
}

static uint64_t *tally_count(const struct tally *tally, const struct key *key)
{
    uint64_t hash = tally_hash(key);
    size_t at = hash & tally->mask;
    while (tally->slots[at].count != 0 && tally->slots[at].hash != hash)
        at = (at + 1) & tally->mask;
    tally->slots[at].hash = hash;
    return &tally->slots[at].count;
}

static void tally_add(const struct tally *tally, const struct way *way)
{
    for (size_t i = 0; i < way_keys(way); i++) {
        struct key key = way_key(way, i);
        ++*tally_count(tally, &key);
    }
}

/* No event meets inputs by this key: it is only counted, or a field that is always there would have to be null. */
static bool never_met(const struct stream *stream, const struct key *key)
{
    if (key->error)
        return true;
    for (int i = 0; i < WAY_FIELDS_MAX && key->shape.fields[i] >= 0; i++)
        if (value_is_null(key->values[i]) && !stream->fields[key->shape.fields[i]].nullable)
            return true;
    return false;
}

static size_t tally_fullest(const struct tally *tally, const struct stream *stream, const struct way *way)
{
    size_t most = 0;
    for (size_t i = 0; i < way_keys(way); i++) {
        struct key key = way_key(way, i);
        size_t n = never_met(stream, &key) ? 0 : *tally_count(tally, &key);
        most = n > most ? n : most;
    }
    return most;
}

/* A term of text as a part; false where it is over anything else, or there is none. */
static bool part_of_match(const struct rule_input *input, int field, struct way_part *part)
{
    for (size_t i = 0; i < input->match_count; i++)
        if (input->match[i].field == field) {
            *part = (struct way_part){.field = field, .term = true};
            part->values = input->match[i].values;
            part->value_count = input->match[i].count;
            return true;
        }
    return false;
}

/* What comes of null is known now where nothing but this field matters. */
static void settle_null(const struct rule_input *input, struct way_part *part, struct arena *arena)
{
    if (!part->null || cel_event_fields(input->where) != FIELD_BIT(part->field))
        return;
    struct event event;
    event_clear(&event, input->stream);
    struct cel_frame frame = {.event = &event, .arena = arena};
    uint64_t errors = 0;
    uint64_t null_errors = 0;
    bool holds = cel_eval_bool(input->where, &frame, &errors, &null_errors);
    part->null_error = errors + null_errors > 0;
    part->null_error_by_null = null_errors > 0;
    part->null = holds || part->null_error;
}

static bool part_of_field(const struct rule_input *input, int field, struct arena *arena, struct way_part *part)
{
    bool found = part_of_match(input, field, part);
    if (input->where == NULL || (cel_event_fields(input->where) & FIELD_BIT(field)) == 0)
        return found;
    struct cel_texts texts = cel_texts_of(input->where, field, arena);
    if (texts.all || (found && part->value_count <= texts.value_count + texts.prefix_count))
        return found;
    *part = (struct way_part){.field = field, .null = texts.null};
    part->values = texts.values;
    part->value_count = texts.value_count;
    part->prefixes = texts.prefixes;
    part->prefix_count = texts.prefix_count;
    settle_null(input, part, arena);
    return true;
}

static struct parts parts_of(const struct rule_input *input, size_t keys_max, struct arena *arena)
{
    struct way_part found[STREAM_FIELDS_MAX];
    struct parts parts = {.count = 0};
    for (int field = 0; field < input->stream->field_count; field++) {
        enum field_kind kind = input->stream->fields[field].kind;
        struct way_part *part = &found[parts.count];
        if ((kind == FIELD_STRING || kind == FIELD_ENUM) && part_of_field(input, field, arena, part) &&
            part_keys(part) <= keys_max)
            parts.count++;
    }
    parts.items = arena_alloc(arena, parts.count * sizeof *parts.items);
    memcpy(parts.items, found, parts.count * sizeof *parts.items);
    return parts;
}

/* Every term of the input's match is a part of the way. */
static bool way_is_match(const struct rule_input *input, const struct way *way)
{
    for (size_t i = 0; i < input->match_count; i++) {
        bool found = false;
        for (size_t k = 0; k < way->count; k++)
            found |= way->parts[k]->term && way->parts[k]->field == input->match[i].field;
        if (!found)
            return false;
    }
    return true;
}

static struct way way_of(const struct rule_input *input, const struct way_part *part)
{
    struct way way = {{part}, 1, false};
    way.matched = way_is_match(input, &way);
    return way;
}

static bool pair_of(const struct rule_input *input, const struct way_part *a, const struct way_part *b,
                    struct way *pair)
{
    *pair = (struct way){{a->field < b->field ? a : b, a->field < b->field ? b : a}, 2, false};
    pair->matched = way_is_match(input, pair);
    return (a->prefix_count == 0 || b->prefix_count == 0) && way_keys(pair) <= PAIR_KEYS_MAX;
}

/* Counts that are small enough are equal. */
static size_t roughly(size_t fullest)
{
    return fullest < FEW ? FEW : fullest;
}

/* Sorts the parts, the best first. */
static void sort_parts(const struct stream *stream, struct parts *parts)
{
    for (size_t i = 1; i < parts->count; i++)
        for (size_t k = i; k > 0; k--) {
            struct way_part *left = &parts->items[k - 1];
            struct way_part right = parts->items[k];
            size_t n = roughly(left->fullest);
            size_t m = roughly(right.fullest);
            if (n < m || (n == m && rank(stream, left) <= rank(stream, &right)))
                break;
            parts->items[k] = *left;
            *left = right;
        }
}

/* Calls `tally_add` for the pairs of the input's best parts, or returns how many keys those would be. */
static size_t tally_pairs(const struct rule_input *input, const struct parts *parts, const struct tally *tally)
{
    size_t keys = 0;
    for (size_t i = 0; i < parts->count && i < BEST; i++)
        for (size_t k = 0; k < i; k++) {
            struct way pair;
            if (!pair_of(input, &parts->items[i], &parts->items[k], &pair))
                continue;
            keys += way_keys(&pair);
            if (tally != NULL)
                tally_add(tally, &pair);
        }
    return keys;
}

/* A pair takes the place of the best part where it halves what an event meets. */
static void choose_pair(const struct rule_input *input, const struct parts *parts, const struct tally *tally,
                        struct way *way)
{
    size_t best = roughly(parts->items[0].fullest / 2);
    for (size_t i = 1; i < parts->count && i < BEST; i++)
        for (size_t k = 0; k < i; k++) {
            struct way pair;
            if (!pair_of(input, &parts->items[i], &parts->items[k], &pair))
                continue;
            size_t fullest = roughly(tally_fullest(tally, input->stream, &pair));
            if (fullest > best || (fullest == best && way->count == 2))
                continue;
            *way = pair;
            best = fullest;
        }
}

static bool wants_pair(const struct parts *parts)
{
    return parts->count > 1 && parts->items[0].fullest > FEW;
}

static void choose_singles(const struct rule_input *const *inputs, struct parts *parts, struct way *ways, size_t count)
{
    size_t keys = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < parts[i].count; k++)
            keys += part_keys(&parts[i].items[k]);
    struct tally tally = tally_new(keys);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < parts[i].count; k++) {
            struct way way = way_of(inputs[i], &parts[i].items[k]);
            tally_add(&tally, &way);
        }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < parts[i].count; k++) {
            struct way way = way_of(inputs[i], &parts[i].items[k]);
            parts[i].items[k].fullest = tally_fullest(&tally, inputs[i]->stream, &way);
        }
        sort_parts(inputs[i]->stream, &parts[i]);
        if (parts[i].count > 0)
            ways[i] = way_of(inputs[i], &parts[i].items[0]);
        else
            ways[i].matched = inputs[i]->match_count == 0;
    }
    free(tally.slots);
}

const struct way *ways_choose(const struct rule_input *const *inputs, size_t count, struct arena *arena)
{
    struct way *ways = arena_zalloc(arena, count * sizeof *ways);
    struct parts *parts = arena_alloc(arena, count * sizeof *parts);
    size_t keys_max = WAY_KEYS_MAX / (count + 1);
    size_t keys = 0;
    for (size_t i = 0; i < count; i++)
        parts[i] = parts_of(inputs[i], keys_max < INPUT_KEYS_MIN ? INPUT_KEYS_MIN : keys_max, arena);
    choose_singles(inputs, parts, ways, count);
    for (size_t i = 0; i < count; i++)
        if (wants_pair(&parts[i]))
            keys += tally_pairs(inputs[i], &parts[i], NULL);
    struct tally tally = tally_new(keys);
    for (size_t i = 0; i < count; i++)
        if (wants_pair(&parts[i]))
            (void)tally_pairs(inputs[i], &parts[i], &tally);
    for (size_t i = 0; i < count; i++)
        if (wants_pair(&parts[i]))
            choose_pair(inputs[i], &parts[i], &tally, &ways[i]);
    free(tally.slots);
    return ways;
}
