/* The guide's three questions, answered by what the rules of rules/proactive found. */
#include "cli/report_pages.h"
#include "cli/report_words.h"

static const struct question questions[] = {
    {"capacity",
     "Weekly capacity review",
     "CPU, memory and disks that grow, services at their limit all week, and traffic that grows",
     "7d",
     {{"Growing towards a limit",
       "No CPU, memory or disk was seen to reach its limit soon.",
       {"review-cpu-grows", "review-memory-grows", "review-disk-grows"},
       NULL,
       true},
      {"At their limit", "No service was near its limit all week.", {"review-at-its-limit"}, NULL, false},
      {"Traffic that grows",
       "No service had a third more traffic than in the week before.",
       {"review-traffic-grows"},
       NULL,
       false}},
     {NULL, NULL}},
    {"deployments",
     "Deployment success analysis",
     "change failure rates, failed and rolled back deployments, causes and alerts that releases share, and gaps in "
     "testing",
     "30d",
     {{"High change failure rates",
       "No service has a high change failure rate.",
       {"review-change-failure-rate"},
       NULL,
       false},
      {"Rollbacks and failed deployments",
       "No service was rolled back or failed to deploy often.",
       {"review-rollbacks", "review-releases-taken-back", "review-deployments-fail"},
       NULL,
       false},
      {"Patterns",
       "No cause or alert followed releases again and again.",
       {"review-releases-fail-alike", "review-alerts-after-deployment"},
       NULL,
       false},
      {"Gaps in testing and in the pipeline",
       "No gap in testing or in the pipeline was found.",
       {"review-unstaged-releases", "review-no-staging"},
       "deployment_pipeline",
       false}},
     {"deployment-success", "change-failure-rate"}},
    {"errors",
     "Error pattern analysis",
     "error patterns that recur, errors that are noise, errors and latencies that get worse, and errors never seen "
     "before",
     "14d",
     {{"Recurring errors",
       "No error pattern came day after day.",
       {"review-errors-recur", "review-errors-shared"},
       NULL,
       false},
      {"Noise", "No log is full of errors that mean nothing.", {"review-errors-are-noise"}, NULL, false},
      {"Getting worse",
       "No error, error rate or latency got worse.",
       {"review-errors-worse", "review-error-rate-worse", "review-latency-worse"},
       NULL,
       false},
      {"New errors", "No error was seen for the first time.", {"review-errors-new"}, NULL, false}},
     {NULL, NULL}},
};

const struct question *question_find(const char *name)
{
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (strcmp(questions[i].name, name) == 0)
            return &questions[i];
    return NULL;
}

static bool names_rule(const struct question_part *part, struct str rule_id)
{
    for (size_t i = 0; i < QUESTION_RULES_MAX && part->rules[i] != NULL; i++)
        if (str_is(rule_id, part->rules[i]))
            return true;
    return false;
}

static bool belongs(const struct question *question, const struct question_part *part, struct value record)
{
    struct str rule_id = published_text(record, "rule_id");
    if (names_rule(part, rule_id))
        return true;
    bool alike = (part->growth && report_is_growth(record)) ||
                 (part->category != NULL && str_is(published_text(record, "category"), part->category));
    if (!alike)
        return false;
    for (size_t i = 0; i < QUESTION_PARTS_MAX && question->parts[i].heading != NULL; i++)
        if (names_rule(&question->parts[i], rule_id))
            return false;
    return true;
}

size_t question_found(struct report *report, const struct question *question, const struct question_part *part,
                      const struct report_item ***found, struct question_rest *rest)
{
    size_t count = 0;
    *rest = (struct question_rest){0};
    *found = arena_alloc(&report->arena, (report->count + 1) * sizeof **found);
    for (size_t i = 0; i < report->count; i++) {
        const struct report_item *item = &report->items[i];
        if (!belongs(question, part, item->record))
            continue;
        bool seen = published_time(item->record, "last_seen") >= report->since_ms;
        if (item->stage == STAGE_ASIDE || item->stage == STAGE_VALIDATED)
            rest->settled += seen;
        else if (seen)
            (*found)[count++] = item;
        else
            rest->older++;
    }
    return count;
}

static void put_part(struct report *report, const struct question *question, const struct question_part *part,
                     struct document *document)
{
    const struct report_item **found;
    struct question_rest rest;
    size_t count = question_found(report, question, part, &found, &rest);
    struct arena *arena = &report->arena;
    document_heading(document, 2, part->heading);
    if (count > 0)
        report_table(report, document, arena_printf(arena, "%s, by impact", part->heading), found, count);
    else if (rest.settled == 0)
        document_paragraph(document, part->none);
    for (size_t i = 0; i < count; i++)
        report_in_words(report, document, found[i]);
    if (rest.settled > 0)
        document_paragraph(document,
                           arena_printf(arena, "%s dismissed, validated or superseded by another, and not shown here.",
                                        words_count(arena, rest.settled, "recommendation seen in the period is",
                                                    "recommendations seen in the period are")));
    if (rest.older > 0)
        document_paragraph(document,
                           arena_printf(arena, "%s, last seen before %s, %s left out.",
                                        rest.older == 1 ? "One more" : arena_printf(arena, "%zu more", rest.older),
                                        words_day(arena, report->since_ms), rest.older == 1 ? "is" : "are"));
}

/* What was looked at, and how much of it there was. */
static void put_scope(struct report *report, const struct question *question, struct document *document)
{
    struct arena *arena = &report->arena;
    size_t seen = 0;
    size_t all = 0;
    for (size_t k = 0; k < QUESTION_PARTS_MAX && question->parts[k].heading != NULL; k++)
        for (size_t i = 0; i < report->count; i++) {
            bool of = belongs(question, &question->parts[k], report->items[i].record);
            all += of;
            seen += of && published_time(report->items[i].record, "last_seen") >= report->since_ms;
        }
    document_paragraph(document,
                       arena_printf(arena, "Looked for from %s to %s: %s.", words_day(arena, report->since_ms),
                                    words_day(arena, report->published->now_ms), question->looks_at));
    if (all == 0)
        document_paragraph(
            document,
            "None of this has ever been recommended. If it should have been, see that the configuration's `rules` "
            "include `rules/proactive`.");
    else
        document_paragraph(document,
                           arena_printf(arena, "%s of this kind %s ever published, and %s seen in the period.",
                                        words_count(arena, all, "recommendation", "recommendations"),
                                        all == 1 ? "was" : "were",
                                        seen == 0   ? "none was"
                                        : seen == 1 ? "one was"
                                                    : arena_printf(arena, "%zu were", seen)));
}

void report_question(struct report *report, const struct question *question, struct document *document)
{
    document_heading(document, 1, question->title);
    put_scope(report, question, document);
    if (strcmp(question->name, "capacity") == 0)
        report_outlook(report, document);
    for (size_t k = 0; k < QUESTION_PARTS_MAX && question->parts[k].heading != NULL; k++)
        put_part(report, question, &question->parts[k], document);
    if (question->scorecards[0] != NULL)
        report_scorecards(report, document, question);
}
