/* Rows in the state. */
#include "engine/rows.h"

#include <stdlib.h>

#include "engine/row_keys.h"

struct rows {
    struct rows_options options;
    struct row_folding folding;
    uint64_t forgotten;
    struct row_keys keys;
    int64_t *days; /* midnights asked for, as days since the epoch */
    size_t day_count;
    size_t day_cap;
};

struct rows *rows_new(const struct rows_options *options)
{
    struct rows *rows = mem_zalloc(sizeof *rows);
    rows->options = *options;
    rows->folding.bytes_max = (size_t)options->config->record_bytes_max;
    row_keys_init(&rows->keys, options->config);
    return rows;
}

void rows_free(struct rows *rows)
{
    row_keys_fini(&rows->keys);
    free(rows->days);
    free(rows);
}

static int64_t retention_days(const struct rows *rows)
{
    return (rows->options.config->row_retention_ms + DAY_MS - 1) / DAY_MS;
}

/* Day `day` was the last update's: the row may go at the first midnight that is row_retention after its end. */
static void ask(struct rows *rows, int64_t day)
{
    for (size_t i = rows->day_count; i > 0; i--)
        if (rows->days[i - 1] == day)
            return;
    rows->days = mem_grow(rows->days, rows->day_count, &rows->day_cap, sizeof *rows->days);
    rows->days[rows->day_count++] = day;
    rows->options.arm(rows->options.context, (day + 1 + retention_days(rows)) * DAY_MS);
}

static void expiry_key(struct buf *out, int task, int64_t day, struct str row_key_bytes)
{
    state_key(out, task, STATE_ROW_EXPIRY);
    buf_i64_sorted(out, day);
    buf_str_put(out, row_key_bytes);
}

static int64_t updated_day(const struct event *row)
{
    return floor_div(value_ms(row->values[row->stream->record_field_count + 1]), DAY_MS);
}

/* Writes the row and moves its expiry to the day of this update. */
static void write_row(struct rows *rows, struct str key, struct str own_key, int task, const struct row_update *update)
{
    struct buf bytes = {0};
    struct buf expiry = {0};
    int64_t old_day = update->existed ? updated_day(&update->before) : INT64_MIN;
    bool gone = update->change == ROW_REMOVED;
    int64_t new_day = gone ? INT64_MIN : updated_day(&update->after);
    if (gone) {
        state_del(rows->options.state, key);
    } else {
        event_encode(&bytes, &update->after, FIELD_BIT(update->after.stream->field_count) - 1);
        state_put(rows->options.state, key, buf_str(&bytes));
    }
    if (update->existed && old_day != new_day) {
        expiry_key(&expiry, task, old_day, own_key);
        state_del(rows->options.state, buf_str(&expiry));
    }
    if (!gone && old_day != new_day) {
        buf_reset(&expiry);
        expiry_key(&expiry, task, new_day, own_key);
        state_put(rows->options.state, buf_str(&expiry), (struct str){"", 0});
        ask(rows, new_day);
    }
    buf_fini(&bytes);
    buf_fini(&expiry);
}

static int read_row(struct rows *rows, struct str key, struct arena *arena, struct row_update *out, struct error *err)
{
    struct buf bytes = {0};
    int result = state_get(rows->options.state, key, &bytes, &out->existed, err);
    if (result == 0 && out->existed) {
        struct str kept = arena_str(arena, buf_str(&bytes));
        struct reader r = reader_of(kept.p, kept.n);
        if (!event_decode(&r, arena, &out->before))
            result = error_set(err, ERROR_FATAL,
                               "a row in the state is damaged: stop, delete the state directory and start: it is "
                               "restored from the changelog");
    }
    buf_fini(&bytes);
    return result;
}

/* An update of an incident that began longer ago than rows are kept, and has no row: it is not a new incident, its row
 * was forgotten. (Real case: status pages that resolve an incident years later.) */
