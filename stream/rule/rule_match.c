/* `match`: YAML scalars read as the type of the field that they are compared with. */
#include "rule/rule_load.h"

int rule_field_find(struct diagnostics *diagnostics, const struct yaml_node *at, const struct stream *stream,
                    struct str name)
{
    int field = stream_field_find(stream, name);
    if (field >= 0)
        return field;
    const char *names[STREAM_FIELDS_MAX + 1] = {0};
    for (int i = 0; i < stream->field_count; i++)
        names[i] = stream->fields[i].name;
    diagnostic_at(diagnostics, at, false, "stream '%s' has no field '%.*s'%s", stream->name, STR_ARG(name),
                  diagnostics_full(diagnostics) ? ""
                                                : check_suggest(diagnostics->arena, name, names, "its fields are "));
    return -1;
}

static bool read_enum(struct diagnostics *diagnostics, const struct yaml_node *node, const struct stream_field *field,
                      struct value *value)
{
    const char *symbol = stream_symbol(field, node->text);
    if (symbol == NULL) {
        diagnostic_at(diagnostics, node, false, "unknown %s '%.*s'%s", field->name, STR_ARG(node->text),
                      check_suggest(diagnostics->arena, STR_LIT(""), field->symbols, "known are "));
        return false;
    }
    *value = value_text(symbol);
    return true;
}

static bool read_time(struct diagnostics *diagnostics, const struct yaml_node *node, struct value *value)
{
    int64_t ms = 0;
    if (!time_parse_ms(node->text, &ms)) {
        diagnostic_at(diagnostics, node, false, "'%.*s' is no time; write one such as 2024-05-06T07:08:09Z",
                      STR_ARG(node->text));
        return false;
    }
    *value = value_time_ms(ms);
    return true;
}

bool field_value_read(struct arena *arena, struct diagnostics *diagnostics, const struct yaml_node *node,
                      const struct stream_field *field, struct value *value)
{
    if (node->kind != YAML_SCALAR) {
        diagnostic_at(diagnostics, node, false, "'%s' takes a single value here", field->name);
        return false;
    }
    if (yaml_is_null(node)) {
        *value = value_null();
        if (!field->nullable)
            diagnostic_at(diagnostics, node, false, "'%s' is never null", field->name);
        return field->nullable;
    }
    int64_t number = 0;
    switch (field->kind) {
    case FIELD_STRING:
        *value = value_str(arena_str(arena, node->text));
        return true;
    case FIELD_ENUM:
        return read_enum(diagnostics, node, field, value);
    case FIELD_TIME:
        return read_time(diagnostics, node, value);
    case FIELD_SPAN:
        if (!check_duration(diagnostics, node, field->name, &number))
            return false;
        *value = value_span_ms(number);
        return true;
    case FIELD_INT:
        if (!check_int(diagnostics, node, field->name, INT64_MIN, INT64_MAX, &number))
            return false;
        *value = value_int(number);
        return true;
    case FIELD_DOUBLE: {
        double d = 0;
        if (!check_double(diagnostics, node, field->name, &d))
            return false;
        *value = value_double(d);
        return true;
    }
    case FIELD_BOOL: {
        bool b = false;
        if (!check_bool(diagnostics, node, field->name, &b))
            return false;
        *value = value_bool(b);
        return true;
    }
    case FIELD_STRINGS:
    case FIELD_LABELS:
    case FIELD_MAP:
        break;
    }
    diagnostic_at(diagnostics, node, false, "'%s' is a %s and takes no single value", field->name,
                  field->kind == FIELD_STRINGS ? "list" : "map");
    return false;
}

/* The term of one field: a scalar, or a list of them. */
static bool read_term(struct rule_build *build, const struct yaml_node *node, const struct stream_field *field,
                      struct match_term *term)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    struct arena *arena = build->loader->arena;
    if (field->kind == FIELD_STRINGS || field->kind == FIELD_LABELS || field->kind == FIELD_MAP) {
        diagnostic_at(diagnostics, node, false, "'%s' is a %s; match compares single values, so write where: %s",
                      field->name, field->kind == FIELD_STRINGS ? "list" : "map",
                      field->kind == FIELD_STRINGS ? "\"'x' in event.code_refs\"" : "\"event.labels['key'] == 'x'\"");
        return false;
    }
    if (node->kind == YAML_MAPPING || (node->kind == YAML_SEQUENCE && node->count == 0)) {
        diagnostic_at(diagnostics, node, false, "'%s' must be a value or a list of values, not %s", field->name,
                      node->kind == YAML_MAPPING ? "a mapping" : "an empty list, which nothing matches");
        return false;
    }
    bool one = node->kind == YAML_SCALAR;
    size_t count = one ? 1 : node->count;
    struct value *values = arena_alloc(arena, count * sizeof *values);
    bool good = true;
    for (size_t i = 0; i < count; i++)
        good &= field_value_read(arena, diagnostics, one ? node : node->items[i], field, &values[i]);
    term->values = values;
    term->count = count;
    return good;
}

void rule_match_read(struct rule_build *build, const struct yaml_node *node, struct rule_input *input)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    if (!check_map(diagnostics, node, "match") || input->stream == NULL || node->count == 0)
        return;
    struct match_term *terms = arena_zalloc(build->loader->arena, node->count * sizeof *terms);
    size_t count = 0;
    for (size_t i = 0; i < node->count; i++) {
        int field = rule_field_find(diagnostics, node->keys[i], input->stream, node->keys[i]->text);
        if (field < 0)
            continue;
        terms[count].field = field;
        if (input->updates && input->stream->fields[field].derived)
            diagnostic_at(diagnostics, node->keys[i], false,
                          "'%s' is a row's; an input with updates: true reads records",
                          input->stream->fields[field].name);
        if (read_term(build, node->items[i], &input->stream->fields[field], &terms[count]))
            count++;
    }
    input->match = terms;
    input->match_count = count;
}
