/* Cascades against their definition: random topologies, random rows of services in them and outside, many at one time
 * and many exactly at first + within, with and without groups. What is joined, what reaches what and how far is worked
 * out afresh from the calls, by the matrix.
 *
 * usage: test_detect_cascade [SEED [ROUNDS]]
 */
#include "detect_model.h"

enum { OPERATIONS = 250, SERVICES = 9, IN_TOPOLOGY = 7, FAR = 1000 };
static const int64_t WITHIN_MS = 5 * MINUTE_MS;

struct operation {
    int64_t time_ms;
    int service;
    int environment;
};

static struct operation history[OPERATIONS];
static int distance[SERVICES][SERVICES]; /* along calls; FAR: none */
static bool joined[SERVICES][SERVICES];

static const char *service_name(int service)
{
    static const char *const names[SERVICES] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"};
    return names[service];
}

static const char *environment_name(int environment)
{
    static const char *const names[] = {"prod", "test"};
    return names[environment];
}

static void close_matrix(void)
{
    for (int k = 0; k < SERVICES; k++)
        for (int i = 0; i < SERVICES; i++)
            for (int j = 0; j < SERVICES; j++) {
                joined[i][j] = joined[i][j] || (joined[i][k] && joined[k][j]);
                if (distance[i][k] + distance[k][j] < distance[i][j])
                    distance[i][j] = distance[i][k] + distance[k][j];
            }
}

/* A random graph, written as rules do. */
static void write_topology(struct buf *out)
{
    int density = 4 + (int)below(10);
    for (int i = 0; i < SERVICES; i++) {
        for (int j = 0; j < SERVICES; j++) {
            distance[i][j] = i == j ? 0 : FAR;
            joined[i][j] = i == j;
        }
    }
    buf_puts(out, "topology: {");
    for (int i = 0; i < IN_TOPOLOGY; i++) {
        if (i > 0 && below(4) == 0)
            continue;
        buf_printf(out, "%s%s: [", i > 0 ? ", " : "", service_name(i));
        const char *comma = "";
        for (int j = 0; j < IN_TOPOLOGY; j++) {
            if (i == j || below(density) > 0)
                continue;
            buf_printf(out, "%s%s", comma, service_name(j));
            comma = ", ";
            joined[i][j] = joined[j][i] = true;
            distance[i][j] = 1;
        }
        buf_byte(out, ']');
    }
    buf_puts(out, "}\n");
    close_matrix();
}

static void describe(struct buf *out, const struct evaluation *evaluation)
{
    const struct value *outputs = evaluation->slots + OUT_FIXED_COUNT;
    buf_puts(out, " root ");
    value_template(out, outputs[0]);
    buf_puts(out, outputs[1].b ? " failing, of " : " silent, of ");
    value_template(out, outputs[2]);
    buf_puts(out, " by");
    for (size_t i = 0; i < evaluation->contribution_count; i++)
        buf_printf(out, " %lld", (long long)evaluation->contributions[i].event->at.offset);
    assert_true(value_eq(outputs[2], evaluation->slots[OUT_SERVICES]));
}

/* The affected services in the order in which they failed. */
struct affected {
    int services[SERVICES];
    int count;
};

static bool all_reach(const struct affected *affected, int service, int *largest, int *sum)
{
    *largest = *sum = 0;
    for (int i = 0; i < affected->count; i++) {
        int far = distance[affected->services[i]][service];
        *largest = far > *largest ? far : *largest;
        *sum += far;
    }
    return *largest < FAR;
}

static int root_of(const struct affected *affected)
{
    int largest, sum, best = -1;
    int least[2] = {FAR, FAR};
    for (int i = 0; i < affected->count; i++)
        if (all_reach(affected, affected->services[i], &largest, &sum))
            return affected->services[i];
    for (int i = 0; i < SERVICES; i++)
        if (all_reach(affected, i, &largest, &sum) && (largest < least[0] || (largest == least[0] && sum < least[1]))) {
            least[0] = largest;
            least[1] = sum;
            best = i;
        }
    return best;
}

static bool is_affected(const struct affected *affected, int service)
{
    for (int i = 0; i < affected->count; i++)
        if (affected->services[i] == service)
            return true;
    return false;
}

/* Those that failed at one time stand in order of name. */
static void add_affected(struct affected *affected, int64_t *since_ms, const struct operation *operation)
{
    if (is_affected(affected, operation->service))
        return;
    int at = affected->count++;
    for (; at > 0 && since_ms[at - 1] == operation->time_ms && affected->services[at - 1] > operation->service; at--)
        affected->services[at] = affected->services[at - 1];
    affected->services[at] = operation->service;
    since_ms[affected->count - 1] = operation->time_ms;
}

static void write_line(int64_t time_ms, const char *group, const struct affected *affected, const bool *members,
                       int least)
{
    struct buf line = {0};
    const char *comma = "";
    int root = root_of(affected);
    put_line_head(&line, time_ms, group, affected->count >= least);
    buf_printf(&line, " root %s %s, of ", root < 0 ? "unknown" : service_name(root),
               root >= 0 && is_affected(affected, root) ? "failing" : "silent");
    for (int i = 0; i < SERVICES; i++) {
        if (!is_affected(affected, i))
            continue;
        buf_printf(&line, "%s%s", comma, service_name(i));
        comma = ", ";
    }
    buf_puts(&line, " by");
    for (int i = 0; i < OPERATIONS; i++)
        if (members[i])
            buf_printf(&line, " %d", i);
    add_line(&model.wanted, &line);
}

