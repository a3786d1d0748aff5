/* Templates: the text between expressions is kept as it is; an expression runs from {{ to the }} that closes it, braces
 * and quotes within it counted.
 */
#include "rule/template.h"

struct part {
    struct str text; /* where cel is NULL */
    const struct cel *cel;
};

struct template
{
    size_t n;
    struct part *parts;
};

/* The end of the quoted text at `i` (the place after its closing quote, or the end of the text). Raw strings are read
 * as others are: a backslash right before the quote of a raw string is rarer than an escaped quote. */
static size_t skip_quoted(struct str text, size_t i)
{
    char quote = text.p[i];
    bool triple = i + 2 < text.n && text.p[i + 1] == quote && text.p[i + 2] == quote;
    for (i += triple ? 3 : 1; i < text.n; i++) {
        if (text.p[i] == '\\')
            i++;
        else if (text.p[i] == quote &&
                 (!triple || (i + 2 < text.n && text.p[i + 1] == quote && text.p[i + 2] == quote)))
            return i + (triple ? 3 : 1);
    }
    return text.n;
}

/* The place of the }} that closes an expression beginning at `i`; text.n where there is none. */
static size_t expression_end(struct str text, size_t i)
{
    size_t braces = 0;
    while (i < text.n) {
        char c = text.p[i];
        if (c == '\'' || c == '"') {
            i = skip_quoted(text, i);
            continue;
        }
        if (c == '{')
            braces++;
        else if (c == '}' && braces > 0)
            braces--;
        else if (c == '}' && i + 1 < text.n && text.p[i + 1] == '}')
            return i;
        i++;
    }
    return text.n;
}

/* The place of the next {{ from `i` on; text.n where there is none. */
static size_t expression_start(struct str text, size_t i)
{
    for (; i + 1 < text.n; i++)
        if (text.p[i] == '{' && text.p[i + 1] == '{')
            return i;
    return text.n;
}

static void add_text(struct template *template, struct str text)
{
    if (text.n > 0)
        template->parts[template->n++] = (struct part){.text = text};
}

/* No }} was found: it is missing, or something within is not closed, which the expression up to the next }} tells. */
static int not_closed(struct arena *arena, struct str text, size_t start, const struct cel_env *env,
                      struct cel_error *err)
{
    const struct cel *cel;
    size_t end = start + 2;
    while (end + 1 < text.n && !(text.p[end] == '}' && text.p[end + 1] == '}'))
        end++;
    struct str inside = {text.p + start + 2, end - start - 2};
    if (end + 1 < text.n && cel_compile(arena, inside, env, TYPE_ANY, &cel, err) != 0) {
        err->offset += start + 2;
        return -1;
    }
    err->offset = start;
    return error_set(&err->error, ERROR_BAD_INPUT, "{{ is not closed: }} is missing");
}

int template_compile(struct arena *arena, struct str text, const struct cel_env *env, const struct template **out,
                     struct cel_error *err)
{
    if (text.n > TEMPLATE_TEXT_MAX) {
        err->offset = 0;
        return error_set(&err->error, ERROR_BAD_INPUT, "the text is longer than %d bytes", TEMPLATE_TEXT_MAX);
    }
    text = arena_str(arena, text);
    size_t expressions = 0;
    for (size_t i = expression_start(text, 0); i < text.n; i = expression_start(text, i + 2))
        expressions++;
    struct template *template = arena_zalloc(arena, sizeof *template);
    template->parts = arena_zalloc(arena, (2 * expressions + 1) * sizeof(struct part));
    size_t at = 0;
    for (size_t start; (start = expression_start(text, at)) < text.n;) {
        size_t from = start + 2;
        size_t end = expression_end(text, from);
        if (end == text.n)
            return not_closed(arena, text, start, env, err);
        add_text(template, (struct str){text.p + at, start - at});
        struct part *part = &template->parts[template->n++];
        if (cel_compile(arena, (struct str){text.p + from, end - from}, env, TYPE_ANY, &part->cel, err) != 0) {
            err->offset += from;
            return -1;
        }
        at = end + 2;
    }
    add_text(template, (struct str){text.p + at, text.n - at});
    *out = template;
    return 0;
}

void template_render(const struct template *template, const struct cel_frame *frame, struct buf *out, uint64_t *errors)
{
    for (size_t i = 0; i < template->n; i++) {
        const struct part *part = &template->parts[i];
        if (part->cel == NULL) {
            buf_str_put(out, part->text);
            continue;
        }
        struct value v = cel_eval(part->cel, frame);
        if (v.type == VALUE_ERROR) {
            ++*errors;
            v = value_null();
        }
        value_template(out, v);
    }
}

struct value template_value(const struct template *template, const struct cel_frame *frame, uint64_t *errors)
{
    if (template->n == 1 && template->parts[0].cel != NULL) {
        struct value v = cel_eval(template->parts[0].cel, frame);
        if (v.type != VALUE_ERROR)
            return v;
        ++*errors;
        return value_null();
    }
    struct str constant;
    if (template_is_constant(template, &constant))
        return value_str(constant);
    struct buf text = {0};
    template_render(template, frame, &text, errors);
    struct value v = value_str(arena_str(frame->arena, buf_str(&text)));
    buf_fini(&text);
    return v;
}

struct value template_error(const struct template *template, const struct cel_frame *frame)
{
    for (size_t i = 0; i < template->n; i++) {
        struct value v = template->parts[i].cel != NULL ? cel_eval(template->parts[i].cel, frame) : value_null();
        if (v.type == VALUE_ERROR)
            return v;
    }
    return value_null();
}

bool template_is_constant(const struct template *template, struct str *text)
{
    if (template->n > 1 || (template->n == 1 && template->parts[0].cel != NULL))
        return false;
    *text = template->n == 1 ? template->parts[0].text : (struct str){"", 0};
    return true;
}

void template_slots(const struct template *template, void (*visit)(void *context, int slot), void *context)
{
    for (size_t i = 0; i < template->n; i++)
        if (template->parts[i].cel != NULL)
            cel_slots(template->parts[i].cel, visit, context);
}

field_mask template_event_fields(const struct template *template)
{
    field_mask fields = 0;
    for (size_t i = 0; i < template->n; i++)
        if (template->parts[i].cel != NULL)
            fields |= cel_event_fields(template->parts[i].cel);
    return fields;
}
