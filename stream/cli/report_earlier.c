/* Versions of before a period. Only id, impact and level of each are kept. */
#include "cli/report_earlier.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/published.h"
#include "codec/json.h"

static void keep(struct map *earlier, struct arena *arena, struct value record)
{
    const struct value pairs[] = {value_text("impact_score"), published_value(record, "impact_score"),
                                  value_text("impact"),       published_value(record, "impact"),
                                  value_text("version"),      published_value(record, "version")};
    void **slot = map_slot(earlier, published_text(record, "recommendation_id"));
    if (*slot == NULL)
        *slot = arena_alloc(arena, sizeof(struct value));
    else if (published_number(*(struct value *)*slot, "version") > published_number(record, "version"))
        return;
    *(struct value *)*slot = value_copy(arena, value_map(pairs, sizeof pairs / sizeof *pairs / 2));
}

int report_earlier_read(struct map *earlier, struct arena *arena, const char *path, int64_t since_ms, struct error *err)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return error_set(err, ERROR_FATAL, "%s: %s", path, strerror(errno));
    struct json_parser *parser = json_parser_new();
    struct arena scratch = {0};
    char *line = NULL;
    size_t cap = 0;
    int result = 0;
    for (ssize_t n; result == 0 && (n = getline(&line, &cap, file)) >= 0; arena_reset(&scratch)) {
        struct value record;
        struct str text = {line, (size_t)n};
        while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]) != NULL)
            text.n--;
        if (text.n == 0)
            continue;
        result = json_parse(parser, text, &scratch, &record, err);
        if (result == 0 && published_time(record, "event_time") < since_ms)
            keep(earlier, arena, record);
    }
    if (result == 0 && ferror(file) != 0)
        result = error_set(err, ERROR_FATAL, "%s: %s", path, strerror(errno));
    free(line);
    arena_fini(&scratch);
    json_parser_free(parser);
    (void)fclose(file);
    return result;
}
