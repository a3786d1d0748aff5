/* The rows of incidents and deployments in the state, and their expiry row_retention after the last update.
 *
 * A row's task is its key's. Expiry is by days: an index entry a row names the day of its last update, so that a
 * midnight only looks at the rows that may go.
 */
#ifndef FORESTALL_ENGINE_ROWS_H
#define FORESTALL_ENGINE_ROWS_H

#include "detect/row.h"
#include "engine/config.h"
#include "state/state.h"

struct rows;

struct rows_options {
    struct state *state;
    const struct config *config; /* row_retention, record_bytes, keys by source */
    struct task_range tasks;
    /* Asks that rows_expire be called at this time. */
    void (*arm)(void *context, int64_t time_ms);
    void *context;
};

struct rows *rows_new(const struct rows_options *options);
void rows_free(struct rows *rows);

struct row_update {
    enum row_change change;
    bool existed;
    struct event before; /* defined where existed */
    struct event after;  /* defined on ROW_CHANGED */
};

/* Folds an update into its row and writes it. `out` borrows from the update and the arena. */
int rows_apply(struct rows *rows, const struct event *update, struct arena *arena, struct row_update *out,
               struct error *err) MUST_CHECK;
/* A midnight: forgets the rows whose time has come. */
int rows_expire(struct rows *rows, int64_t time_ms, struct error *err) MUST_CHECK;
/* Forgets which midnights were asked for and asks again for what the state holds. */
int rows_restore(struct rows *rows, struct error *err) MUST_CHECK;
/* Updates of incidents whose row is gone. */
uint64_t rows_forgotten(const struct rows *rows);
uint64_t rows_spans_left_out(const struct rows *rows);
/* Fields of updates that would have made a row longer than limits.record_bytes. */
uint64_t rows_values_left_out(const struct rows *rows);

#endif
