import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/**
 * Records as bytes. The event is read whole by Avro's own reader; state and hold, which have few
 * fields, are written field by field, which is cheaper than Avro's general writer. For the state
 * there is that one too, for a row of its own.
 */
final class Wire {
    private static final int FRAME = 5;

    private Wire() {}

    private interface Body {
        void write(BinaryEncoder encoder) throws IOException;
    }

    /** Reuses its buffers; each stream thread has one of its own. */
    private static final class Scratch {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(128);
        private BinaryEncoder encoder;
        private BinaryDecoder decoder;

        BinaryDecoder reading(byte[] data, int from) {
            decoder = DecoderFactory.get().binaryDecoder(data, from, data.length - from, decoder);
            return decoder;
        }

        byte[] written(byte[] frame, Body body) {
            try {
                bytes.reset();
                bytes.write(frame);
                encoder = EncoderFactory.get().directBinaryEncoder(bytes, encoder);
                body.write(encoder);
                return bytes.toByteArray();
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        }
    }

    private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

    static Deserializer<GenericRecord> events(Schema schema) {
        GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(schema);
        return (topic, data) -> {
            try {
                return reader.read(null, SCRATCH.get().reading(data, FRAME));
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        };
    }

    /** The state through Avro's general reader and writer, as a serde of generic records does. */
    static Serde<LotHold.LotState> generalStates(Schema schema) {
        GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(schema);
        GenericDatumWriter<GenericRecord> writer = new GenericDatumWriter<>(schema);
        byte[] none = {};
        Serializer<LotHold.LotState> write =
                (topic, state) -> {
                    if (state == null) {
                        return null;
                    }
                    GenericRecord record = new GenericData.Record(schema);
                    record.put(0, state.seq());
                    record.put(1, state.n());
                    record.put(2, state.fails());
                    record.put(3, state.held());
                    return SCRATCH.get().written(none, encoder -> writer.write(record, encoder));
                };
        Deserializer<LotHold.LotState> read =
                (topic, data) -> {
                    if (data == null) {
                        return null;
                    }
                    try {
                        GenericRecord found = reader.read(null, SCRATCH.get().reading(data, 0));
                        return new LotHold.LotState(
                                (Long) found.get(0),
                                (Long) found.get(1),
                                (Long) found.get(2),
                                (Boolean) found.get(3));
                    } catch (IOException failure) {
                        throw new UncheckedIOException(failure);
                    }
                };
        return Serdes.serdeFrom(write, read);
    }

    /** The state field by field. */
    static Serde<LotHold.LotState> states() {
        byte[] none = {};
        Serializer<LotHold.LotState> write =
                (topic, state) ->
                        state == null
                                ? null
                                : SCRATCH.get()
                                        .written(
                                                none,
                                                encoder -> {
                                                    encoder.writeLong(state.seq());
                                                    encoder.writeLong(state.n());
                                                    encoder.writeLong(state.fails());
                                                    encoder.writeBoolean(state.held());
                                                });
        Deserializer<LotHold.LotState> read =
                (topic, data) -> {
                    if (data == null) {
                        return null;
                    }
                    try {
                        BinaryDecoder decoder = SCRATCH.get().reading(data, 0);
                        return new LotHold.LotState(
                                decoder.readLong(),
                                decoder.readLong(),
                                decoder.readLong(),
                                decoder.readBoolean());
                    } catch (IOException failure) {
                        throw new UncheckedIOException(failure);
                    }
                };
        return Serdes.serdeFrom(write, read);
    }

    static Serializer<LotHold.HoldRequested> holds(int id) {
        byte[] frame = ByteBuffer.allocate(FRAME).put((byte) 0).putInt(id).array();
        return (topic, hold) ->
                SCRATCH.get()
                        .written(
                                frame,
                                encoder -> {
                                    encoder.writeString(hold.lot());
                                    encoder.writeLong(hold.fails());
                                    encoder.writeLong(hold.sourceSeq());
                                });
    }
}
