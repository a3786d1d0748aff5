/* The operators on values: arithmetic with overflow as an error, order and equality across numbers, `in`, indexing.
 *
 * Additions to CEL's own overloads: int with double computes as double; a duration times or over a number.
 */
#include "rule/cel_code.h"

#include <math.h>

enum { NANOS = 1000000000 };

static struct value overflow(void)
{
    return cel_error_text("overflow: the result does not fit");
}

static struct value division_by_zero(enum cel_op op)
{
    return cel_error_text(op == CEL_DIVIDE ? "division by zero" : "modulus by zero");
}

static bool is_number(struct value v)
{
    return v.type == VALUE_INT || v.type == VALUE_UINT || v.type == VALUE_DOUBLE;
}

bool cel_nanos(struct value duration, int64_t *nanos)
{
    /* -1 s + n ns is computed without leaving the range at its lower end. */
    int64_t seconds = duration.i;
    int64_t rest = duration.n;
    if (seconds < 0 && rest > 0) {
        seconds++;
        rest -= NANOS;
    }
    return !__builtin_mul_overflow(seconds, NANOS, nanos) && !__builtin_add_overflow(*nanos, rest, nanos);
}

struct value cel_duration(int64_t nanos)
{
    return (struct value){.type = VALUE_DURATION, .i = floor_div(nanos, NANOS), .n = (uint32_t)floor_mod(nanos, NANOS)};
}

struct value cel_timestamp(int64_t seconds, int64_t nanos)
{
    if (__builtin_add_overflow(seconds, floor_div(nanos, NANOS), &seconds) || seconds < -INT64_C(62135596800) ||
        seconds > INT64_C(253402300799))
        return cel_error_text("timestamp out of range: years are 1 to 9999");
    return (struct value){.type = VALUE_TIMESTAMP, .i = seconds, .n = (uint32_t)floor_mod(nanos, NANOS)};
}

static struct value duration_range(void)
{
    return cel_error_text("duration out of range: it is at most 292 years");
}

static struct value int_arithmetic(enum cel_op op, int64_t a, int64_t b)
{
    int64_t r;
    switch (op) {
    case CEL_ADD:
        return __builtin_add_overflow(a, b, &r) ? overflow() : value_int(r);
    case CEL_SUBTRACT:
        return __builtin_sub_overflow(a, b, &r) ? overflow() : value_int(r);
    case CEL_MULTIPLY:
        return __builtin_mul_overflow(a, b, &r) ? overflow() : value_int(r);
    default:
        if (b == 0)
            return division_by_zero(op);
        if (b == -1) /* the least int over -1 overflows, its remainder is 0 */
            return op == CEL_MODULO ? value_int(0) : a == INT64_MIN ? overflow() : value_int(-a);
        return value_int(op == CEL_DIVIDE ? a / b : a % b);
    }
}

static struct value uint_arithmetic(enum cel_op op, uint64_t a, uint64_t b)
{
    uint64_t r;
    switch (op) {
    case CEL_ADD:
        return __builtin_add_overflow(a, b, &r) ? overflow() : value_uint(r);
    case CEL_SUBTRACT:
        return __builtin_sub_overflow(a, b, &r) ? overflow() : value_uint(r);
    case CEL_MULTIPLY:
        return __builtin_mul_overflow(a, b, &r) ? overflow() : value_uint(r);
    default:
        if (b == 0)
            return division_by_zero(op);
        return value_uint(op == CEL_DIVIDE ? a / b : a % b);
    }
}

static struct value double_arithmetic(enum cel_op op, double a, double b)
{
    switch (op) {
    case CEL_ADD:
        return value_double(a + b);
    case CEL_SUBTRACT:
        return value_double(a - b);
    case CEL_MULTIPLY:
        return value_double(a * b);
    default:
        return value_double(a / b);
    }
}

