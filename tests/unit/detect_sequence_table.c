/* Sequences against a table of patterns, events and the matches they give: detect_sequence_table.h says how to read it.
 *
 * usage: test_detect_sequence_table [FILE]    (further cases, one a line)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "detect/sequence_nfa.h"

#include "detect_sequence_table.h"

enum { EVENTS_MAX = 64 };

static const char *cases_file;

struct sequence_case {
    struct arena arena;
    struct sequence_step steps[SEQUENCE_STEPS_MAX];
    struct sequence_options options;
    struct sequence_pattern pattern;
    struct sequence_event events[EVENTS_MAX];
    size_t event_count;
};

static int letter(char c)
{
    return c - 'a';
}

static struct str part(const char **line)
{
    const char *bar = strchr(*line, '|');
    struct str text = {*line, bar == NULL ? strlen(*line) : (size_t)(bar - *line)};
    *line = bar == NULL ? *line + text.n : bar + 1;
    while (text.n > 0 && text.p[0] == ' ')
        text = (struct str){text.p + 1, text.n - 1};
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\n'))
        text.n--;
    return text;
}

static bool word(struct str *text, struct str *out)
{
    while (text->n > 0 && text->p[0] == ' ')
        *text = (struct str){text->p + 1, text->n - 1};
    *out = (struct str){text->p, 0};
    while (out->n < text->n && text->p[out->n] != ' ')
        out->n++;
    *text = (struct str){text->p + out->n, text->n - out->n};
    return out->n > 0;
}

static const char *read_times(const char *p, struct sequence_step *step)
{
    char *end;
    step->times_min = (uint32_t)strtoul(p, &end, 10);
    step->times_max = step->times_min;
    if (end[0] == '.') {
        p = end + 2;
        step->times_max = *p == '}' ? SEQUENCE_UNBOUNDED : (uint32_t)strtoul(p, &end, 10);
    }
    return strchr(p, '}');
}

static void read_step(struct str text, struct sequence_step *step)
{
    const char *p = text.p;
    *step = (struct sequence_step){.times_min = 1, .times_max = 1, .until = -1};
    step->negated = *p == '!';
    p += step->negated ? 1 : 0;
    if (*p == '.' || *p == '*')
        step->contiguity = *p++ == '.' ? SEQUENCE_STRICT : SEQUENCE_RELAXED_ANY;
    step->condition = (uint8_t)letter(*p);
    while (++p < text.p + text.n)
        switch (*p) {
        case '{':
            p = read_times(p + 1, step);
            break;
        case '=':
            step->inner = SEQUENCE_STRICT;
            break;
        case '%':
            step->inner = SEQUENCE_RELAXED_ANY;
            break;
        case '?':
            step->optional = true;
            break;
        case '^':
            step->greedy = true;
            break;
        default:
            step->until = (int16_t)letter(*++p);
        }
}

static void read_skip(struct str text, struct sequence_options *options)
{
    static const char *const names[] = {"no_skip", "to_next", "past_last", "to_first:", "to_last:"};
    size_t i = 0;
    while (strncmp(text.p, names[i], strlen(names[i])) != 0)
        i++;
    options->skip = (enum sequence_skip)i;
    options->skip_step = letter(text.p[text.n - 1]);
}

static void read_events(struct sequence_case *c, struct str text)
{
    for (struct str w; word(&text, &w); c->event_count++) {
        assert_true(c->event_count < EVENTS_MAX);
        struct sequence_event *event = &c->events[c->event_count];
        char *end = (char *)(uintptr_t)w.p;
        long long time = isdigit((unsigned char)w.p[0]) ? strtoll(w.p, &end, 10) : (long long)c->event_count + 1;
        *event = (struct sequence_event){.number = c->event_count, .time_ms = time, .history_known = true};
        for (const char *p = end; p < w.p + w.n; p++)
            if (islower((unsigned char)*p))
                event->holds |= UINT64_C(1) << letter(*p);
    }
}

/* Reads a line up to the expected matches, which it returns. */
static struct str read_case(struct sequence_case *c, const char *line)
{
    *c = (struct sequence_case){0};
    struct str steps = part(&line);
    for (struct str w; word(&steps, &w);)
        read_step(w, &c->steps[c->options.step_count++]);
    c->options.steps = c->steps;
    read_skip(part(&line), &c->options);
    struct str limits = part(&line);
    c->options.within_ms = strtoll(limits.p, NULL, 10);
    const char *gap = memchr(limits.p, '/', limits.n);
    c->options.max_gap_ms = gap == NULL ? 0 : strtoll(gap + 1, NULL, 10);
    struct str reads = part(&line);
    for (size_t i = 0; i < reads.n; i++)
        c->options.reads |= UINT64_C(1) << letter(reads.p[i]);
    read_events(c, part(&line));
    struct error err;
    assert_int_equal(sequence_pattern_compile(&c->options, &c->arena, &c->pattern, &err), 0);
    return part(&line);
}

