/* Comparing what a rule's test expects of a recommendation with its record. */
#ifndef FORESTALL_CLI_EXPECT_H
#define FORESTALL_CLI_EXPECT_H

#include "event/value.h"

/* True where the record has every expected field with the expected value: text is read as the type of what it is held
 * against (spans as `25m` or milliseconds, times as ISO 8601 or an offset from the test's 0). Otherwise false, and a
 * line an unequal field in `differences`. */
bool expect_fields(struct value expected, struct value record, struct buf *differences);
/* True where `group` (a map; null: anything) agrees with the record's group on every key that it names. */
bool expect_group(struct value group, struct value record);

#endif
