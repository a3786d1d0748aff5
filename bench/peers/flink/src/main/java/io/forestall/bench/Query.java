package io.forestall.bench;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Count and sum by (service, name), over five minutes, each minute, exactly once.
 *
 * <p>Query BOOTSTRAP TOPIC OUTPUT GROUP_ID CHECKPOINT_FOLDER PARALLELISM rocksdb|hashmap
 *
 * <p>A result is text: count, sum, the window's end in milliseconds. Prints `first` and the time when a reader has its
 * first event. Ends at SIGTERM.
 */
public final class Query {
  /** Of an event in bare Avro by schemas/telemetry.avsc: group, value, time. The rest is passed over by its size. */
  private static final class Decode implements KafkaRecordDeserializationSchema<Tuple3<String, Double, Long>> {
    private transient boolean began;
    private transient byte[] bytes;
    private transient int at;

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple3<String, Double, Long>> out) {
      if (!began) System.out.println("first " + System.currentTimeMillis());
      began = true;
      bytes = record.value();
      at = 0;
      skipOptionalText(); // event_id
      varint(); // kind
      int serviceLength = (int) varint();
      int service = skip(serviceLength);
      skipOptionalText(); // environment
      int nameLength = (int) varint();
      int name = skip(nameLength);
      double value = varint() == 0 ? 0 : Double.longBitsToDouble(littleEndian(skip(8)));
      skipOptionalText(); // unit
      skipOptionalText(); // level
      skipOptionalText(); // message
      long timeMs = varint();
      byte[] group = new byte[serviceLength + 1 + nameLength];
      System.arraycopy(bytes, service, group, 0, serviceLength);
      System.arraycopy(bytes, name, group, serviceLength + 1, nameLength);
      out.collect(Tuple3.of(new String(group, StandardCharsets.ISO_8859_1), value, timeMs));
    }

    private long varint() {
      long raw = 0;
      int shift = 0;
      byte part;
      do {
        part = bytes[at++];
        raw |= (long) (part & 0x7f) << shift;
        shift += 7;
      } while (part < 0);
      return raw >>> 1 ^ -(raw & 1);
    }

    private int skip(int count) {
      int from = at;
      at += count;
      return from;
    }

    private void skipOptionalText() {
      if (varint() != 0) skip((int) varint());
    }

    private long littleEndian(int from) {
      long bits = 0;
      for (int i = 7; i >= 0; i--) bits = bits << 8 | bytes[from + i] & 0xff;
      return bits;
    }

    @Override
    public TypeInformation<Tuple3<String, Double, Long>> getProducedType() {
      return TypeInformation.of(new TypeHint<>() {});
    }
  }

  private static final class CountAndSum
      implements AggregateFunction<Tuple3<String, Double, Long>, Tuple2<Long, Double>, Tuple2<Long, Double>> {
    @Override
    public Tuple2<Long, Double> createAccumulator() {
      return Tuple2.of(0L, 0.0);
    }

    @Override
    public Tuple2<Long, Double> add(Tuple3<String, Double, Long> sample, Tuple2<Long, Double> counted) {
      counted.f0++;
      counted.f1 += sample.f1;
      return counted;
    }

    @Override
    public Tuple2<Long, Double> getResult(Tuple2<Long, Double> counted) {
      return counted;
    }

    @Override
    public Tuple2<Long, Double> merge(Tuple2<Long, Double> a, Tuple2<Long, Double> b) {
      return Tuple2.of(a.f0 + b.f0, a.f1 + b.f1);
    }
  }

  private static final class Print implements WindowFunction<Tuple2<Long, Double>, Tuple2<String, String>, String, TimeWindow> {
    @Override
    public void apply(String group, TimeWindow window, Iterable<Tuple2<Long, Double>> results, Collector<Tuple2<String, String>> out) {
      for (Tuple2<Long, Double> counted : results)
        out.collect(Tuple2.of(group + "@" + window.getEnd(), counted.f0 + " " + counted.f1 + " " + window.getEnd()));
    }
  }

  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(configuration(args));
    environment.getConfig().enableObjectReuse();
    environment.enableCheckpointing(1000, CheckpointingMode.EXACTLY_ONCE);
    KafkaSource<Tuple3<String, Double, Long>> source = KafkaSource.<Tuple3<String, Double, Long>>builder()
        .setBootstrapServers(args[0])
        .setTopics(args[1])
        .setGroupId(args[3])
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setDeserializer(new Decode())
        .setProperty("check.crcs", "false")
        .setProperty("max.poll.records", "10000")
        .build();
    KafkaSink<Tuple2<String, String>> sink = KafkaSink.<Tuple2<String, String>>builder()
        .setBootstrapServers(args[0])
        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .setTransactionalIdPrefix(args[3])
        .setProperty("transaction.timeout.ms", "600000")
        .setProperty("compression.type", "lz4")
        .setProperty("linger.ms", "20")
        .setRecordSerializer(
            KafkaRecordSerializationSchema.<Tuple2<String, String>>builder()
                .setTopic(args[2])
                .setKeySerializationSchema(result -> result.f0.getBytes(StandardCharsets.UTF_8))
                .setValueSerializationSchema(result -> result.f1.getBytes(StandardCharsets.UTF_8))
                .build())
        .build();
    environment
        .fromSource(
            source,
            WatermarkStrategy.<Tuple3<String, Double, Long>>forBoundedOutOfOrderness(Duration.ofSeconds(10))
                .withTimestampAssigner((sample, recordTime) -> sample.f2),
            "samples")
        .keyBy(sample -> sample.f0)
        .window(SlidingEventTimeWindows.of(Duration.ofMinutes(5), Duration.ofMinutes(1)))
        .aggregate(new CountAndSum(), new Print())
        .sinkTo(sink);
    environment.execute();
  }

  /** Memory as in a small task manager: managed memory is RocksDB's. */
  private static Configuration configuration(String[] args) {
    Configuration configuration = new Configuration();
    configuration.setString("parallelism.default", args[5]);
    configuration.setString("state.backend.type", args[6]);
    configuration.setString("execution.checkpointing.dir", "file://" + args[4]);
    configuration.setString("execution.checkpointing.incremental", "true");
    configuration.setString("taskmanager.numberOfTaskSlots", args[5]);
    configuration.setString("taskmanager.memory.managed.size", "256m");
    configuration.setString("taskmanager.memory.network.min", "64m");
    configuration.setString("taskmanager.memory.network.max", "64m");
    return configuration;
  }
}
