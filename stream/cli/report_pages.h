/* The pages that `forestall report` makes, each of a report, and their JSON. Every section says in a sentence what it
 * has nothing of, so that none is empty. */
#ifndef FORESTALL_CLI_REPORT_PAGES_H
#define FORESTALL_CLI_REPORT_PAGES_H

#include "cli/document.h"
#include "cli/report_model.h"

/* report_review.c: the weekly review, from its summary to the backlog. */
void report_review(struct report *report, struct document *document);
/* Its first sentences. */
enum { SUMMARY_MAX = 6 };
size_t report_summary(struct report *report, const char *sentences[static SUMMARY_MAX]);

/* report_decisions.c: what a person did about a recommendation, and when. */
struct decision {
    const struct report_item *item;
    struct value change; /* of its history */
    int64_t at_ms;
    uint32_t number; /* in the history */
};
/* Those in the period, the oldest first; of the report's arena. */
size_t report_decisions(struct report *report, struct decision **decisions);
void report_decided_by_people(struct report *report, struct document *document);

/* report_measured.c: what is being validated, and what was. */
void report_validations(struct report *report, struct document *document);
/* "incidents: 12 before, 0 after, as wanted." of one of validation.measures. */
const char *report_measure(struct report *report, struct value measure);
bool report_running(const struct report_item *item);
/* Days gone of the days after the change; false: they have not begun. */
bool report_days(const struct report *report, const struct report_item *item, int64_t *gone, int64_t *all);
/* It was decided in the period: validated, ineffective or inconclusive. */
bool report_decided(const struct report *report, const struct report_item *item);

/* report_list.c: recommendations in a table, each with a row; and in words, with problem, change and how to see more.
 */
void report_table(struct report *report, struct document *document, const char *caption,
                  const struct report_item *const *items, size_t count);
void report_in_words(struct report *report, struct document *document, const struct report_item *item);

/* report_growth.c: something that grows towards a limit, as a trend found it. */
struct growth {
    const struct report_item *item;
    const char *title; /* without the time */
    double current;    /* NAN: not known */
    double week;       /* by how much in a week */
    const char *left;  /* "6d 20h", "none" or "-", as of `seen_ms` */
    int64_t seen_ms;
    int64_t reached_ms; /* INT64_MAX: not known */
    bool percent;
};
/* A trend found it. */
bool report_is_growth(struct value record);
/* Those seen in the period and still to be worked on, the soonest first; of the report's arena. */
size_t report_growths(struct report *report, struct growth **growths);
void report_outlook(struct report *report, struct document *document);

/* report_roadmap.c: work by the guide's themes, a quarter each. */
enum { ROADMAP_THEMES = 4 };
struct roadmap_theme {
    const char *name;    /* as a recommendation has it */
    const char *heading; /* "Quarter 1: Foundation" */
    const char *aim;
};
extern const struct roadmap_theme roadmap_themes[ROADMAP_THEMES];
void report_roadmap(struct report *report, struct document *document);

/* report_questions.c: the guide's three questions. */
enum { QUESTION_PARTS_MAX = 4, QUESTION_RULES_MAX = 4, QUESTION_SCORECARDS = 2 };
struct question_part {
    const char *heading;
    const char *none;                      /* what is so where nothing was found */
    const char *rules[QUESTION_RULES_MAX]; /* of rules/proactive */
    const char *category; /* recommendations of other rules belong here by their category; NULL: none do */
    bool growth;          /* those of other rules belong here that a trend found */
};
struct question {
    const char *name;
    const char *title;
    const char *looks_at;
    const char *since; /* the period where none is asked for */
    struct question_part parts[QUESTION_PARTS_MAX];
    const char *scorecards[QUESTION_SCORECARDS]; /* how the ids of those that belong to it begin */
};
const struct question *question_find(const char *name); /* NULL: there is none */
/* What was found for a part in the period and is still to be worked on or measured, by impact; of the report's arena.
 */
struct question_rest {
    size_t older;   /* not seen in the period */
    size_t settled; /* seen in it; dismissed, superseded or validated */
};
size_t question_found(struct report *report, const struct question *question, const struct question_part *part,
                      const struct report_item ***found, struct question_rest *rest);
void report_question(struct report *report, const struct question *question, struct document *document);

/* report_scorecards.c: all of them, or those of a question. */
void report_scorecards(struct report *report, struct document *document, const struct question *question);
bool report_scorecard_of(struct value record, const struct question *question);

/* report_issue.c: one recommendation as an issue. */
void report_issue(struct report *report, const struct report_item *item, struct document *document);

/* report_json.c: the same figures for programs. */
void report_review_json(struct report *report, struct buf *out);
void report_roadmap_json(struct report *report, struct buf *out);
void report_question_json(struct report *report, const struct question *question, struct buf *out);

#endif
