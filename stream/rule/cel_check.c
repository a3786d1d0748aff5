/* The checker: resolves names against the environment, types what can be typed, and folds constants.
 *
 * An expression that cannot be right for any event is refused with the place and what would be right. What is not known
 * until evaluation is TYPE_ANY and passes. Recursive over a tree whose height the parser bounds.
 */
#include "rule/cel_check.h"

struct cel_code *cel_code_new(struct cel_checker *ck, enum cel_op op, const struct cel_node *node, size_t n)
{
    struct cel_code *code = arena_zalloc(ck->arena, sizeof *code);
    code->op = (uint8_t)op;
    code->n = (uint16_t)n;
    code->offset = node->offset;
    code->type = cel_type_of(TYPE_ANY);
    code->kids = arena_zalloc(ck->arena, n * sizeof(struct cel_code *));
    return code;
}

bool cel_is_constant(const struct cel_code *code)
{
    return code->op == CEL_CONSTANT;
}

static void make_constant(struct cel_code *code, struct value value)
{
    code->op = CEL_CONSTANT;
    code->n = 0;
    code->constant = value;
    code->type = cel_type_of(value.type == VALUE_ERROR ? TYPE_ANY : value.type);
    if (value.type != VALUE_LIST || value.n == 0)
        return;
    code->type.element = value.items[0].type;
    for (uint32_t i = 1; i < value.n; i++)
        if (value.items[i].type != value.items[0].type)
            code->type.element = TYPE_ANY;
}

int cel_fold(struct cel_checker *ck, struct cel_code *code)
{
    for (uint16_t i = 0; i < code->n; i++)
        if (!cel_is_constant(code->kids[i]) || code->kids[i]->constant.type == VALUE_ERROR)
            return 0;
    return cel_compute(ck, code);
}

int cel_compute(struct cel_checker *ck, struct cel_code *code)
{
    struct cel_frame frame = {.arena = ck->arena, .allowance = &ck->folding};
    struct cel_run run = cel_run_of(&frame);
    if (run.steps < 0)
        return 0;
    struct value value = cel_run_code(&run, code);
    ck->folding = (struct cel_allowance){run.steps, run.bytes};
    if (cel_is_too_large(value))
        return 0;
    if (!cel_is_error(value))
        make_constant(code, value);
    else if (!ck->env->unchecked)
        return cel_fail(ck->err, code->offset, "%.*s", STR_ARG(value_as_str(value)));
    return 0;
}

static void add_slot(struct cel_checker *ck, int slot)
{
    struct cel *cel = ck->cel;
    for (size_t i = 0; i < cel->n_slots; i++)
        if (cel->slots[i] == slot)
            return;
    /* Doubles at powers of two; what is outgrown stays in the arena. */
    if ((cel->n_slots & (cel->n_slots - 1)) == 0) {
        int *slots = arena_alloc(ck->arena, (cel->n_slots == 0 ? 1 : cel->n_slots * 2) * sizeof(int));
        if (cel->n_slots > 0)
            memcpy(slots, cel->slots, cel->n_slots * sizeof(int));
        cel->slots = slots;
    }
    cel->slots[cel->n_slots++] = slot;
}

int cel_check_meaning(struct cel_checker *ck, const struct cel_node *node, const struct cel_name *meaning,
                      struct cel_code **out)
{
    struct cel_code *code = cel_code_new(ck, CEL_CONSTANT, node, 0);
    *out = code;
    switch (meaning->kind) {
    case CEL_NAME_CONSTANT:
        make_constant(code, meaning->constant);
        return 0;
    case CEL_NAME_SLOT:
        code->op = CEL_SLOT;
        code->index = meaning->slot;
        code->type = meaning->type;
        add_slot(ck, meaning->slot);
        return 0;
    case CEL_NAME_EVENT:
        return cel_fail(ck->err, node->offset, "%.*s is the whole event; name one of its fields, as in %.*s.service",
                        STR_ARG(node->text), STR_ARG(node->text));
    default:
        return cel_fail(ck->err, node->offset, "%.*s cannot stand here", STR_ARG(node->text));
    }
}

