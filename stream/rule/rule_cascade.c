/* `detect` of type cascade: incidents of services that are joined in the topology, which all files' topologies make. */
#include "rule/rule_load.h"
#include "rule/topology.h"

#include <stdlib.h>

enum { TOPOLOGY_CALLS_MAX = 50000 };

/* Adds a line of a topology; false and an error where there are too many of them. */
static bool add_call(struct loader *loader, const struct yaml_node *node, struct topology_call call)
{
    *map_slot(&loader->services, call.caller) = loader;
    if (call.callee.p != NULL)
        *map_slot(&loader->services, call.callee) = loader;
    bool good = loader->services.count <= TOPOLOGY_SERVICES_MAX && loader->call_count < TOPOLOGY_CALLS_MAX;
    if (good) {
        loader->calls = mem_grow(loader->calls, loader->call_count, &loader->call_cap, sizeof call);
        loader->calls[loader->call_count++] = call;
    } else {
        diagnostic_at(loader->diagnostics, node, false, "the topologies of all files together have at most %d %s",
                      loader->services.count > TOPOLOGY_SERVICES_MAX ? TOPOLOGY_SERVICES_MAX : TOPOLOGY_CALLS_MAX,
                      loader->services.count > TOPOLOGY_SERVICES_MAX ? "services" : "calls");
    }
    return good;
}

/* The services that one service calls; false: too many in all. */
static bool read_callees(struct loader *loader, struct str caller, const struct yaml_node *callees)
{
    struct diagnostics *diagnostics = loader->diagnostics;
    struct map seen = {0};
    bool room = true;
    for (size_t i = 0; i < callees->count && room; i++) {
        struct str name;
        if (!check_text(diagnostics, callees->items[i], "a service", &name))
            continue;
        void **slot = map_slot(&seen, name);
        if (*slot != NULL)
            diagnostic_at(diagnostics, callees->items[i], false, "'%.*s' is listed twice", STR_ARG(name));
        else if (str_eq(name, caller))
            diagnostic_at(diagnostics, callees->items[i], false, "'%.*s' calls itself", STR_ARG(name));
        else
            room = add_call(loader, callees->items[i], (struct topology_call){caller, name});
        *slot = callees->items[i];
    }
    map_fini(&seen);
    return room;
}

void rule_topology_read(struct loader *loader, const struct yaml_node *node)
{
    if (!check_map(loader->diagnostics, node, "topology"))
        return;
    bool room = true;
    for (size_t i = 0; i < node->count && room; i++) {
        struct str caller = node->keys[i]->text;
        room = add_call(loader, node->keys[i], (struct topology_call){.caller = caller});
        if (room && check_sequence(loader->diagnostics, node->items[i], "the services that a service calls"))
            room = read_callees(loader, caller, node->items[i]);
    }
}

void rule_topology_build(struct loader *loader)
{
    bool fits = loader->services.count <= TOPOLOGY_SERVICES_MAX;
    loader->topology = topology_new(loader->arena, loader->calls, fits ? loader->call_count : 0);
    map_fini(&loader->services);
    free(loader->calls);
}

void rule_cascade_read(struct rule_build *build, const struct yaml_node *detect)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    struct cascade_spec *spec = arena_zalloc(build->loader->arena, sizeof *spec);
    struct cel_type names = cel_type_of(VALUE_LIST);
    names.element = VALUE_STRING;
    spec->of = rule_input_of(build, check_need(diagnostics, detect, "detect", "of"), "of");
    (void)rule_span_read(build, detect, "within", &spec->within_ms);
    spec->topology = build->loader->topology;
    if (build->loader->call_count == 0)
        diagnostic_at(diagnostics, yaml_get(detect, "type"), false,
                      "no file says which service calls which, so no two are joined; write a 'topology'");
    build->when_default = STR_LIT("size(affected) >= 2");
    build->rule->spec.cascade = spec;
    build->rule->reach_ms = spec->within_ms;
    rule_output_add(build, STR_LIT("root"), cel_type_of(VALUE_STRING));
    rule_output_add(build, STR_LIT("root_failing"), cel_type_of(VALUE_BOOL));
    rule_output_add(build, STR_LIT("affected"), names);
}
