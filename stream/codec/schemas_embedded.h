/* The .avsc files of schemas/ as text in the program: {name without suffix, text}, ended by {0, 0}. */
#ifndef FORESTALL_CODEC_SCHEMAS_EMBEDDED_H
#define FORESTALL_CODEC_SCHEMAS_EMBEDDED_H

struct schema_embedded {
    const char *name;
    const char *text;
};

extern const struct schema_embedded schemas_embedded[];

/* NULL: no such schema. */
const char *schema_embedded_find(const char *name);

#endif
