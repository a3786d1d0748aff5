/* A rule file's head, and the names that belong to it: lists and macros. A file of kind Scorecard differs from one of
 * rules in what it lists. */
#include "rule/rule_load.h"

static const char *const file_keys[] = {"apiVersion", "kind",  "metadata",   "lists",     "macros",
                                        "topology",   "rules", "scorecards", "overrides", NULL};
enum { LIST_NAMES_MAX = 1000 }; /* among which one near to a wrong name is looked for */

/* False where the file is of another kind, so that nothing else in it makes sense. */
static bool read_head(struct loader *loader, struct rule_file *file)
{
    struct diagnostics *diagnostics = loader->diagnostics;
    const struct yaml_node *version = check_need(diagnostics, file->root, "a rule file", "apiVersion");
    struct str text;
    if (check_text(diagnostics, version, "apiVersion", &text) && !str_is(text, "forestall.io/v1"))
        diagnostic_at(diagnostics, version, false, "unknown apiVersion '%.*s'; this version reads 'forestall.io/v1'",
                      STR_ARG(text));
    const struct yaml_node *kind = check_need(diagnostics, file->root, "a rule file", "kind");
    if (!check_text(diagnostics, kind, "kind", &text) || str_is(text, "RuleSet"))
        return true;
    file->scorecards = str_is(text, "Scorecard");
    if (!file->scorecards)
        diagnostic_at(diagnostics, kind, false, "unknown kind '%.*s'; this version reads 'RuleSet' and 'Scorecard'",
                      STR_ARG(text));
    return file->scorecards;
}

/* What belongs into a file of the other kind. */
static void refuse_others(struct loader *loader, const struct rule_file *file)
{
    static const char *const of_rules[] = {"rules", "topology", NULL};
    static const char *const of_scorecards[] = {"scorecards", NULL};
    for (const char *const *key = file->scorecards ? of_rules : of_scorecards; *key != NULL; key++)
        if (yaml_get(file->root, *key) != NULL)
            diagnostic_at(loader->diagnostics, yaml_get(file->root, *key), false,
                          "'%s' belongs into a file of kind '%s'", *key, file->scorecards ? "RuleSet" : "Scorecard");
}

static void read_metadata(struct loader *loader, const struct yaml_node *node)
{
    static const char *const keys[] = {"name", "labels", NULL};
    struct diagnostics *diagnostics = loader->diagnostics;
    if (node == NULL || !check_mapping(diagnostics, node, "metadata", keys))
        return;
    struct str text;
    (void)check_id(diagnostics, yaml_get(node, "name"), "metadata.name", &text);
    const struct yaml_node *labels = yaml_get(node, "labels");
    if (!check_map(diagnostics, labels, "labels"))
        return;
    for (size_t i = 0; i < labels->count; i++)
        (void)check_text(diagnostics, labels->items[i], "a label", &text);
}

static bool check_name(struct loader *loader, const struct yaml_node *key, const char *what)
{
    if (!name_is_identifier(key->text)) {
        diagnostic_at(loader->diagnostics, key, false, "'%.*s' is no name for a %s; take letters, digits and _",
                      STR_ARG(key->text), what);
        return false;
    }
    if (rule_name_reserved(key->text)) {
        diagnostic_at(loader->diagnostics, key, false,
                      "'%.*s' has a meaning of its own in expressions; name the %s otherwise", STR_ARG(key->text),
                      what);
        return false;
    }
    return true;
}

static bool read_list(struct loader *loader, const struct yaml_node *node, struct value *list)
{
    if (!check_sequence(loader->diagnostics, node, "each of lists"))
        return false;
    struct value *items = arena_alloc(loader->arena, (node->count + 1) * sizeof *items);
    for (size_t i = 0; i < node->count; i++) {
        struct str text;
        if (!check_text(loader->diagnostics, node->items[i], "an item of a list", &text))
            return false;
        items[i] = value_str(text);
    }
    *list = value_list(items, node->count);
    return true;
}

static void read_lists(struct loader *loader, struct rule_file *file, const struct yaml_node *node)
{
    if (!check_map(loader->diagnostics, node, "lists"))
        return;
    for (size_t i = 0; i < node->count; i++) {
        struct value *list = arena_zalloc(loader->arena, sizeof *list);
        /* A list of a name that is not allowed is known all the same, so that its uses are no mistakes of their own. */
        (void)check_name(loader, node->keys[i], "list");
        *map_slot(read_list(loader, node->items[i], list) ? &file->lists : &file->wrong, node->keys[i]->text) = list;
    }
}

