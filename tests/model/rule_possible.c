/* Random conditions over two numbers, each tried with every pair of a few values: what cel_possible() says cannot be
 * must not be. An argument is the seed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rule/cel_possible.h"

enum { ROUNDS = 20000, VALUES = 9 };

static uint64_t seed = 1;
static uint64_t random_state;

static uint32_t chance(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 16) % n);
}

/* `a` may be anything that a double may be, and null; `b` is a whole number of at least 0. */
static struct value value_of(int name, uint32_t i)
{
    static const double doubles[VALUES] = {0, 1, 2, 3, 0.5, 1.5, -1, 0, 0};
    if (name == 1)
        return value_double(i);
    return i == VALUES - 2 ? value_null() : value_double(i == VALUES - 1 ? NAN : doubles[i]);
}

static struct cel_name name_of(void *context, struct str name)
{
    (void)context;
    struct cel_name result = {.kind = CEL_NAME_NONE, .type = cel_type_of(VALUE_DOUBLE)};
    if (str_is(name, "a") || str_is(name, "b")) {
        result.kind = CEL_NAME_SLOT;
        result.slot = str_is(name, "b");
    }
    return result;
}

static int domain_of(void *context, bool slot, int index)
{
    (void)context;
    (void)slot;
    return index;
}

static void put_comparison(struct buf *out)
{
    static const char *const operators[] = {"<", "<=", ">", ">=", "==", "!="};
    static const char *const numbers[] = {"0", "1", "2", "0.5", "1.5", "3.0"};
    const char *name = chance(2) == 0 ? "a" : "b";
    switch (chance(6)) {
    case 0:
        buf_printf(out, "%s in [%s, %s]", name, numbers[chance(6)], numbers[chance(6)]);
        break;
    case 1:
        buf_printf(out, "%s %s null", name, chance(2) == 0 ? "==" : "!=");
        break;
    case 2:
        buf_printf(out, "%s %s %s", numbers[chance(6)], operators[chance(6)], name);
        break;
    default:
        buf_printf(out, "%s %s %s", name, operators[chance(6)], numbers[chance(6)]);
    }
}

static void put_condition(struct buf *out, int depth)
{
    uint32_t kind = depth == 0 ? 0 : chance(7);
    if (kind < 2) {
        put_comparison(out);
        return;
    }
    buf_puts(out, kind == 2 ? "!(" : "(");
    put_condition(out, depth - 1);
    if (kind == 6)
        buf_puts(out, " ? ");
    else if (kind > 2)
        buf_puts(out, kind == 5 ? " || " : " && ");
    if (kind > 2)
        put_condition(out, depth - 1);
    if (kind == 6) {
        buf_puts(out, " : ");
        put_condition(out, depth - 1);
    }
    buf_byte(out, ')');
}

static bool is_wanted(struct value v, enum cel_wanted wanted)
{
    bool is_true = v.type == VALUE_BOOL && v.b;
    bool is_false = v.type == VALUE_BOOL && !v.b;
    return wanted == CEL_TRUE    ? is_true
           : wanted == CEL_FALSE ? is_false
                                 : (wanted == CEL_NOT_TRUE ? !is_true : !is_false);
}

/* One of all the pairs gives the wanted results of both conditions. */
static bool happens(const struct cel_claim *claims, struct arena *arena)
{
    for (uint32_t i = 0; i < VALUES; i++)
        for (uint32_t j = 0; j < VALUES; j++) {
            struct value slots[] = {value_of(0, i), value_of(1, j)};
            struct cel_frame frame = {.slots = slots, .slot_count = 2, .arena = arena};
            if (is_wanted(cel_eval(claims[0].cel, &frame), claims[0].wanted) &&
                is_wanted(cel_eval(claims[1].cel, &frame), claims[1].wanted))
                return true;
        }
    return false;
}

static void test_what_is_refuted_never_happens(void **state)
{
    (void)state;
    static const struct cel_domain domains[] = {{.maybe_null = true, .maybe_nan = true},
                                                {.whole = true, .low = {.type = VALUE_DOUBLE}}};
    static const struct cel_env env = {.name = name_of};
    int refuted = 0;
    int needless = 0; /* never happened, and was not refuted: other values might do it */
    random_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (int round = 0; round < ROUNDS; round++) {
        struct arena arena = {0};
        struct buf text[2] = {{0}, {0}};
        struct cel_claim claims[2];
        bool good = true;
        for (int i = 0; i < 2; i++) {
            struct cel_error err;
            put_condition(&text[i], 3);
            claims[i] = (struct cel_claim){.wanted = (enum cel_wanted)chance(4), .domain = domain_of};
            good = cel_compile(&arena, buf_str(&text[i]), &env, VALUE_BOOL, &claims[i].cel, &err) == 0 && good;
        }
        assert_true(good);
        bool possible = cel_possible(claims, 2, domains, 2);
        bool happened = happens(claims, &arena);
        if (!possible && happened)
            print_message("seed %llu: %.*s (%d) and %.*s (%d)\n", (unsigned long long)seed, STR_ARG(buf_str(&text[0])),
                          claims[0].wanted, STR_ARG(buf_str(&text[1])), claims[1].wanted);
        assert_true(possible || !happened);
        refuted += !possible;
        needless += possible && !happened;
        buf_fini(&text[0]);
        buf_fini(&text[1]);
        arena_fini(&arena);
    }
    print_message("seed %llu: %d of %d refuted, %d not refuted though none of the values does it\n",
                  (unsigned long long)seed, refuted, ROUNDS, needless);
    assert_true(refuted > ROUNDS / 20);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_refuted_never_happens),
    };
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
