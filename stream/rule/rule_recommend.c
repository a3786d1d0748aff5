/* `recommend`: what a detection advises. */
#include "rule/rule_load.h"

const char *const category_names[CATEGORY_COUNT + 1] = {
    [CATEGORY_OBSERVABILITY_GAP] = "observability_gap",
    [CATEGORY_INFRASTRUCTURE_RESILIENCE] = "infrastructure_resilience",
    [CATEGORY_DEPLOYMENT_PIPELINE] = "deployment_pipeline",
    [CATEGORY_CODE_QUALITY] = "code_quality",
    [CATEGORY_ARCHITECTURE] = "architecture",
};
const char *const roadmap_names[] = {"foundation", "resilience", "quality", "automation", NULL};

static const int default_roadmaps[CATEGORY_COUNT] = {
    [CATEGORY_OBSERVABILITY_GAP] = 0,   [CATEGORY_INFRASTRUCTURE_RESILIENCE] = 1,
    [CATEGORY_DEPLOYMENT_PIPELINE] = 2, [CATEGORY_CODE_QUALITY] = 2,
    [CATEGORY_ARCHITECTURE] = 1,
};

static const char *const recommend_keys[] = {"category", "title", "complexity", "roadmap", "services", "cooldown",
                                             "severity", "spec",  "supersedes", "per",     "needs",    NULL};
static const char *const spec_keys[] = {"problem", "solution",     "implementation", "testing",    "rollout",
                                        "effort",  "dependencies", "code",           "references", NULL};
enum { CODE_BYTES_MAX = 256 * 1024, ALL_CODE_BYTES_MAX = 64 << 20, LIST_ITEMS_MAX = 200 };

static const struct template *one(struct rule_build *build, const struct yaml_node *node, const char *what)
{
    if (node == NULL)
        return NULL;
    struct scope scope;
    scope_init(&scope, build, SCOPE_OUTPUT);
    return scope_template(&scope, node, what);
}

/* A list of templates; a single scalar is a list of one. */
static struct template_list list(struct rule_build *build, const struct yaml_node *node, const char *what)
{
    struct template_list result = {0};
    if (node == NULL || (node->kind != YAML_SCALAR && !check_sequence(build->loader->diagnostics, node, what)))
        return result;
    if (node->kind == YAML_SEQUENCE && node->count > LIST_ITEMS_MAX) {
        diagnostic_at(build->loader->diagnostics, node, false, "%s has at most %d items, not %zu", what, LIST_ITEMS_MAX,
                      node->count);
        return result;
    }
    size_t count = node->kind == YAML_SCALAR ? 1 : node->count;
    result.items = arena_alloc(build->loader->arena, (count + 1) * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        const struct template *item = one(build, node->kind == YAML_SCALAR ? node : node->items[i], what);
        if (item != NULL)
            result.items[result.count++] = item;
    }
    return result;
}

/* Rule files are handed around, so what one names stays below its own folder. */
static bool stays_below(struct str path)
{
    if (path.n == 0 || path.p[0] == '/' || memchr(path.p, '\0', path.n) != NULL)
        return false;
    for (size_t i = 0; i < path.n;) {
        size_t end = i;
        while (end < path.n && path.p[end] != '/')
            end++;
        if (str_is((struct str){path.p + i, end - i}, ".."))
            return false;
        i = end + 1;
    }
    return true;
}

/* A file that several samples name is read, and complained about, once. */
static void load_sample(struct loader *loader, const struct yaml_node *node, const char *path, struct str *text)
{
    void **slot = map_slot(&loader->samples, str_of(path));
    struct str *known = *slot;
    if (known == NULL) {
        struct error err;
        known = arena_zalloc(loader->arena, sizeof *known);
        known->p = yaml_read_file(loader->arena, path, CODE_BYTES_MAX, &known->n, &err);
        loader->sample_bytes += known->n;
        if (known->p == NULL)
            diagnostic_at(loader->diagnostics, node, NULL, "%s", err.message);
        else if (loader->sample_bytes > ALL_CODE_BYTES_MAX)
            diagnostic_at(loader->diagnostics, node, NULL, "the files of code samples are over %d MiB together",
                          ALL_CODE_BYTES_MAX >> 20);
        else if (!utf8_valid(known->p, known->n))
            diagnostic_at(loader->diagnostics, node, NULL, "%s is not UTF-8", path);
        *slot = known;
    }
    *text = *known;
}