/* A duration times or over a number; over an int the fraction of a nanosecond is cut, else it is rounded. */
static struct value scale_duration(enum cel_op op, struct value span, struct value by)
{
    int64_t nanos;
    if (!cel_nanos(span, &nanos))
        return duration_range();
    if (by.type == VALUE_UINT && by.u > INT64_MAX)
        return op == CEL_DIVIDE || nanos == 0 ? cel_duration(0) : duration_range();
    if (by.type == VALUE_DOUBLE) {
        if (op == CEL_DIVIDE && by.d == 0)
            return division_by_zero(op);
        double scaled = op == CEL_MULTIPLY ? (double)nanos * by.d : (double)nanos / by.d;
        if (!(fabs(scaled) < 9223372036854775808.0)) /* NaN too */
            return duration_range();
        return cel_duration((int64_t)llround(scaled));
    }
    struct value scaled = int_arithmetic(op, nanos, by.i);
    if (cel_is_error(scaled))
        return op == CEL_DIVIDE && by.i == 0 ? scaled : duration_range();
    return cel_duration(scaled.i);
}

static struct value shift_time(struct value time, struct value span, int sign)
{
    int64_t nanos;
    if (!cel_nanos(span, &nanos))
        return duration_range();
    /* The least int has no positive twin: subtract in two parts. */
    int64_t seconds = nanos / NANOS;
    int64_t rest = nanos % NANOS;
    return cel_timestamp(time.i + sign * seconds, (int64_t)time.n + sign * rest);
}

static struct value time_arithmetic(enum cel_op op, struct value a, struct value b)
{
    if (a.type == VALUE_TIMESTAMP && b.type == VALUE_TIMESTAMP) {
        struct value span = {.type = VALUE_DURATION, .i = a.i - b.i};
        if (a.n < b.n)
            span.i--;
        span.n = a.n < b.n ? a.n + NANOS - b.n : a.n - b.n;
        int64_t nanos;
        return cel_nanos(span, &nanos) ? span : duration_range();
    }
    if (a.type == VALUE_TIMESTAMP)
        return shift_time(a, b, op == CEL_ADD ? 1 : -1);
    if (b.type == VALUE_TIMESTAMP)
        return shift_time(b, a, 1);
    int64_t x;
    int64_t y;
    if (!cel_nanos(a, &x) || !cel_nanos(b, &y))
        return duration_range();
    struct value sum = int_arithmetic(op, x, y);
    return cel_is_error(sum) ? duration_range() : cel_duration(sum.i);
}

/* Two strings, bytes or lists, one after the other. */
static struct value concatenate(struct cel_run *run, struct value a, struct value b)
{
    size_t size = a.type == VALUE_LIST ? sizeof(struct value) : 1;
    if (a.n == 0 || b.n == 0)
        return a.n == 0 ? b : a;
    size_t n = (size_t)a.n + b.n;
    char *both = n > UINT32_MAX ? NULL : cel_alloc(run, n * size);
    if (both == NULL)
        return cel_too_large();
    memcpy(both, a.items, a.n * size);
    memcpy(both + a.n * size, b.items, b.n * size);
    a.n = (uint32_t)n;
    a.s = both;
    if (a.type == VALUE_LIST) {
        struct value error = cel_charge(run, a.items, a.n);
        return cel_is_error(error) ? error : a;
    }
    return a;
}

static struct value arithmetic(struct cel_run *run, enum cel_op op, struct value a, struct value b)
{
    if (cel_binary_type(op, a.type, b.type) < 0) {
        struct value args[2] = {a, b};
        return cel_no_overload(run, cel_op_text(op), args, 2);
    }
    if (is_number(a) && is_number(b))
        return double_arithmetic(op, a.type == VALUE_INT ? (double)a.i : a.d, b.type == VALUE_INT ? (double)b.i : b.d);
    if (is_number(b))
        return scale_duration(op, a, b);
    if (is_number(a))
        return scale_duration(op, b, a);
    if (a.type == VALUE_TIMESTAMP || a.type == VALUE_DURATION)
        return time_arithmetic(op, a, b);
    return concatenate(run, a, b);
}

