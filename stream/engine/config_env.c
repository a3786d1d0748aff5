/* Overrides from the environment: FORESTALL_ + the path of a key in upper case, `__` between levels, a list's items by
 * index. A variable's value stands in the tree as a scalar whose file is the variable's name, so that it is checked,
 * and complained about, as anything else. */
#include "engine/config_load.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/failpoint.h"

static const char PREFIX[] = "FORESTALL_";
enum { SEGMENTS_MAX = 8, ITEM_INDEX_MAX = 1000 };

/* One variable, its path cut into segments. */
struct variable {
    struct str name;
    struct str value;
    struct str segments[SEGMENTS_MAX];
    int count;
};

/* Digits count as numbers, so that item 10 comes after item 2. */
static int natural_order(struct str a, struct str b)
{
    size_t i = 0;
    size_t j = 0;
    while (i < a.n && j < b.n) {
        if (isdigit((unsigned char)a.p[i]) && isdigit((unsigned char)b.p[j])) {
            size_t m = i;
            size_t n = j;
            while (m < a.n && isdigit((unsigned char)a.p[m]))
                m++;
            while (n < b.n && isdigit((unsigned char)b.p[n]))
                n++;
            if (m - i != n - j)
                return m - i < n - j ? -1 : 1;
            int order = memcmp(a.p + i, b.p + j, m - i);
            if (order != 0)
                return order;
            i = m;
            j = n;
            continue;
        }
        if (a.p[i] != b.p[j])
            return (unsigned char)a.p[i] < (unsigned char)b.p[j] ? -1 : 1;
        i++;
        j++;
    }
    return (a.n - i > b.n - j) - (a.n - i < b.n - j);
}

static int by_name(const void *a, const void *b)
{
    return natural_order(((const struct variable *)a)->name, ((const struct variable *)b)->name);
}

static bool cut(struct variable *variable)
{
    struct str rest = {variable->name.p + sizeof PREFIX - 1, variable->name.n - (sizeof PREFIX - 1)};
    while (variable->count < SEGMENTS_MAX) {
        size_t end = 0;
        while (end + 1 < rest.n && !(rest.p[end] == '_' && rest.p[end + 1] == '_'))
            end++;
        bool last = end + 1 >= rest.n;
        struct str segment = {rest.p, last ? rest.n : end};
        if (segment.n == 0)
            return false;
        variable->segments[variable->count++] = segment;
        if (last)
            return true;
        rest = (struct str){rest.p + end + 2, rest.n - end - 2};
    }
    return false;
}

static struct yaml_node *new_node(struct arena *arena, const struct variable *variable, enum yaml_kind kind)
{
    struct yaml_node *node = arena_zalloc(arena, sizeof *node);
    node->kind = kind;
    node->line = 1;
    node->column = 1;
    node->text = STR_LIT("");
    node->file = arena_str(arena, variable->name).p;
    return node;
}

static bool segment_is_key(struct str segment, struct str key)
{
    if (segment.n != key.n)
        return false;
    for (size_t i = 0; i < key.n; i++) {
        int c = key.p[i] == '.' || key.p[i] == '-' ? '_' : toupper((unsigned char)key.p[i]);
        if (c != (unsigned char)segment.p[i])
            return false;
    }
    return true;
}

/* A key that the file does not have: in lower case; below `kafka`, where names have points, with points. */
static struct str key_of(struct arena *arena, struct str segment, bool kafka)
{
    struct str key = arena_str(arena, segment);
    char *p = arena_alloc(arena, key.n + 1);
    for (size_t i = 0; i < key.n; i++) {
        p[i] = (char)tolower((unsigned char)key.p[i]);
        if (kafka && p[i] == '_')
            p[i] = '.';
    }
    p[key.n] = '\0';
    return (struct str){p, key.n};
}

/* Room for one child more: arrays of the arena cannot grow in place. */
static void widen(struct arena *arena, struct yaml_node *node)
{
    struct yaml_node **items = arena_zalloc(arena, (node->count + 1) * sizeof(void *));
    struct yaml_node **keys = arena_zalloc(arena, (node->count + 1) * sizeof(void *));
    for (size_t i = 0; i < node->count; i++) {
        items[i] = node->items[i];
        keys[i] = node->kind == YAML_MAPPING ? node->keys[i] : NULL;
    }
    node->items = items;
    node->keys = keys;
    node->count++;
}

