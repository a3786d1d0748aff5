/* The record of one version, in the order of DESIGN section 7. */
#ifndef FORESTALL_RECOMMEND_RENDER_H
#define FORESTALL_RECOMMEND_RENDER_H

#include "recommend/impact.h"

/* The record without its version and event time, which are null until render_stamp. It borrows from the recommendation,
 * its rule and the arena. */
struct rendered {
    struct value *pairs;
    size_t count;
    struct str id;
};

struct rendered render_content(const struct recommendation *recommendation, const struct impact *impact,
                               struct arena *arena);
/* A hash of the content's JSON. */
uint64_t render_hash(const struct rendered *rendered);
/* The whole record. */
struct value render_stamp(struct rendered *rendered, uint64_t version, int64_t time_ms);

#endif
