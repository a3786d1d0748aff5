/* See cel_words.h. Code and tree are walked together: code says what names mean, the tree how the rest is written. */
#include "rule/cel_words.h"

#include "rule/cel_code.h"

/* What is to be put, as code and as tree. */
struct phrase {
    const struct cel_code *code;
    const struct cel_node *tree;
};

static struct phrase kid(struct phrase phrase, uint16_t i)
{
    return (struct phrase){phrase.code->kids[i], phrase.tree->kids[i]};
}

static enum cel_op op_of(const struct cel_code *code)
{
    return code->op == CEL_FIELD_TEST ? (enum cel_op)code->test : (enum cel_op)code->op;
}

static const char *relation(enum cel_op op)
{
    static const char *const words[] = {[CEL_MULTIPLY] = "times", [CEL_DIVIDE] = "divided by",
                                        [CEL_MODULO] = "modulo",  [CEL_ADD] = "plus",
                                        [CEL_SUBTRACT] = "minus", [CEL_LT] = "is less than",
                                        [CEL_LE] = "is at most",  [CEL_GT] = "is more than",
                                        [CEL_GE] = "is at least", [CEL_EQ] = "is",
                                        [CEL_NE] = "is not",      [CEL_IN] = "is one of",
                                        [CEL_AND] = "and",        [CEL_OR] = "or"};
    return words[op];
}

static void put_constant(struct buf *out, struct value v)
{
    if (v.type == VALUE_STRING && v.n == 0)
        buf_puts(out, "''");
    else
        value_template(out, v);
}

/* "a, b or c". */
static void put_choice(struct buf *out, struct value list)
{
    for (uint32_t i = 0; i < list.n; i++) {
        buf_puts(out, i == 0 ? "" : i + 1 == list.n ? " or " : ", ");
        put_constant(out, list.items[i]);
    }
}

/* NOLINTBEGIN(misc-no-recursion): code is at most CEL_DEPTH_MAX high. */
static void put(struct buf *out, struct phrase phrase, const struct cel_words *words);

/* In parentheses where it is made of two itself; of a comparison sums and products need none. */
static void put_operand(struct buf *out, struct phrase phrase, const struct cel_words *words, bool compared)
{
    enum cel_op op = op_of(phrase.code);
    bool made_of_two = (op >= (compared ? CEL_LT : CEL_MULTIPLY) && op <= CEL_IF) || op == CEL_NOT;
    if (made_of_two)
        buf_byte(out, '(');
    put(out, phrase, words);
    if (made_of_two)
        buf_byte(out, ')');
}

/* The operands of && and ||; comparisons among them need no parentheses. */
static void put_logic(struct buf *out, struct phrase phrase, const struct cel_words *words)
{
    for (uint16_t i = 0; i < phrase.code->n; i++) {
        struct phrase operand = kid(phrase, i);
        if (i > 0)
            buf_printf(out, " %s ", relation((enum cel_op)phrase.code->op));
        if (operand.code->op == CEL_AND || operand.code->op == CEL_OR || operand.code->op == CEL_IF)
            put_operand(out, operand, words, false);
        else
            put(out, operand, words);
    }
}

static void put_binary(struct buf *out, struct phrase phrase, const struct cel_words *words)
{
    enum cel_op op = op_of(phrase.code);
    struct phrase left = kid(phrase, 0);
    struct phrase right = kid(phrase, 1);
    bool equality = op == CEL_EQ || op == CEL_NE;
    if (op == CEL_IN && left.code->op == CEL_CONSTANT && right.code->op != CEL_CONSTANT) {
        put_operand(out, right, words, true);
        buf_puts(out, " has ");
        put(out, left, words);
        return;
    }
    put_operand(out, left, words, op >= CEL_LT);
    if (equality && right.code->op == CEL_CONSTANT && right.code->constant.type == VALUE_NULL) {
        buf_puts(out, op == CEL_EQ ? " is unknown" : " is known");
        return;
    }
    if (op == CEL_IN && right.code->op == CEL_CONSTANT && right.code->constant.type == VALUE_LIST) {
        buf_puts(out, " is ");
        put_choice(out, right.code->constant);
        return;
    }
    buf_printf(out, " %s ", relation(op));
    put_operand(out, right, words, op >= CEL_LT);
}

