/* What is wrong with text that libyaml does not read, in the words of who writes rules by hand: libyaml says where it
 * stopped and what it would have liked there, which is seldom where the mistake is.
 */
#ifndef FORESTALL_RULE_YAML_SLIP_H
#define FORESTALL_RULE_YAML_SLIP_H

#include "rule/yaml.h"

/* From 0; columns count characters. */
struct yaml_spot {
    size_t line;
    size_t column;
};

struct yaml_fault {
    struct str text; /* of the whole file */
    const char *problem;
    struct yaml_spot at;
    const char *context; /* what libyaml was reading, from `since` on; "": nothing */
    struct yaml_spot since;
    /* The scalar before. */
    bool quoted;
    struct yaml_spot scalar;
    struct yaml_spot scalar_end;
};

struct yaml_slip {
    struct yaml_spot at;
    const char *words; /* the arena's */
};

struct yaml_slip yaml_slip_of(struct arena *arena, const struct yaml_fault *fault);

/* In a collection written within [ ] or { }: what stands behind a comma that cuts a call's arguments in two, as in
 * {value: avg(x, event.value)}; NULL: nothing. */
const struct yaml_node *yaml_cut_by_comma(const struct yaml_node *collection);

#endif