/* The name nearest to `name` among `names`, NULL-terminated; NULL: none is near. */
static const char *nearest(struct str name, const char *const *names)
{
    const char *best = NULL;
    int limit = name.n <= 3 ? 1 : name.n <= 7 ? 2 : 3;
    for (; names != NULL && *names != NULL; names++) {
        int distance = str_distance(name, str_of(*names), limit);
        if (distance <= limit) {
            best = *names;
            limit = distance - 1;
        }
    }
    return best;
}

/* Type names are values: `type(x) == int`. */
static bool type_constant(struct str name, struct value *value)
{
    for (int type = VALUE_NULL; type < VALUE_ERROR; type++)
        if (str_is(name, value_type_name(type))) {
            *value = value_text(value_type_name(type));
            value->type = VALUE_TYPE;
            return true;
        }
    return false;
}

/* What a name (of a node: for its place) means outside comprehensions; CEL_NAME_NONE when nothing. */
static struct cel_name resolve(struct cel_checker *ck, struct str name)
{
    struct cel_name meaning = ck->env->name(ck->env->context, name);
    if (meaning.kind == CEL_NAME_NONE && type_constant(name, &meaning.constant))
        meaning.kind = CEL_NAME_CONSTANT;
    return meaning;
}

static const struct cel_scope *find_variable(const struct cel_checker *ck, const struct cel_node *node)
{
    for (const struct cel_scope *scope = ck->scope; scope != NULL && !node->root; scope = scope->outer)
        if (str_eq(scope->name, node->text))
            return scope;
    return NULL;
}

static int check_name(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    const struct cel_scope *variable = find_variable(ck, node);
    if (variable != NULL) {
        *out = cel_code_new(ck, CEL_VARIABLE, node, 0);
        (*out)->index = variable->index;
        (*out)->type = variable->type;
        return 0;
    }
    struct cel_name meaning = resolve(ck, node->text);
    if (meaning.kind != CEL_NAME_NONE)
        return cel_check_meaning(ck, node, &meaning, out);
    const char *near = nearest(node->text, ck->env->known_names);
    if (near != NULL)
        return cel_fail(ck->err, node->offset, "unknown name %.*s; did you mean %s?", STR_ARG(node->text), near);
    if (cel_function_find(node->text, FUNCTION_CALL) != NULL)
        return cel_fail(ck->err, node->offset, "%.*s is a function: %.*s(...)", STR_ARG(node->text),
                        STR_ARG(node->text));
    static const char *const foreign[][2] = {{"nil", "null"},    {"None", "null"},  {"NULL", "null"},
                                             {"Null", "null"},   {"True", "true"},  {"TRUE", "true"},
                                             {"False", "false"}, {"FALSE", "false"}};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (str_is(node->text, foreign[i][0]))
            return cel_fail(ck->err, node->offset, "unknown name %s; did you mean %s?", foreign[i][0], foreign[i][1]);
    return cel_fail(ck->err, node->offset, "unknown name %.*s", STR_ARG(node->text));
}

static struct cel_type field_type(const struct stream_field *field)
{
    static const uint8_t types[] = {
        [FIELD_STRING] = VALUE_STRING, [FIELD_ENUM] = VALUE_STRING, [FIELD_TIME] = VALUE_TIMESTAMP,
        [FIELD_SPAN] = VALUE_DURATION, [FIELD_INT] = VALUE_INT,     [FIELD_DOUBLE] = VALUE_DOUBLE,
        [FIELD_STRINGS] = VALUE_LIST,  [FIELD_LABELS] = VALUE_MAP,  [FIELD_MAP] = VALUE_MAP,
        [FIELD_BOOL] = VALUE_BOOL};
    struct cel_type type = cel_type_of(types[field->kind]);
    if (field->kind == FIELD_STRINGS || field->kind == FIELD_LABELS)
        type.element = VALUE_STRING;
    if (field->kind == FIELD_ENUM)
        type.symbols = field->symbols;
    return type;
}