/* An int or uint against a double is compared as a double, as Google's implementation does: beyond 2^53 neighbours
 * count as equal. */
static struct value as_double(struct value v)
{
    if (v.type == VALUE_DOUBLE)
        return v;
    return value_double(v.type == VALUE_INT ? (double)v.i : (double)v.u);
}

static bool one_is_double(struct value a, struct value b)
{
    return (a.type == VALUE_DOUBLE) != (b.type == VALUE_DOUBLE) && is_number(a) && is_number(b);
}

static bool is_nan(struct value v)
{
    return v.type == VALUE_DOUBLE && isnan(v.d);
}

static struct value compare(struct cel_run *run, enum cel_op op, struct value a, struct value b)
{
    if (cel_binary_type(op, a.type, b.type) < 0) {
        struct value args[2] = {a, b};
        return cel_no_overload(run, cel_op_text(op), args, 2);
    }
    if (is_nan(a) || is_nan(b))
        return value_bool(false);
    bool mixed = one_is_double(a, b);
    int order = mixed ? value_order(as_double(a), as_double(b)) : value_order(a, b);
    switch (op) {
    case CEL_LT:
        return value_bool(order < 0);
    case CEL_LE:
        return value_bool(order <= 0);
    case CEL_GT:
        return value_bool(order > 0);
    default:
        return value_bool(order >= 0);
    }
}

/* Comparing two texts, as far as it takes. */
static uint64_t text_steps(struct value a, struct value b)
{
    if (a.type != b.type || (a.type != VALUE_STRING && a.type != VALUE_BYTES))
        return 0;
    return (a.n < b.n ? a.n : b.n) / 256;
}

/* NOLINTBEGIN(misc-no-recursion): a value nests no deeper than its expression, or than the decoder that made it allows.
 */
static bool equal_maps(struct cel_run *run, struct value a, struct value b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        const struct value *other = cel_map_find(run, b, a.items[2 * i]);
        if (other == NULL || !cel_equal(run, a.items[2 * i + 1], *other))
            return false;
    }
    return true;
}

bool cel_equal(struct cel_run *run, struct value a, struct value b)
{
    if (!cel_pay(run, 1 + text_steps(a, b)))
        return false;
    if (one_is_double(a, b))
        return value_eq(as_double(a), as_double(b));
    if (a.type != b.type || (a.type != VALUE_LIST && a.type != VALUE_MAP))
        return value_eq(a, b);
    if (a.type == VALUE_MAP)
        return equal_maps(run, a, b);
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (!cel_equal(run, a.items[i], b.items[i]))
            return false;
    return true;
}

const struct value *cel_map_find(struct cel_run *run, struct value map, struct value key)
{
    for (size_t i = 0; i < map.n; i++) {
        struct value other = map.items[2 * i];
        /* A double meets the key of its very value: rounded, it would meet several. */
        bool found = one_is_double(other, key) ? --run->steps >= 0 && value_eq(other, key) : cel_equal(run, other, key);
        if (found)
            return &map.items[2 * i + 1];
    }
    return NULL;
}

/* NOLINTEND(misc-no-recursion) */

/* Equality ends early when the steps do: then the answer is the error, not what came out. */
static struct value if_steps_left(const struct cel_run *run, bool b)
{
    return run->steps < 0 ? cel_too_large() : value_bool(b);
}

static struct value is_in(struct cel_run *run, struct value item, struct value container)
{
    if (container.type == VALUE_MAP)
        return if_steps_left(run, cel_map_find(run, container, item) != NULL);
    if (container.type != VALUE_LIST) {
        struct value args[2] = {item, container};
        return cel_no_overload(run, "in", args, 2);
    }
    bool found = false;
    for (uint32_t i = 0; i < container.n && !found; i++)
        found = cel_equal(run, item, container.items[i]);
    return if_steps_left(run, found);
}

