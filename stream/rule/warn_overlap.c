/* Warnings of rules that fire together: over the same inputs, groups and window, one's `when` follows from the other's.
 * That is found by the hash of what they share and, of the conditions, by a search for a case where one holds and the
 * other does not. A rule that supersedes the other is meant so. */
#include "rule/warn.h"

#include <stdlib.h>

enum { ALIKE_MAX = 64 }; /* of rules over the same inputs so many are compared with each other */

struct candidate {
    uint64_t shared; /* hash of all but id, `when` and texts */
    const struct rule *rule;
};

static uint64_t hash_shared(const struct rule *rule)
{
    struct rule copy = *rule;
    copy.id = (struct str){NULL, 0};
    copy.when = NULL;
    copy.aggregate_count = 0;
    return rule_hash(&copy);
}

static int order(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    if (a->shared != b->shared)
        return a->shared < b->shared ? -1 : 1;
    return str_cmp(a->rule->id, b->rule->id);
}

static bool supersedes(const struct rule *rule, const struct rule *other)
{
    for (size_t i = 0; rule->recommend != NULL && i < rule->recommend->supersedes_count; i++)
        if (str_eq(rule->recommend->supersedes[i], other->id))
            return true;
    return false;
}

/* A slot by another rule's numbers: outputs of two alike detectors are the same, a function is found by its text. */
struct translation {
    const struct rule *from;
    const struct rule *to;
};

static int translate(void *context, bool slot, int index)
{
    const struct translation *names = context;
    int first = (int)rule_aggregate_slot(names->from, 0);
    if (!slot || index < first)
        return slot ? index : -1;
    struct str text = names->from->aggregates[index - first].text;
    for (size_t i = 0; i < names->to->aggregate_count; i++)
        if (str_eq(names->to->aggregates[i].text, text))
            return (int)rule_aggregate_slot(names->to, i);
    return -1;
}

/* Whenever `a` holds, so does `b`. */
static bool implies(const struct rule *a, const struct rule *b)
{
    struct cel_domain domains[RULE_SLOTS_MAX];
    size_t count = rule_slot_domains(a, domains);
    struct translation same = {a, a};
    struct translation other = {b, a};
    struct cel_claim claims[] = {{a->when, CEL_TRUE, translate, &same}, {b->when, CEL_NOT_TRUE, translate, &other}};
    return !cel_possible(claims, 2, domains, count);
}

static bool same_text(const struct cel *a, const struct cel *b)
{
    struct buf left = {0};
    struct buf right = {0};
    if (a != NULL)
        cel_print(a, &left);
    if (b != NULL)
        cel_print(b, &right);
    bool same = (a == NULL) == (b == NULL) && str_eq(buf_str(&left), buf_str(&right));
    buf_fini(&left);
    buf_fini(&right);
    return same;
}

/* With `needs` a rule does not recommend at each detection. */
static bool has_needs(const struct rule *rule)
{
    return yaml_get(yaml_get(rule->node, "recommend"), "needs") != NULL;
}

static void tell(struct loader *loader, const struct rule *rule, const struct rule *other, const char *what)
{
    diagnostic_at(loader->diagnostics, yaml_get(rule->node, "id"), "overlap",
                  "'%.*s' %s '%.*s' (%s:%d); make one rule of the two, or let one supersede the other",
                  STR_ARG(rule->id), what, STR_ARG(other->id), other->file, other->line);
}

static void compare(struct loader *loader, const struct rule *a, const struct rule *b)
{
    if (supersedes(a, b) || supersedes(b, a) || has_needs(a) || has_needs(b))
        return;
    if (same_text(a->when, b->when)) {
        tell(loader, b, a, "detects the same as");
        return;
    }
    if (a->when == NULL || b->when == NULL)
        return;
    bool forth = implies(a, b);
    bool back = implies(b, a);
    if (forth && back)
        tell(loader, b, a, "detects the same as");
    else if (forth)
        tell(loader, a, b, "fires only together with");
    else if (back)
        tell(loader, b, a, "fires only together with");
}

void ruleset_warn_overlaps(struct loader *loader)
{
    const struct ruleset *set = loader->set;
    struct candidate *candidates = mem_alloc((set->count + 1) * sizeof *candidates);
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        if (set->rules[i].scorecard == NULL)
            candidates[count++] = (struct candidate){hash_shared(&set->rules[i]), &set->rules[i]};
    if (count > 1)
        qsort(candidates, count, sizeof *candidates, order);
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count && j <= i + ALIKE_MAX && candidates[j].shared == candidates[i].shared; j++)
            compare(loader, candidates[i].rule, candidates[j].rule);
    free(candidates);
}