/* The place of the child that a segment names, made empty where there is none; NULL: it cannot be. */
static struct yaml_node **child(struct arena *arena, struct yaml_node *node, const struct variable *variable, int at,
                                struct diagnostics *diagnostics)
{
    struct str segment = variable->segments[at];
    if (node->kind == YAML_SEQUENCE) {
        int64_t index = 0;
        if (!integer_parse(segment, &index) || index < 0 || index > (int64_t)node->count || index > ITEM_INDEX_MAX) {
            diagnostic_at(diagnostics, new_node(arena, variable, YAML_SCALAR), false,
                          "'%.*s' is no index of a list of %zu items; the next is %zu", STR_ARG(segment), node->count,
                          node->count);
            return NULL;
        }
        if ((size_t)index == node->count)
            widen(arena, node);
        return &node->items[index];
    }
    for (size_t i = 0; i < node->count; i++)
        if (segment_is_key(segment, node->keys[i]->text))
            return &node->items[i];
    widen(arena, node);
    struct yaml_node *key = new_node(arena, variable, YAML_SCALAR);
    key->text = key_of(arena, segment, at == 1 && str_is(variable->segments[0], "KAFKA"));
    node->keys[node->count - 1] = key;
    return &node->items[node->count - 1];
}

static void apply(struct arena *arena, struct yaml_node *root, const struct variable *variable,
                  struct diagnostics *diagnostics)
{
    struct yaml_node *node = root;
    for (int i = 0; i < variable->count; i++) {
        struct yaml_node **place = child(arena, node, variable, i, diagnostics);
        if (place == NULL)
            return;
        if (i + 1 == variable->count) {
            *place = new_node(arena, variable, YAML_SCALAR);
            (*place)->text = arena_str(arena, variable->value);
            return;
        }
        int64_t index = 0;
        bool list = integer_parse(variable->segments[i + 1], &index);
        if (*place == NULL || (*place)->kind == YAML_SCALAR)
            *place = new_node(arena, variable, list ? YAML_SEQUENCE : YAML_MAPPING);
        node = *place;
    }
}

/* STATE_DIR: a key, and what would be below it. */
static const char *levels_hint(struct arena *arena, struct str segment)
{
    for (const char *const *key = config_keys; *key != NULL; key++) {
        size_t n = strlen(*key);
        if (segment.n > n + 1 && segment.p[n] == '_' && segment_is_key((struct str){segment.p, n}, str_of(*key)))
            return arena_printf(arena, "; with __ between levels it is %s%.*s_%.*s", PREFIX, (int)n, segment.p,
                                (int)(segment.n - n), segment.p + n);
    }
    return "";
}

/* Other programs' variables may begin with the same word, so a single word that is no key is a warning. */
static bool known_key(struct arena *arena, const struct variable *variable, struct diagnostics *diagnostics)
{
    for (const char *const *key = config_keys; *key != NULL; key++)
        if (segment_is_key(variable->segments[0], str_of(*key)))
            return true;
    struct str key = key_of(arena, variable->segments[0], false);
    const char *hint = levels_hint(diagnostics->arena, variable->segments[0]);
    if (*hint == '\0')
        hint = check_suggest(diagnostics->arena, key, config_keys, NULL);
    diagnostic_at(diagnostics, new_node(arena, variable, YAML_SCALAR), variable->count == 1 ? "variable" : NULL,
                  "'%.*s' is no key of the configuration%s", STR_ARG(key), hint);
    return false;
}

struct yaml_node *config_env_apply(struct arena *arena, struct yaml_node *root, char *const *environment,
                                   struct diagnostics *diagnostics)
{
    struct variable *variables = NULL;
    size_t count = 0;
    size_t cap = 0;
    for (char *const *line = environment; line != NULL && *line != NULL; line++) {
        const char *equals = strchr(*line, '=');
        if (equals == NULL || strncmp(*line, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        struct variable variable = {.name = {*line, (size_t)(equals - *line)}, .value = str_of(equals + 1)};
        if (str_is(variable.name, FAILPOINT_VARIABLE))
            continue;
        if (!utf8_valid(*line, strlen(*line)) || !cut(&variable)) {
            diagnostic_at(diagnostics, new_node(arena, &variable, YAML_SCALAR), false, "this is no path of a key");
            continue;
        }
        if (!known_key(arena, &variable, diagnostics))
            continue;
        variables = mem_grow(variables, count, &cap, sizeof *variables);
        variables[count++] = variable;
    }
    if (count > 1)
        qsort(variables, count, sizeof *variables, by_name);
    for (size_t i = 0; i < count; i++)
        apply(arena, root, &variables[i], diagnostics);
    free(variables);
    return root;
}