/* A condition that reads what came before holds for two of three numbers made from it. */
static bool reading(void *context, int condition, uint64_t number, const struct sequence_item *items, size_t item_count)
{
    (void)context;
    (void)condition;
    uint64_t n = (number + 1) * 7;
    for (size_t i = 0; i < item_count; i++)
        n += (items[i].step + UINT64_C(1)) * (items[i].number + 1);
    return n % 3 != 0;
}

static void show(struct buf *out, const struct sequence_call *call)
{
    for (size_t i = 0; i < call->match_count; i++) {
        const struct sequence_match *match = &call->matches[i];
        buf_puts(out, out->len > 0 ? " " : "");
        for (size_t k = 0; k < match->item_count; k++)
            buf_printf(out, "%c%d", 'a' + match->items[k].step, (int)match->items[k].number + 1);
        if (match->items[match->item_count - 1].time_ms != match->time_ms)
            buf_printf(out, "@%lld", (long long)match->time_ms);
    }
}

/* Through bytes and back: the same runs, the same bytes. */
static void through_bytes(struct sequence_runs *runs)
{
    struct buf bytes = {0};
    struct buf again = {0};
    sequence_encode(&bytes, runs);
    struct sequence_runs read;
    sequence_runs_init(&read, runs->pattern);
    struct reader r = reader_of(bytes.p, bytes.len);
    assert_true(sequence_decode(&r, &read));
    assert_int_equal(reader_left(&r), 0);
    sequence_encode(&again, &read);
    assert_true(str_eq(buf_str(&bytes), buf_str(&again)));
    sequence_runs_fini(runs);
    *runs = read;
    buf_fini(&bytes);
    buf_fini(&again);
}

/* With `timers` each deadline is met before the next event, else the next event finds what is over. */
static void run_case(struct sequence_case *c, bool timers, struct buf *out)
{
    struct sequence_runs runs;
    sequence_runs_init(&runs, &c->pattern);
    struct arena arena = {0};
    for (size_t i = 0; i <= c->event_count; i++) {
        struct sequence_call call = {.arena = &arena, .runs_max = 100000, .holds = reading};
        bool last = i == c->event_count;
        while ((timers || last) && sequence_deadline(&runs) < (last ? INT64_MAX : c->events[i].time_ms))
            sequence_advance(&runs, sequence_deadline(&runs), &call);
        if (!last)
            sequence_feed(&runs, &c->events[i], &call);
        show(out, &call);
        through_bytes(&runs);
        arena_reset(&arena);
    }
    arena_fini(&arena);
    sequence_runs_fini(&runs);
}

static int check_line(const char *line)
{
    int wrong = 0;
    for (int timers = 0; timers < 2; timers++) {
        struct sequence_case c;
        struct str expected = read_case(&c, line);
        struct buf got = {0};
        run_case(&c, timers == 1, &got);
        if (!str_eq(expected, buf_str(&got))) {
            print_error("%s\n  gives %.*s%s\n", line, STR_ARG(buf_str(&got)), timers == 1 ? "" : " without timers");
            wrong++;
        }
        buf_fini(&got);
        arena_fini(&c.arena);
    }
    return wrong;
}

static void check_table(const char *const *lines, size_t n)
{
    int wrong = 0;
    for (size_t i = 0; i < n; i++)
        wrong += check_line(lines[i]);
    assert_int_equal(wrong, 0);
}

static void test_as_flink(void **state)
{
    (void)state;
    check_table(flink_table, sizeof flink_table / sizeof *flink_table);
    check_table(random_table, sizeof random_table / sizeof *random_table);
}

static void test_own_rules(void **state)
{
    (void)state;
    check_table(own_table, sizeof own_table / sizeof *own_table);
}

static void test_file(void **state)
{
    (void)state;
    if (cases_file == NULL)
        return;
    FILE *file = fopen(cases_file, "r");
    assert_non_null(file);
    int wrong = 0;
    static char line[1 << 20];
    while (fgets(line, sizeof line, file) != NULL)
        wrong += check_line(line);
    (void)fclose(file);
    assert_int_equal(wrong, 0);
}

struct bounded {
    struct sequence_case c;
    struct sequence_runs runs;
    struct sequence_call call;
    struct buf shown;
};

static void bounded_init(struct bounded *b, const char *line, size_t runs_max)
{
    *b = (struct bounded){0};
    (void)read_case(&b->c, line);
    sequence_runs_init(&b->runs, &b->c.pattern);
    b->call = (struct sequence_call){.arena = &b->c.arena, .runs_max = runs_max, .holds = reading};
    for (size_t i = 0; i < b->c.event_count; i++)
        sequence_feed(&b->runs, &b->c.events[i], &b->call);
    show(&b->shown, &b->call);
}

static void bounded_fini(struct bounded *b)
{
    sequence_runs_fini(&b->runs);
    buf_fini(&b->shown);
    arena_fini(&b->c.arena);
}

