/* What recommendations tell each other: which of them stands for which (`supersedes` of their rules). They may be of
 * any rule and task, so all of it goes by messages, each of them one level above what it answers:
 *
 *     APPEARED    to itself, above all rules: it was made, or is open again
 *     MEET        to all tasks: those that it stands for fall, those that stand for it answer
 *     FALL        to the one that appeared: another stands for it
 *     STAND       to one that stands for another: which one
 */
#ifndef FORESTALL_RECOMMEND_MESSAGE_H
#define FORESTALL_RECOMMEND_MESSAGE_H

#include "event/event.h"

enum recommend_message_kind { MESSAGE_APPEARED, MESSAGE_MEET, MESSAGE_FALL, MESSAGE_STAND, MESSAGE_KINDS };

/* A recommendation by its rule's number and its hash. */
struct recommend_address {
    int rule_number;
    uint64_t hash;
};

struct recommend_message {
    enum recommend_message_kind kind;
    int64_t time_ms;
    struct recommend_address to; /* of MEET none: it is the one that appeared, as `from` */
    struct recommend_address from;
    /* MEET: */
    struct str group; /* the one that appeared: its group, as value_encode wrote it */
    bool stands;
    bool falls;
};

/* Messages of a kind are at this level, where the rules' highest is `level_max`. */
static inline uint8_t message_level(enum recommend_message_kind kind, int level_max)
{
    return (uint8_t)(level_max + 1 + (int)kind);
}

#endif
