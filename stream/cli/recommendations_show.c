/* `recommendations show`: all that is known of one. */
#include <stdio.h>

#include "cli/page.h"
#include "cli/recommendations.h"
#include "cli/yaml_text.h"

static void print_page(struct published *published, struct value record)
{
    struct page page;
    page_init(&page, published, record, &published->arena);
    page_title(&page);
    page_status(&page);
    page_priority(&page);
    page_line(&page, "services", page_list(&page, "services", NULL, NULL));
    page_line(&page, "category", arena_str(page.arena, published_text(record, "category")).p);
    page_numbers(&page);
    page_notes(&page);
    page_validation(&page);
    page_spec(&page);
    page_history(&page);
    page_evidence(&page);
}

int recommendations_show(const struct recommendations_request *request, struct published *published,
                         struct value record)
{
    struct buf out = {0};
    if (request->format == RECOMMENDATIONS_TABLE) {
        print_page(published, record);
        return 0;
    }
    if (request->format == RECOMMENDATIONS_YAML) {
        yaml_text(&out, record);
    } else {
        value_json(&out, record);
        buf_byte(&out, '\n');
    }
    (void)fwrite(out.p, 1, out.len, stdout);
    buf_fini(&out);
    return 0;
}