static void read_code_file(struct rule_build *build, const struct yaml_node *node, struct code_sample *sample)
{
    struct loader *loader = build->loader;
    struct str path;
    if (!check_text(loader->diagnostics, node, "file", &path) || loader->sample_bytes > ALL_CODE_BYTES_MAX)
        return;
    if (!stays_below(path)) {
        diagnostic_at(loader->diagnostics, node, NULL, "'%.*s' must lie below the folder of the rule file",
                      STR_ARG(path));
        return;
    }
    const char *slash = strrchr(node->file, '/');
    int folder = slash == NULL ? 0 : (int)(slash - node->file + 1);
    const char *full = arena_printf(loader->arena, "%.*s%.*s", folder, node->file, STR_ARG(path));
    load_sample(loader, node, full, &sample->text);
}

static void read_sample(struct rule_build *build, const struct yaml_node *node, struct code_sample *sample)
{
    static const char *const keys[] = {"path", "language", "file", "text", NULL};
    struct diagnostics *diagnostics = build->loader->diagnostics;
    if (!check_mapping(diagnostics, node, "a code sample", keys))
        return;
    const struct yaml_node *path = check_need(diagnostics, node, "a code sample", "path");
    sample->path = one(build, path, "path");
    (void)check_text(diagnostics, yaml_get(node, "language"), "language", &sample->language);
    const struct yaml_node *file = yaml_get(node, "file");
    const struct yaml_node *text = yaml_get(node, "text");
    if ((file == NULL) == (text == NULL)) {
        diagnostic_at(diagnostics, node, false, "a code sample has either 'file' or 'text'");
        return;
    }
    if (file != NULL)
        read_code_file(build, file, sample);
    else
        (void)check_text(diagnostics, text, "text", &sample->text);
}

static void read_code(struct rule_build *build, const struct yaml_node *node, struct recommend *recommend)
{
    if (!check_sequence(build->loader->diagnostics, node, "code") || node->count == 0)
        return;
    if (node->count > LIST_ITEMS_MAX) {
        diagnostic_at(build->loader->diagnostics, node, false, "code has at most %d items", LIST_ITEMS_MAX);
        return;
    }
    struct code_sample *samples = arena_zalloc(build->loader->arena, node->count * sizeof *samples);
    for (size_t i = 0; i < node->count; i++)
        read_sample(build, node->items[i], &samples[i]);
    recommend->code = samples;
    recommend->code_count = node->count;
}

static void read_spec(struct rule_build *build, const struct yaml_node *node, struct recommend *recommend)
{
    if (node == NULL || !check_mapping(build->loader->diagnostics, node, "spec", spec_keys))
        return;
    recommend->problem = one(build, yaml_get(node, "problem"), "problem");
    recommend->solution = one(build, yaml_get(node, "solution"), "solution");
    recommend->effort = one(build, yaml_get(node, "effort"), "effort");
    recommend->implementation = list(build, yaml_get(node, "implementation"), "implementation");
    recommend->testing = list(build, yaml_get(node, "testing"), "testing");
    recommend->rollout = list(build, yaml_get(node, "rollout"), "rollout");
    recommend->dependencies = list(build, yaml_get(node, "dependencies"), "dependencies");
    recommend->references = list(build, yaml_get(node, "references"), "references");
    read_code(build, yaml_get(node, "code"), recommend);
}

static size_t trim_end(struct str text)
{
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\n'))
        text.n--;
    return text.n;
}