/* The field of that name; -1 with err, which suggests one, when the stream has none. */
static int find_field(struct cel_checker *ck, size_t offset, const struct stream *stream, struct str name, int *field)
{
    *field = stream_field_find(stream, name);
    if (*field >= 0)
        return 0;
    const char *names[STREAM_FIELDS_MAX + 1] = {NULL};
    for (int i = 0; i < stream->field_count; i++)
        names[i] = stream->fields[i].name;
    const char *near = nearest(name, names);
    if (near != NULL)
        return cel_fail(ck->err, offset, "the stream %s has no field %.*s; did you mean %s?", stream->name,
                        STR_ARG(name), near);
    struct buf list = {0};
    for (int i = 0; i < stream->field_count; i++)
        buf_printf(&list, "%s%s", i > 0 ? " " : "", names[i]);
    (void)cel_fail(ck->err, offset, "the stream %s has no field %.*s; it has %.*s", stream->name, STR_ARG(name),
                   STR_ARG(buf_str(&list)));
    buf_fini(&list);
    return -1;
}

/* event.NAME, the stream's number given (STREAM_COUNT: any). */
static int check_event_field(struct cel_checker *ck, const struct cel_node *node, int stream, struct str name,
                             struct cel_code **out)
{
    struct cel_code *code = cel_code_new(ck, CEL_FIELD, node, 0);
    *out = code;
    if (stream < 0 || stream >= STREAM_COUNT) {
        code->op = CEL_FIELD_NAMED;
        code->constant = value_str(name);
        ck->cel->fields = ~(field_mask)0;
        return 0;
    }
    int field;
    TRY(find_field(ck, node->offset, stream_get(stream), name, &field));
    code->index = field;
    code->type = field_type(&stream_get(stream)->fields[field]);
    ck->cel->fields |= FIELD_BIT(field);
    return 0;
}

/* NOLINTBEGIN(misc-no-recursion): the tree is at most CEL_DEPTH_MAX high. */
/* The dotted name that a chain of selections spells, where it is one: `a.b.c`. */
static bool dotted_name(const struct cel_checker *ck, const struct cel_node *node, struct buf *name)
{
    if (node->op == CEL_SELECT) {
        if (!dotted_name(ck, node->kids[0], name))
            return false;
        buf_printf(name, ".%.*s", STR_ARG(node->text));
        return true;
    }
    if (node->op != CEL_NAME || find_variable(ck, node) != NULL)
        return false;
    buf_str_put(name, node->text);
    return true;
}

/* The node is a name, plain or dotted, of the event. */
static bool is_event(struct cel_checker *ck, const struct cel_node *node, int *stream)
{
    if (node->op != CEL_NAME || find_variable(ck, node) != NULL)
        return false;
    struct cel_name meaning = resolve(ck, node->text);
    *stream = (int)meaning.type.stream;
    return meaning.kind == CEL_NAME_EVENT;
}

/* `left.name` where left is checked: a map's member, or the field of an event that a slot holds. */
static int check_member(struct cel_checker *ck, const struct cel_node *node, struct cel_code *code)
{
    struct cel_type type = code->kids[0]->type;
    code->constant = value_str(node->text);
    if (type.type == VALUE_MAP && type.stream >= 0 && type.stream < STREAM_COUNT) {
        int field;
        const struct stream *stream = stream_get((enum stream_id)type.stream);
        TRY(find_field(ck, node->offset, stream, node->text, &field));
        code->event_like = true;
        code->type = field_type(&stream->fields[field]);
        return 0;
    }
    if (type.type == VALUE_MAP)
        code->type = cel_type_of(type.element);
    else if (type.type != TYPE_ANY && !ck->env->unchecked)
        return cel_fail(ck->err, node->offset, "%s has no fields", cel_a_type(type.type));
    return 0;
}

