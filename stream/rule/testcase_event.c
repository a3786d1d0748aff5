/* The items of a test's `events`: given merged in, repeated, `{{ n }}` filled in, each field read as its type. */
#include "rule/rule_load.h"
#include "rule/testcase_load.h"

#include <stdio.h>

static const char *const item_keys[] = {"at", "repeat", "every", "stream", "lasts", NULL};
static const char *const feedback_keys[] = {"at",    "repeat",  "every", "feedback",         "group",
                                            "actor", "comment", "until", "expected_version", NULL};
static const char *const stream_names[] = {"incident", "deployment", "telemetry", NULL};

static bool is_item_key(struct str key)
{
    for (const char *const *name = item_keys; *name != NULL; name++)
        if (str_is(key, *name))
            return true;
    return false;
}

/* A field's text, compiled once for all repetitions. */
struct test_field {
    int field;
    const struct yaml_node *node;
    const struct template *template; /* NULL: no template in it */
};

/* One item of `events` in all its repetitions. */
struct test_item {
    struct test_load *load;
    const struct yaml_node *node;
    const struct stream *stream;
    struct test_field fields[STREAM_FIELDS_MAX];
    int field_count;
    int64_t first_ms;
    int64_t every_ms;
    int64_t repeat;
    int64_t lasts_ms; /* -1: a single event */
};

static struct cel_name test_name(void *context, struct str name)
{
    (void)context;
    struct cel_name result = {.kind = CEL_NAME_NONE, .type = {.type = TYPE_ANY, .element = TYPE_ANY, .stream = -1}};
    if (str_is(name, "n")) {
        result.kind = CEL_NAME_SLOT;
        result.type.type = VALUE_INT;
    }
    return result;
}

static bool has_template(struct str text)
{
    for (size_t i = 0; i + 1 < text.n; i++)
        if (text.p[i] == '{' && text.p[i + 1] == '{')
            return true;
    return false;
}

static const struct template *compile(struct test_load *load, const struct yaml_node *node)
{
    static const char *const names[] = {"n", NULL};
    const struct cel_env env = {.name = test_name, .known_names = names, .budget = load->budget};
    const struct template *template = NULL;
    struct cel_error err = {0};
    if (template_compile(load->arena, node->text, &env, &template, &err) == 0)
        return template;
    if (err.error.message[0] != '\0')
        diagnostic_within(load->diagnostics, node, err.offset, false, "%s", err.error.message);
    return NULL;
}

/* False, and reported, where an expression ends in an error. The value is good until the next one. */
static bool evaluate(struct test_load *load, const struct yaml_node *node, const struct template *template, int64_t n,
                     struct value *value)
{
    struct value slots[1] = {value_int(n)};
    struct cel_allowance allowance = {TEST_STEPS_MAX, TEST_BYTES_MAX};
    struct cel_frame frame = {.slots = slots, .slot_count = 1, .arena = &load->scratch, .allowance = &allowance};
    uint64_t errors = 0;
    struct cel_error spent = {0};
    arena_reset(&load->scratch);
    *value = template_value(template, &frame, &errors);
    if (load->budget != NULL)
        cel_budget_pay(load->budget, TEST_STEPS_MAX - allowance.steps, TEST_BYTES_MAX - allowance.bytes);
    if (cel_budget_check(load->budget, &spent) != 0) {
        if (spent.error.message[0] != '\0')
            diagnostic_at(load->diagnostics, node, false, "%s", spent.error.message);
        return false;
    }
    if (errors == 0 && value->type != VALUE_ERROR)
        return true;
    allowance = (struct cel_allowance){TEST_STEPS_MAX, TEST_BYTES_MAX};
    struct value error = template_error(template, &frame);
    diagnostic_at(load->diagnostics, node, false, "with n = %lld this ends in an error: %.*s", (long long)n,
                  STR_ARG(value_as_str(error)));
    return false;
}

/* The scalar with its templates filled in, at its own place. */
static struct yaml_node rendered(struct test_load *load, const struct yaml_node *node, struct value value)
{
    struct buf text = {0};
    value_template(&text, value);
    struct yaml_node copy = *node;
    copy.text = arena_str(load->arena, buf_str(&text));
    copy.quoted = true;
    buf_fini(&text);
    return copy;
}

