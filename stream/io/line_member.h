/* Finds one member of a JSON object's text without parsing the rest: which stream a line belongs to is asked before
 * anything knows how to decode it. */
#ifndef FORESTALL_IO_LINE_MEMBER_H
#define FORESTALL_IO_LINE_MEMBER_H

#include "base/str.h"

/* The string value of the first member `name` of the object at the top of `line`, as written (a view, escapes left as
 * they are). False: no such member, or no string, or what is before it is not JSON. The line may be cut short. */
bool line_member(struct str line, struct str name, struct str *value);

#endif
