/* Rows against a naive reference: random updates of incidents and deployments, folded one by one and, in the reference,
 * from the whole history, field by field as rules/README.md says it.
 *
 * usage: test_detect_row [SEED]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect/row.h"

enum { ROUNDS = 1500, UPDATES_MAX = 25 };

static uint64_t seed = 1;

static int64_t below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

static struct value one_of(const char *const *texts, int64_t n)
{
    return value_text(texts[below(n)]);
}

static struct value random_refs(struct arena *arena)
{
    size_t n = below(4) == 0 ? (size_t)below(70) : (size_t)below(4);
    struct value *items = arena_alloc(arena, (n + 1) * sizeof *items);
    for (size_t i = 0; i < n; i++)
        items[i] = value_text(arena_printf(arena, "src/%d.c", (int)below(80)));
    return value_list(items, n);
}

static struct value random_labels(struct arena *arena)
{
    size_t n = (size_t)below(4);
    struct value *pairs = arena_alloc(arena, (2 * n + 1) * sizeof *pairs);
    int64_t key = below(3);
    for (size_t i = 0; i < n; i++, key += 1 + below(2)) {
        pairs[2 * i] = value_text(arena_printf(arena, "k%d", (int)key));
        pairs[2 * i + 1] = value_text(arena_printf(arena, "v%d", (int)below(3)));
    }
    return value_map(pairs, n);
}

static struct value random_field(const struct stream_field *field, struct arena *arena)
{
    static const char *const texts[] = {"a", "b", "unknown"};
    if (field->nullable && below(2) == 0)
        return value_null();
    switch (field->kind) {
    case FIELD_ENUM: {
        int64_t n = 0;
        while (field->symbols[n] != NULL)
            n++;
        /* cancelled is rare: it ends the row */
        struct value v = one_of(field->symbols, n);
        return str_is(value_as_str(v), "cancelled") && below(3) > 0 ? value_text("open") : v;
    }
    case FIELD_TIME:
        return value_time_ms(1000000 + below(20) * 1000);
    case FIELD_STRINGS:
        return random_refs(arena);
    case FIELD_LABELS:
        return random_labels(arena);
    default:
        return one_of(texts, 3);
    }
}

static void random_update(const struct stream *stream, int number, struct arena *arena, struct event *update)
{
    event_clear(update, stream);
    update->time_ms = 1000000 + number * 500 + below(2) * 500;
    update->at = (struct position){0, 1, 7 + number};
    for (int i = 0; i < stream->record_field_count; i++)
        update->values[i] = random_field(&stream->fields[i], arena);
    update->values[stream->time_field] = value_time_ms(update->time_ms);
    update->values[stream->event_id_field] = value_text(arena_printf(arena, "e%d", number));
}

static bool is(struct value v, const char *text)
{
    return v.type == VALUE_STRING && str_is(value_as_str(v), text);
}

/* The newest value of a field that says something; where none does, the oldest that is not null. */
static struct value newest(const struct event *updates, size_t n, int field)
{
    bool unknown =
        updates[0].stream->id == STREAM_INCIDENT && (field == INCIDENT_DETECTED_BY || field == INCIDENT_ROOT_CAUSE);
    for (size_t i = n; i-- > 0;)
        if (!value_is_null(updates[i].values[field]) && !(unknown && is(updates[i].values[field], "unknown")))
            return updates[i].values[field];
    for (size_t i = 0; i < n; i++)
        if (!value_is_null(updates[i].values[field]))
            return updates[i].values[field];
    return value_null();
}

static struct value all_refs(const struct event *updates, size_t n, int field, struct arena *arena)
{
    struct value *items = arena_alloc(arena, ROW_CODE_REFS_MAX * sizeof *items);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < updates[i].values[field].n; k++) {
            bool twice = false;
            for (size_t j = 0; j < kept; j++)
                twice = twice || value_eq(items[j], updates[i].values[field].items[k]);
            if (!twice && kept < ROW_CODE_REFS_MAX)
                items[kept++] = updates[i].values[field].items[k];
        }
    return value_list(items, kept);
}

