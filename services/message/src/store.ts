import { fromBinary, getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { StoredHeadSchema, StoredRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { shared } from "@oceanchat/runtime/fail";
import { MongoClient } from "mongodb";
import type { Logger } from "pino";
import { within } from "./deadline.ts";
import type { RecordStore } from "./ports.ts";

/** The fields that are read; the message store is written by persistence-writer alone, which also keeps its indexes. */
interface HeadDocument {
  readonly _id: string;
  readonly headSeq: bigint;
  readonly streamSequence: bigint;
}
interface RecordDocument {
  readonly senderUserId: string;
  readonly clientMessageId?: string;
  readonly record: Uint8Array;
}

/** The store with its connection. */
export interface MongoRecordStore extends RecordStore {
  close(): Promise<void>;
}

const START_MS = 30_000;
const RETRY_MS = 500;
/** An append waits for the answer, and all others of its log behind it. */
const READ_MS = 2_000;

/** Connects to the store, trying for 30 s. */
export async function openStore(
  config: { readonly mongodbUrl: string; readonly mongodbDatabase: string },
  log: Logger,
): Promise<MongoRecordStore> {
  const client = new MongoClient(config.mongodbUrl, {
    appName: "oceanchat-message",
    maxPoolSize: 20,
    useBigInt64: true,
    promoteBuffers: true,
    // Also behind a stepped-down primary: a head that is behind would be one whose numbers are taken already.
    readPreference: "primary",
    serverSelectionTimeoutMS: READ_MS,
    waitQueueTimeoutMS: READ_MS,
    // Only so that a connection to a server that is silently gone isn't kept.
    socketTimeoutMS: 10_000,
  });
  client.on("error", (error) => log.warn({ err: error }, "mongodb"));
  await connect(client, log);
  const db = client.db(config.mongodbDatabase);
  const heads = db.collection<HeadDocument>(getOption(StoredHeadSchema, collection));
  const records = db.collection<RecordDocument>(getOption(StoredRecordSchema, collection));
  return {
    async head(logId) {
      const found = await reading(heads.findOne({ _id: logId }, { projection: { headSeq: 1, streamSequence: 1 } }));
      return found === null ? undefined : { seq: found.headSeq, streamSequence: Number(found.streamSequence) };
    },
    async message(senderUserId, clientMessageId) {
      const filter = { senderUserId, clientMessageId };
      const found = await reading(records.findOne(filter, { projection: { record: 1 } }));
      return found === null ? undefined : fromBinary(RecordSchema, found.record);
    },
    close: () => client.close(),
  };
}

async function connect(client: MongoClient, log: Logger): Promise<void> {
  const giveUpAt = performance.now() + START_MS;
  for (;;) {
    try {
      await client.connect();
      await client.db("admin").command({ ping: 1 });
      return;
    } catch (error) {
      if (performance.now() > giveUpAt) {
        await client.close();
        throw shared.unavailable("the message store can't be reached", error);
      }
      log.warn({ err: error }, "mongodb: can't connect yet");
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function reading<T>(found: Promise<T>): Promise<T> {
  const read = found.catch((error: unknown) => {
    throw shared.unavailable("the message store can't be read", error);
  });
  return within(READ_MS, "the message store", read);
}
