/* From paths to a rule set: finds the files, reads them all, then builds the rules in the order of their ids. */
#include "rule/ruleset.h"

#include "rule/warn.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FOLDER_DEPTH_MAX = 16, FILES_MAX = 20000, FOLDERS_MAX = 20000 };
static const int64_t ROW_RETENTION_DEFAULT_MS = INT64_C(200) * DAY_MS;

/* Paths still to be visited, the next one last. */
struct path_stack {
    struct path_item {
        char *path;
        int depth;
    } *items;
    size_t count;
    size_t cap;
};

static void path_push(struct path_stack *stack, char *path, int depth)
{
    stack->items = mem_grow(stack->items, stack->count, &stack->cap, sizeof *stack->items);
    stack->items[stack->count++] = (struct path_item){path, depth};
}

static int by_path_reversed(const void *a, const void *b)
{
    return strcmp(((const struct path_item *)b)->path, ((const struct path_item *)a)->path);
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name);
    size_t m = strlen(suffix);
    return n > m && strcmp(name + n - m, suffix) == 0;
}

static bool is_rule_file(const char *name)
{
    return ends_with(name, ".yaml") || ends_with(name, ".yml");
}

static void refuse_path(struct loader *loader, const char *path, const char *why)
{
    path = arena_str(loader->arena, str_of(path)).p;
    diagnostics_add_file(loader->diagnostics, path);
    diagnostic_file(loader->diagnostics, path, 1, 1, "%s", why);
}

/* A folder's entries go on the stack so that they come off it sorted. Hidden ones are left alone. */
static void push_folder(struct loader *loader, struct path_stack *stack, const char *path, int depth)
{
    if (depth == FOLDER_DEPTH_MAX) {
        refuse_path(loader, path, "folders nest more than 16 deep");
        return;
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        refuse_path(loader, path, strerror(errno));
        return;
    }
    size_t first = stack->count;
    struct dirent *entry = NULL;
    const char *slash = ends_with(path, "/") ? "" : "/";
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        char *inside = arena_printf(loader->arena, "%s%s%s", path, slash, entry->d_name);
        struct stat info;
        if (stat(inside, &info) != 0 ||
            !(S_ISDIR(info.st_mode) || (S_ISREG(info.st_mode) && is_rule_file(entry->d_name))))
            continue;
        path_push(stack, inside, depth + 1);
    }
    (void)closedir(folder);
    if (stack->count > first)
        qsort(stack->items + first, stack->count - first, sizeof *stack->items, by_path_reversed);
}

static void add_file(struct loader *loader, struct yaml_node *root)
{
    if (root == NULL)
        return;
    struct rule_file *file = arena_zalloc(loader->arena, sizeof *file);
    file->path = root->file;
    file->root = root;
    loader->files = mem_grow(loader->files, loader->file_count, &loader->file_cap, sizeof(void *));
    loader->files[loader->file_count++] = file;
}

static void visit_paths(struct loader *loader, const char *const *paths, size_t count)
{
    struct path_stack stack = {0};
    struct map seen = {0};
    size_t folders = 0;
    for (size_t i = count; i-- > 0;)
        path_push(&stack, arena_printf(loader->arena, "%s", paths[i]), 0);
    while (stack.count > 0) {
        struct path_item item = stack.items[--stack.count];
        struct stat info;
        if (stat(item.path, &info) != 0) {
            refuse_path(loader, item.path, strerror(errno));
            continue;
        }
        /* A file named twice, itself and by its folder, is one, and so is a folder that links lead back to. */
        char *identity =
            arena_printf(loader->arena, "%llu:%llu", (unsigned long long)info.st_dev, (unsigned long long)info.st_ino);
        void **slot = map_slot(&seen, str_of(identity));
        if (*slot != NULL)
            continue;
        *slot = item.path;
        bool folder = S_ISDIR(info.st_mode);
        folders += folder;
        if (folders > FOLDERS_MAX || seen.count - folders > FILES_MAX) {
            refuse_path(loader, item.path, folder ? "more than 20000 folders" : "more than 20000 rule files");
            break;
        }
        if (folder)
            push_folder(loader, &stack, item.path, item.depth);
        else
            add_file(loader, yaml_load(loader->arena, item.path, loader->diagnostics));
    }
    map_fini(&seen);
    free(stack.items);
}

static int by_id(const void *a, const void *b)
{
    return str_cmp(((const struct rule_source *)a)->id, ((const struct rule_source *)b)->id);
}