static void check_labels(const struct event *updates, size_t n, int field, struct value got)
{
    uint32_t expected = 0;
    for (int key = 0; key < 16; key++) {
        char name[16];
        const struct value *want = NULL;
        (void)snprintf(name, sizeof name, "k%d", key);
        for (size_t i = n; i-- > 0 && want == NULL;)
            want = value_map_get(updates[i].values[field], str_of(name));
        const struct value *have = value_map_get(got, str_of(name));
        assert_int_equal(want != NULL, have != NULL);
        assert_true(want == NULL || value_eq(*want, *have));
        expected += want != NULL;
    }
    assert_int_equal(got.n, expected);
}

static struct value span_or_null(struct value from, struct value to)
{
    if (value_is_null(from) || value_is_null(to) || value_ms(to) < value_ms(from))
        return value_null();
    return value_span_ms(value_ms(to) - value_ms(from));
}

static void check_same(const struct event *row, int field, struct value want)
{
    if (!value_eq(row->values[field], want)) {
        struct buf got = {0};
        struct buf expected = {0};
        value_json(&got, row->values[field]);
        value_json(&expected, want);
        fail_msg("%s is %.*s, not %.*s", row->stream->fields[field].name, STR_ARG(buf_str(&got)),
                 STR_ARG(buf_str(&expected)));
    }
}

/* What only the whole history of an incident tells. */
static void check_incident(const struct event *updates, size_t n, const struct event *row)
{
    struct value worst = updates[0].values[INCIDENT_SEVERITY];
    struct value resolved_at = value_null();
    bool resolved = false;
    int64_t reopened = 0;
    for (size_t i = 0; i < n; i++) {
        const struct value *v = updates[i].values;
        bool was = resolved;
        resolved = is(v[INCIDENT_STATUS], "resolved");
        if (str_cmp(value_as_str(v[INCIDENT_SEVERITY]), value_as_str(worst)) < 0)
            worst = v[INCIDENT_SEVERITY];
        if (!value_is_null(v[INCIDENT_RESOLVED_AT]))
            resolved_at = v[INCIDENT_RESOLVED_AT];
        reopened += was && !resolved;
        if (reopened > 0 && !resolved)
            resolved_at = value_null();
        if (resolved && value_is_null(resolved_at))
            resolved_at = value_time_ms(updates[i].time_ms);
    }
    struct value started = newest(updates, n, INCIDENT_STARTED_AT);
    check_same(row, INCIDENT_WORST_SEVERITY, worst);
    check_same(row, INCIDENT_RESOLVED_AT, resolved_at);
    check_same(row, INCIDENT_REOPENED, value_int(reopened));
    check_same(row, INCIDENT_TTD, span_or_null(started, newest(updates, n, INCIDENT_DETECTED_AT)));
    struct value opened = value_is_null(started) ? value_time_ms(updates[0].time_ms) : started;
    check_same(row, INCIDENT_TTR, resolved ? span_or_null(opened, resolved_at) : value_null());
}

static void check_row(const struct event *updates, size_t n, const struct event *row, struct arena *arena)
{
    const struct stream *stream = row->stream;
    assert_int_equal(row->time_ms, updates[0].time_ms);
    assert_int_equal(position_order(&row->at, &updates[0].at), 0);
    for (int i = 0; i < stream->record_field_count; i++) {
        bool envelope = i == stream->event_id_field || i == stream->time_field;
        if (stream->fields[i].kind == FIELD_LABELS)
            check_labels(updates, n, i, row->values[i]);
        else if (stream->fields[i].kind == FIELD_STRINGS)
            check_same(row, i, all_refs(updates, n, i, arena));
        else if (!envelope && !(stream->id == STREAM_INCIDENT && i == INCIDENT_RESOLVED_AT))
            check_same(row, i, newest(updates, n, i));
    }
    check_same(row, stream->record_field_count, value_time_ms(updates[0].time_ms));
    if (stream->id == STREAM_INCIDENT)
        check_incident(updates, n, row);
}

/* The row through its encoding, as the state keeps it. */
static void stored(const struct event *row, struct arena *arena, struct event *out)
{
    struct buf bytes = {0};
    event_encode(&bytes, row, FIELD_BIT(row->stream->field_count) - 1);
    struct str kept = arena_str(arena, buf_str(&bytes));
    struct reader r = reader_of(kept.p, kept.n);
    assert_true(event_decode(&r, arena, out) && reader_left(&r) == 0);
    buf_fini(&bytes);
}

