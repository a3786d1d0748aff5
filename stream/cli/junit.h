/* A report of tests as JUnit's XML, in the shape that GitHub's, GitLab's and Jenkins' readers agree on: `testsuites`, a
 * `testsuite` a rule, a `testcase` a test with its file and line, and in it a `failure`. */
#ifndef FORESTALL_CLI_JUNIT_H
#define FORESTALL_CLI_JUNIT_H

#include "base/error.h"
#include "base/str.h"

struct junit_case {
    struct str suite;
    struct str name;
    const char *file;
    int line;
    bool failed;
    struct str text; /* of a failure all that is to be said */
    int64_t took_us;
};

struct junit;

struct junit *junit_new(void);
void junit_free(struct junit *junit);
/* Adds a copy. Cases of one suite are added one after the other. */
void junit_add(struct junit *junit, const struct junit_case *item);
/* Writes the file, in place of one that is there. */
int junit_write(const struct junit *junit, const char *path, struct error *err) MUST_CHECK;

#endif
