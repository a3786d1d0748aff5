/* Any bytes as a rule file: it is refused with places within the text, or the set it makes can be indexed and asked,
 * and its tests expanded. */
#include <stdio.h>
#include <stdlib.h>

#include "rule/index.h"
#include "rule/testcase.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seen(void *context, const struct index_entry *entry)
{
    *(size_t *)context += entry->rule->inputs[entry->input].detects;
}

static void check_places(const struct diagnostics *diagnostics, struct str text)
{
    int lines = 2;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n' || text.p[i] == '\r' || (unsigned char)text.p[i] >= 0x80;
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        if (item->line < 1 || item->line > lines || item->column < 1 || item->message[0] == '\0') {
            (void)fprintf(stderr, "%d:%d: %s\n", item->line, item->column, item->message);
            abort();
        }
    }
}

static void use(const struct ruleset *set, struct arena *arena, struct diagnostics *diagnostics)
{
    for (int id = STREAM_INCIDENT; id <= STREAM_TELEMETRY; id++) {
        struct rule_index *index = rule_index_new(set, (enum stream_id)id, NULL);
        struct event event;
        event_clear(&event, stream_get((enum stream_id)id));
        event.values[event.stream->service_field] = value_text("s");
        size_t detecting = 0;
        uint64_t errors = 0;
        uint64_t null_errors = 0;
        rule_index_select(index, &event, arena, seen, &detecting, &errors, &null_errors);
        rule_index_free(index);
    }
    size_t expanded = 0;
    for (size_t i = 0; i < set->count && expanded < 4; i++) {
        if (set->rules[i].tests == NULL)
            continue;
        struct testcase *cases = NULL;
        size_t count = 0;
        if (testcases_expand(arena, &set->rules[i], &cases, &count, diagnostics) == 0)
            expanded += count;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct str text = {(const char *)data, size};
    struct ruleset *set = ruleset_load_text("fuzz.yaml", text, &diagnostics);
    check_places(&diagnostics, text);
    if (set != NULL)
        use(set, &arena, &diagnostics);
    ruleset_free(set);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return 0;
}
