/* Names of time zones, for suggestions: those that the system's zoneinfo lists in tzdata.zi. */
#include "rule/cel_zone.h"

#include "rule/yaml.h"

enum { LIST_BYTES_MAX = 1024 * 1024, DISTANCE_MAX = 2 };

/* Takes the text up to the next `end`, or all; moves *rest behind it. */
static struct str take(struct str *rest, char end)
{
    const char *p = rest->n == 0 ? NULL : memchr(rest->p, end, rest->n);
    struct str taken = {rest->p, p == NULL ? rest->n : (size_t)(p - rest->p)};
    size_t step = p == NULL ? taken.n : taken.n + 1;
    *rest = (struct str){rest->p + step, rest->n - step};
    return taken;
}

/* The zone that a line defines: `Z NAME …`, or `L OTHER NAME`; empty: none. */
static struct str zone_of(struct str line)
{
    struct str kind = take(&line, ' ');
    if (str_is(kind, "L"))
        (void)take(&line, ' ');
    return str_is(kind, "L") || str_is(kind, "Z") ? take(&line, ' ') : (struct str){NULL, 0};
}

static bool ends_in(struct str zone, struct str name)
{
    return name.n > 0 && zone.n > name.n && zone.p[zone.n - name.n - 1] == '/' &&
           str_eq((struct str){zone.p + zone.n - name.n, name.n}, name);
}

const char *cel_zone_suggest(struct arena *arena, struct str name)
{
    struct error ignored;
    struct arena scratch = {0};
    struct str rest = {NULL, 0};
    struct str near = {NULL, 0};
    int best = DISTANCE_MAX + 1;
    rest.p = yaml_read_file(&scratch, "/usr/share/zoneinfo/tzdata.zi", LIST_BYTES_MAX, &rest.n, &ignored);
    while (rest.n > 0) {
        struct str zone = zone_of(take(&rest, '\n'));
        int distance = ends_in(zone, name) ? 0 : str_distance(name, zone, DISTANCE_MAX);
        if (zone.n > 0 && distance < best && (size_t)distance * 2 < name.n) {
            best = distance;
            near = zone;
        }
    }
    const char *text = near.n == 0 ? "" : arena_printf(arena, "; did you mean '%.*s'?", STR_ARG(near));
    arena_fini(&scratch);
    return text;
}