static void test_runs_that_began_first_are_dropped_first(void **state)
{
    (void)state;
    struct bounded b;
    bounded_init(&b, "a *b | no_skip | 0 | | a a a a b", 3);
    assert_true(str_is(buf_str(&b.shown), "a2b5 a3b5 a4b5"));
    assert_int_equal(b.call.dropped, 1);
    bounded_fini(&b);

    /* one run alone may not grow for ever */
    bounded_init(&b, "a{1..}= b | no_skip | 0 | | a a a a a a a a a a a b", 1);
    assert_true(str_is(buf_str(&b.shown), "a11b12"));
    assert_true(b.call.dropped > 0);
    bounded_fini(&b);

    /* whole ones that wait count too */
    bounded_init(&b, "a b{2..} c{1..} | past_last | 0 | | a a a a b c", 2);
    assert_int_equal(b.runs.completed.count + b.runs.partial.count - 1, 2);
    bounded_fini(&b);
}

static void test_silent_without_history(void **state)
{
    (void)state;
    struct sequence_case c;
    (void)read_case(&c, "!a b c | no_skip | 10 | | 5:b 6:b 7:c");
    c.events[0].history_known = false;
    struct buf shown = {0};
    run_case(&c, true, &shown);
    assert_true(str_is(buf_str(&shown), "b2c3"));
    buf_fini(&shown);
    arena_fini(&c.arena);
}

static void test_references_and_idleness(void **state)
{
    (void)state;
    struct bounded b;
    bounded_init(&b, "!d a b{1..} c | past_last | 10 | | 1:a 2:b 3:- 4:b 5:a 6:d", 100);
    size_t n;
    const uint64_t *numbers = sequence_referenced(&b.runs, &b.c.arena, &n);
    static const uint64_t expected[] = {0, 1, 3, 4, 5};
    assert_int_equal(n, 5);
    assert_memory_equal(numbers, expected, sizeof expected);
    assert_int_equal(sequence_deadline(&b.runs), 6);
    sequence_advance(&b.runs, 6, &b.call);
    (void)sequence_referenced(&b.runs, &b.c.arena, &n);
    assert_int_equal(n, 4);
    assert_int_equal(sequence_deadline(&b.runs), 11);
    sequence_advance(&b.runs, 15, &b.call);
    (void)sequence_referenced(&b.runs, &b.c.arena, &n);
    assert_int_equal(n, 0);
    assert_false(sequence_idle(&b.runs));
    assert_int_equal(sequence_deadline(&b.runs), 16);
    sequence_advance(&b.runs, 16, &b.call);
    assert_true(sequence_idle(&b.runs));
    assert_int_equal(sequence_deadline(&b.runs), INT64_MAX);
    bounded_fini(&b);
}

/* Any bytes are refused or are runs that encode to the same bytes; what they say never goes out of bounds. */
static void test_damaged_bytes(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "a !c b{1..}%? d | past_last | 100 | | a b ab b a ab b",
        "!d a{1..} *b{2..3} c | to_next | 100 | | 1:a 2:ab 3:b 4:d 5:a 5:ad",
        "a b{2..} c{1..} | past_last | 0 | | a a b b c b c",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct bounded b;
        bounded_init(&b, lines[i], 100);
        struct buf bytes = {0};
        sequence_encode(&bytes, &b.runs);
        for (size_t at = 0; at < bytes.len; at++)
            for (int flip = 0; flip < 9; flip++) {
                size_t n = flip == 8 ? at : bytes.len;
                bytes.p[at] ^= (char)(flip == 8 ? 0 : 1 << flip);
                struct sequence_runs read;
                sequence_runs_init(&read, &b.c.pattern);
                struct reader r = reader_of(bytes.p, n);
                if (sequence_decode(&r, &read)) {
                    struct buf again = {0};
                    sequence_encode(&again, &read);
                    assert_true(str_eq(buf_str(&again), (struct str){bytes.p, n - reader_left(&r)}));
                    buf_fini(&again);
                }
                sequence_runs_fini(&read);
                bytes.p[at] ^= (char)(flip == 8 ? 0 : 1 << flip);
            }
        buf_fini(&bytes);
        bounded_fini(&b);
    }
}

static void test_too_many_states(void **state)
{
    (void)state;
    struct sequence_step steps[SEQUENCE_STEPS_MAX];
    for (size_t i = 0; i < SEQUENCE_STEPS_MAX; i++)
        steps[i] = (struct sequence_step){.times_min = 1, .times_max = 100, .optional = i > 1, .until = -1};
    steps[1] = (struct sequence_step){.negated = true, .until = -1};
    struct sequence_options options = {.steps = steps, .step_count = SEQUENCE_STEPS_MAX};
    struct arena arena = {0};
    struct sequence_pattern pattern;
    struct error err;
    assert_int_equal(sequence_pattern_compile(&options, &arena, &pattern, &err), -1);
    assert_non_null(strstr(err.message, "more than 10000 states"));
    arena_fini(&arena);
}

int main(int argc, char **argv)
{
    cases_file = argc > 1 ? argv[1] : NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_flink),
        cmocka_unit_test(test_own_rules),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_runs_that_began_first_are_dropped_first),
        cmocka_unit_test(test_silent_without_history),
        cmocka_unit_test(test_references_and_idleness),
        cmocka_unit_test(test_damaged_bytes),
        cmocka_unit_test(test_too_many_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