/* A time: ISO 8601, or a span from `at`, with a minus sign before it. */
static bool read_time(struct test_load *load, const struct yaml_node *node, int64_t at_ms, struct value *value)
{
    struct str text = node->text;
    bool before = text.n > 0 && text.p[0] == '-';
    if (before)
        text = (struct str){text.p + 1, text.n - 1};
    int64_t ms = 0;
    if (duration_parse(text, &ms) && ms <= INT64_C(36600) * DAY_MS) {
        *value = value_time_ms(before ? at_ms - ms : at_ms + ms);
        return true;
    }
    if (time_parse_ms(node->text, &ms)) {
        *value = value_time_ms(ms);
        return true;
    }
    diagnostic_at(load->diagnostics, node, false, "'%.*s' is neither a time nor a span from 'at', such as 5m or -5m",
                  STR_ARG(node->text));
    return false;
}

static bool read_text_item(struct test_load *load, const struct yaml_node *node, int64_t n, struct value *value)
{
    struct str text;
    if (!check_text(load->diagnostics, node, "an item", &text))
        return false;
    *value = value_str(text);
    if (!has_template(text))
        return true;
    const struct template *template = compile(load, node);
    struct value computed;
    if (template == NULL || !evaluate(load, node, template, n, &computed))
        return false;
    *value = value_str(rendered(load, node, computed).text);
    return true;
}

static bool read_collection(struct test_load *load, const struct yaml_node *node, const struct stream_field *field,
                            int64_t n, struct value *value)
{
    bool list = field->kind == FIELD_STRINGS;
    if (!(list ? check_sequence : check_map)(load->diagnostics, node, field->name))
        return false;
    size_t width = list ? 1 : 2;
    struct value *items = arena_alloc(load->arena, (node->count * width + 1) * sizeof *items);
    for (size_t i = 0; i < node->count; i++) {
        if (!list)
            items[2 * i] = value_str(node->keys[i]->text);
        if (!read_text_item(load, node->items[i], n, &items[width * i + width - 1]))
            return false;
    }
    *value = list ? value_list(items, node->count) : value_map(items, node->count);
    return true;
}

static bool read_field(const struct test_item *item, const struct test_field *field, int64_t n, int64_t at_ms,
                       struct value *value)
{
    struct test_load *load = item->load;
    const struct stream_field *kind = &item->stream->fields[field->field];
    if (kind->kind == FIELD_STRINGS || kind->kind == FIELD_LABELS || kind->kind == FIELD_MAP)
        return read_collection(load, field->node, kind, n, value);
    struct yaml_node node = *field->node;
    if (field->template != NULL) {
        struct value computed;
        if (!evaluate(load, field->node, field->template, n, &computed))
            return false;
        if (kind->kind == FIELD_DOUBLE && (computed.type == VALUE_DOUBLE || computed.type == VALUE_INT)) {
            *value = value_double(computed.type == VALUE_INT ? (double)computed.i : computed.d);
            return true;
        }
        node = rendered(load, field->node, computed);
    }
    if (kind->kind == FIELD_TIME && node.kind == YAML_SCALAR && !yaml_is_null(&node))
        return read_time(load, &node, at_ms, value);
    return field_value_read(load->arena, load->diagnostics, &node, kind, value);
}

static struct test_event *add_event(struct test_load *load, const struct yaml_node *item, const struct stream *stream,
                                    int64_t at_ms)
{
    load->events = mem_grow(load->events, load->event_count, &load->event_cap, sizeof *load->events);
    struct test_event *event = &load->events[load->event_count];
    *event = (struct test_event){.order = load->event_count};
    load->event_count++;
    event->made.at_ms = at_ms;
    event->made.line = item->line;
    event_clear(&event->made.event, stream);
    event->made.event.time_ms = at_ms;
    return event;
}

static void set(struct test_event *event, int field, struct value value)
{
    event->made.event.values[field] = value;
    event->given |= FIELD_BIT(field);
}

