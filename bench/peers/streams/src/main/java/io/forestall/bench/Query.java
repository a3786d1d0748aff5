package io.forestall.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Count and sum by (service, name), over five minutes, each minute, exactly once.
 *
 * <p>Query BOOTSTRAP TOPIC OUTPUT APPLICATION_ID STATE_FOLDER THREADS
 *
 * <p>A window's result is emitted once, when it closes (its newest one at each commit took twice as long). It is text:
 * count, sum, the window's end in milliseconds. Prints `first` and the time when the first event is read. Ends at SIGTERM.
 */
public final class Query {
  private record Counted(long count, double sum) {
    static final Counted NONE = new Counted(0, 0);

    Counted add(double value) {
      return new Counted(count + 1, sum + value);
    }
  }

  private static final class CountedSerde {
    static final Serializer<Counted> OUT =
        (topic, counted) -> counted == null ? null : ByteBuffer.allocate(16).putLong(counted.count).putDouble(counted.sum).array();
    static final Deserializer<Counted> IN =
        (topic, bytes) -> {
          if (bytes == null) return null;
          ByteBuffer in = ByteBuffer.wrap(bytes);
          return new Counted(in.getLong(), in.getDouble());
        };
  }

  public static void main(String[] args) throws InterruptedException {
    String topic = args[1];
    String output = args[2];
    Properties properties = properties(args);
    Serde<Sample> samples = Serdes.serdeFrom((name, sample) -> null, (name, bytes) -> read(bytes));
    Serde<Counted> counts = Serdes.serdeFrom(CountedSerde.OUT, CountedSerde.IN);
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(topic, Consumed.with(Serdes.Bytes(), samples)
            .withTimestampExtractor((record, partitionTime) -> ((Sample) record.value()).timeMs))
        .map((key, sample) -> KeyValue.pair(sample.group, sample.value))
        .groupByKey(Grouped.with("group", Serdes.Bytes(), Serdes.Double()))
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(5), Duration.ofMinutes(1)).advanceBy(Duration.ofMinutes(1)))
        .emitStrategy(EmitStrategy.onWindowClose())
        .aggregate(() -> Counted.NONE, (key, value, counted) -> counted.add(value),
            Materialized.<Bytes, Counted, WindowStore<Bytes, byte[]>>as("counts")
                .withKeySerde(Serdes.Bytes()).withValueSerde(counts).withRetention(Duration.ofMinutes(10)).withCachingEnabled())
        .toStream()
        .map((window, counted) -> KeyValue.pair(
            (new String(window.key().get(), StandardCharsets.UTF_8) + "@" + window.window().end()),
            counted.count + " " + counted.sum + " " + window.window().end()))
        .to(output, Produced.with(Serdes.String(), Serdes.String()));
    KafkaStreams streams = new KafkaStreams(builder.build(properties), properties);
    CountDownLatch done = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close(Duration.ofSeconds(20));
      done.countDown();
    }));
    streams.start();
    done.await();
  }

  private static final AtomicBoolean began = new AtomicBoolean();

  private static Sample read(byte[] bytes) {
    if (!began.get() && began.compareAndSet(false, true)) System.out.println("first " + System.currentTimeMillis());
    return bytes == null ? null : Sample.read(bytes);
  }

  private static Properties properties(String[] args) {
    Properties properties = new Properties();
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, args[3]);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
    properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, args[5]);
    properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    properties.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
    properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
    properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
    properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10000);
    properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.CHECK_CRCS_CONFIG), false);
    properties.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
    properties.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    properties.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    return properties;
  }
}
