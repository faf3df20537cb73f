import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** The reference job on Kafka Streams: a lot is held at its second failure, once. */
public final class LotHold {
    private static final String STORE = "lots";

    private LotHold() {}

    /** One lot: the last position seen, records, failures, whether it is held. */
    record LotState(long seq, long n, long fails, boolean held) {
        static final LotState NEW = new LotState(0, 0, 0, false);
    }

    record HoldRequested(String lot, long fails, long sourceSeq) {}

    private static final class Hold
            implements Processor<String, GenericRecord, String, HoldRequested> {
        private final int sourceSeq;
        private final int value;
        private final int lower;
        private final int upper;
        private ProcessorContext<String, HoldRequested> context;
        private KeyValueStore<String, LotState> lots;

        Hold(Schema schema) {
            sourceSeq = schema.getField("source_seq").pos();
            value = schema.getField("value").pos();
            lower = schema.getField("lower").pos();
            upper = schema.getField("upper").pos();
        }

        @Override
        public void init(ProcessorContext<String, HoldRequested> context) {
            this.context = context;
            this.lots = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<String, GenericRecord> record) {
            GenericRecord event = record.value();
            LotState known = lots.get(record.key());
            LotState state = known == null ? LotState.NEW : known;
            long seq = (Long) event.get(sourceSeq);
            if (seq <= state.seq()) {
                return;
            }
            double measured = (Double) event.get(value);
            boolean within =
                    (Double) event.get(lower) <= measured && measured <= (Double) event.get(upper);
            long fails = state.fails() + (within ? 0 : 1);
            boolean holds = fails >= 2 && !state.held();
            lots.put(record.key(), new LotState(seq, state.n() + 1, fails, state.held() || holds));
            if (holds) {
                context.forward(record.withValue(new HoldRequested(record.key(), fails, seq)));
            }
        }
    }

    private static Topology topology(Properties given) throws Exception {
        Path schema = Path.of(given.getProperty("bench.schema"));
        Schema events = new Schema.Parser().parse(Files.readString(schema));
        int holdId = Integer.parseInt(given.getProperty("bench.hold.id"));
        String stateSchema = given.getProperty("bench.state.schema", "");
        Serde<LotState> states =
                stateSchema.isEmpty()
                        ? Wire.states()
                        : Wire.generalStates(new Schema.Parser().parse(stateSchema));
        StoreBuilder<KeyValueStore<String, LotState>> lots =
                Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore(STORE), Serdes.String(), states);
        lots = lots.withLoggingEnabled(Map.of());
        if (Boolean.parseBoolean(given.getProperty("bench.cached"))) {
            lots = lots.withCachingEnabled();
        }
        Topology topology = new Topology();
        topology.addSource(
                "inspections",
                Serdes.String().deserializer(),
                Wire.events(events),
                given.getProperty("bench.input"));
        topology.addProcessor("hold", () -> new Hold(events), "inspections");
        topology.addStateStore(lots, "hold");
        topology.addSink(
                "holds",
                given.getProperty("bench.output"),
                Serdes.String().serializer(),
                Wire.holds(holdId),
                "hold");
        return topology;
    }

    /** Runs until it is asked to end. The one argument names a file of settings. */
    public static void main(String[] arguments) throws Exception {
        Properties given = new Properties();
        try (var reader = Files.newBufferedReader(Path.of(arguments[0]))) {
            given.load(reader);
        }
        KafkaStreams streams = new KafkaStreams(topology(given), given);
        CountDownLatch end = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(
                failure -> {
                    failure.printStackTrace();
                    end.countDown();
                    return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
                });
        Runtime.getRuntime()
                .addShutdownHook(
                        new Thread(
                                () -> {
                                    streams.close(Duration.ofSeconds(10));
                                    end.countDown();
                                }));
        streams.start();
        end.await();
    }
}
