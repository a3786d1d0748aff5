/* An expression in plain words, for people who do not read CEL: `count(x) >= 3 && mttr > duration('15m')` as "the
 * number of x is at least 3 and the mean time to resolve is more than 15m". */
#ifndef FORESTALL_RULE_CEL_WORDS_H
#define FORESTALL_RULE_CEL_WORDS_H

#include "rule/cel.h"

/* How names are said. What they return lives as long as the call. */
struct cel_words {
    const void *context;
    struct str (*slot)(const void *context, int slot);
    const struct stream *stream; /* of the event's fields; NULL where there is no event */
};

/* What has no words of its own (functions, comprehensions) is put as it is written. */
void cel_put_words(struct buf *out, const struct cel *cel, const struct cel_words *words);

#endif
