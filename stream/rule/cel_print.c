/* Canonical text of a syntax tree: one space around binary operators, single quotes, no parentheses but needed ones. */
#include "rule/cel_node.h"

#include <math.h>

const char *cel_op_text(enum cel_op op)
{
    static const char *const texts[] = {
        [CEL_MULTIPLY] = "*", [CEL_DIVIDE] = "/",      [CEL_MODULO] = "%",      [CEL_ADD] = "+",
        [CEL_SUBTRACT] = "-", [CEL_LT] = "<",          [CEL_LE] = "<=",         [CEL_GT] = ">",
        [CEL_GE] = ">=",      [CEL_EQ] = "==",         [CEL_NE] = "!=",         [CEL_IN] = "in",
        [CEL_AND] = "&&",     [CEL_OR] = "||",         [CEL_IF] = "?:",         [CEL_NOT] = "!",
        [CEL_NEGATE] = "-",   [CEL_ALL] = "all",       [CEL_EXISTS] = "exists", [CEL_EXISTS_ONE] = "exists_one",
        [CEL_MAPPED] = "map", [CEL_FILTER] = "filter", [CEL_VARIABLE] = NULL};
    return texts[op];
}

/* How tightly a node's operator binds; more is tighter. */
static int binding(const struct cel_node *node)
{
    switch ((enum cel_op)node->op) {
    case CEL_IF:
        return 0;
    case CEL_OR:
        return 1;
    case CEL_AND:
        return 2;
    case CEL_LT:
    case CEL_LE:
    case CEL_GT:
    case CEL_GE:
    case CEL_EQ:
    case CEL_NE:
    case CEL_IN:
        return 3;
    case CEL_ADD:
    case CEL_SUBTRACT:
        return 4;
    case CEL_MULTIPLY:
    case CEL_DIVIDE:
    case CEL_MODULO:
        return 5;
    case CEL_NOT:
    case CEL_NEGATE:
        return 6;
    case CEL_CONSTANT: /* a negative number needs parentheses before a point */
        return (node->constant.type == VALUE_INT && node->constant.i < 0) ||
                       (node->constant.type == VALUE_DOUBLE && signbit(node->constant.d))
                   ? 6
                   : 7;
    default:
        return 7;
    }
}

static void print_quoted(struct str text, bool bytes, struct buf *out)
{
    buf_puts(out, bytes ? "b'" : "'");
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '\'' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_puts(out, "\\n");
        else if (c < 0x20 || c == 0x7F || (bytes && c >= 0x80))
            buf_printf(out, "\\x%02x", c);
        else
            buf_byte(out, c);
    }
    buf_byte(out, '\'');
}

static void print_constant(struct value v, struct buf *out)
{
    switch ((enum value_type)v.type) {
    case VALUE_STRING:
    case VALUE_BYTES:
        print_quoted(value_as_str(v), v.type == VALUE_BYTES, out);
        break;
    case VALUE_UINT:
        buf_printf(out, "%lluu", (unsigned long long)v.u);
        break;
    case VALUE_DOUBLE: {
        size_t start = out->len;
        value_double_text(out, v.d);
        struct str text = {out->p + start, out->len - start};
        if (memchr(text.p, '.', text.n) == NULL && memchr(text.p, 'e', text.n) == NULL)
            buf_puts(out, ".0");
        break;
    }
    default:
        value_json(out, v);
    }
}

/* NOLINTBEGIN(misc-no-recursion): the tree is at most CEL_DEPTH_MAX high. */
static void print_in(const struct cel_node *node, int binds_min, struct buf *out)
{
    bool parentheses = binding(node) < binds_min;
    if (parentheses)
        buf_byte(out, '(');
    cel_node_print(node, out);
    if (parentheses)
        buf_byte(out, ')');
}

static void print_list(const struct cel_node *node, uint32_t from, struct buf *out)
{
    for (uint32_t i = from; i < node->n; i++) {
        if (i > from)
            buf_puts(out, node->op == CEL_MAP && i % 2 == 1 ? ": " : ", ");
        cel_node_print(node->kids[i], out);
    }
}