static bool is_forgotten(const struct rows *rows, const struct event *update)
{
    if (update->stream->id != STREAM_INCIDENT || value_is_null(update->values[INCIDENT_STARTED_AT]))
        return false;
    return value_ms(update->values[INCIDENT_STARTED_AT]) < update->time_ms - rows->options.config->row_retention_ms;
}

int rows_apply(struct rows *rows, const struct event *update, struct arena *arena, struct row_update *out,
               struct error *err)
{
    struct buf own_key = {0};
    struct buf key = {0};
    int task = row_keys_put(&rows->keys, update, &own_key);
    state_key(&key, task, STATE_ROW);
    buf_str_put(&key, buf_str(&own_key));
    out->existed = false;
    int result = read_row(rows, buf_str(&key), arena, out, err);
    if (result == 0 && !out->existed && is_forgotten(rows, update)) {
        out->change = ROW_UNCHANGED;
        rows->forgotten++;
    } else if (result == 0) {
        out->change = row_apply(out->existed ? &out->before : NULL, update, arena, &out->after, &rows->folding);
        if (out->change != ROW_UNCHANGED)
            write_row(rows, buf_str(&key), buf_str(&own_key), task, out);
    }
    buf_fini(&own_key);
    buf_fini(&key);
    return result;
}

struct expiring {
    struct buf keys; /* of expiry entries: varint length and bytes */
};

static int collect(void *context, struct str key, struct str value)
{
    struct expiring *expiring = context;
    (void)value;
    buf_text(&expiring->keys, key);
    return 0;
}

static int expire_task(struct rows *rows, int task, int64_t day, struct error *err)
{
    struct expiring expiring = {0};
    struct buf key = {0};
    expiry_key(&key, task, day, (struct str){"", 0});
    size_t prefix = key.len;
    int result = state_scan(rows->options.state, buf_str(&key), collect, &expiring, err);
    struct reader r = reader_of(expiring.keys.p, expiring.keys.len);
    while (result == 0 && reader_left(&r) > 0) {
        struct str expiry = read_text(&r);
        buf_reset(&key);
        state_key(&key, task, STATE_ROW);
        buf_put(&key, expiry.p + prefix, expiry.n - prefix);
        state_del(rows->options.state, buf_str(&key));
        state_del(rows->options.state, expiry);
    }
    buf_fini(&expiring.keys);
    buf_fini(&key);
    return result;
}

int rows_expire(struct rows *rows, int64_t time_ms, struct error *err)
{
    int64_t day = time_ms / DAY_MS - 1 - retention_days(rows);
    size_t kept = 0;
    for (size_t i = 0; i < rows->day_count; i++)
        if (rows->days[i] != day)
            rows->days[kept++] = rows->days[i];
    rows->day_count = kept;
    for (int task = rows->options.tasks.first; task < rows->options.tasks.end; task++)
        TRY(expire_task(rows, task, day, err));
    return 0;
}

static int ask_for(void *context, struct str key, struct str value)
{
    struct reader r = reader_of(key.p, key.n);
    (void)value;
    (void)read_u16(&r);
    (void)read_byte(&r);
    int64_t day = read_i64_sorted(&r);
    if (!r.failed)
        ask(context, day);
    return 0;
}

int rows_restore(struct rows *rows, struct error *err)
{
    struct buf prefix = {0};
    int result = 0;
    rows->day_count = 0;
    for (int task = rows->options.tasks.first; task < rows->options.tasks.end && result == 0; task++) {
        buf_reset(&prefix);
        state_key(&prefix, task, STATE_ROW_EXPIRY);
        result = state_scan(rows->options.state, buf_str(&prefix), ask_for, rows, err);
    }
    buf_fini(&prefix);
    return result;
}

uint64_t rows_forgotten(const struct rows *rows)
{
    return rows->forgotten;
}

uint64_t rows_spans_left_out(const struct rows *rows)
{
    return rows->folding.spans_left_out;
}

uint64_t rows_values_left_out(const struct rows *rows)
{
    return rows->folding.values_left_out;
}
