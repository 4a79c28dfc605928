import { create, toBinary } from "@bufbuild/protobuf";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { connectBus } from "@oceanchat/runtime/bus";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import { type Collection, type Document, Long, MongoClient } from "mongodb";
import { pino } from "pino";
import { decoded } from "../../src/log/record.ts";
import { entryAt, type RecordParts, recordBytes } from "./fakes.ts";

const MAX_BYTES = 16 * 1024 * 1024;

interface KeptDocument extends Document {
  readonly _id: string;
}

/** A real NATS and a real store with the streams, and what puts records there as the services do. */
export interface Installation {
  readonly servers: TestServers;
  readonly bus: Bus;
  /** What the program is told. */
  readonly env: Readonly<Record<string, string>>;
  collection(name: string): Collection<KeptDocument>;
  /** Publishes a message to the log; gives its place in the stream. */
  publish(logId: string, seq: bigint, parts?: RecordParts): Promise<bigint>;
  /** Stores a message as persistence-writer does. */
  store(logId: string, seq: bigint, streamSequence: bigint, parts?: RecordParts): Promise<void>;
  /** Moves the head. */
  head(logId: string, seq: bigint, streamSequence: bigint): Promise<void>;
  /** Publishes and stores messages from seq 1 on, with their head. */
  write(logId: string, count: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startInstallation(): Promise<Installation> {
  const servers = await startServers({ nats: true, mongo: true });
  const bus = await connectBus({
    url: servers.natsUrl,
    name: "test",
    log: pino({ level: "silent" }),
    onClosed: (error) => {
      throw error;
    },
  });
  await bus.ensureStream(LogEntrySchema, { maxBytes: MAX_BYTES });
  await bus.ensureStream(DeadLetterSchema, { maxBytes: MAX_BYTES });
  const mongo = await MongoClient.connect(servers.mongodbUrl, { useBigInt64: true });
  const collection = (name: string) => mongo.db("operator").collection<KeptDocument>(name);
  return {
    servers,
    bus,
    env: {
      OCEANCHAT_NATS_URL: servers.natsUrl,
      OCEANCHAT_MONGODB_URL: servers.mongodbUrl,
      OCEANCHAT_MONGODB_DATABASE: "operator",
    },
    collection,
    ...writesTo(bus, collection),
    async stop() {
      await mongo.close();
      await bus.close();
      await servers.stop();
    },
  };
}

function writesTo(bus: Bus, collection: Installation["collection"]) {
  const log = streamOf(LogEntrySchema);
  const writes: Pick<Installation, "publish" | "store" | "head" | "write"> = {
    async publish(logId, seq, parts) {
      const entry = create(LogEntrySchema, { record: decoded(recordBytes(seq, { ...ids(logId, seq), ...parts })) });
      const subject = log.subjectOf("conversation", { id: logId });
      return BigInt((await bus.publish(subject, toBinary(LogEntrySchema, entry), { expectStream: log.name })).sequence);
    },
    async store(conversationId, seq, streamSequence, parts) {
      const { bytes } = entryAt(seq, { ...ids(conversationId, seq), ...parts });
      const _id = parts?.recordId ?? ids(conversationId, seq).recordId;
      const place = { conversationId, seq: long(seq), streamSequence: long(streamSequence) };
      await collection("records").insertOne({ _id, ...place, record: bytes });
    },
    async head(logId, seq, streamSequence) {
      const lastRecord = recordBytes(seq, ids(logId, seq));
      const head = { headSeq: long(seq), streamSequence: long(streamSequence), lastRecord };
      await collection("conversation_heads").updateOne({ _id: logId }, { $set: head }, { upsert: true });
    },
    async write(logId, count) {
      let last = 0n;
      for (let seq = 1n; seq <= count; seq++) {
        last = await writes.publish(logId, seq);
        await writes.store(logId, seq, last);
      }
      await writes.head(logId, BigInt(count), last);
    },
  };
  return writes;
}

const ids = (logId: string, seq: bigint) => ({ logId, recordId: `${logId}/${seq}` });
const long = (value: bigint) => Long.fromBigInt(value);
