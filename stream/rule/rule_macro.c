/* Macros that no rule uses. A macro has a meaning only where it stands, so such a one is tried in every place where it
 * could stand: over an event of each stream, and over a rule's outputs, where names that are not known may be those of
 * inputs. What fits nowhere is an error. */
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
    } else if (trial->stream == NULL && !str_is(name, "event") && memchr(name.p, '.', name.n) == NULL) {
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
static size_t sense(const struct rule_file *file, const struct yaml_node *node, const struct stream *stream,
                    struct cel_error *err)
{
    struct arena scratch = {0};
    struct trial trial = {file, stream};
    struct cel_env env = {.context = &trial, .name = trial_name, .call = trial_call};
    const struct cel *cel;
    bool good = cel_compile(&scratch, node->text, &env, TYPE_ANY, &cel, err) == 0;
    arena_fini(&scratch);
    return good ? node->text.n + 1 : err->offset;
}

static void check_macro(struct loader *loader, const struct rule_file *file, const struct yaml_node *node)
{
    struct cel_error best;
    size_t farthest = sense(file, node, NULL, &best);
    for (int id = 0; id < STREAM_COUNT && farthest <= node->text.n; id++) {
        struct cel_error err;
        size_t at = sense(file, node, stream_get((enum stream_id)id), &err);
        if (at <= farthest)
            continue;
        farthest = at;
        best = err;
    }
    if (farthest <= node->text.n)
        diagnostic_within(loader->diagnostics, node, best.offset, NULL, "%s", best.error.message);
}

void rule_macros_check(struct loader *loader)
{
    for (size_t i = 0; i < loader->file_count; i++) {
        const struct rule_file *file = loader->files[i];
        struct map_entry *entry;
        for (size_t at = 0; map_next(&file->macros, &at, &entry);)
            if (map_get(&file->used, entry->key) == NULL)
                check_macro(loader, file, entry->value);
    }
}
