/* `overrides`: a file adapts the rules and lists of others. Maps merge, lists and scalars replace. Merged nodes keep
 * the places of what they came from, so that messages point at the text that is wrong, and what another file has
 * overridden already is known by it: several files may adapt a rule, no two of them the same key. */
#include "rule/rule_load.h"

#include <stdlib.h>

/* A pair of mappings still to be merged. */
struct merge {
    struct yaml_node *into;
    const struct yaml_node *from;
};

/* The places of a mapping's values by key. */
static void index_items(struct map *index, struct yaml_node *mapping)
{
    map_clear(index);
    for (size_t i = 0; i < mapping->count; i++)
        *map_slot(index, mapping->keys[i]->text) = &mapping->items[i];
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

static void overridden_twice(struct loader *loader, struct str id, const struct yaml_node *key,
                             const struct yaml_node *first)
{
    diagnostic_at(loader->diagnostics, key, NULL, "'%.*s' of rule '%.*s' is overridden twice, first in %s:%d",
                  STR_ARG(key->text), STR_ARG(id), first->file, first->line);
}

/* Merges mappings level by level. The work list is as long as the override has nested mappings. */
static struct yaml_node *merge(struct loader *loader, const struct rule_source *source,
                               const struct yaml_node *override)
{
    struct arena *arena = loader->arena;
    struct yaml_node *root = copy_mapping(arena, source->node, override->count);
    struct merge *work = NULL;
    size_t count = 0;
    size_t cap = 0;
    struct map index = {0};
    work = mem_grow(work, count, &cap, sizeof *work);
    work[count++] = (struct merge){root, override};
    for (size_t at = 0; at < count; at++) {
        struct merge now = work[at];
        ASSERT(now.into->items != NULL && (now.from->items != NULL || now.from->count == 0));
        index_items(&index, now.into);
        for (size_t i = 0; i < now.from->count; i++) {
            struct yaml_node *value = now.from->items[i];
            struct yaml_node **item = map_get(&index, now.from->keys[i]->text);
            if (item == NULL) {
                now.into->keys[now.into->count] = now.from->keys[i];
                now.into->items[now.into->count++] = value;
            } else if ((*item)->kind == YAML_MAPPING && value->kind == YAML_MAPPING) {
                *item = copy_mapping(arena, *item, value->count);
                work = mem_grow(work, count, &cap, sizeof *work);
                work[count++] = (struct merge){*item, value};
            } else {
                if ((*item)->file != root->file)
                    overridden_twice(loader, source->id, now.from->keys[i], *item);
                *item = value;
            }
        }
    }
    free(work);
    map_fini(&index);
    return root;
}

/* A list's places, in each file that has one of the name. */
struct list_place {
    struct yaml_node **item;
    struct list_place *next;
};

static void index_lists(struct loader *loader, struct map *index)
{
    for (size_t i = 0; i < loader->file_count; i++) {
        struct yaml_node *lists = yaml_get(loader->files[i]->root, "lists");
        for (size_t k = 0; lists != NULL && lists->kind == YAML_MAPPING && k < lists->count; k++) {
            void **slot = map_slot(index, lists->keys[k]->text);
            struct list_place *place = arena_alloc(loader->arena, sizeof *place);
            *place = (struct list_place){&lists->items[k], *slot};
            *slot = place;
        }
    }
}

static void override_list(struct loader *loader, const struct map *index, struct yaml_node *key,
                          struct yaml_node *value)
{
    if (!check_sequence(loader->diagnostics, value, "each of lists"))
        return;
    const struct list_place *place = map_get(index, key->text);
    if (place == NULL)
        diagnostic_at(loader->diagnostics, key, NULL, "no file has a list '%.*s' to override", STR_ARG(key->text));
    for (; place != NULL; place = place->next)
        *place->item = value;
}

const char *rule_suggest(const struct loader *loader, struct str text)
{
    struct str near = {NULL, 0};
    int best = 3;
    for (size_t i = 0; i < loader->source_count && !diagnostics_full(loader->diagnostics); i++) {
        struct str id = loader->sources[i].id;
        int distance = id.n > 0 ? str_distance(text, id, best - 1) : best;
        if (distance < best && (size_t)distance * 2 < text.n + 1) {
            best = distance;
            near = id;
        }
    }
    return near.n == 0 ? "" : arena_printf(loader->diagnostics->arena, "; did you mean '%.*s'?", STR_ARG(near));
}

static void override_rule(struct loader *loader, const struct map *sources, struct yaml_node *key,
                          const struct yaml_node *value)
{
    struct diagnostics *diagnostics = loader->diagnostics;
    if (!check_map(diagnostics, value, "what overrides a rule"))
        return;
    const struct yaml_node *id = yaml_get(value, "id");
    if (id != NULL) {
        diagnostic_at(diagnostics, id, NULL, "an override does not change a rule's id");
        return;
    }
    struct rule_source *source = map_get(sources, key->text);
    if (source != NULL)
        source->node = merge(loader, source, value);
    else
        diagnostic_at(diagnostics, key, NULL, "there is no rule '%.*s' to override%s", STR_ARG(key->text),
                      rule_suggest(loader, key->text));
}

static void apply(struct loader *loader, const struct yaml_node *overrides, const struct map *sources,
                  const struct map *lists)
{
    for (size_t i = 0; i < overrides->count; i++) {
        struct yaml_node *value = overrides->items[i];
        if (!str_is(overrides->keys[i]->text, "lists"))
            override_rule(loader, sources, overrides->keys[i], value);
        else if (check_map(loader->diagnostics, value, "overrides of lists"))
            for (size_t k = 0; k < value->count; k++)
                override_list(loader, lists, value->keys[k], value->items[k]);
    }
}

void rule_overrides_apply(struct loader *loader)
{
    struct map sources = {0};
    struct map lists = {0};
    index_lists(loader, &lists);
    for (size_t i = loader->source_count; i-- > 0;) /* of rules with one id the first */
        if (loader->sources[i].id.n > 0)
            *map_slot(&sources, loader->sources[i].id) = &loader->sources[i];
    for (size_t i = 0; i < loader->file_count; i++) {
        const struct yaml_node *overrides = yaml_get(loader->files[i]->root, "overrides");
        if (check_map(loader->diagnostics, overrides, "overrides"))
            apply(loader, overrides, &sources, &lists);
    }
    map_fini(&sources);
    map_fini(&lists);
}
