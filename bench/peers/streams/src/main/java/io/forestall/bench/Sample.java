package io.forestall.bench;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.kafka.common.utils.Bytes;

/** What the query reads of an event in bare Avro by schemas/telemetry.avsc; the rest is passed over by its size. */
final class Sample {
  final Bytes group; // service, 0, name
  final double value;
  final long timeMs;

  private Sample(Bytes group, double value, long timeMs) {
    this.group = group;
    this.value = value;
    this.timeMs = timeMs;
  }

  static Sample read(byte[] bytes) {
    Reader in = new Reader(bytes);
    in.skipOptionalText(); // event_id
    in.varint(); // kind
    int serviceLength = (int) in.varint();
    int service = in.skip(serviceLength);
    in.skipOptionalText(); // environment
    int nameLength = (int) in.varint();
    int name = in.skip(nameLength);
    double value = in.varint() == 0 ? 0 : ByteBuffer.wrap(bytes, in.skip(8), 8).order(ByteOrder.LITTLE_ENDIAN).getDouble();
    in.skipOptionalText(); // unit
    in.skipOptionalText(); // level
    in.skipOptionalText(); // message
    long timeMs = in.varint();
    byte[] group = new byte[serviceLength + 1 + nameLength];
    System.arraycopy(bytes, service, group, 0, serviceLength);
    System.arraycopy(bytes, name, group, serviceLength + 1, nameLength);
    return new Sample(Bytes.wrap(group), value, timeMs);
  }

  private static final class Reader {
    private final byte[] bytes;
    private int at;

    Reader(byte[] bytes) {
      this.bytes = bytes;
    }

    long varint() {
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

    int skip(int count) {
      int from = at;
      at += count;
      return from;
    }

    void skipOptionalText() {
      if (varint() != 0) skip((int) varint());
    }
  }
}
