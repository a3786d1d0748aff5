/* `forestall recommendations list|show|accept|…`: reads what was published, and writes feedback. */
#include "cli/recommendations.h"

#include <stdio.h>

#include "cli/commands.h"
#include "cli/find.h"
#include "cli/load.h"

static const char usage[] =
    "usage: forestall recommendations list [--service S] [--category C] [--status S] [--priority P] [--sort KEY]\n"
    "                                      [--limit N] [--all]\n"
    "       forestall recommendations show ID\n"
    "       forestall recommendations accept|start|implement|dismiss|reopen|comment ID [--comment TEXT] [--actor "
    "NAME]\n"
    "\n"
    "Lists and shows recommendations, and says what is done about them. Of an ID as much as only one begins with is\n"
    "enough.\n"
    "\n"
    "  -c, --config FILE       the configuration (default: ./forestall.yaml), whose topics are read\n"
    "  --file F                list, show: read what `forestall replay` wrote instead; needs no Kafka\n"
    "  --output FORMAT         list, show: table (default), json or yaml\n"
    "\n"
    "list: the worst first. Dismissed, superseded and validated ones are left out unless --all or --status asks for "
    "them.\n"
    "  --service --category --status --priority    only these; repeat it, or write a,b\n"
    "  --sort KEY              impact (default), priority, last_seen, first_seen, incidents or minutes_lost\n"
    "  --limit N               the first N\n"
    "\n"
    "accept, start, implement, dismiss, reopen, comment: the engine (`forestall run`) judges them; what it made of it\n"
    "is waited for and printed.\n"
    "  --comment TEXT          why, for the history\n"
    "  --actor NAME            who (default: $USER)\n"
    "  --until T               dismiss: proposed again then; a time, or a span from now such as 30d\n"
    "  --expected-version N    refused unless this is its life_version (default: the one just read)\n"
    "  --wait SPAN             how long to wait for the effect (default 30s); 0s: not at all\n"
    "\n"
    "Exit status: 0 good; 1 refused, no answer yet, or an error; 2 wrong usage.\n";

static enum cli_parsed wrong(const char *what, const char *argument)
{
    return options_wrong(usage, "%s%s", what, argument);
}

/* Only actions are left: LIFE_ACTIONS where it is none. */
static enum life_action action_of(const char *verb)
{
    int action = 0;
    while (action < LIFE_ACTIONS && strcmp(lifecycle_action_name((enum life_action)action), verb) != 0)
        action++;
    return (enum life_action)action;
}

static enum cli_parsed check(struct recommendations_request *request, const struct cli_arguments *arguments)
{
    static const char *const formats[] = {"table", "json", "yaml"};
    if (arguments->rest_count == 0)
        return wrong("list, show, or what is done? For a start: forestall recommendations list", "");
    const char *verb = arguments->rest[0];
    bool list = strcmp(verb, "list") == 0;
    bool show = strcmp(verb, "show") == 0;
    request->action = action_of(verb);
    if (!list && !show && request->action == LIFE_ACTIONS)
        return wrong("what is done is list, show, accept, start, implement, dismiss, reopen or comment, not ", verb);
    if (list && arguments->rest_count > 1)
        return wrong("unexpected argument after list: ", arguments->rest[1]);
    if (!list && arguments->rest_count < 2)
        return wrong("which recommendation? An ID is missing after ", verb);
    request->id = list ? NULL : arguments->rest[1];
    if (!list && !show && request->file != NULL)
        return wrong("a file takes no feedback: --file goes with list and show", "");
    for (int i = 0; i < 3; i++)
        if (strcmp(request->output, formats[i]) == 0) {
            request->format = (enum recommendations_format)i;
            bool good = list ? recommendations_list_check(request) : show || recommendations_feedback_check(request);
            return good ? CLI_GO : CLI_USAGE;
        }
    return wrong("the output formats are table, json and yaml, not ", request->output);
}

static enum cli_parsed parse(struct recommendations_request *request, struct arena *arena, int argc, char **argv)
{
    struct cli_list *lists[] = {&request->services, &request->categories, &request->statuses, &request->priorities};
    const struct cli_option options[] = {{.name = "config", .short_name = 'c', .value = &request->config_path},
                                         {.name = "file", .value = &request->file},
                                         {.name = "output", .value = &request->output},
                                         {.name = "service", .list = lists[0]},
                                         {.name = "category", .list = lists[1]},
                                         {.name = "status", .list = lists[2]},
                                         {.name = "priority", .list = lists[3]},
                                         {.name = "sort", .value = &request->sort},
                                         {.name = "limit", .value = &request->limit},
                                         {.name = "all", .flag = &request->all},
                                         {.name = "comment", .value = &request->comment},
                                         {.name = "actor", .value = &request->actor},
                                         {.name = "until", .value = &request->until},
                                         {.name = "expected-version", .value = &request->expected_version},
                                         {.name = "wait", .value = &request->wait},
                                         {.name = NULL}};
    struct cli_arguments arguments = {.rest_max = 2};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        lists[i]->items = arena_alloc(arena, (size_t)argc * sizeof(char *));
    enum cli_parsed parsed = options_parse(argc, argv, options, usage, &arguments);
    return parsed == CLI_GO ? check(request, &arguments) : parsed;
}

static int run(const struct recommendations_request *request, struct loaded *loaded)
{
    const struct config *config = loaded->config;
    const struct published_options options = {.config = config, .file = request->file, .only_recommendations = true};
    struct published published;
    struct error err = {0};
    int status = 1;
    if (published_read(&published, &options, &err) != 0) {
        (void)fprintf(stderr, "error: %s\n", err.message);
        return 1;
    }
    const struct value *record = request->id == NULL ? NULL : find_recommendation(&published, request->id);
    if (request->id == NULL) {
        if (request->file == NULL)
            load_if_right(loaded, request->config_path);
        status = recommendations_list(request, &published, loaded->rules);
    }
    if (record != NULL)
        status = request->action == LIFE_ACTIONS ? recommendations_show(request, &published, *record)
                                                 : recommendations_feedback(request, config, *record);
    published_fini(&published);
    return status;
}

int cli_recommendations(int argc, char **argv)
{
    struct recommendations_request request = {
        .config_path = "forestall.yaml", .output = "table", .sort = "impact", .wait = "30s"};
    struct arena arena = {0};
    struct loaded loaded = {0};
    enum cli_parsed parsed = parse(&request, &arena, argc, argv);
    int status = parsed == CLI_HELP ? 0 : parsed == CLI_USAGE ? 2 : 1;
    if (parsed == CLI_GO &&
        (request.file != NULL || load(&loaded, request.config_path, CONFIG_NEED_KAFKA | CONFIG_NEED_SOURCES)))
        status = run(&request, &loaded);
    loaded_free(&loaded);
    arena_fini(&arena);
    return status;
}