struct value cel_binary(struct cel_run *run, enum cel_op op, struct value a, struct value b)
{
    if (op == CEL_IN)
        return is_in(run, a, b);
    if (op == CEL_EQ || op == CEL_NE)
        return if_steps_left(run, cel_equal(run, a, b) == (op == CEL_EQ));
    if (op >= CEL_LT)
        return compare(run, op, a, b);
    if (a.type == VALUE_INT && b.type == VALUE_INT)
        return int_arithmetic(op, a.i, b.i);
    if (a.type == VALUE_DOUBLE && b.type == VALUE_DOUBLE && op != CEL_MODULO)
        return double_arithmetic(op, a.d, b.d);
    if (a.type == VALUE_UINT && b.type == VALUE_UINT)
        return uint_arithmetic(op, a.u, b.u);
    return arithmetic(run, op, a, b);
}

struct value cel_negate(struct cel_run *run, struct value v)
{
    if (v.type == VALUE_INT)
        return v.i == INT64_MIN ? overflow() : value_int(-v.i);
    if (v.type == VALUE_DOUBLE)
        return value_double(-v.d);
    if (v.type == VALUE_DURATION)
        return scale_duration(CEL_MULTIPLY, v, value_int(-1));
    return cel_no_overload(run, "-", &v, 1);
}

/* The index that a number is: a whole one that is not negative; -1 otherwise. */
static int64_t as_index(struct value key)
{
    if (key.type == VALUE_INT)
        return key.i;
    if (key.type == VALUE_UINT)
        return key.u > INT64_MAX ? INT64_MAX : (int64_t)key.u;
    return key.d >= 0 && key.d < 4294967296.0 && key.d == floor(key.d) ? (int64_t)key.d : -1;
}

struct value cel_index(struct cel_run *run, struct value container, struct value key)
{
    struct value args[2] = {container, key};
    if (container.type == VALUE_LIST && is_number(key)) {
        int64_t index = as_index(key);
        if (index < 0 || index >= container.n)
            return cel_error_printf(run, "index out of range: the list has %u elements", container.n);
        return container.items[index];
    }
    bool key_type = is_number(key) || key.type == VALUE_STRING || key.type == VALUE_BOOL;
    if (container.type != VALUE_MAP || !key_type)
        return cel_no_overload(run, "[]", args, 2);
    const struct value *found = cel_map_find(run, container, key);
    if (found != NULL)
        return *found;
    if (run->steps < 0)
        return cel_too_large();
    if (key.type == VALUE_STRING)
        return cel_error_printf(run, "no such key: %.*s", key.n > 100 ? 100 : (int)key.n, key.s);
    return cel_error_text("no such key");
}

bool cel_map_keys(struct cel_run *run, const struct value *pairs, size_t n, struct value *error)
{
    for (size_t i = 0; i < n; i++) {
        struct value key = pairs[2 * i];
        if (key.type != VALUE_STRING && key.type != VALUE_BOOL && key.type != VALUE_INT && key.type != VALUE_UINT) {
            *error = cel_error_printf(run, "unsupported key type: %s (a map's keys are string, bool, int or uint)",
                                      cel_type_name(key.type));
            return false;
        }
        if (cel_map_find(run, value_map(pairs, i), key) != NULL) {
            *error = cel_error_text("repeated key in a map");
            return false;
        }
        if (run->steps < 0) {
            *error = cel_too_large();
            return false;
        }
    }
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
struct value cel_charge(struct cel_run *run, const struct value *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool text = items[i].type == VALUE_STRING || items[i].type == VALUE_BYTES;
        if (text && !cel_pay(run, items[i].n / 16))
            return cel_too_large();
        if (items[i].type != VALUE_LIST && items[i].type != VALUE_MAP)
            continue;
        size_t within = (size_t)items[i].n * (items[i].type == VALUE_MAP ? 2 : 1);
        if (!cel_pay(run, within + 1))
            return cel_too_large();
        struct value error = cel_charge(run, items[i].items, within);
        if (cel_is_error(error))
            return error;
    }
    return value_null();
}