/* The same update again, and each one that was applied at the row's newest time, says nothing new. */
static void check_duplicate(const struct event *row, const struct event *update, struct arena *arena)
{
    struct row_folding folding = {.bytes_max = SIZE_MAX};
    struct event again;
    struct event copy = *update;
    copy.at.offset += 1000;
    copy.values[copy.stream->event_id_field] = value_text("again");
    assert_int_equal(row_apply(row, &copy, arena, &again, &folding), ROW_UNCHANGED);
}

static void fold_history(const struct stream *stream, struct arena *arena)
{
    struct event updates[UPDATES_MAX];
    struct row_folding folding = {.bytes_max = SIZE_MAX};
    struct event row;
    size_t first = 0; /* of the updates since the row was last removed */
    bool exists = false;
    size_t n = 1 + (size_t)below(UPDATES_MAX);
    for (size_t i = 0; i < n; i++) {
        struct event after;
        random_update(stream, (int)i, arena, &updates[i]);
        bool cancelled = stream->id == STREAM_INCIDENT && is(updates[i].values[INCIDENT_STATUS], "cancelled");
        enum row_change change = row_apply(exists ? &row : NULL, &updates[i], arena, &after, &folding);
        if (cancelled) {
            assert_int_equal(change, exists ? ROW_REMOVED : ROW_UNCHANGED);
            exists = false;
            first = i + 1;
            continue;
        }
        assert_true(exists || change == ROW_CHANGED);
        check_row(updates + first, i + 1 - first, change == ROW_CHANGED ? &after : &row, arena);
        if (change == ROW_CHANGED) {
            assert_int_equal(value_ms(after.values[stream->record_field_count + 1]), updates[i].time_ms);
            stored(&after, arena, &row);
        }
        exists = true;
        check_duplicate(&row, &updates[i], arena);
    }
}