/* Each event that belongs to no cascade yet begins one. */
static void write_wanted(bool grouped, int least)
{
    bool taken[OPERATIONS] = {false};
    for (int i = 0; i < OPERATIONS; i++) {
        if (taken[i])
            continue;
        bool members[OPERATIONS] = {false};
        struct affected affected = {.count = 0};
        int64_t since_ms[SERVICES];
        int64_t close_ms = history[i].time_ms + WITHIN_MS;
        for (int k = i; k < OPERATIONS && history[k].time_ms <= close_ms; k++) {
            if (taken[k] || !joined[history[i].service][history[k].service] ||
                (grouped && history[k].environment != history[i].environment))
                continue;
            taken[k] = members[k] = true;
            add_affected(&affected, since_ms, &history[k]);
        }
        write_line(close_ms, grouped ? environment_name(history[i].environment) : "", &affected, members, least);
    }
}

static void apply(int number)
{
    const struct operation *operation = &history[number];
    struct event row;
    event_clear(&row, stream_get(STREAM_INCIDENT));
    row.time_ms = MODEL_START_MS; /* long open: it is the update that selects it which counts */
    row.at = (struct position){0, 0, number};
    row.values[INCIDENT_SERVICE] = value_text(service_name(operation->service));
    row.values[INCIDENT_ENVIRONMENT] = value_text(environment_name(operation->environment));
    row.values[INCIDENT_ID] = value_text("i");
    model_event(&row, (struct selection){0, 1}, operation->time_ms);
    if (below(3) == 0)
        model_event(&row, (struct selection){1, 1}, operation->time_ms);
    if (below(3) == 0)
        model_event(&row, (struct selection){1, 0}, operation->time_ms);
}

static size_t play_grouped(bool grouped, int least)
{
    struct buf text = {0};
    int64_t time_ms = MODEL_START_MS + HOUR_MS;
    buf_puts(&text, "apiVersion: forestall.io/v1\nkind: RuleSet\n");
    write_topology(&text);
    buf_printf(&text,
               "rules:\n- {id: r, from: {x: {stream: incident}}, detect: {type: cascade, of: x, within: 5m%s%s}}\n",
               grouped ? ", group_by: [environment]" : "", least == 2 ? "" : ", when: size(affected) >= 1");
    buf_byte(&text, '\0');
    model_open(text.p);
    model.describe = describe;
    for (int i = 0; i < OPERATIONS; i++) {
        if (below(3) > 0)
            time_ms += (below(30) == 0 ? below(10) : below(3)) * MINUTE_MS;
        history[i] = (struct operation){time_ms, (int)below(SERVICES), (int)below(2)};
        apply(i);
    }
    write_wanted(grouped, least);
    size_t lines = model_compare();
    model_close();
    buf_fini(&text);
    return lines;
}

static size_t play_all(void)
{
    return play_grouped(false, 2);
}

static size_t play_apart(void)
{
    return play_grouped(true, 1);
}

static void test_one_group(void **state)
{
    (void)state;
    model_rounds(play_all);
}

static void test_groups_apart(void **state)
{
    (void)state;
    model_rounds(play_apart);
}

/* The group holds three events: of more only the first of each of the topology's services gets in. A second flood
 * begins while one event outlives the first. */
static void test_flood(void **state)
{
    static const int services[] = {0, 0, 8, 0, 1, 1, 8, 2, 0, 2, /* then */ 2, 2, 2, 8, 0, 0};
    const int64_t close_ms = MODEL_START_MS + HOUR_MS + WITHIN_MS;
    (void)state;
    model_open(
        "apiVersion: forestall.io/v1\nkind: RuleSet\ntopology: {s0: [s1], s1: [s2]}\nrules:\n- {id: r, from: {x: "
        "{stream: incident}}, detect: {type: cascade, of: x, within: 5m}}\n");
    model.describe = describe;
    model.window_events_max = 3;
    model.calls_a_restart = 0;
    uint64_t dropped = model.counters.entries_dropped;
    for (int i = 0; i < 16; i++) {
        int64_t time_ms = i < 10 ? MODEL_START_MS + HOUR_MS + i * SECOND_MS : close_ms + SECOND_MS + i;
        history[i] = (struct operation){time_ms, services[i], 0};
        apply(i);
        if (i == 6)
            restart();
    }
    assert_int_equal(model.counters.entries_dropped - dropped, 8);
    struct buf line = {0};
    put_line_head(&line, close_ms, "", true);
    buf_puts(&line, " root s2 failing, of s0, s1, s2 by 0 1 4 7");
    add_line(&model.wanted, &line);
    put_line_head(&line, close_ms + 2 * SECOND_MS, "", false);
    buf_puts(&line, " root s8 failing, of s8 by 2");
    add_line(&model.wanted, &line);
    put_line_head(&line, close_ms + SECOND_MS + 10 + WITHIN_MS, "", true);
    buf_puts(&line, " root s2 failing, of s0, s2 by 10 11 14");
    add_line(&model.wanted, &line);
    assert_int_equal(model_compare(), 3);
    model_close();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_group), cmocka_unit_test(test_groups_apart),
                                       cmocka_unit_test(test_flood)};
    return model_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
