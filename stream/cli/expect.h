/* Comparing what a rule's test expects of a recommendation with its record. */
#ifndef FORESTALL_CLI_EXPECT_H
#define FORESTALL_CLI_EXPECT_H

#include "event/value.h"

enum { EXPECT_INDENT = 6 }; /* of the lines that tell of an expectation */

/* True where the record has every expected field with the expected value: text is read as the type of what it is held
 * against (spans as `25m` or milliseconds, times as ISO 8601 or an offset from the test's 0). Otherwise false, and two
 * lines in `out` for each field, or member of one, that differs: what was expected, and what there is below it. */
bool expect_fields(struct value expected, struct value record, struct buf *out);
/* True where `group` (a map; null: anything) agrees with the record's group on every key that it names. */
bool expect_group(struct value group, struct value record);
/* A value of the field `path` as a test would write it; times as offset and ISO 8601. */
void expect_put(struct buf *out, struct str path, struct value v);

#endif