static int check_select(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    struct buf dotted = {0};
    struct cel_name meaning = {.kind = CEL_NAME_NONE};
    if (dotted_name(ck, node, &dotted))
        meaning = resolve(ck, buf_str(&dotted));
    buf_fini(&dotted);
    if (meaning.kind != CEL_NAME_NONE)
        return cel_check_meaning(ck, node, &meaning, out);
    int stream;
    if (is_event(ck, node->kids[0], &stream))
        return check_event_field(ck, node, stream, node->text, out);
    struct cel_code *left = NULL;
    TRY(cel_check(ck, node->kids[0], &left));
    *out = cel_code_new(ck, CEL_SELECT, node, 1);
    (*out)->kids[0] = left;
    TRY(check_member(ck, node, *out));
    return cel_fold(ck, *out);
}

static int check_has(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    struct cel_code *code = cel_code_new(ck, CEL_HAS, node, 1);
    struct cel_code *kid;
    int stream;
    *out = code;
    if (is_event(ck, node->kids[0], &stream)) {
        TRY(check_event_field(ck, node, stream, node->text, &kid));
        code->kids[0] = kid;
        code->index = 1; /* the kid is the field itself */
    } else {
        TRY(cel_check(ck, node->kids[0], &kid));
        code->kids[0] = kid;
        TRY(check_member(ck, node, code));
    }
    code->type = cel_type_of(VALUE_BOOL);
    return code->index == 1 ? 0 : cel_fold(ck, code);
}

static int check_index(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    int stream;
    if (is_event(ck, node->kids[0], &stream) && node->kids[1]->op == CEL_CONSTANT &&
        node->kids[1]->constant.type == VALUE_STRING)
        return check_event_field(ck, node, stream, value_as_str(node->kids[1]->constant), out);
    struct cel_code *kids[2];
    TRY(cel_check(ck, node->kids[0], &kids[0]));
    TRY(cel_check(ck, node->kids[1], &kids[1]));
    struct cel_code *code = cel_code_new(ck, CEL_INDEX, node, 2);
    *out = code;
    code->kids[0] = kids[0];
    code->kids[1] = kids[1];
    struct cel_type type = kids[0]->type;
    int key = kids[1]->type.type;
    if (!ck->env->unchecked && type.type != TYPE_ANY && type.type != VALUE_LIST && type.type != VALUE_MAP)
        return cel_fail(ck->err, node->offset, "%s has no elements", cel_a_type(type.type));
    if (!ck->env->unchecked && type.type == VALUE_LIST && key != TYPE_ANY && key != VALUE_INT && key != VALUE_UINT &&
        key != VALUE_DOUBLE)
        return cel_fail(ck->err, kids[1]->offset, "a list's elements are numbered from 0; this is %s", cel_a_type(key));
    code->type = cel_type_of(type.type == VALUE_LIST || type.type == VALUE_MAP ? type.element : TYPE_ANY);
    if (type.type == VALUE_LIST && type.element == VALUE_MAP)
        code->type.stream = type.stream;
    return cel_fold(ck, code);
}

/* The constant must be one of the symbols; a list of constants likewise. */
static int check_symbols(struct cel_checker *ck, const char *const *symbols, const struct cel_code *code)
{
    if (code->op == CEL_LIST) {
        for (uint16_t i = 0; i < code->n; i++)
            TRY(check_symbols(ck, symbols, code->kids[i]));
        return 0;
    }
    if (!cel_is_constant(code) || symbols == NULL)
        return 0;
    bool list = code->constant.type == VALUE_LIST;
    uint32_t n = list ? code->constant.n : 1;
    for (uint32_t i = 0; i < n; i++) {
        struct value v = list ? code->constant.items[i] : code->constant;
        const char *const *symbol = symbols;
        while (*symbol != NULL && v.type == VALUE_STRING && !str_is(value_as_str(v), *symbol))
            symbol++;
        if (*symbol != NULL)
            continue;
        struct buf known = {0};
        for (symbol = symbols; *symbol != NULL; symbol++)
            buf_printf(&known, "%s'%s'", symbol == symbols ? "" : ", ", *symbol);
        (void)cel_fail(ck->err, code->offset, "'%.*s' is never the field's value; it is one of %.*s",
                       STR_ARG(value_as_str(v)), STR_ARG(buf_str(&known)));
        buf_fini(&known);
        return -1;
    }
    return 0;
}

