/* `detect` of type absence: of which input nothing comes, and for how long. */
#include "rule/rule_load.h"

void rule_absence_read(struct rule_build *build, const struct yaml_node *detect)
{
    struct absence_spec *spec = arena_zalloc(build->loader->arena, sizeof *spec);
    spec->of = rule_input_of(build, check_need(build->loader->diagnostics, detect, "detect", "of"), "of");
    (void)rule_span_read(build, detect, "every", &spec->every_ms);
    build->rule->spec.absence = spec;
    build->rule->reach_ms = spec->every_ms;
    rule_output_add(build, STR_LIT("silence"), cel_type_of(VALUE_DURATION));
}
