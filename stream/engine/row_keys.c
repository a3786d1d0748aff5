/* See row_keys.h. */
#include "engine/row_keys.h"

#include <stdlib.h>

#include "detect/group.h"
#include "detect/row.h"

void row_keys_init(struct row_keys *keys, const struct config *config)
{
    keys->config = config;
    keys->fields = mem_zalloc((config->source_count + 1) * sizeof *keys->fields);
    for (size_t i = 0; i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        if (!source->stream->rows || source->key_count == 0)
            continue;
        keys->fields[i] = mem_alloc(source->key_count * sizeof **keys->fields);
        for (size_t k = 0; k < source->key_count; k++)
            keys->fields[i][k] = stream_field_find(source->stream, source->key[k]);
    }
}

void row_keys_fini(struct row_keys *keys)
{
    for (size_t i = 0; i < keys->config->source_count; i++)
        free(keys->fields[i]);
    free(keys->fields);
}

int row_keys_put(const struct row_keys *keys, const struct event *update, struct buf *key)
{
    size_t source = (size_t)update->at.topic;
    size_t from = key->len;
    ASSERT(source < keys->config->source_count);
    row_key(key, update, keys->fields[source], keys->config->sources[source].key_count);
    return group_task(group_hash((struct str){key->p + from, key->len - from}), keys->config->tasks);
}
