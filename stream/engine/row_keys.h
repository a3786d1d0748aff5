/* What identifies a row: the stream's own key, or the fields that its source names. */
#ifndef FORESTALL_ENGINE_ROW_KEYS_H
#define FORESTALL_ENGINE_ROW_KEYS_H

#include "engine/config.h"
#include "event/event.h"

struct row_keys {
    const struct config *config; /* borrowed */
    int **fields;                /* by source; NULL: the stream's own key */
};

void row_keys_init(struct row_keys *keys, const struct config *config);
void row_keys_fini(struct row_keys *keys);
/* Appends the key of the update's row, and returns its task. */
int row_keys_put(const struct row_keys *keys, const struct event *update, struct buf *key);

#endif
