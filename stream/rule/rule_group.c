/* `group_by`: what events are told apart by. The rule's keys, and an input's own where it overrides them. */
#include "rule/rule_load.h"

static bool plain_field(struct diagnostics *diagnostics, const struct yaml_node *at, const struct stream *stream,
                        int field)
{
    enum field_kind kind = stream->fields[field].kind;
    if (kind != FIELD_STRINGS && kind != FIELD_LABELS && kind != FIELD_MAP)
        return true;
    diagnostic_at(diagnostics, at, false, "'%s' is a %s; group by one of its parts: {NAME: \"event.%s[…]\"}",
                  stream->fields[field].name, kind == FIELD_STRINGS ? "list" : "map", stream->fields[field].name);
    return false;
}

/* The key `i` of `node`, a list of field names or a map of expressions, over one input. */
static bool read_key(struct rule_build *build, const struct yaml_node *node, size_t i, const struct rule_input *input,
                     struct group_key *key)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    *key = (struct group_key){.field = -1};
    if (node->kind == YAML_MAPPING) {
        key->name = node->keys[i]->text;
        struct scope scope;
        scope_init(&scope, build, SCOPE_EVENT);
        scope.stream = input->stream;
        key->expr = scope_compile(&scope, node->items[i], "a group key", TYPE_ANY);
        if (key->expr == NULL)
            return false;
        key->field = cel_is_field(key->expr);
        uint8_t type = cel_result_type(key->expr).type;
        if (type == VALUE_LIST || type == VALUE_MAP) {
            diagnostic_at(diagnostics, node->items[i], false, "a group key is a single value, not a %s",
                          type == VALUE_LIST ? "list" : "map");
            return false;
        }
        if (key->field >= 0)
            key->expr = NULL;
    } else {
        key->name = node->items[i]->text;
        key->field = rule_field_find(diagnostics, node->items[i], input->stream, key->name);
        if (key->field < 0 || !plain_field(diagnostics, node->items[i], input->stream, key->field))
            return false;
    }
    if (key->field >= 0 && input->updates && input->stream->fields[key->field].derived) {
        diagnostic_at(diagnostics, node->items[i], false, "'%s' is a row's; an input with updates: true reads records",
                      input->stream->fields[key->field].name);
        return false;
    }
    return true;
}

/* The form of a group_by: a list of distinct names, or a map. */
static bool check_form(struct rule_build *build, const struct yaml_node *node)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    if (node->kind == YAML_SCALAR) {
        diagnostic_at(diagnostics, node, false, "group_by must be a list of fields or a map of names to expressions");
        return false;
    }
    if (node->count > RULE_GROUP_KEYS_MAX) {
        diagnostic_at(diagnostics, node, false, "group_by has at most %d keys, not %zu", RULE_GROUP_KEYS_MAX,
                      node->count);
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *name = node->kind == YAML_MAPPING ? node->keys[i] : node->items[i];
        if (!name_is_identifier(name->kind == YAML_SCALAR ? name->text : STR_LIT(""))) {
            diagnostic_at(diagnostics, name, false, "%s",
                          node->kind == YAML_MAPPING
                              ? "a group key's name takes letters, digits and _, a letter first"
                              : "a list names fields; for an expression write a map: {NAME: EXPRESSION}");
            good = false;
        }
        for (size_t j = 0; node->kind == YAML_SEQUENCE && good && j < i; j++)
            if (str_eq(name->text, node->items[j]->text)) {
                diagnostic_at(diagnostics, name, false, "'%.*s' is in group_by twice", STR_ARG(name->text));
                good = false;
            }
    }
    return good;
}

static bool own_keys_agree(struct rule_build *build, const struct yaml_node *own, const struct yaml_node *shared)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    size_t wanted = shared != NULL ? shared->count : 0;
    if (own->count != wanted) {
        diagnostic_at(diagnostics, own, false, "an input's group_by has as many keys as the rule's: %zu, not %zu",
                      wanted, own->count);
        return false;
    }
    for (size_t i = 0; own->kind == YAML_MAPPING && i < own->count; i++) {
        bool found = false;
        for (size_t j = 0; j < wanted; j++) {
            const struct yaml_node *name = shared->kind == YAML_MAPPING ? shared->keys[j] : shared->items[j];
            found |= str_eq(name->text, own->keys[i]->text);
        }
        if (!found) {
            diagnostic_at(diagnostics, own->keys[i], false, "'%.*s' is no key of the rule's group_by",
                          STR_ARG(own->keys[i]->text));
            return false;
        }
    }
    return true;
}

/* An input's own map may have the rule's keys in another order. */
static size_t own_index(const struct yaml_node *own, const struct yaml_node *shared, size_t i)
{
    if (own == shared || own->kind != YAML_MAPPING)
        return i;
    const struct yaml_node *name = shared->kind == YAML_MAPPING ? shared->keys[i] : shared->items[i];
    for (size_t j = 0; j < own->count; j++)
        if (str_eq(own->keys[j]->text, name->text))
            return j;
    return i;
}

/* `said`: of which of the shared keys it was said what is wrong. */
static bool read_input_keys(struct rule_build *build, struct rule_input *input, const struct yaml_node *own,
                            const struct yaml_node *shared, bool *said)
{
    struct rule *rule = build->rule;
    const struct yaml_node *node = own != NULL ? own : shared;
    if (own != NULL && (!check_form(build, own) || !own_keys_agree(build, own, shared)))
        return false;
    struct group_key *keys = arena_zalloc(build->loader->arena, (rule->group_count + 1) * sizeof *keys);
    bool good = true;
    for (size_t i = 0; i < rule->group_count; i++) {
        if (own != NULL || !said[i]) {
            bool known = read_key(build, node, own_index(node, shared, i), input, &keys[i]);
            said[i] |= own == NULL && !known;
            good &= known;
        }
        keys[i].name = rule->group[i].name;
    }
    input->group = keys;
    return good;
}

void rule_group_read(struct rule_build *build, const struct yaml_node *detect)
{
    struct rule *rule = build->rule;
    const struct yaml_node *shared = yaml_get(detect, "group_by");
    build->group_known = shared == NULL || check_form(build, shared);
    if (!build->group_known)
        return;
    rule->group_count = shared != NULL ? shared->count : 0;
    struct group_key *keys = arena_zalloc(build->loader->arena, (rule->group_count + 1) * sizeof *keys);
    for (size_t i = 0; i < rule->group_count; i++)
        keys[i] = (struct group_key){
            .name = shared->kind == YAML_MAPPING ? shared->keys[i]->text : shared->items[i]->text, .field = -1};
    rule->group = keys;
    bool first = true;
    bool said[RULE_GROUP_KEYS_MAX] = {false};
    for (size_t i = 0; i < rule->input_count; i++) {
        struct rule_input *input = &rule->inputs[i];
        const struct yaml_node *own = yaml_get(build->input_nodes[i], "group_by");
        input->group = keys;
        if (input->stream == NULL || !read_input_keys(build, input, own, shared, said))
            continue;
        if (first && own == NULL) {
            rule->group = input->group;
            first = false;
        }
    }
    /* What reads a misspelt key by its right name is right. */
    for (size_t i = 0; i < rule->group_count; i++)
        build->group_known &= !said[i];
}
