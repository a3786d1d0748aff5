/* The parser: recursive descent with precedence climbing, to a syntax tree of bounded height and size.
 *
 * Two bounds keep recursion safe: how deep the parser is in brackets (`depth`), and the height of every node made.
 * Chains of && and of || become one node with many kids, so that long ones stay flat.
 */
#include "rule/cel_node.h"

#include <stdlib.h>

struct parser {
    struct cel_lexer lexer;
    struct cel_token token; /* the one to be read next */
    const struct cel_parse *options;
    struct cel_error *err;
    int depth;
};

/* NOLINTBEGIN(misc-no-recursion): parse_expression bounds the depth by CEL_DEPTH_MAX. */
static int parse_expression(struct parser *p, struct cel_node **out);

static int advance(struct parser *p)
{
    return cel_lex(&p->lexer, &p->token);
}

static bool at_sign(const struct parser *p, int sign)
{
    return p->token.kind == TOKEN_SIGN && p->token.sign == sign;
}

/* What is written here where other languages have a word; NULL: the text is none of those words. */
static const char *foreign_operator(struct str text)
{
    static const char *const words[][2] = {{"and", "&&"},
                                           {"AND", "&&"},
                                           {"or", "||"},
                                           {"OR", "||"},
                                           {"not", "!"},
                                           {"NOT", "!"},
                                           {"is", "=="},
                                           {"IS", "=="},
                                           {"IN", "in"},
                                           {"like", "x.contains('...') or x.matches('...')"},
                                           {"LIKE", "x.contains('...') or x.matches('...')"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_is(text, words[i][0]))
            return words[i][1];
    return NULL;
}

/* "wanted, but read ...". */
static int unexpected(struct parser *p, const char *wanted)
{
    if (p->token.kind == TOKEN_END)
        return cel_fail(p->err, p->token.offset, "%s is missing at the end", wanted);
    if (foreign_operator(p->token.text) != NULL)
        return cel_fail(p->err, p->token.offset, "'%.*s' is no operator; write %s", STR_ARG(p->token.text),
                        foreign_operator(p->token.text));
    int n = p->token.text.n > 40 ? 40 : (int)p->token.text.n;
    return cel_fail(p->err, p->token.offset, "%s is missing before %.*s", wanted, n, p->token.text.p);
}

static int expect(struct parser *p, int sign, const char *wanted)
{
    if (!at_sign(p, sign))
        return unexpected(p, wanted);
    return advance(p);
}

static bool root_is(const struct cel_node *root, const char *name)
{
    struct str text;
    return cel_node_is_name(root, &text) && str_is(text, name);
}

int cel_node_measure(struct cel_node *node, struct cel_error *err)
{
    uint16_t height = 0;
    for (uint32_t i = 0; i < node->n; i++)
        if (node->kids[i]->height > height)
            height = node->kids[i]->height;
    node->height = (uint16_t)(height + 1);
    if (node->height > CEL_DEPTH_MAX)
        return cel_fail_large(err, node->offset, "the expression nests deeper than %d", CEL_DEPTH_MAX);
    return 0;
}

/* A node of `n` kids, which are copied. */
static int make(struct parser *p, enum cel_op op, size_t offset, struct cel_node *const *kids, size_t n,
                struct cel_node **out)
{
    if (++*p->options->nodes > CEL_NODES_MAX)
        return cel_fail_large(p->err, offset, "the expression has more than %d parts, macros included", CEL_NODES_MAX);
    struct cel_node *node = arena_zalloc(p->options->arena, sizeof *node);
    node->op = (uint8_t)op;
    node->offset = p->options->fixed ? p->options->offset : (uint32_t)offset;
    node->n = (uint32_t)n;
    node->kids = arena_alloc(p->options->arena, n * sizeof(struct cel_node *));
    if (n > 0)
        memcpy(node->kids, kids, n * sizeof(struct cel_node *));
    *out = node;
    return cel_node_measure(node, p->err);
}

static int make_constant(struct parser *p, size_t offset, struct value value, struct cel_node **out)
{
    TRY(make(p, CEL_CONSTANT, offset, NULL, 0, out));
    (*out)->constant = value;
    return 0;
}

/* A list of expressions that grows on the heap while it is read. */
struct items {
    struct cel_node **nodes;
    size_t n;
    size_t cap;
};

static void items_add(struct items *items, struct cel_node *node)
{
    items->nodes = mem_grow(items->nodes, items->n, &items->cap, sizeof(struct cel_node *));
    items->nodes[items->n++] = node;
}

static void items_free(struct items *items)
{
    free(items->nodes);
}

/* Expressions between commas up to the sign `close`, which is read too. `pairs`: of a map, key: value. */
static int parse_items(struct parser *p, int close, const char *wanted, bool pairs, bool trailing, struct items *items)
{
    struct cel_node *node = NULL;
    while (!at_sign(p, close)) {
        TRY(parse_expression(p, &node));
        items_add(items, node);
        if (pairs) {
            TRY(expect(p, ':', "':' and the value of the map's key"));
            TRY(parse_expression(p, &node));
            items_add(items, node);
        }
        if (!at_sign(p, ','))
            break;
        TRY(advance(p));
        if (at_sign(p, close) && !trailing)
            return unexpected(p, "an argument");
    }
    return expect(p, close, wanted);
}

static bool is_reserved(struct str name)
{
    static const char *const words[] = {"as",        "break",  "const",  "continue", "else", "for",
                                        "function",  "if",     "import", "let",      "loop", "package",
                                        "namespace", "return", "var",    "void",     "while"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_is(name, words[i]))
            return true;
    return false;
}

/* The macros that run over a list or a map. */
static bool comprehension_op(struct str name, size_t args, enum cel_op *op)
{
    static const struct {
        const char *name;
        enum cel_op op;
        size_t min, max;
    } macros[] = {{"all", CEL_ALL, 2, 2},    {"exists", CEL_EXISTS, 2, 2}, {"exists_one", CEL_EXISTS_ONE, 2, 2},
                  {"map", CEL_MAPPED, 2, 3}, {"filter", CEL_FILTER, 2, 2}, {"existsOne", CEL_EXISTS_ONE, 2, 2}};
    for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
        if (str_is(name, macros[i].name) && args >= macros[i].min && args <= macros[i].max) {
            *op = macros[i].op;
            return true;
        }
    return false;
}

/* kids: receiver and arguments. */
static int make_method(struct parser *p, struct str name, size_t offset, const struct items *items,
                       struct cel_node **out)
{
    enum cel_op op;
    if (!comprehension_op(name, items->n - 1, &op)) {
        TRY(make(p, CEL_METHOD, offset, items->nodes, items->n, out));
        (*out)->text = name;
        return 0;
    }
    struct cel_node *variable = items->nodes[1];
    if (variable->op != CEL_NAME || variable->root)
        return cel_fail(p->err, variable->offset, "%.*s() takes a variable's name first, as in list.%.*s(x, x > 1)",
                        STR_ARG(name), STR_ARG(name));
    struct cel_node *kids[3];
    size_t n = 0;
    for (size_t i = 0; i < items->n && n < 3; i++)
        if (i != 1)
            kids[n++] = items->nodes[i];
    TRY(make(p, op, offset, kids, n, out));
    (*out)->text = variable->text;
    return 0;
}

static int make_call(struct parser *p, struct str name, bool root, size_t offset, const struct items *items,
                     struct cel_node **out)
{
    if (str_is(name, "has") && items->n == 1) {
        const struct cel_node *arg = items->nodes[0];
        if (arg->op != CEL_SELECT)
            return cel_fail(p->err, arg->offset, "has() takes a field, as in has(event.component)");
        TRY(make(p, CEL_HAS, arg->offset, arg->kids, 1, out));
        (*out)->text = arg->text;
        return 0;
    }
    TRY(make(p, CEL_CALL, offset, items->nodes, items->n, out));
    (*out)->text = name;
    (*out)->root = root;
    return 0;
}

/* A name, or a call by that name; the token is the name. */
static int parse_name(struct parser *p, bool root, struct cel_node **out)
{
    struct cel_token name = p->token;
    if (is_reserved(name.text))
        return cel_fail(p->err, name.offset, "'%.*s' is a reserved word", STR_ARG(name.text));
    if (str_is(name.text, "in"))
        return unexpected(p, "the element to look for");
    TRY(advance(p));
    if (!at_sign(p, '(')) {
        TRY(make(p, CEL_NAME, name.offset, NULL, 0, out));
        (*out)->text = name.text;
        (*out)->root = root;
        return 0;
    }
    TRY(advance(p));
    struct items items = {0};
    int status = parse_items(p, ')', "')'", false, false, &items);
    if (status == 0)
        status = make_call(p, name.text, root, name.offset, &items, out);
    items_free(&items);
    return status;
}

/* `true`, `false`, `null`: their value. */
static bool keyword(struct str name, struct value *value)
{
    if (str_is(name, "true") || str_is(name, "false"))
        *value = value_bool(name.n == 4);
    else if (str_is(name, "null"))
        *value = value_null();
    else
        return false;
    return true;
}

/* A bracketed list or map, whose opening bracket is the token. */
static int parse_bracket(struct parser *p, struct cel_node **out)
{
    bool map = p->token.sign == '{';
    size_t offset = p->token.offset;
    struct items items = {0};
    TRY(advance(p));
    int status = map ? parse_items(p, '}', "'}' or ','", true, true, &items)
                     : parse_items(p, ']', "']' or ','", false, true, &items);
    if (status == 0)
        status = make(p, map ? CEL_MAP : CEL_LIST, offset, items.nodes, items.n, out);
    items_free(&items);
    return status;
}

static int parse_primary(struct parser *p, struct cel_node **out)
{
    struct cel_token token = p->token;
    struct value value = token.value;
    bool root = at_sign(p, '.');
    if (root) {
        TRY(advance(p));
        return p->token.kind == TOKEN_NAME ? parse_name(p, true, out) : unexpected(p, "a name");
    }
    if (token.kind == TOKEN_VALUE || (token.kind == TOKEN_NAME && keyword(token.text, &value))) {
        TRY(advance(p));
        return make_constant(p, token.offset, value, out);
    }
    if (token.kind == TOKEN_INT) {
        if (token.value.u > INT64_MAX)
            return cel_fail(p->err, token.offset, "the number does not fit: int ends at 9223372036854775807");
        TRY(advance(p));
        return make_constant(p, token.offset, value_int((int64_t)token.value.u), out);
    }
    if (token.kind == TOKEN_NAME)
        return parse_name(p, false, out);
    if (at_sign(p, '[') || at_sign(p, '{'))
        return parse_bracket(p, out);
    if (!at_sign(p, '('))
        return unexpected(p, "an expression");
    TRY(advance(p));
    TRY(parse_expression(p, out));
    return expect(p, ')', "')'");
}

/* `.name` or `.name(arguments)` after `left`; the token is the point. */
static int parse_selector(struct parser *p, struct cel_node *left, struct cel_node **out)
{
    TRY(advance(p));
    struct cel_token name = p->token;
    struct value value;
    if ((name.kind != TOKEN_NAME && name.kind != TOKEN_QUOTED_NAME) ||
        (name.kind == TOKEN_NAME && (keyword(name.text, &value) || str_is(name.text, "in"))))
        return unexpected(p, "a field's name");
    TRY(advance(p));
    if (name.kind == TOKEN_QUOTED_NAME || !at_sign(p, '(')) {
        TRY(make(p, CEL_SELECT, name.offset, &left, 1, out));
        (*out)->text = name.text;
        return 0;
    }
    TRY(advance(p));
    struct items items = {0};
    items_add(&items, left);
    int status = parse_items(p, ')', "')'", false, false, &items);
    if (status == 0)
        status = make_method(p, name.text, name.offset, &items, out);
    items_free(&items);
    return status;
}

/* What follows a primary: selections, indices; a message literal is refused. */
static int parse_member(struct parser *p, struct cel_node **out)
{
    TRY(parse_primary(p, out));
    for (;;) {
        struct cel_node *left = *out;
        if (at_sign(p, '.')) {
            TRY(parse_selector(p, left, out));
        } else if (at_sign(p, '[')) {
            struct cel_node *kids[2] = {left, NULL};
            size_t offset = p->token.offset;
            TRY(advance(p));
            TRY(parse_expression(p, &kids[1]));
            TRY(expect(p, ']', "']'"));
            TRY(make(p, CEL_INDEX, offset, kids, 2, out));
        } else if (at_sign(p, '{') && (left->op == CEL_NAME || left->op == CEL_SELECT)) {
            return cel_fail(p->err, p->token.offset,
                            "there are no message literals here; a map is written {'key': value}");
        } else {
            return 0;
        }
    }
}

/* Signs before a member; a minus right before a number belongs to it, so that the least int can be written. */
static int parse_unary(struct parser *p, struct cel_node **out)
{
    size_t offset = p->token.offset;
    int sign = at_sign(p, '!') ? '!' : at_sign(p, '-') ? '-' : 0;
    int count = 0;
    while (sign != 0 && at_sign(p, sign)) {
        if (++count > CEL_DEPTH_MAX)
            return cel_fail(p->err, offset, "more than %d signs in a row", CEL_DEPTH_MAX);
        TRY(advance(p));
    }
    struct cel_token *token = &p->token;
    if (sign == '-' && token->kind == TOKEN_INT && token->value.u <= (uint64_t)INT64_MAX + 1) {
        /* The lexer's next token must see the literal, so it is made a value that is negative already. */
        *token = (struct cel_token){TOKEN_VALUE, 0, token->offset, token->text, value_int((int64_t)-token->value.u)};
        count--;
    } else if (sign == '-' && token->kind == TOKEN_VALUE && token->value.type == VALUE_DOUBLE) {
        token->value.d = -token->value.d;
        count--;
    }
    TRY(parse_member(p, out));
    for (; count > 0; count--) {
        struct cel_node *kid = *out;
        TRY(make(p, sign == '!' ? CEL_NOT : CEL_NEGATE, offset, &kid, 1, out));
    }
    return 0;
}

/* The binary operator that the token is, and how tightly it binds; 0 where it is none. */
static int binary_op(const struct parser *p, enum cel_op *op)
{
    static const struct {
        int sign;
        enum cel_op op;
        int binds;
    } table[] = {{'*', CEL_MULTIPLY, 5}, {'/', CEL_DIVIDE, 5}, {'%', CEL_MODULO, 5}, {'+', CEL_ADD, 4},
                 {'-', CEL_SUBTRACT, 4}, {'<', CEL_LT, 3},     {SIGN_LE, CEL_LE, 3}, {'>', CEL_GT, 3},
                 {SIGN_GE, CEL_GE, 3},   {SIGN_EQ, CEL_EQ, 3}, {SIGN_NE, CEL_NE, 3}, {SIGN_AND, CEL_AND, 2},
                 {SIGN_OR, CEL_OR, 1}};
    if (p->token.kind == TOKEN_NAME && str_is(p->token.text, "in")) {
        *op = CEL_IN;
        return 3;
    }
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (at_sign(p, table[i].sign)) {
            *op = table[i].op;
            return table[i].binds;
        }
    return 0;
}

static int parse_binary(struct parser *p, int binds_min, struct cel_node **out);

/* The rest of a chain `left && b && c`: one node. */
static int parse_chain(struct parser *p, enum cel_op op, int binds, struct cel_node *left, struct cel_node **out)
{
    struct items items = {0};
    items_add(&items, left);
    size_t offset = p->token.offset;
    int status = 0;
    for (enum cel_op next; status == 0 && binary_op(p, &next) == binds;) {
        struct cel_node *node = NULL;
        status = advance(p);
        if (status == 0)
            status = parse_binary(p, binds + 1, &node);
        if (status == 0)
            items_add(&items, node);
    }
    if (status == 0)
        status = make(p, op, offset, items.nodes, items.n, out);
    items_free(&items);
    return status;
}

/* Operators that bind at least as tightly as `binds_min`, left to right. */
static int parse_binary(struct parser *p, int binds_min, struct cel_node **out)
{
    TRY(parse_unary(p, out));
    enum cel_op op;
    for (int binds; (binds = binary_op(p, &op)) >= binds_min && binds > 0;) {
        struct cel_node *kids[2] = {*out, NULL};
        if (op == CEL_AND || op == CEL_OR) {
            TRY(parse_chain(p, op, binds, kids[0], out));
            continue;
        }
        size_t offset = p->token.offset;
        TRY(advance(p));
        TRY(parse_binary(p, binds + 1, &kids[1]));
        TRY(make(p, op, offset, kids, 2, out));
    }
    return 0;
}

static int parse_conditional(struct parser *p, struct cel_node **out)
{
    struct cel_node *kids[3] = {NULL, NULL, NULL};
    TRY(parse_binary(p, 1, out));
    if (!at_sign(p, '?'))
        return 0;
    size_t offset = p->token.offset;
    kids[0] = *out;
    TRY(advance(p));
    TRY(parse_binary(p, 1, &kids[1]));
    TRY(expect(p, ':', "':' and what holds otherwise"));
    TRY(parse_expression(p, &kids[2]));
    return make(p, CEL_IF, offset, kids, 3, out);
}

static int parse_expression(struct parser *p, struct cel_node **out)
{
    if (++p->depth > CEL_DEPTH_MAX)
        return cel_fail_large(p->err, p->token.offset, "the expression nests deeper than %d", CEL_DEPTH_MAX);
    TRY(parse_conditional(p, out));
    p->depth--;
    return 0;
}

int cel_parse(const struct cel_parse *options, struct cel_node **root, struct cel_error *err)
{
    struct parser p = {.lexer = {options->arena, options->text, 0, err}, .options = options, .err = err};
    if (options->text.n > CEL_TEXT_MAX)
        return cel_fail(err, 0, "the expression is longer than %d bytes", CEL_TEXT_MAX);
    if (!utf8_valid(options->text.p, options->text.n))
        return cel_fail(err, 0, "the expression is not UTF-8");
    TRY(advance(&p));
    TRY(parse_expression(&p, root));
    if (p.token.kind == TOKEN_END)
        return 0;
    if (p.token.kind == TOKEN_SIGN && strchr(")]}", p.token.sign) != NULL)
        return cel_fail(err, p.token.offset, "'%c' closes nothing", p.token.sign);
    if (root_is(*root, "not"))
        return cel_fail(err, (*root)->offset, "'not' is no operator; write !");
    return unexpected(&p, "an operator");
}
/* NOLINTEND(misc-no-recursion) */
