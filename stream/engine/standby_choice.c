/* Rendezvous hashing over the instances. */
#include "engine/standby_choice.h"

static uint64_t rank_of(struct str instance, int task)
{
    return hash_bytes(instance.p, instance.n, (uint64_t)task + 1);
}

/* Equal hashes are told apart by the ids. */
static bool above(struct str a, struct str b, int task)
{
    uint64_t rank_a = rank_of(a, task);
    uint64_t rank_b = rank_of(b, task);
    return rank_a != rank_b ? rank_a > rank_b : str_cmp(a, b) > 0;
}

bool standby_chosen(const struct standby_choice *choice)
{
    int before = 0;
    if (str_eq(choice->self, choice->driver))
        return false;
    for (size_t i = 0; i < choice->count; i++) {
        struct str other = choice->instances[i];
        if (!str_eq(other, choice->self) && !str_eq(other, choice->driver) && above(other, choice->self, choice->task))
            before++;
    }
    return before < choice->replicas;
}