/* `lasts`: the open update is `event`; a second one resolves it. */
static void add_resolved(const struct test_item *item, struct test_event *event)
{
    int64_t at_ms = event->made.at_ms;
    int64_t end_ms = at_ms + item->lasts_ms;
    set(event, INCIDENT_STATUS, value_text("open"));
    if ((event->given & FIELD_BIT(INCIDENT_STARTED_AT)) == 0)
        set(event, INCIDENT_STARTED_AT, value_time_ms(at_ms));
    if ((event->given & FIELD_BIT(INCIDENT_DETECTED_AT)) == 0)
        set(event, INCIDENT_DETECTED_AT, value_time_ms(at_ms));
    struct test_event open = *event;
    struct test_event *resolved = add_event(item->load, item->node, item->stream, end_ms);
    memcpy(resolved->made.event.values, open.made.event.values, sizeof open.made.event.values);
    resolved->given = open.given & ~(FIELD_BIT(INCIDENT_EVENT_ID) | FIELD_BIT(INCIDENT_OCCURRED_AT));
    set(resolved, INCIDENT_STATUS, value_text("resolved"));
    if ((open.given & FIELD_BIT(INCIDENT_RESOLVED_AT)) == 0)
        set(resolved, INCIDENT_RESOLVED_AT, value_time_ms(end_ms));
    else
        item->load->events[open.order].made.event.values[INCIDENT_RESOLVED_AT] = value_null();
}

/* The repetition `n`; false when it cannot be made. */
static bool add_repetition(const struct test_item *item, int64_t n)
{
    struct test_load *load = item->load;
    int64_t at_ms = item->first_ms + (n - 1) * item->every_ms;
    struct test_event *event = add_event(load, item->node, item->stream, at_ms);
    for (int i = 0; i < item->field_count; i++) {
        struct value value;
        if (!read_field(item, &item->fields[i], n, at_ms, &value))
            return false;
        if (!value_is_null(value))
            set(event, item->fields[i].field, value);
    }
    int time_field = item->stream->time_field;
    if ((event->given & FIELD_BIT(time_field)) != 0)
        event->made.event.time_ms = value_ms(event->made.event.values[time_field]);
    if (item->stream->rows && (event->given & FIELD_BIT(ROW_ID)) == 0)
        set(event, ROW_ID, value_text(arena_printf(load->arena, "%s-%zu", item->stream->name, event->order + 1)));
    if (item->lasts_ms >= 0)
        add_resolved(item, event);
    return true;
}

/* Which stream the item is of: its own word, else given's, else the only one that the rule reads. */
static const struct stream *item_stream(struct test_load *load, const struct yaml_node *item)
{
    const struct yaml_node *node = yaml_get(item, "stream");
    if (node == NULL)
        node = yaml_get(load->given, "stream");
    if (node != NULL)
        return check_symbol(load->diagnostics, node, "stream", stream_names) < 0 ? NULL : stream_find(node->text);
    const struct stream *only = NULL;
    for (size_t i = 0; i < load->rule->input_count; i++) {
        const struct stream *stream = load->rule->inputs[i].stream;
        if (only != NULL && stream != NULL && stream != only) {
            diagnostic_at(load->diagnostics, item, false, "the rule reads several streams; say which by 'stream'");
            return NULL;
        }
        only = stream != NULL ? stream : only;
    }
    if (only == NULL && load->sound)
        diagnostic_at(load->diagnostics, item, false, "say which 'stream' the event is of");
    return only;
}

enum { EVENT_KEYS_MAX = STREAM_FIELDS_MAX + 8 };

/* What an event of the stream may have, NULL-terminated. */
static void event_keys(const struct stream *stream, const char *names[EVENT_KEYS_MAX])
{
    int count = 0;
    for (int i = 0; i < stream->record_field_count; i++)
        names[count++] = stream->fields[i].name;
    for (int i = 0; item_keys[i] != NULL; i++)
        names[count++] = item_keys[i];
    names[count] = NULL;
}

