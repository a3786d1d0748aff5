/* What the operators take and give, as types: the one table that the checker uses. TYPE_ANY stands for every type. */
#include "rule/cel_code.h"

const char *cel_type_name(int type)
{
    static const char *const names[] = {"null", "bool", "int",       "uint",     "double", "string", "bytes",
                                        "list", "map",  "timestamp", "duration", "type",   "error",  "any"};
    return names[type];
}

const char *cel_a_type(int type)
{
    static const char *const names[] = {"null",       "a bool", "an int",   "a uint",  "a double",
                                        "a string",   "bytes",  "a list",   "a map",   "a timestamp",
                                        "a duration", "a type", "an error", "any type"};
    return names[type];
}

static bool is_number(int type)
{
    return type == VALUE_INT || type == VALUE_UINT || type == VALUE_DOUBLE;
}

/* Arithmetic of two numbers: of one type, or int with double. */
static int number_type(int a, int b)
{
    if (a == b && is_number(a))
        return a;
    bool mixed = (a == VALUE_INT && b == VALUE_DOUBLE) || (a == VALUE_DOUBLE && b == VALUE_INT);
    return mixed ? VALUE_DOUBLE : -1;
}

static int add_type(int a, int b)
{
    if (a == b && (a == VALUE_STRING || a == VALUE_BYTES || a == VALUE_LIST || a == VALUE_DURATION))
        return a;
    if ((a == VALUE_TIMESTAMP && b == VALUE_DURATION) || (a == VALUE_DURATION && b == VALUE_TIMESTAMP))
        return VALUE_TIMESTAMP;
    return number_type(a, b);
}

static int subtract_type(int a, int b)
{
    if (a == b && (a == VALUE_TIMESTAMP || a == VALUE_DURATION))
        return VALUE_DURATION;
    if (a == VALUE_TIMESTAMP && b == VALUE_DURATION)
        return VALUE_TIMESTAMP;
    return number_type(a, b);
}

static int order_type(int a, int b)
{
    bool same = a == b && (a == VALUE_BOOL || a == VALUE_STRING || a == VALUE_BYTES || a == VALUE_TIMESTAMP ||
                           a == VALUE_DURATION);
    return same || (is_number(a) && is_number(b)) ? VALUE_BOOL : -1;
}

/* Both types known. */
static int concrete(enum cel_op op, int a, int b)
{
    switch (op) {
    case CEL_ADD:
        return add_type(a, b);
    case CEL_SUBTRACT:
        return subtract_type(a, b);
    case CEL_MULTIPLY:
        return (a == VALUE_DURATION && is_number(b)) || (is_number(a) && b == VALUE_DURATION) ? VALUE_DURATION
                                                                                              : number_type(a, b);
    case CEL_DIVIDE:
        return a == VALUE_DURATION && is_number(b) ? VALUE_DURATION : number_type(a, b);
    case CEL_MODULO:
        return a == b && (a == VALUE_INT || a == VALUE_UINT) ? a : -1;
    case CEL_LT:
    case CEL_LE:
    case CEL_GT:
    case CEL_GE:
        return order_type(a, b);
    case CEL_EQ:
    case CEL_NE:
        return a == b || a == VALUE_NULL || b == VALUE_NULL || (is_number(a) && is_number(b)) ? VALUE_BOOL : -1;
    case CEL_IN:
        return b == VALUE_LIST || b == VALUE_MAP ? VALUE_BOOL : -1;
    default:
        return -1;
    }
}

int cel_binary_type(enum cel_op op, int a, int b)
{
    int result = -1;
    for (int i = 0; i < VALUE_ERROR; i++) {
        if (a != TYPE_ANY && i != a)
            continue;
        for (int j = 0; j < VALUE_ERROR; j++) {
            int type = b == TYPE_ANY || j == b ? concrete(op, i, j) : -1;
            if (type >= 0)
                result = result == -1 || result == type ? type : TYPE_ANY;
        }
    }
    return result;
}
