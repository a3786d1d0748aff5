/* What is wrong with an expression, in the words of who writes rules. A macro that makes sense nowhere is what is
 * wrong, and not the places of its use. */
#include "rule/rule_load.h"

#include <ctype.h>

static bool identifier_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

struct str rule_identifier_at(struct str text, size_t offset)
{
    size_t end = offset;
    while (end < text.n && identifier_char(text.p[end]))
        end++;
    return offset < text.n ? (struct str){text.p + offset, end - offset} : (struct str){NULL, 0};
}

/* The name that the compiler does not know, by its message; empty where that is not what is wrong. */
static struct str unknown_name(const struct cel_error *err, bool *call)
{
    struct str words = str_of(err->error.message);
    struct str name = STR_LIT("unknown name ");
    struct str function = STR_LIT("unknown function ");
    *call = str_starts(words, function);
    if (*call || str_starts(words, name))
        return rule_identifier_at(words, *call ? function.n : name.n);
    return (struct str){NULL, 0};
}

/* What a rule's writer who used a name that is not known most likely meant, else the compiler's own words. */
static const char *better_words(const struct scope *scope, const struct yaml_node *node, const struct cel_error *err)
{
    struct arena *arena = scope->build->loader->diagnostics->arena;
    bool call;
    struct str name = unknown_name(err, &call);
    if (name.n == 0)
        return err->error.message;
    bool method = err->offset > 0 && node->text.p[err->offset - 1] == '.';
    bool suggested = strstr(err->error.message, "; did you mean") != NULL;
    const char *near = call && !method && scope->kind == SCOPE_OUTPUT
                           ? aggregate_suggest(scope->build, name, suggested ? NULL : "functions over inputs are ")
                           : "";
    if (*near != '\0')
        return arena_printf(arena, "unknown function %.*s()%s", STR_ARG(name), near);
    if (call)
        return err->error.message;
    if (rule_find_input(scope->build->rule, name) >= 0) {
        if (scope->steps != NULL)
            return arena_printf(arena,
                                "'%.*s' is no step before this one; here the event is 'event', and earlier steps "
                                "are read by their names",
                                STR_ARG(name));
        if (scope->kind == SCOPE_OUTPUT && scope->build->rule->type == DETECTOR_SEQUENCE)
            return arena_printf(arena,
                                "'%.*s' is an input and no step that takes events; those are read by their names",
                                STR_ARG(name));
        if (scope->kind == SCOPE_OUTPUT)
            return arena_printf(arena, "'%.*s' is an input; write count(%.*s)", STR_ARG(name), STR_ARG(name));
        return arena_printf(arena, "'%.*s' is an input; %s", STR_ARG(name),
                            scope->kind == SCOPE_EVENT ? "here one of its events is 'event'"
                                                       : "met sees only before and after");
    }
    if (str_is(name, "event") && scope->kind == SCOPE_OUTPUT)
        return "there is no one event here; write a function over an input, such as max(INPUT, event.value)";
    if (scope->kind == SCOPE_EVENT && stream_field_find(scope->stream, name) >= 0)
        return arena_printf(arena, "unknown name %.*s; did you mean event.%.*s?", STR_ARG(name), STR_ARG(name));
    return err->error.message;
}

void scope_report(struct scope *scope, const struct yaml_node *node, const struct cel_error *err)
{
    struct rule_file *file = scope->build->file;
    struct diagnostics *diagnostics = scope->build->loader->diagnostics;
    struct str name = rule_identifier_at(node->text, err->offset);
    bool macro = name.n > 0 && map_get(&file->macros, name) != NULL;
    scope->build->unsound = true;
    if (err->error.message[0] == '\0' || (name.n > 0 && map_get(&file->wrong, name) != NULL))
        return;
    if (macro && err->too_large)
        *map_slot(&file->wrong, name) = file;
    /* What is too large by itself is mended first. */
    scope->build->loader->budget.said |= err->too_large;
    if (!macro || err->too_large)
        diagnostic_within(diagnostics, node, err->offset, NULL, "%s", better_words(scope, node, err));
    else if (rule_macro_check(scope->build->loader, file, name))
        diagnostic_within(diagnostics, node, err->offset, NULL, "the macro %.*s does not fit here: %s", STR_ARG(name),
                          better_words(scope, node, err));
}
