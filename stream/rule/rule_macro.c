/* Macros by themselves: those that no rule uses, and those that an expression with a mistake uses. A macro has a
 * meaning only where it stands, so it is tried in every place where it could stand: over an event of each stream, where
 * steps of a sequence may be read, and over a rule's outputs, where names that are not known may be those of inputs.
 * What fits nowhere is an error. */
#include "rule/rule_load.h"

struct trial {
    const struct rule_file *file;
    const struct stream *stream; /* NULL: over outputs */
};

static struct cel_name any_slot(void)
{
    return (struct cel_name){.kind = CEL_NAME_SLOT, .type = {.type = TYPE_ANY, .element = TYPE_ANY, .stream = -1}};
}

static struct cel_name trial_name(void *context, struct str name)
{
    const struct trial *trial = context;
    struct cel_name result = any_slot();
    const struct yaml_node *macro = map_get(&trial->file->macros, name);
    const struct value *list = map_get(&trial->file->lists, name);
    result.kind = CEL_NAME_NONE;
    if (macro != NULL) {
        result.kind = CEL_NAME_MACRO;
        result.macro = macro->text;
    } else if (list != NULL) {
        result.kind = CEL_NAME_CONSTANT;
        result.constant = *list;
        result.type.type = VALUE_LIST;
        result.type.element = VALUE_STRING;
    } else if (trial->stream != NULL && str_is(name, "event")) {
        result.kind = CEL_NAME_EVENT;
        result.type.stream = (int8_t)trial->stream->id;
    } else if (trial->stream != NULL ? map_get(&trial->file->steps, name) != NULL
                                     : !str_is(name, "event") && memchr(name.p, '.', name.n) == NULL) {
        result.kind = CEL_NAME_SLOT;
    }
    return result;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are those of cel_env.call. */
static int trial_call(void *context, struct str function, struct cel_node *const *args, size_t n_args,
                      struct cel_name *out, int *bad_arg, struct error *err)
{
    const struct trial *trial = context;
    (void)args;
    (void)n_args;
    (void)bad_arg;
    (void)err;
    *out = any_slot();
    return trial->stream == NULL && aggregate_is_function(function) ? 0 : 1;
}

/* How far the text makes sense in one place; past its end where all of it does. */
static size_t sense(struct loader *loader, const struct rule_file *file, const struct yaml_node *node,
                    const struct stream *stream, struct cel_error *err)
{
    struct arena scratch = {0};
    bool said = loader->budget.said;
    struct trial trial = {file, stream};
    struct cel_env env = {.context = &trial, .name = trial_name, .call = trial_call, .budget = &loader->budget};
    const struct cel *cel;
    bool good = cel_compile(&scratch, node->text, &env, TYPE_ANY, &cel, err) == 0;
    arena_fini(&scratch);
    loader->budget.said = said;
    return good ? node->text.n + 1 : err->offset;
}

/* The inputs of the file's sequences, which are their steps' names. */
static void find_steps(const struct loader *loader, struct rule_file *file)
{
    if (file->steps_found)
        return;
    file->steps_found = true;
    for (size_t i = 0; i < loader->source_count; i++) {
        const struct yaml_node *type = yaml_get(yaml_get(loader->sources[i].node, "detect"), "type");
        const struct yaml_node *from = yaml_get(loader->sources[i].node, "from");
        if (loader->sources[i].file != file || type == NULL || !str_is(type->text, "sequence"))
            continue;
        for (size_t k = 0; from != NULL && from->kind == YAML_MAPPING && k < from->count; k++)
            *map_slot(&file->steps, from->keys[k]->text) = file;
    }
}

/* False with what is wrong where the macro's text makes most sense. */
static bool makes_sense(struct loader *loader, struct rule_file *file, const struct yaml_node *node,
                        struct cel_error *best)
{
    find_steps(loader, file);
    size_t farthest = sense(loader, file, node, NULL, best);
    for (int id = 0; id < STREAM_COUNT && farthest <= node->text.n; id++) {
        struct cel_error err;
        size_t at = sense(loader, file, node, stream_get((enum stream_id)id), &err);
        if (at <= farthest)
            continue;
        farthest = at;
        *best = err;
    }
    return farthest > node->text.n;
}

bool rule_macro_check(struct loader *loader, struct rule_file *file, struct str name)
{
    const struct yaml_node *node = map_get(&file->macros, name);
    struct cel_error err;
    if (map_get(&file->wrong, name) != NULL)
        return false;
    if (makes_sense(loader, file, node, &err))
        return true;
    /* Where a macro within it is what is wrong, that one is told of; it is one not seen before each time. */
    for (;;) {
        *map_slot(&file->wrong, name) = file;
        name = rule_identifier_at(node->text, err.offset);
        const struct yaml_node *within = name.n > 0 ? map_get(&file->macros, name) : NULL;
        bool circle = str_starts(str_of(err.error.message), STR_LIT("the macro "));
        struct cel_error deeper;
        if (circle || err.too_large)
            break;
        if (name.n > 0 && map_get(&file->wrong, name) != NULL)
            return false;
        if (within == NULL)
            break;
        if (makes_sense(loader, file, within, &deeper))
            break;
        node = within;
        err = deeper;
    }
    if (err.error.message[0] != '\0' && !(err.too_large && file->too_large))
        diagnostic_within(loader->diagnostics, node, err.offset, NULL, "%s", err.error.message);
    file->too_large |= err.too_large;
    loader->budget.said |= err.too_large && loader->budget.parts < 0;
    return false;
}

void rule_macros_check(struct loader *loader)
{
    for (size_t i = 0; i < loader->file_count; i++) {
        struct rule_file *file = loader->files[i];
        struct map_entry *entry;
        for (size_t at = 0; map_next(&file->macros, &at, &entry);)
            if (map_get(&file->used, entry->key) == NULL)
                (void)rule_macro_check(loader, file, entry->key);
    }
}
