#include "rule/testcase.h"
#include "rule/rule_load.h"
void rule_tests_check(struct rule_build *build)
{
    (void)build;
}