static void check_item_spelling(struct diagnostics *diagnostics, const struct yaml_node *node,
                                const struct stream *stream)
{
    const char *names[EVENT_KEYS_MAX];
    char what[64];
    event_keys(stream, names);
    (void)snprintf(what, sizeof what, "an event of stream '%s'", stream->name);
    check_spelling(diagnostics, node, what, names);
}

static void add_field(struct test_item *item, const struct yaml_node *key, const struct yaml_node *node, bool own)
{
    struct diagnostics *diagnostics = item->load->diagnostics;
    int field = stream_field_find(item->stream, key->text);
    if (field < 0 || item->stream->fields[field].derived) {
        if (!own)
            return;
        const char *names[EVENT_KEYS_MAX] = {0};
        event_keys(item->stream, names);
        diagnostic_at(diagnostics, key, false, "%s '%.*s' in an event of stream '%s'%s",
                      field < 0 ? "unknown key" : "derived field", STR_ARG(key->text), item->stream->name,
                      check_suggest(diagnostics->arena, key->text, names, field < 0 ? "known are " : NULL));
        return;
    }
    struct test_field *to = NULL;
    for (int i = 0; i < item->field_count; i++)
        if (item->fields[i].field == field)
            to = &item->fields[i];
    if (to == NULL)
        to = &item->fields[item->field_count++];
    *to = (struct test_field){.field = field, .node = node};
    if (node->kind == YAML_SCALAR && has_template(node->text))
        to->template = compile(item->load, node);
}

/* Repetition and times; false where nothing can be made. */
static bool read_schedule(struct test_load *load, const struct yaml_node *node, struct test_item *item)
{
    const struct yaml_node *at = check_need(load->diagnostics, node, "an event", "at");
    item->repeat = 1;
    const struct yaml_node *repeat = yaml_get(node, "repeat");
    const struct yaml_node *every = yaml_get(node, "every");
    bool good = test_time_read(load, at, "at", &item->first_ms);
    if (repeat != NULL)
        good &= check_int(load->diagnostics, repeat, "repeat", 1, TEST_REPEAT_MAX, &item->repeat);
    if (every != NULL) {
        int64_t span = 0;
        good &= check_duration(load->diagnostics, every, "every", &span);
        if (good && span > INT64_C(3660) * DAY_MS / item->repeat) {
            diagnostic_at(load->diagnostics, every, false, "a test is at most 3660d long");
            good = false;
        }
        item->every_ms = span;
    }
    if ((repeat == NULL) != (every == NULL)) {
        diagnostic_at(load->diagnostics, repeat != NULL ? repeat : every, false, "'repeat' and 'every' go together");
        good = false;
    }
    return good;
}

static bool read_lasts(struct test_load *load, const struct yaml_node *node, struct test_item *item)
{
    const struct yaml_node *own = yaml_get(node, "lasts");
    const struct yaml_node *lasts = own != NULL ? own : yaml_get(load->given, "lasts");
    item->lasts_ms = -1;
    if (own != NULL && item->stream->id != STREAM_INCIDENT) {
        diagnostic_at(load->diagnostics, own, false, "only an incident lasts; stream '%s' has no resolved update",
                      item->stream->name);
        return false;
    }
    if (lasts == NULL || item->stream->id != STREAM_INCIDENT)
        return true;
    const struct yaml_node *status = yaml_get(node, "status");
    if (status != NULL) {
        if (own != NULL)
            diagnostic_at(load->diagnostics, status, false, "'lasts' writes the status itself: open, then resolved");
        return own == NULL;
    }
    if (!check_duration(load->diagnostics, lasts, "lasts", &item->lasts_ms))
        return false;
    if (item->lasts_ms > INT64_C(3660) * DAY_MS) {
        diagnostic_at(load->diagnostics, lasts, false, "a test is at most 3660d long");
        return false;
    }
    return true;
}

