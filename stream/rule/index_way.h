/* How the index finds an input: the fields that the input pins down, and the choice among them. Private to index*.c.
 *
 * A way in is one field, or two together, and the keys that an input has in them: values, and of at most one field
 * prefixes. An event that has none of an input's keys cannot be selected by it.
 */
#ifndef FORESTALL_RULE_INDEX_WAY_H
#define FORESTALL_RULE_INDEX_WAY_H

#include "rule/ruleset.h"

enum { WAY_FIELDS_MAX = 2 };

/* What an input says of one field of text: it is one of the values, starts with one of the prefixes, or is null. */
struct way_part {
    int field;
    bool term; /* a term of `match`, no more and no less */
    bool null;
    const struct value *values; /* text, of a term also null */
    const struct value *prefixes;
    size_t value_count;
    size_t prefix_count;
    size_t fullest; /* inputs that share the fullest of its keys */
    /* `where` reads nothing else, and all that comes of it for null is that it counts as an error. */
    bool null_error;
    bool null_error_by_null; /* as one by null */
};

/* No part: there is no way in, so every event meets the input. */
struct way {
    const struct way_part *parts[WAY_FIELDS_MAX]; /* by field number */
    size_t count;
    bool matched; /* an event with one of its keys has met the input's match */
};

/* What a table of the index is over: values of up to two fields, and the beginning of another. */
struct key_shape {
    int fields[WAY_FIELDS_MAX]; /* of values; -1: none. By number */
    int prefix_field;           /* -1: none */
};

struct key {
    struct key_shape shape;
    struct value values[WAY_FIELDS_MAX]; /* null where there is no field */
    struct str prefix;
    uint64_t hash; /* of the values */
    /* An event with this key need not meet the input: its where ends in an error. */
    bool error;
    bool error_by_null;
};

/* One key of a way: `i` below way_keys(way). */
size_t way_keys(const struct way *way);
struct key way_key(const struct way *way, size_t i);

/* The hash of a text or null, and of the values of `fields` by the hash of each field's. */
uint64_t way_value_hash(struct value v);
uint64_t way_hash(const int fields[WAY_FIELDS_MAX], const uint64_t *hashes);

/* Chooses a way for each of the inputs: the one whose fullest key the fewest inputs share. What is returned belongs to
 * the arena. Time and memory are linear in the inputs' predicates. All ways together have at most about WAY_KEYS_MAX
 * keys, or a few dozen an input where there are very many inputs: longer lists are no way in then. */
enum { WAY_KEYS_MAX = 1 << 19 };
const struct way *ways_choose(const struct rule_input *const *inputs, size_t count, struct arena *arena);

#endif
