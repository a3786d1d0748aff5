/* A record that cannot be used, on its way to the dead-letter topic: its own bytes, with the reason and where it was.
 */
#ifndef FORESTALL_ENGINE_DEAD_LETTER_H
#define FORESTALL_ENGINE_DEAD_LETTER_H

#include "engine/outbox.h"

struct dead_letter {
    struct str topic;
    int32_t partition;
    int64_t offset;
    struct str key; /* p NULL: none; as for value */
    struct str value;
    struct str reason;
    bool truncated; /* too large to be sent on: the value, and a long key, is left out, and a header says so */
};

/* Adds it to the outbox, copied. */
void dead_letter_add(struct outbox *outbox, const struct dead_letter *letter);

#endif
