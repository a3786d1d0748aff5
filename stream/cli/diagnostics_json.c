/* Messages for programs: JSON, and SARIF (Static Analysis Results Interchange Format 2.1.0, OASIS). */
#include "cli/diagnostics.h"
#include "event/value.h"
#include "rule/ruleset.h"

static void put_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\": ", name);
    value_json_string(out, str_of(text));
}

static const char *level_of(const struct diagnostic *item)
{
    return item->warning ? "warning" : "error";
}

void diagnostics_json(struct buf *out, const struct diagnostics *diagnostics, const char *indent)
{
    bool first = true;
    buf_byte(out, '[');
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        if (item->again)
            continue;
        buf_printf(out, "%s\n%s  {", first ? "" : ",", indent);
        first = false;
        put_text(out, "file", item->file);
        buf_printf(out, ", \"line\": %d, \"column\": %d, ", item->line, item->column);
        put_text(out, "level", level_of(item));
        buf_puts(out, ", ");
        put_text(out, "code", item->code);
        buf_puts(out, ", ");
        put_text(out, "message", item->message);
        buf_byte(out, '}');
    }
    if (!first)
        buf_printf(out, "\n%s", indent);
    buf_byte(out, ']');
}

/* Errors are of one kind; it comes first. */
static int rule_index(const char *code)
{
    for (int i = 0; rule_warnings[i].code != NULL; i++)
        if (strcmp(rule_warnings[i].code, code) == 0)
            return i + 1;
    return 0;
}

static void put_rule(struct buf *out, const char *code, const char *summary, const char *level)
{
    buf_puts(out, "        {");
    put_text(out, "id", code);
    buf_puts(out, ", \"shortDescription\": {");
    put_text(out, "text", summary);
    buf_puts(out, "}, \"help\": {");
    put_text(out, "text", summary);
    buf_puts(out, "}, \"defaultConfiguration\": {");
    put_text(out, "level", level);
    buf_puts(out, "}}");
}

static void put_driver(struct buf *out)
{
    buf_puts(out, "    \"tool\": {\"driver\": {\"name\": \"forestall\", \"version\": \"" FORESTALL_VERSION
                  "\", \"rules\": [\n");
    put_rule(out, "error", "What the language or the configuration does not allow", "error");
    for (const struct rule_warning *warning = rule_warnings; warning->code != NULL; warning++) {
        buf_puts(out, ",\n");
        put_rule(out, warning->code, warning->summary, "warning");
    }
    buf_puts(out, "\n    ]}},\n");
}

/* A path as a relative reference, or an absolute one as a file URI; what RFC 3986 leaves unreserved stays. */
static void put_uri(struct buf *out, const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    buf_puts(out, path[0] == '/' ? "\"uri\": \"file://" : "\"uri\": \"");
    for (; *path != '\0'; path++) {
        if (strchr(plain, *path) != NULL)
            buf_byte(out, (uint8_t)*path);
        else
            buf_printf(out, "%%%02X", (unsigned char)*path);
    }
    buf_byte(out, '"');
}

static void put_result(struct buf *out, const struct diagnostic *item)
{
    buf_puts(out, "      {");
    put_text(out, "ruleId", item->code);
    buf_printf(out, ", \"ruleIndex\": %d, ", rule_index(item->code));
    put_text(out, "level", level_of(item));
    buf_puts(out, ", \"message\": {");
    put_text(out, "text", item->message);
    buf_puts(out, "}, \"locations\": [{\"physicalLocation\": {\"artifactLocation\": {");
    put_uri(out, item->file);
    buf_printf(out, "}, \"region\": {\"startLine\": %d, \"startColumn\": %d}}}]}", item->line > 0 ? item->line : 1,
               item->column > 0 ? item->column : 1);
}

void diagnostics_sarif(struct buf *out, const struct diagnostics *diagnostics)
{
    bool first = true;
    buf_puts(out, "{\n  \"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n"
                  "  \"version\": \"2.1.0\",\n  \"runs\": [{\n");
    put_driver(out);
    buf_puts(out, "    \"columnKind\": \"unicodeCodePoints\",\n    \"results\": [\n");
    for (size_t i = 0; i < diagnostics->count; i++) {
        if (diagnostics->items[i].again)
            continue;
        buf_puts(out, first ? "" : ",\n");
        first = false;
        put_result(out, &diagnostics->items[i]);
    }
    buf_puts(out, "\n    ]\n  }]\n}\n");
}