static int wrong_operands(struct cel_checker *ck, const struct cel_code *code)
{
    const char *left = cel_type_name(code->kids[0]->type.type);
    const char *right = cel_type_name(code->kids[1]->type.type);
    if (code->op == CEL_EQ || code->op == CEL_NE)
        return cel_fail(ck->err, code->offset, "%s never equals %s", cel_a_type(code->kids[0]->type.type),
                        cel_a_type(code->kids[1]->type.type));
    if (code->op == CEL_IN)
        return cel_fail(ck->err, code->kids[1]->offset, "'in' looks into a list or a map, not %s",
                        cel_a_type(code->kids[1]->type.type));
    return cel_fail(ck->err, code->offset, "%s %s %s: there is no such operation", left, cel_op_text(code->op), right);
}

/* `event.FIELD < constant`, the usual comparison, becomes one step. An int constant met by a double field is made a
 * double, where that is exact. */
static void specialise(struct cel_code *code)
{
    const struct cel_code *field = code->kids[0];
    const struct cel_code *constant = code->kids[1];
    if (code->op < CEL_LT || code->op > CEL_NE || field->op != CEL_FIELD || constant->op != CEL_CONSTANT)
        return;
    code->constant = constant->constant;
    const int64_t exact = INT64_C(1) << 53;
    struct value v = constant->constant;
    if (field->type.type == VALUE_DOUBLE && v.type == VALUE_INT && v.i > -exact && v.i < exact)
        code->constant = value_double((double)v.i);
    code->test = code->op;
    code->op = CEL_FIELD_TEST;
    code->index = field->index;
}

static int check_binary(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    struct cel_code *kids[2];
    struct cel_code *code = cel_code_new(ck, node->op, node, 2);
    *out = code;
    for (int i = 0; i < 2; i++) {
        TRY(cel_check(ck, node->kids[i], &kids[i]));
        code->kids[i] = kids[i];
    }
    struct cel_type a = kids[0]->type;
    struct cel_type b = kids[1]->type;
    int type = cel_binary_type(node->op, a.type, b.type);
    bool checked = !ck->env->unchecked;
    if (type < 0 && checked)
        return wrong_operands(ck, code);
    code->type = cel_type_of(type < 0 ? TYPE_ANY : type);
    if (node->op == CEL_ADD && type == VALUE_LIST && a.element == b.element)
        code->type.element = a.element;
    bool compares = node->op >= CEL_LT && node->op <= CEL_IN;
    if (compares && checked) {
        if (kids[1]->type.type != VALUE_NULL && a.symbols != NULL)
            TRY(check_symbols(ck, a.symbols, kids[1]));
        if (kids[0]->type.type != VALUE_NULL && b.symbols != NULL)
            TRY(check_symbols(ck, b.symbols, kids[0]));
        if (node->op == CEL_IN && b.type == VALUE_LIST && cel_binary_type(CEL_EQ, a.type, b.element) < 0)
            return cel_fail(ck->err, node->offset, "%s is never in a list of %s", cel_a_type(a.type),
                            cel_type_name(b.element));
    }
    TRY(cel_fold(ck, code));
    specialise(code);
    return 0;
}

int cel_check_bool(struct cel_checker *ck, const struct cel_code *kid, enum cel_op op)
{
    int type = kid->type.type;
    if (ck->env->unchecked || type == TYPE_ANY || type == VALUE_BOOL)
        return 0;
    return cel_fail(ck->err, kid->offset, "%s takes a bool; this is %s", cel_op_text(op), cel_a_type(type));
}

