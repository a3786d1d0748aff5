/* Look-up in the embedded schemas. */
#include "codec/schemas_embedded.h"

#include <stddef.h>
#include <string.h>

const char *schema_embedded_find(const char *name)
{
    for (const struct schema_embedded *schema = schemas_embedded; schema->name != NULL; schema++)
        if (strcmp(schema->name, name) == 0)
            return schema->text;
    return NULL;
}
