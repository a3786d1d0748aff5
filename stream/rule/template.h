/* Templates: text with {{ expression }} parts. A template that is one expression and nothing else keeps its type. */
#ifndef FORESTALL_RULE_TEMPLATE_H
#define FORESTALL_RULE_TEMPLATE_H

#include "rule/cel.h"

struct template;

enum { TEMPLATE_TEXT_MAX = 64 * 1024 };

/* Compiles into the arena; err->offset is within `text`. `text` is copied. */
int template_compile(struct arena *arena, struct str text, const struct cel_env *env, const struct template **out,
                     struct cel_error *err) MUST_CHECK;
/* Text into `out`; a part that ends in an error prints `unknown`, counted in *errors. */
void template_render(const struct template *template, const struct cel_frame *frame, struct buf *out, uint64_t *errors);
/* The typed value: of a single expression its value, else a string in the frame's arena. */
struct value template_value(const struct template *template, const struct cel_frame *frame, uint64_t *errors);
/* The first error of its parts; null where there is none. */
struct value template_error(const struct template *template, const struct cel_frame *frame);
bool template_is_constant(const struct template *template, struct str *text);
void template_slots(const struct template *template, void (*visit)(void *context, int slot), void *context);
/* Fields of the frame's event that the template reads. */
field_mask template_event_fields(const struct template *template);

#endif
