/* Keeps the broker threads of a client on the CPU of the thread that takes their messages.
 *
 * A message that librdkafka hands over is an allocation of its own and counts its references to the partition and to
 * the response that it came in. Made on one core and freed on another each of those is a cache line that moves twice,
 * which costs more than all the rest: a consumer of small messages is half as fast again on one core as on two. Beside
 * each other the two threads still take less than a core of what a worker can use.
 *
 * The thread that takes the messages leads. For a moment of each second it is free, and the kernel puts it where there
 * is room, within what the process is allowed; for the rest of it they all stay there. Where affinity may not be set,
 * or the leader was started on one CPU alone, nothing happens.
 */
#ifndef FORESTALL_IO_KAFKA_CPU_H
#define FORESTALL_IO_KAFKA_CPU_H

#include <librdkafka/rdkafka.h>

struct kafka_cpu;

struct kafka_cpu *kafka_cpu_new(void);
/* NULL: nothing. */
void kafka_cpu_free(struct kafka_cpu *cpu);
/* The client that is made of `conf` ends before kafka_cpu_free. */
void kafka_cpu_watch(struct kafka_cpu *cpu, rd_kafka_conf_t *conf);
/* The leader's, as often as it likes. */
void kafka_cpu_lead(struct kafka_cpu *cpu);

#endif
