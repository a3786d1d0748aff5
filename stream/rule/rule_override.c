/* `overrides`: a file adapts the rules and lists of others. Maps merge, lists and scalars replace. Merged nodes keep
 * the places of what they came from, so that messages point at the text that is wrong. */
#include "rule/rule_load.h"

#include <stdlib.h>

/* A pair of mappings still to be merged. */
struct merge {
    struct yaml_node *into;
    const struct yaml_node *from;
};

static struct yaml_node **find_item(struct yaml_node *mapping, struct str key)
{
    for (size_t i = 0; i < mapping->count; i++)
        if (str_eq(mapping->keys[i]->text, key))
            return &mapping->items[i];
    return NULL;
}

/* A shallow copy with room for `more` further keys, so that the file's own tree stays as it was read. */
static struct yaml_node *copy_mapping(struct arena *arena, const struct yaml_node *node, size_t more)
{
    struct yaml_node *copy = arena_alloc(arena, sizeof *copy);
    *copy = *node;
    copy->keys = arena_alloc(arena, (node->count + more + 1) * sizeof(void *));
    copy->items = arena_alloc(arena, (node->count + more + 1) * sizeof(void *));
    for (size_t i = 0; i < node->count; i++) {
        copy->keys[i] = node->keys[i];
        copy->items[i] = node->items[i];
    }
    return copy;
}

/* Merges mappings level by level. The work list is as long as the override has nested mappings. */
static struct yaml_node *merge(struct arena *arena, const struct yaml_node *base, const struct yaml_node *override)
{
    struct yaml_node *root = copy_mapping(arena, base, override->count);
    struct merge *work = NULL;
    size_t count = 0;
    size_t cap = 0;
    work = mem_grow(work, count, &cap, sizeof *work);
    work[count++] = (struct merge){root, override};
    for (size_t at = 0; at < count; at++) {
        struct merge now = work[at];
        ASSERT(now.into->items != NULL && (now.from->items != NULL || now.from->count == 0));
        for (size_t i = 0; i < now.from->count; i++) {
            struct yaml_node *value = now.from->items[i];
            struct yaml_node **item = find_item(now.into, now.from->keys[i]->text);
            if (item == NULL) {
                now.into->keys[now.into->count] = now.from->keys[i];
                now.into->items[now.into->count++] = value;
            } else if ((*item)->kind == YAML_MAPPING && value->kind == YAML_MAPPING) {
                *item = copy_mapping(arena, *item, value->count);
                work = mem_grow(work, count, &cap, sizeof *work);
                work[count++] = (struct merge){*item, value};
            } else {
                *item = value;
            }
        }
    }
    free(work);
    return root;
}

static void override_list(struct loader *loader, struct yaml_node *key, struct yaml_node *value)
{
    bool found = false;
    if (!check_sequence(loader->diagnostics, value, "each of lists"))
        return;
    for (size_t i = 0; i < loader->file_count; i++) {
        struct yaml_node *lists = yaml_get(loader->files[i]->root, "lists");
        struct yaml_node **item = lists == NULL || lists->kind != YAML_MAPPING ? NULL : find_item(lists, key->text);
        if (item == NULL)
            continue;
        *item = value;
        found = true;
    }
    if (!found)
        diagnostic_at(loader->diagnostics, key, false, "no file has a list '%.*s' to override", STR_ARG(key->text));
}

/* The id of a rule that is near to what was written; "" where none is. */
static const char *suggest_rule(const struct loader *loader, struct str text)
{
    for (size_t i = 0; i < loader->source_count; i++)
        if (loader->sources[i].id.n > 0 && str_distance(loader->sources[i].id, text, 2) <= 2)
            return arena_printf(loader->diagnostics->arena, "; did you mean '%.*s'?", STR_ARG(loader->sources[i].id));
    return "";
}

/* The overrides of one load. */
struct overriding {
    struct loader *loader;
    struct map seen;    /* rule id -> the override's key */
    struct map sources; /* rule id -> its struct rule_source, the first of that id */
};

static void override_rule(struct overriding *overriding, struct yaml_node *key, const struct yaml_node *value)
{
    struct loader *loader = overriding->loader;
    struct diagnostics *diagnostics = loader->diagnostics;
    if (!check_map(diagnostics, value, "what overrides a rule"))
        return;
    const struct yaml_node *id = yaml_get(value, "id");
    if (id != NULL) {
        diagnostic_at(diagnostics, id, false, "an override does not change a rule's id");
        return;
    }
    void **slot = map_slot(&overriding->seen, key->text);
    const struct yaml_node *first = *slot;
    if (first != NULL) {
        diagnostic_at(diagnostics, key, false, "rule '%.*s' is overridden twice, first in %s:%d", STR_ARG(key->text),
                      first->file, first->line);
        return;
    }
    *slot = key;
    struct rule_source *source = map_get(&overriding->sources, key->text);
    if (source != NULL) {
        source->node = merge(loader->arena, source->node, value);
        return;
    }
    diagnostic_at(diagnostics, key, false, "there is no rule '%.*s' to override%s", STR_ARG(key->text),
                  suggest_rule(loader, key->text));
}

void rule_overrides_apply(struct loader *loader)
{
    struct overriding overriding = {.loader = loader};
    for (size_t i = loader->source_count; i-- > 0;)
        if (loader->sources[i].id.n > 0)
            *map_slot(&overriding.sources, loader->sources[i].id) = &loader->sources[i];
    for (size_t i = 0; i < loader->file_count; i++) {
        const struct yaml_node *overrides = yaml_get(loader->files[i]->root, "overrides");
        if (!check_map(loader->diagnostics, overrides, "overrides"))
            continue;
        for (size_t j = 0; j < overrides->count; j++) {
            struct yaml_node *value = overrides->items[j];
            if (!str_is(overrides->keys[j]->text, "lists")) {
                override_rule(&overriding, overrides->keys[j], value);
                continue;
            }
            if (check_map(loader->diagnostics, value, "overrides of lists"))
                for (size_t k = 0; k < value->count; k++)
                    override_list(loader, value->keys[k], value->items[k]);
        }
    }
    map_fini(&overriding.seen);
    map_fini(&overriding.sources);
}