static int check_logic(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    struct cel_code *code = cel_code_new(ck, node->op, node, node->n);
    *out = code;
    for (uint32_t i = 0; i < node->n; i++) {
        struct cel_code *kid;
        TRY(cel_check(ck, node->kids[i], &kid));
        code->kids[i] = kid;
        if (node->op != CEL_IF || i == 0)
            TRY(cel_check_bool(ck, kid, node->op));
    }
    code->type = cel_type_of(VALUE_BOOL);
    if (node->op == CEL_IF) {
        struct cel_type yes = code->kids[1]->type;
        struct cel_type no = code->kids[2]->type;
        code->type = yes.type == no.type ? yes : cel_type_of(TYPE_ANY);
        if (no.element != yes.element)
            code->type.element = TYPE_ANY;
        if (no.stream != yes.stream)
            code->type.stream = -1;
        if (no.symbols != yes.symbols)
            code->type.symbols = NULL;
    }
    return cel_fold(ck, code);
}

static int check_negate(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    struct cel_code *kid;
    TRY(cel_check(ck, node->kids[0], &kid));
    *out = cel_code_new(ck, CEL_NEGATE, node, 1);
    (*out)->kids[0] = kid;
    int type = kid->type.type;
    if (type == VALUE_INT || type == VALUE_DOUBLE || type == VALUE_DURATION)
        (*out)->type = cel_type_of(type);
    else if (type != TYPE_ANY && !ck->env->unchecked)
        return cel_fail(ck->err, node->offset, "- takes an int, a double or a duration; this is %s", cel_a_type(type));
    return cel_fold(ck, *out);
}

static int check_items(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    struct cel_code *code = cel_code_new(ck, node->op, node, node->n);
    *out = code;
    bool map = node->op == CEL_MAP;
    int element = -1;
    for (uint32_t i = 0; i < node->n; i++) {
        struct cel_code *kid;
        TRY(cel_check(ck, node->kids[i], &kid));
        code->kids[i] = kid;
        if (!map || i % 2 == 1)
            element = element == -1 || element == kid->type.type ? kid->type.type : TYPE_ANY;
    }
    code->type = cel_type_of(map ? VALUE_MAP : VALUE_LIST);
    if (element >= 0)
        code->type.element = (uint8_t)element;
    return cel_fold(ck, code);
}

static int check(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    switch ((enum cel_op)node->op) {
    case CEL_CONSTANT:
        *out = cel_code_new(ck, CEL_CONSTANT, node, 0);
        make_constant(*out, node->constant);
        return 0;
    case CEL_NAME:
        return check_name(ck, node, out);
    case CEL_SELECT:
        return check_select(ck, node, out);
    case CEL_HAS:
        return check_has(ck, node, out);
    case CEL_INDEX:
        return check_index(ck, node, out);
    case CEL_CALL:
    case CEL_METHOD:
        return cel_check_call(ck, node, out);
    case CEL_LIST:
    case CEL_MAP:
        return check_items(ck, node, out);
    case CEL_NOT:
    case CEL_AND:
    case CEL_OR:
    case CEL_IF:
        return check_logic(ck, node, out);
    case CEL_NEGATE:
        return check_negate(ck, node, out);
    case CEL_ALL:
    case CEL_EXISTS:
    case CEL_EXISTS_ONE:
    case CEL_MAPPED:
    case CEL_FILTER:
        return cel_check_loop(ck, node, out);
    default:
        return check_binary(ck, node, out);
    }
}

int cel_check(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    if (check(ck, node, out) == 0)
        return 0;
    if (!ck->env->unchecked)
        return -1;
    struct str message = arena_str(ck->arena, str_of(ck->err->error.message));
    *out = cel_code_new(ck, CEL_CONSTANT, node, 0);
    make_constant(*out, cel_error_text(message.p));
    return 0;
}
/* NOLINTEND(misc-no-recursion) */