static void put_call(struct buf *out, struct phrase phrase, const struct cel_words *words)
{
    static const struct {
        const char *name;
        const char *before;
        const char *between; /* NULL: one argument */
    } known[] = {{"size", "the size of ", NULL},      {"fingerprint", "the pattern of ", NULL},
                 {"startsWith", "", " starts with "}, {"endsWith", "", " ends with "},
                 {"contains", "", " contains "},      {"matches", "", " matches "}};
    const char *name = phrase.code->function->name;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) != 0 || phrase.code->n != (known[i].between == NULL ? 1 : 2))
            continue;
        buf_puts(out, known[i].before);
        put_operand(out, kid(phrase, 0), words, true);
        if (known[i].between == NULL)
            return;
        buf_puts(out, known[i].between);
        put_operand(out, kid(phrase, 1), words, true);
        return;
    }
    buf_printf(out, "%s(", name);
    for (uint16_t i = 0; i < phrase.code->n; i++) {
        buf_puts(out, i > 0 ? ", " : "");
        put(out, kid(phrase, i), words);
    }
    buf_byte(out, ')');
}

static void put_if(struct buf *out, struct phrase phrase, const struct cel_words *words)
{
    buf_puts(out, "where ");
    put(out, kid(phrase, 0), words);
    buf_puts(out, ": ");
    put(out, kid(phrase, 1), words);
    buf_puts(out, ", otherwise: ");
    put(out, kid(phrase, 2), words);
}

static void put(struct buf *out, struct phrase phrase, const struct cel_words *words)
{
    const struct cel_code *code = phrase.code;
    switch (op_of(code)) {
    case CEL_CONSTANT:
        put_constant(out, code->constant);
        break;
    case CEL_FIELD:
        buf_puts(out, words->stream->fields[code->index].name);
        break;
    case CEL_SLOT:
        buf_str_put(out, words->slot(words->context, code->index));
        break;
    case CEL_HAS:
        if (code->index == 1)
            put(out, (struct phrase){code->kids[0], phrase.tree}, words);
        else
            put(out, kid(phrase, 0), words);
        buf_printf(out, code->index == 1 ? " is known" : ".%.*s is known", STR_ARG(phrase.tree->text));
        break;
    case CEL_SELECT:
        put(out, kid(phrase, 0), words);
        buf_printf(out, ".%.*s", STR_ARG(phrase.tree->text));
        break;
    case CEL_INDEX:
        put(out, kid(phrase, 0), words);
        buf_byte(out, '[');
        put(out, kid(phrase, 1), words);
        buf_byte(out, ']');
        break;
    case CEL_NOT:
        buf_puts(out, "not ");
        put_operand(out, kid(phrase, 0), words, false);
        break;
    case CEL_NEGATE:
        buf_puts(out, "minus ");
        put_operand(out, kid(phrase, 0), words, false);
        break;
    case CEL_AND:
    case CEL_OR:
        put_logic(out, phrase, words);
        break;
    case CEL_IF:
        put_if(out, phrase, words);
        break;
    case CEL_CALL:
        put_call(out, phrase, words);
        break;
    default:
        if (op_of(code) >= CEL_MULTIPLY && op_of(code) <= CEL_IN)
            put_binary(out, phrase, words);
        else
            cel_node_print(phrase.tree, out);
    }
}
/* NOLINTEND(misc-no-recursion) */

void cel_put_words(struct buf *out, const struct cel *cel, const struct cel_words *words)
{
    put(out, (struct phrase){cel->root, cel->tree}, words);
}
