/* Which instances keep a copy of a task's state that another one drives: the highest of the others by a hash of
 * instance and task (rendezvous hashing), so that each can work it out by itself from the group's members, and one that
 * comes or goes moves no other copy. Pure. */
#ifndef FORESTALL_ENGINE_STANDBY_CHOICE_H
#define FORESTALL_ENGINE_STANDBY_CHOICE_H

#include "base/str.h"

struct standby_choice {
    const struct str *instances; /* all of them, each once, in any order */
    size_t count;
    struct str self;   /* who asks */
    struct str driver; /* of the task */
    int task;
    int replicas;
};

bool standby_chosen(const struct standby_choice *choice);

#endif