static void build_rules(struct loader *loader)
{
    struct ruleset *set = loader->set;
    for (size_t i = 0; i < loader->file_count; i++)
        rule_file_read(loader, loader->files[i]);
    rule_topology_build(loader);
    rule_overrides_apply(loader);
    for (size_t i = 0; i < loader->file_count; i++)
        rule_file_names(loader, loader->files[i]);
    if (loader->source_count > 1)
        qsort(loader->sources, loader->source_count, sizeof *loader->sources, by_id);
    set->rules = arena_zalloc(loader->arena, (2 * loader->source_count + 1) * sizeof *set->rules);
    set->count = loader->source_count;
    set->file_count = loader->file_count;
    for (size_t i = 0; i < loader->source_count; i++)
        rule_build(loader, &loader->sources[i], &set->rules[i]);
    rule_levels_resolve(loader);
    set->all_count = set->count;
    if (loader->diagnostics->errors == 0)
        rule_histories_build(loader);
    rule_routes_resolve(loader);
    struct buf digest = {0};
    for (size_t i = 0; i < set->count; i++)
        buf_u64(&digest, set->rules[i].hash);
    set->digest = hash_bytes(digest.p, digest.len, 0);
    buf_fini(&digest);
}

static struct loader loader_new(const struct ruleset_options *options, struct diagnostics *diagnostics)
{
    struct ruleset *set = mem_zalloc(sizeof *set);
    struct loader loader = {.set = set, .arena = &set->arena, .diagnostics = diagnostics};
    cel_budget_init(&loader.budget, &set->arena);
    if (options != NULL)
        loader.options = *options;
    if (loader.options.row_retention_ms <= 0)
        loader.options.row_retention_ms = ROW_RETENTION_DEFAULT_MS;
    return loader;
}

/* The set, or NULL when this load added an error. */
static struct ruleset *loader_finish(struct loader *loader, size_t errors_before)
{
    build_rules(loader);
    rule_macros_check(loader);
    if (loader->options.warn && loader->diagnostics->errors == errors_before)
        ruleset_warn(loader);
    for (size_t i = 0; i < loader->file_count; i++) {
        map_fini(&loader->files[i]->macros);
        map_fini(&loader->files[i]->lists);
        map_fini(&loader->files[i]->used);
        map_fini(&loader->files[i]->wrong);
        map_fini(&loader->files[i]->steps);
    }
    free(loader->files);
    free(loader->sources);
    map_fini(&loader->ids);
    map_fini(&loader->samples);
    cel_budget_fini(&loader->budget);
    diagnostics_sort(loader->diagnostics);
    if (loader->diagnostics->errors == errors_before)
        return loader->set;
    ruleset_free(loader->set);
    return NULL;
}

struct ruleset *ruleset_load_with(const char *const *paths, size_t count, const struct ruleset_options *options,
                                  struct diagnostics *diagnostics)
{
    size_t errors_before = diagnostics->errors;
    struct loader loader = loader_new(options, diagnostics);
    visit_paths(&loader, paths, count);
    return loader_finish(&loader, errors_before);
}

struct ruleset *ruleset_load(const char *const *paths, size_t count, struct diagnostics *diagnostics)
{
    return ruleset_load_with(paths, count, NULL, diagnostics);
}

struct ruleset *ruleset_load_text_with(const char *name, struct str text, const struct ruleset_options *options,
                                       struct diagnostics *diagnostics)
{
    size_t errors_before = diagnostics->errors;
    struct loader loader = loader_new(options, diagnostics);
    add_file(&loader, yaml_parse(loader.arena, name, text, diagnostics));
    return loader_finish(&loader, errors_before);
}

struct ruleset *ruleset_load_text(const char *name, struct str text, struct diagnostics *diagnostics)
{
    return ruleset_load_text_with(name, text, NULL, diagnostics);
}

void ruleset_free(struct ruleset *set)
{
    if (set == NULL)
        return;
    arena_fini(&set->arena);
    free(set);
}

const struct rule *ruleset_find(const struct ruleset *set, struct str id)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(set->rules[middle].id, id);
        if (order == 0)
            return &set->rules[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool rule_input_matches(const struct rule_input *input, const struct event *event)
{
    for (size_t i = 0; i < input->match_count; i++) {
        const struct match_term *term = &input->match[i];
        bool found = false;
        for (size_t j = 0; j < term->count && !found; j++)
            found = value_eq(term->values[j], event->values[term->field]);
        if (!found)
            return false;
    }
    return true;
}