static void read_macros(struct loader *loader, struct rule_file *file, const struct yaml_node *node)
{
    if (!check_map(loader->diagnostics, node, "macros"))
        return;
    for (size_t i = 0; i < node->count; i++) {
        struct str text;
        (void)check_name(loader, node->keys[i], "macro");
        if (!check_text(loader->diagnostics, node->items[i], "a macro", &text)) {
            *map_slot(&file->wrong, node->keys[i]->text) = node->items[i];
            continue;
        }
        if (map_get(&file->lists, node->keys[i]->text) != NULL) {
            diagnostic_at(loader->diagnostics, node->keys[i], false, "'%.*s' is a list of this file too",
                          STR_ARG(node->keys[i]->text));
            continue;
        }
        *map_slot(&file->macros, node->keys[i]->text) = node->items[i];
    }
}

/* The fixed names, then the file's own. */
static const char **names_of(struct loader *loader, const struct rule_file *file, const char *const *fixed)
{
    size_t count = 0;
    while (fixed[count] != NULL)
        count++;
    const char **names =
        arena_alloc(loader->arena, (count + file->lists.count + file->macros.count + 1) * sizeof *names);
    memcpy(names, fixed, count * sizeof *names);
    struct map_entry *entry = NULL;
    for (size_t i = 0; count < LIST_NAMES_MAX && map_next(&file->lists, &i, &entry);)
        names[count++] = arena_str(loader->arena, entry->key).p;
    for (size_t i = 0; count < LIST_NAMES_MAX && map_next(&file->macros, &i, &entry);)
        names[count++] = arena_str(loader->arena, entry->key).p;
    names[count] = NULL;
    return names;
}

void rule_file_names(struct loader *loader, struct rule_file *file)
{
    static const char *const event_fixed[] = {"event", NULL};
    read_lists(loader, file, yaml_get(file->root, "lists"));
    read_macros(loader, file, yaml_get(file->root, "macros"));
    file->event_names = names_of(loader, file, event_fixed);
    file->output_names = names_of(loader, file, output_names);
}

static void add_source(struct loader *loader, struct rule_file *file, struct yaml_node *node)
{
    struct diagnostics *diagnostics = loader->diagnostics;
    static const char *const id_key[] = {"id", NULL};
    const char *what = file->scorecards ? "a scorecard" : "a rule";
    if (!check_map(diagnostics, node, what))
        return;
    struct rule_source source = {.file = file, .node = node, .scorecard = file->scorecards};
    check_spelling(diagnostics, node, what, id_key);
    const struct yaml_node *id = check_need(diagnostics, node, what, "id");
    if (check_id(diagnostics, id, file->scorecards ? "a scorecard's id" : "a rule's id", &source.id)) {
        void **slot = map_slot(&loader->ids, source.id);
        const struct yaml_node *first = *slot;
        if (str_is(source.id, "lists"))
            diagnostic_at(diagnostics, id, false, "%s's id may not be 'lists', which means the lists in overrides",
                          what);
        else if (first != NULL)
            diagnostic_at(diagnostics, id, false, "duplicate %s id '%.*s', first in %s:%d", what + 2,
                          STR_ARG(source.id), first->file, first->line);
        else
            *slot = yaml_get(node, "id");
    }
    loader->sources = mem_grow(loader->sources, loader->source_count, &loader->source_cap, sizeof source);
    loader->sources[loader->source_count++] = source;
}

void rule_file_read(struct loader *loader, struct rule_file *file)
{
    if (!check_map(loader->diagnostics, file->root, "a rule file"))
        return;
    if (file->root->count == 0) {
        diagnostic_at(loader->diagnostics, file->root, NULL,
                      "this file is empty; a rule file begins with 'apiVersion: forestall.io/v1' and 'kind: RuleSet'");
        return;
    }
    check_spelling(loader->diagnostics, file->root, "a rule file", file_keys);
    if (!read_head(loader, file))
        return;
    (void)check_mapping(loader->diagnostics, file->root, "a rule file", file_keys);
    read_metadata(loader, yaml_get(file->root, "metadata"));
    refuse_others(loader, file);
    rule_topology_read(loader, file->scorecards ? NULL : yaml_get(file->root, "topology"));
    const char *key = file->scorecards ? "scorecards" : "rules";
    const struct yaml_node *rules = yaml_get(file->root, key);
    if (!check_sequence(loader->diagnostics, rules, key))
        return;
    for (size_t i = 0; i < rules->count; i++)
        add_source(loader, file, rules->items[i]);
}
