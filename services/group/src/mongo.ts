import { shared } from "@oceanchat/runtime/fail";
import {
  type Db,
  MongoAPIError,
  MongoClient,
  MongoError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
  MongoWriteConcernError,
} from "mongodb";
import type { Logger } from "pino";

/** How long a starting service waits for the store, in milliseconds. */
const START_MS = 30_000;
/** How long one operation waits for a server or a connection, in milliseconds. */
const WAIT_MS = 5_000;

/** The connection to the document store. */
export interface Mongo {
  readonly db: Db;
  close(): Promise<void>;
}

/** Connects; waits for a store that is still starting, up to 30 s. */
export async function openMongo(options: {
  readonly url: string;
  readonly database: string;
  readonly name: string;
  readonly log: Logger;
}): Promise<Mongo> {
  const { url, database, name, log } = options;
  const client = new MongoClient(url, {
    appName: name,
    maxPoolSize: 20,
    serverSelectionTimeoutMS: WAIT_MS,
    waitQueueTimeoutMS: WAIT_MS,
    socketTimeoutMS: 2 * WAIT_MS,
    useBigInt64: true,
    ignoreUndefined: true,
    writeConcern: { w: "majority", journal: true },
  });
  client.on("error", (error) => log.warn({ err: error }, "the store's connection failed"));
  const db = client.db(database);
  const giveUpAt = performance.now() + START_MS;
  for (;;) {
    try {
      await db.command({ ping: 1 });
      return { db, close: () => client.close() };
    } catch (error) {
      if (performance.now() > giveUpAt) {
        await client.close();
        throw error;
      }
      log.warn({ err: error }, "waiting for the store");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Runs a read: a store that can't be reached is UNAVAILABLE. */
export async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isLost(error)) throw shared.unavailable("the store cannot be reached", error);
    throw error;
  }
}

/** Runs a write: one that may have happened is OUTCOME_UNKNOWN, one that was certainly never sent is UNAVAILABLE. */
export async function writing<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof MongoServerSelectionError) throw shared.unavailable("the store cannot be reached", error);
    if (isLost(error)) throw shared.outcomeUnknown("the store did not answer", error);
    throw error;
  }
}

/** Whether the unique index refused a document. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === 11000;
}

/** Whether the server is to blame, not the request: such an operation may succeed later. */
function isLost(error: unknown): boolean {
  if (!(error instanceof MongoError)) return false;
  if (error instanceof MongoWriteConcernError || error instanceof MongoTopologyClosedError) return true;
  if (error instanceof MongoServerError) {
    return error.hasErrorLabel("RetryableWriteError") || error.hasErrorLabel("RetryableError");
  }
  return !(error instanceof MongoAPIError);
}
