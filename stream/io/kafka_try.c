/* See kafka_try.h. */
#include "io/kafka_try.h"

#include <stdlib.h>

#include "io/kafka_admin.h"
#include "io/kafka_member.h"
#include "io/kafka_producer.h"

static bool is_one_of(const char *const *names, struct str name)
{
    while (*names != NULL && !str_is(name, *names))
        names++;
    return *names != NULL;
}

static bool acts(struct str name)
{
    static const char *const names[] = {"plugin.library.paths", "sasl.oauthbearer.method", NULL};
    struct str kerberos = STR_LIT("sasl.kerberos.");
    return is_one_of(names, name) || (name.n >= kerberos.n && str_eq((struct str){name.p, kerberos.n}, kerberos));
}

static int try_reader(const struct str_pair *properties, size_t count, struct error *err)
{
    rd_kafka_t *client;
    TRY(kafka_asker_new(&client, properties, count, err));
    kafka_client_free(client);
    return 0;
}

static int try_member(const struct str_pair *properties, size_t count, struct error *err)
{
    const struct kafka_member_options options = {
        .properties = properties, .property_count = count, .group_id = "try", .instance_id = "try", .shared = true};
    struct kafka_member *member;
    TRY(kafka_member_open(&member, &options, err));
    kafka_member_close(member);
    return 0;
}

int kafka_try(const struct str_pair *properties, size_t count, int64_t record_bytes_max, struct error *err)
{
    static const char *const addresses[] = {"bootstrap.servers", "metadata.broker.list", "debug", NULL};
    struct str_pair *kept = mem_alloc((count + 1) * sizeof *kept);
    size_t kept_count = 0;
    bool any = true;
    for (size_t i = 0; i < count; i++) {
        any = any && !acts(properties[i].key);
        if (!is_one_of(addresses, properties[i].key))
            kept[kept_count++] = properties[i];
    }
    const struct kafka_producer_options producer = {.properties = kept,
                                                    .property_count = kept_count,
                                                    .transactional_id = "try",
                                                    .record_bytes_max = record_bytes_max};
    int result = any ? try_reader(kept, kept_count, err) : 0;
    if (any && result == 0)
        result = try_member(kept, kept_count, err);
    if (any && result == 0)
        result = kafka_producer_try(&producer, err);
    free(kept);
    return result;
}
