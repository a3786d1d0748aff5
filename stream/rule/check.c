/* See check.h. */
#include "rule/check.h"

#include "base/buf.h"
#include "base/time_text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const char *kind_name(const struct yaml_node *node)
{
    static const char *const names[] = {"a scalar", "a list", "a mapping"};
    return yaml_is_null(node) ? "empty" : names[node->kind];
}

/* The only name that begins with the text, which so was cut short; NULL: none or several. */
static const char *find_begun(struct str text, const char *const *names)
{
    const char *found = NULL;
    for (const char *const *name = names; text.n > 1 && *name != NULL; name++) {
        if (!str_starts(str_of(*name), text))
            continue;
        if (found != NULL)
            return NULL;
        found = *name;
    }
    return found;
}

static bool same_letters(struct str text, const char *name)
{
    for (size_t i = 0; i < text.n; i++)
        if (tolower((unsigned char)text.p[i]) != tolower((unsigned char)name[i]))
            return false; /* at the latest at its end */
    return name[text.n] == '\0';
}

/* The name that was most likely meant; NULL: none. */
static const char *find_near(struct str text, const char *const *names)
{
    int best = 3;
    const char *near = NULL;
    for (const char *const *name = names; name != NULL && *name != NULL; name++) {
        if (same_letters(text, *name))
            return *name;
        int distance = str_distance(text, str_of(*name), 2);
        if (distance < best && (size_t)distance * 2 < text.n + 1) {
            best = distance;
            near = *name;
        }
    }
    return near != NULL || names == NULL ? near : find_begun(text, names);
}

const char *check_suggest(struct arena *arena, struct str text, const char *const *names, const char *otherwise)
{
    const char *near = find_near(text, names);
    if (near != NULL)
        return arena_printf(arena, "; did you mean '%s'?", near);
    if (otherwise == NULL || names == NULL || names[0] == NULL)
        return "";
    struct buf list = {0};
    buf_printf(&list, "; %s", otherwise);
    for (const char *const *name = names; *name != NULL; name++)
        buf_printf(&list, "%s%s", name == names ? "" : name[1] == NULL ? " or " : ", ", *name);
    const char *kept = arena_str(arena, buf_str(&list)).p;
    buf_fini(&list);
    return kept;
}

bool check_map(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what)
{
    if (node == NULL)
        return false;
    if (node->kind == YAML_MAPPING)
        return true;
    diagnostic_at(diagnostics, node, false, "%s must be a mapping, not %s", what, kind_name(node));
    return false;
}

static bool is_known(struct str key, const char *const *known)
{
    while (*known != NULL && !str_is(key, *known))
        known++;
    return *known != NULL;
}

/* `{size:30d}` or `{size 30d}`, which YAML reads as a key without a value: mended, and said so. */
static bool mend_colon(struct diagnostics *diagnostics, struct yaml_node *key, struct yaml_node *value,
                       const char *const *known)
{
    if (!yaml_is_null(value) || value->text.n > 0)
        return false;
    for (const char *const *name = known; *name != NULL; name++) {
        size_t n = strlen(*name);
        if (key->text.n <= n + 1 || !str_starts(key->text, str_of(*name)) ||
            (key->text.p[n] != ':' && key->text.p[n] != ' '))
            continue;
        struct str rest = {key->text.p + n + 1, key->text.n - n - 1};
        diagnostic_at(diagnostics, key, NULL, "'%.*s' is a key without a value; write '%s: %.*s'", STR_ARG(key->text),
                      *name, STR_ARG(rest));
        value->text = rest;
        key->text = str_of(*name);
        return true;
    }
    return false;
}

void check_spelling(struct diagnostics *diagnostics, const struct yaml_node *mapping, const char *what,
                    const char *const *known)
{
    for (size_t i = 0; i < mapping->count && !diagnostics_full(diagnostics); i++) {
        struct yaml_node *key = mapping->keys[i];
        if (is_known(key->text, known) || mend_colon(diagnostics, key, mapping->items[i], known))
            continue;
        const char *near = find_near(key->text, known);
        if (near == NULL || yaml_get(mapping, near) != NULL)
            continue;
        diagnostic_at(diagnostics, key, NULL, "unknown key '%.*s' in %s; did you mean '%s'?", STR_ARG(key->text), what,
                      near);
        key->text = str_of(near);
    }
}

bool check_mapping(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what,
                   const char *const *known)
{
    if (!check_map(diagnostics, node, what))
        return false;
    check_spelling(diagnostics, node, what, known);
    for (size_t i = 0; i < node->count; i++) {
        struct str key = node->keys[i]->text;
        if (is_known(key, known))
            continue;
        diagnostic_at(diagnostics, node->keys[i], NULL, "unknown key '%.*s' in %s%s", STR_ARG(key), what,
                      diagnostics_full(diagnostics) ? "" : check_suggest(diagnostics->arena, key, known, "known are "));
    }
    return true;
}

bool check_sequence(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what)
{
    if (node == NULL)
        return false;
    if (node->kind == YAML_SEQUENCE)
        return true;
    diagnostic_at(diagnostics, node, false, "%s must be a list, not %s", what, kind_name(node));
    return false;
}