static void print_field(const struct cel_node *node, struct buf *out)
{
    print_in(node->kids[0], 7, out);
    bool plain = node->text.n > 0 && (node->text.p[0] < '0' || node->text.p[0] > '9');
    for (size_t i = 0; i < node->text.n; i++)
        plain = plain && strchr("./- ", node->text.p[i]) == NULL;
    buf_printf(out, plain ? ".%.*s" : ".`%.*s`", STR_ARG(node->text));
}

/* 5, 5.f() and 5[0] do; (-5).f() begins with a parenthesis. */
static bool begins_with_constant(const struct cel_node *node)
{
    while (node->op == CEL_SELECT || node->op == CEL_INDEX || node->op == CEL_METHOD ||
           (node->op >= CEL_ALL && node->op <= CEL_FILTER))
        node = node->kids[0];
    return node->op == CEL_CONSTANT;
}

static void print_operator(const struct cel_node *node, struct buf *out)
{
    int binds = binding(node);
    for (uint32_t i = 0; i < node->n; i++) {
        if (i > 0)
            buf_printf(out, " %s ", cel_op_text(node->op));
        print_in(node->kids[i], i == 0 && node->op != CEL_AND && node->op != CEL_OR ? binds : binds + 1, out);
    }
}

/* Recursive: a tree's height is at most CEL_DEPTH_MAX. */
void cel_node_print(const struct cel_node *node, struct buf *out)
{
    switch ((enum cel_op)node->op) {
    case CEL_CONSTANT:
        print_constant(node->constant, out);
        break;
    case CEL_NAME:
        buf_printf(out, "%s%.*s", node->root ? "." : "", STR_ARG(node->text));
        break;
    case CEL_SELECT:
        print_field(node, out);
        break;
    case CEL_HAS:
        buf_puts(out, "has(");
        print_field(node, out);
        buf_byte(out, ')');
        break;
    case CEL_INDEX:
        print_in(node->kids[0], 7, out);
        buf_byte(out, '[');
        cel_node_print(node->kids[1], out);
        buf_byte(out, ']');
        break;
    case CEL_CALL:
        buf_printf(out, "%s%.*s(", node->root ? "." : "", STR_ARG(node->text));
        print_list(node, 0, out);
        buf_byte(out, ')');
        break;
    case CEL_METHOD:
        print_in(node->kids[0], 7, out);
        buf_printf(out, ".%.*s(", STR_ARG(node->text));
        print_list(node, 1, out);
        buf_byte(out, ')');
        break;
    case CEL_LIST:
    case CEL_MAP:
        buf_byte(out, node->op == CEL_LIST ? '[' : '{');
        print_list(node, 0, out);
        buf_byte(out, node->op == CEL_LIST ? ']' : '}');
        break;
    case CEL_NOT:
    case CEL_NEGATE:
        buf_puts(out, cel_op_text(node->op));
        /* -(5) is the negation of a number, -5 a number; signs of two kinds do not stand side by side. */
        print_in(node->kids[0], begins_with_constant(node->kids[0]) ? 8 : node->kids[0]->op == node->op ? 6 : 7, out);
        break;
    case CEL_IF:
        print_in(node->kids[0], 1, out);
        buf_puts(out, " ? ");
        print_in(node->kids[1], 1, out);
        buf_puts(out, " : ");
        cel_node_print(node->kids[2], out);
        break;
    case CEL_ALL:
    case CEL_EXISTS:
    case CEL_EXISTS_ONE:
    case CEL_MAPPED:
    case CEL_FILTER:
        print_in(node->kids[0], 7, out);
        buf_printf(out, ".%s(%.*s, ", cel_op_text(node->op), STR_ARG(node->text));
        print_list(node, 1, out);
        buf_byte(out, ')');
        break;
    default:
        print_operator(node, out);
    }
}
/* NOLINTEND(misc-no-recursion) */
