/* Naming a recommendation on the command line: an id, as much of its beginning as only one has, or the id of a rule
 * that has made only one. */
#ifndef FORESTALL_CLI_FIND_H
#define FORESTALL_CLI_FIND_H

#include "cli/published.h"

/* NULL: none or several are meant; which ones might be was said on standard error. */
const struct value *find_recommendation(const struct published *published, const char *id);
/* What is short and names only this record: the rule's id, or the id down to four or more of its digits. */
struct str find_short_id(const struct published *published, struct value record);

#endif