/* `{{ expression }}` and nothing else. */
static bool is_one_expression(struct str text)
{
    text.n = trim_end(text);
    while (text.n > 0 && *text.p == ' ') {
        text.p++;
        text.n--;
    }
    if (text.n < 4 || memcmp(text.p, "{{", 2) != 0)
        return false;
    for (size_t i = 2; i + 1 < text.n; i++)
        if (text.p[i] == '}' && text.p[i + 1] == '}')
            return i + 2 == text.n;
    return false;
}

static void read_services(struct rule_build *build, const struct yaml_node *node, struct recommend *recommend)
{
    if (node != NULL && node->kind == YAML_SCALAR && is_one_expression(node->text))
        recommend->services = one(build, node, "services");
    else
        recommend->service_items = list(build, node, "services");
}

/* Whether the named rules exist is known when all files are read. */
static void read_supersedes(struct rule_build *build, const struct yaml_node *node, struct recommend *recommend)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    if (!check_sequence(diagnostics, node, "supersedes") || node->count == 0)
        return;
    recommend->supersedes = arena_alloc(build->loader->arena, node->count * sizeof(struct str));
    for (size_t i = 0; i < node->count; i++) {
        struct str id;
        if (!check_id(diagnostics, node->items[i], "a rule's id", &id))
            continue;
        if (map_get(&build->loader->ids, id) == NULL)
            diagnostic_at(diagnostics, node->items[i], false, "there is no rule '%.*s' to supersede", STR_ARG(id));
        else if (str_eq(id, build->rule->id))
            diagnostic_at(diagnostics, node->items[i], false, "a rule does not supersede itself");
        recommend->supersedes[recommend->supersedes_count++] = id;
    }
}

static void read_weights(struct rule_build *build, const struct yaml_node *node, struct recommend *recommend)
{
    static const char *const complexities[] = {"low", "high", NULL};
    static const char *const severities[] = {"sev1", "sev2", "sev3", "sev4", "sev5", NULL};
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct yaml_node *category = check_need(diagnostics, node, "recommend", "category");
    int number = category == NULL ? -1 : check_symbol(diagnostics, category, "category", category_names);
    if (number >= 0) {
        recommend->category = (enum category)number;
        recommend->roadmap = default_roadmaps[number];
    }
    const struct yaml_node *roadmap = yaml_get(node, "roadmap");
    if (roadmap != NULL && (number = check_symbol(diagnostics, roadmap, "roadmap", roadmap_names)) >= 0)
        recommend->roadmap = number;
    const struct yaml_node *complexity = yaml_get(node, "complexity");
    recommend->complexity_high =
        complexity == NULL || check_symbol(diagnostics, complexity, "complexity", complexities) != 0;
    const struct yaml_node *severity = yaml_get(node, "severity");
    number = severity == NULL ? 3 : check_symbol(diagnostics, severity, "severity", severities);
    recommend->severity = str_of(severities[number < 0 ? 3 : number]);
    recommend->severity_weight = severity_weight(recommend->severity);
    recommend->cooldown_ms = DAY_MS;
    (void)check_duration(diagnostics, yaml_get(node, "cooldown"), "cooldown", &recommend->cooldown_ms);
}

void rule_recommend_read(struct rule_build *build, const struct yaml_node *node)
{
    if (node == NULL || !check_mapping(build->loader->diagnostics, node, "recommend", recommend_keys))
        return;
    struct recommend *recommend = arena_zalloc(build->loader->arena, sizeof *recommend);
    build->rule->recommend = recommend;
    read_weights(build, node, recommend);
    recommend->title = one(build, check_need(build->loader->diagnostics, node, "recommend", "title"), "title");
    read_services(build, yaml_get(node, "services"), recommend);
    read_supersedes(build, yaml_get(node, "supersedes"), recommend);
    rule_per_read(build, yaml_get(node, "per"), recommend);
    rule_needs_read(build, yaml_get(node, "needs"), recommend);
    read_spec(build, yaml_get(node, "spec"), recommend);
}