struct yaml_node *check_need(struct diagnostics *diagnostics, const struct yaml_node *mapping, const char *what,
                             const char *key)
{
    struct yaml_node *node = yaml_get(mapping, key);
    if (node == NULL)
        diagnostic_at(diagnostics, mapping, false, "%s has no '%s'", what, key);
    return node;
}

bool check_text(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, struct str *text)
{
    if (node == NULL)
        return false;
    if (node->kind != YAML_SCALAR || yaml_is_null(node) || node->text.n == 0) {
        diagnostic_at(diagnostics, node, false, "%s must be text, not %s%s", what,
                      node->kind == YAML_SCALAR ? "empty" : kind_name(node),
                      node->kind == YAML_MAPPING ? "; text with ': ' in it needs quotes" : "");
        return false;
    }
    *text = node->text;
    return true;
}

bool check_bool(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, bool *out)
{
    struct str text;
    if (!check_text(diagnostics, node, what, &text))
        return false;
    if (str_is(text, "true") || str_is(text, "false")) {
        *out = text.p[0] == 't';
        return true;
    }
    diagnostic_at(diagnostics, node, false, "%s must be true or false, not '%.*s'", what, STR_ARG(text));
    return false;
}

bool integer_parse(struct str text, int64_t *out)
{
    char digits[24];
    if (text.n == 0 || text.n >= sizeof digits)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (!isdigit((unsigned char)text.p[i]) && !(i == 0 && text.p[i] == '-' && text.n > 1))
            return false;
    memcpy(digits, text.p, text.n);
    digits[text.n] = '\0';
    errno = 0;
    *out = strtoll(digits, NULL, 10);
    return errno == 0;
}

bool number_parse(struct str text, double *out)
{
    char digits[64];
    if (text.n == 0 || text.n >= sizeof digits)
        return false;
    bool any = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (isdigit((unsigned char)c))
            any = true;
        else if (c == '\0' || strchr("+-.eE", c) == NULL)
            return false;
    }
    memcpy(digits, text.p, text.n);
    digits[text.n] = '\0';
    char *end = NULL;
    *out = strtod(digits, &end);
    return any && *end == '\0' && isfinite(*out);
}

bool check_int(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, int64_t min,
               int64_t max, int64_t *out)
{
    struct str text;
    if (!check_text(diagnostics, node, what, &text))
        return false;
    int64_t number = 0;
    if (!integer_parse(text, &number)) {
        diagnostic_at(diagnostics, node, false, "%s must be a whole number, not '%.*s'", what, STR_ARG(text));
        return false;
    }
    if (number < min || number > max) {
        diagnostic_at(diagnostics, node, false, "%s must be from %lld to %lld, not %lld", what, (long long)min,
                      (long long)max, (long long)number);
        return false;
    }
    *out = number;
    return true;
}

bool check_double(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, double *out)
{
    struct str text;
    if (!check_text(diagnostics, node, what, &text))
        return false;
    if (number_parse(text, out))
        return true;
    diagnostic_at(diagnostics, node, false, "%s must be a number, not '%.*s'", what, STR_ARG(text));
    return false;
}

bool check_duration(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, int64_t *ms)
{
    struct str text;
    if (!check_text(diagnostics, node, what, &text))
        return false;
    if (duration_parse(text, ms))
        return true;
    diagnostic_at(diagnostics, node, false, "%s: '%.*s' is no duration; write one such as 30s, 10m or 1d12h", what,
                  STR_ARG(text));
    return false;
}

bool check_size(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, int64_t *bytes)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}, {"", 1}};
    struct str text;
    if (!check_text(diagnostics, node, what, &text))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct str unit = str_of(units[i].unit);
        if (text.n <= unit.n || memcmp(text.p + text.n - unit.n, unit.p, unit.n) != 0)
            continue;
        int64_t number = 0;
        if (!integer_parse((struct str){text.p, text.n - unit.n}, &number) || number < 0 ||
            __builtin_mul_overflow(number, units[i].factor, bytes))
            break;
        return true;
    }
    diagnostic_at(diagnostics, node, false, "%s: '%.*s' is no size; write one such as 512KiB or 256MiB", what,
                  STR_ARG(text));
    return false;
}

int check_symbol(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what,
                 const char *const *names)
{
    struct str text;
    if (!check_text(diagnostics, node, what, &text))
        return -1;
    for (int i = 0; names[i] != NULL; i++)
        if (str_is(text, names[i]))
            return i;
    diagnostic_at(diagnostics, node, false, "unknown %s '%.*s'%s", what, STR_ARG(text),
                  check_suggest(diagnostics->arena, text, names, "known are "));
    return -1;
}

bool check_id(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, struct str *id)
{
    if (!check_text(diagnostics, node, what, id))
        return false;
    bool good = id->n <= 100;
    for (size_t i = 0; i < id->n && good; i++) {
        char c = id->p[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    if (!good)
        diagnostic_at(diagnostics, node, false,
                      "%s '%.*s' must be lower-case letters, digits and hyphens, at most 100 of them", what,
                      STR_ARG(*id));
    return good;
}

bool name_is_identifier(struct str name)
{
    if (name.n == 0 || name.n > 64 || isdigit((unsigned char)name.p[0]))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '_')
            return false;
    return true;
}
