/* Where text is no JSON, for those who wrote it by hand: simdjson says that, and neither where nor why. */
#ifndef FORESTALL_CODEC_JSON_FAULT_H
#define FORESTALL_CODEC_JSON_FAULT_H

#include "base/str.h"

struct json_fault {
    size_t offset;     /* in bytes; the text's length: at its end */
    const char *words; /* a literal; NULL: nothing is wrong */
};

/* The first mistake. Names that come twice are none. */
struct json_fault json_fault_find(struct str text);

#endif
