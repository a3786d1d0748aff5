/* Copies of records until they are committed. */
#include "engine/outbox.h"

#include <stdlib.h>

void outbox_fini(struct outbox *outbox)
{
    arena_fini(&outbox->arena);
    free(outbox->records);
    *outbox = (struct outbox){0};
}

void outbox_clear(struct outbox *outbox)
{
    outbox->count = outbox->bytes = 0;
    arena_reset(&outbox->arena);
}

static struct str copy(struct outbox *outbox, struct str text)
{
    outbox->bytes += text.n;
    return text.p == NULL ? text : arena_str(&outbox->arena, text);
}

void outbox_add(struct outbox *outbox, const struct commit_record *record)
{
    outbox->records = mem_grow(outbox->records, outbox->count, &outbox->cap, sizeof *outbox->records);
    struct commit_record *kept = &outbox->records[outbox->count++];
    *kept = *record;
    kept->key = copy(outbox, record->key);
    kept->value = copy(outbox, record->value);
    for (size_t i = 0; i < record->header_count; i++)
        kept->headers[i].value = copy(outbox, record->headers[i].value);
}

void outbox_lend(struct outbox *outbox, const struct commit_record *record)
{
    outbox->records = mem_grow(outbox->records, outbox->count, &outbox->cap, sizeof *outbox->records);
    outbox->records[outbox->count++] = *record;
}