static void read_feedback(struct test_load *load, const struct yaml_node *node)
{
    static const char *const fields[] = {"actor", "comment", "until", "expected_version", NULL};
    struct test_item item = {.load = load, .node = node, .stream = stream_get(STREAM_FEEDBACK), .lasts_ms = -1};
    struct diagnostics *diagnostics = load->diagnostics;
    size_t errors_before = diagnostics->errors;
    if (load->rule->scorecard != NULL)
        diagnostic_at(diagnostics, node, false, "a scorecard takes no feedback");
    if (!check_mapping(diagnostics, node, "a feedback event", feedback_keys) || !read_schedule(load, node, &item))
        return;
    struct value action;
    struct value group = test_group_read(load, yaml_get(node, "group"));
    if (!field_value_read(load->arena, diagnostics, yaml_get(node, "feedback"), &item.stream->fields[FEEDBACK_ACTION],
                          &action))
        return;
    for (size_t i = 0; i < node->count; i++)
        for (size_t k = 0; fields[k] != NULL; k++)
            if (str_is(node->keys[i]->text, fields[k]))
                add_field(&item, node->keys[i], node->items[i], true);
    if (load->event_count + (size_t)item.repeat > TEST_EVENTS_MAX) {
        diagnostic_at(diagnostics, node, false, "a test has at most %d events", TEST_EVENTS_MAX);
        return;
    }
    int64_t repeat = load->check_only && item.repeat > 2 ? 2 : item.repeat;
    for (int64_t n = 1; n <= repeat && diagnostics->errors == errors_before; n++) {
        size_t at = load->event_count;
        if (!add_repetition(&item, n))
            return;
        set(&load->events[at], FEEDBACK_ACTION, action);
        load->events[at].made.group = group;
    }
}

void test_event_read(struct test_load *load, const struct yaml_node *node)
{
    if (!check_map(load->diagnostics, node, "an event"))
        return;
    if (yaml_get(node, "feedback") != NULL) {
        read_feedback(load, node);
        return;
    }
    struct test_item item = {.load = load, .node = node, .stream = item_stream(load, node)};
    if (item.stream == NULL)
        return;
    size_t errors_before = load->diagnostics->errors;
    check_item_spelling(load->diagnostics, node, item.stream);
    const struct yaml_node *given = load->given;
    for (size_t i = 0; given != NULL && i < given->count; i++)
        if (!is_item_key(given->keys[i]->text))
            add_field(&item, given->keys[i], given->items[i], false);
    for (size_t i = 0; i < node->count; i++)
        if (!is_item_key(node->keys[i]->text))
            add_field(&item, node->keys[i], node->items[i], true);
    bool good = read_schedule(load, node, &item);
    good &= read_lasts(load, node, &item);
    if (!good || load->diagnostics->errors != errors_before)
        return;
    if (load->event_count + 2 * (size_t)item.repeat > TEST_EVENTS_MAX) {
        diagnostic_at(load->diagnostics, node, false, "a test has at most %d events", TEST_EVENTS_MAX);
        return;
    }
    int64_t repeat = load->check_only && item.repeat > 2 ? 2 : item.repeat;
    for (int64_t n = 1; n <= repeat; n++)
        if (!add_repetition(&item, n))
            return;
}

void test_given_check(struct test_load *load)
{
    const struct yaml_node *given = load->given;
    if (!check_map(load->diagnostics, given, "given")) {
        load->given = NULL;
        return;
    }
    for (size_t i = 0; i < given->count; i++) {
        struct str key = given->keys[i]->text;
        bool known = str_is(key, "stream") || str_is(key, "lasts");
        const char *names[3 * STREAM_FIELDS_MAX + 3] = {"stream", "lasts"};
        int count = 2;
        for (int id = STREAM_INCIDENT; id <= STREAM_TELEMETRY; id++) {
            const struct stream *stream = stream_get((enum stream_id)id);
            for (int field = 0; field < stream->record_field_count; field++) {
                names[count++] = stream->fields[field].name;
                known |= str_is(key, stream->fields[field].name);
            }
        }
        if (!known)
            diagnostic_at(
                load->diagnostics, given->keys[i], false, "no stream has a field '%.*s'%s", STR_ARG(key),
                diagnostics_full(load->diagnostics) ? "" : check_suggest(load->diagnostics->arena, key, names, NULL));
    }
}