static void test_rows_are_their_history(void **state)
{
    struct arena arena = {0};
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < ROUNDS; i++) {
        fold_history(stream_get(i % 3 == 0 ? STREAM_DEPLOYMENT : STREAM_INCIDENT), &arena);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

static void test_negative_spans_are_counted(void **state)
{
    struct arena arena = {0};
    struct row_folding folding = {.bytes_max = SIZE_MAX};
    struct event update;
    struct event row;
    (void)state;
    event_clear(&update, stream_get(STREAM_INCIDENT));
    update.time_ms = 5000;
    update.values[INCIDENT_STATUS] = value_text("resolved");
    update.values[INCIDENT_SEVERITY] = value_text("sev1");
    update.values[INCIDENT_STARTED_AT] = value_time_ms(9000);
    update.values[INCIDENT_DETECTED_AT] = value_time_ms(8000);
    assert_int_equal(row_apply(NULL, &update, &arena, &row, &folding), ROW_CHANGED);
    assert_true(value_is_null(row.values[INCIDENT_TTD]) && value_is_null(row.values[INCIDENT_TTR]));
    assert_int_equal(folding.spans_left_out, 2);
    arena_fini(&arena);
}

enum { LONG = 6000, BOUND = 10000 };

static struct value long_text(char letter, size_t n, struct arena *arena)
{
    char *text = arena_alloc(arena, n);
    memset(text, letter, n);
    return value_str((struct str){text, n});
}

static struct value label(const char *name, struct value v, struct arena *arena)
{
    struct value *pair = arena_alloc(arena, 2 * sizeof *pair);
    pair[0] = value_text(name);
    pair[1] = v;
    return value_map(pair, 1);
}

/* What each update says fits into a record, what they say together does not. */
static void test_rows_are_no_longer_than_a_record(void **state)
{
    static const int texts[] = {INCIDENT_TITLE, INCIDENT_ROOT_CAUSE, INCIDENT_COMPONENT, INCIDENT_CODE_REFS,
                                INCIDENT_LABELS};
    enum { UPDATES = 3 * sizeof texts / sizeof *texts };
    struct arena arena = {0};
    struct row_folding folding = {.bytes_max = BOUND};
    struct buf bytes = {0};
    struct event row;
    struct event update;
    (void)state;
    event_clear(&update, stream_get(STREAM_INCIDENT));
    update.values[INCIDENT_STATUS] = value_text("open");
    update.values[INCIDENT_SEVERITY] = value_text("sev1");
    update.values[INCIDENT_TITLE] = long_text('t', BOUND, &arena);
    assert_int_equal(row_apply(NULL, &update, &arena, &row, &folding), ROW_CHANGED);
    for (int i = 0; i < UPDATES; i++) {
        struct event before = row;
        int field = texts[i % (UPDATES / 3)];
        struct value *text = arena_alloc(&arena, sizeof *text);
        *text = long_text((char)('a' + i), LONG, &arena);
        event_clear(&update, stream_get(STREAM_INCIDENT));
        update.values[INCIDENT_STATUS] = value_text(i % 2 == 0 ? "resolved" : "open");
        update.values[INCIDENT_SEVERITY] = value_text("sev1");
        update.values[field] = field == INCIDENT_LABELS      ? label(arena_printf(&arena, "l%d", i), *text, &arena)
                               : field == INCIDENT_CODE_REFS ? value_list(text, 1)
                                                             : *text;
        (void)row_apply(&before, &update, &arena, &row, &folding);
        assert_true(value_eq(row.values[INCIDENT_STATUS], update.values[INCIDENT_STATUS]));
        buf_reset(&bytes);
        event_encode(&bytes, &row, FIELD_BIT(row.stream->field_count) - 1);
        assert_true(bytes.len < BOUND + 1000);
    }
    assert_true(folding.values_left_out > 0 && folding.values_left_out < UPDATES);
    buf_fini(&bytes);
    arena_fini(&arena);
}

static void test_a_row_has_so_many_labels(void **state)
{
    struct arena arena = {0};
    struct row_folding folding = {.bytes_max = SIZE_MAX};
    struct value pairs[4 * ROW_LABELS_MAX];
    struct event row;
    struct event after;
    struct event update;
    (void)state;
    for (int i = 0; i < 2 * ROW_LABELS_MAX; i++) {
        pairs[2 * i] = value_text(arena_printf(&arena, "l%d", i));
        pairs[2 * i + 1] = value_text("v");
    }
    event_clear(&update, stream_get(STREAM_DEPLOYMENT));
    update.values[DEPLOYMENT_LABELS] = value_map(pairs, 2 * ROW_LABELS_MAX);
    assert_int_equal(row_apply(NULL, &update, &arena, &row, &folding), ROW_CHANGED);
    assert_int_equal(row.values[DEPLOYMENT_LABELS].n, ROW_LABELS_MAX);
    update.values[DEPLOYMENT_LABELS] = value_map(pairs + 10, 2 * ROW_LABELS_MAX - 5);
    assert_int_equal(row_apply(&row, &update, &arena, &after, &folding), ROW_UNCHANGED);
    update.values[DEPLOYMENT_LABELS] = label("l3", value_text("w"), &arena);
    assert_int_equal(row_apply(&row, &update, &arena, &after, &folding), ROW_CHANGED);
    assert_int_equal(after.values[DEPLOYMENT_LABELS].n, ROW_LABELS_MAX);
    arena_fini(&arena);
}

static void test_keys(void **state)
{
    struct buf a = {0};
    struct buf b = {0};
    struct event update;
    static const int by_id[] = {INCIDENT_ID};
    (void)state;
    event_clear(&update, stream_get(STREAM_INCIDENT));
    update.values[INCIDENT_ID] = value_text("i1");
    update.values[INCIDENT_SERVICE] = value_text("cart");
    row_key(&a, &update, NULL, 0);
    update.values[INCIDENT_SERVICE] = value_text("ad");
    row_key(&b, &update, NULL, 0);
    assert_false(str_eq(buf_str(&a), buf_str(&b)));
    buf_reset(&a);
    buf_reset(&b);
    row_key(&a, &update, by_id, 1);
    update.values[INCIDENT_SERVICE] = value_text("cart");
    row_key(&b, &update, by_id, 1);
    assert_true(str_eq(buf_str(&a), buf_str(&b)));
    buf_fini(&a);
    buf_fini(&b);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows_are_their_history),
                                       cmocka_unit_test(test_negative_spans_are_counted), cmocka_unit_test(test_keys),
                                       cmocka_unit_test(test_rows_are_no_longer_than_a_record),
                                       cmocka_unit_test(test_a_row_has_so_many_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
