/* Deletes records as the engine does, and waits for the answers; what goes wrong is in the log. test_exchange_topic.py
 * runs it.
 *
 *     broker_trim BOOTSTRAP TOPIC PARTITION OFFSET [PARTITION OFFSET]…
 */
#include <stdlib.h>
#include <time.h>

#include "io/kafka_trim.h"

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    const struct str_pair properties[] = {{STR_LIT("bootstrap.servers"), str_of(argv[1])}};
    const struct kafka_client options = {.type = RD_KAFKA_PRODUCER, .properties = properties, .property_count = 1};
    struct error err = {0};
    rd_kafka_t *client;
    if (kafka_client_new(&client, &options, &err) != 0)
        return 1;
    struct kafka_trim *trim = kafka_trim_new(client);
    for (int i = 3; i + 1 < argc; i += 2)
        (void)kafka_trim_delete(trim, argv[2], (int32_t)strtol(argv[i], NULL, 10), strtoll(argv[i + 1], NULL, 10));
    const struct timespec moment = {0, 10000000};
    while (kafka_trim_serve(trim) > 0) {
        (void)rd_kafka_poll(client, 0);
        (void)nanosleep(&moment, NULL);
    }
    kafka_trim_free(trim);
    kafka_client_free(client);
    return 0;
}
