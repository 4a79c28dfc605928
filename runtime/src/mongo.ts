import {
  type Collection,
  type Db,
  type Document,
  MongoAPIError,
  MongoBulkWriteError,
  MongoClient,
  MongoClientClosedError,
  MongoError,
  MongoServerError,
  MongoTopologyClosedError,
  MongoWriteConcernError,
  type OptionalUnlessRequiredId,
  type WriteError,
} from "mongodb";
import type { Logger } from "pino";
import type { Values } from "./config.ts";
import { shared } from "./fail.ts";
import type { Host } from "./host.ts";
import type { mongoKeys } from "./server-keys.ts";

/** How long a starting service waits for the store, in milliseconds. */
const START_MS = 30_000;
const RETRY_MS = 500;
const DUPLICATE_KEY = 11_000;
/**
 * What servers answer that stop, step down or are not asked any more, and a cursor that a restarted one doesn't know:
 * the driver's own list, and the latter.
 */
const PASSING = new Set([6, 7, 43, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);
/** What the driver passes on as it is when it writes to a connection that the server is closing. */
const BROKEN = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END"]);

/** How a service uses the document store. */
export interface MongoOptions {
  readonly url: string;
  readonly database: string;
  /** What the server calls this client in its log. */
  readonly name: string;
  readonly log: Logger;
  /** How long an operation waits for a server and for a connection, in milliseconds. Default 5,000. */
  readonly waitMs?: number;
  /** After how long without a byte a connection counts as dead, in milliseconds. Default 10,000. */
  readonly silenceMs?: number;
}

/** What a service tells its store: its keys and who it is. */
export function mongoOptions({ instance, log }: Pick<Host, "instance" | "log">, config: Values<typeof mongoKeys>) {
  return { url: config.mongodbUrl, database: config.mongodbDatabase, name: instance, log } satisfies MongoOptions;
}

/**
 * Connects and opens what the service keeps there: `open` makes the indexes and the store. Both are tried for 30 s, as
 * the server may be starting too.
 */
export async function openMongo<S extends object>(
  { url, database, name, log, waitMs = 5_000, silenceMs = 10_000 }: MongoOptions,
  open: (db: Db) => S | Promise<S>,
): Promise<S & { close(): Promise<void> }> {
  const client = new MongoClient(url, {
    appName: name,
    maxPoolSize: 20,
    serverSelectionTimeoutMS: waitMs,
    waitQueueTimeoutMS: waitMs,
    socketTimeoutMS: silenceMs,
    useBigInt64: true,
    promoteBuffers: true,
    ignoreUndefined: true,
    // Whatever the URL says: a copy that is behind would show sessions, heads and members of before.
    readPreference: "primary",
    writeConcern: { w: "majority", journal: true },
  });
  client.on("error", (error) => log.warn({ err: error }, "the store's connection failed"));
  const db = client.db(database);
  const giveUpAt = performance.now() + START_MS;
  for (;;) {
    try {
      // Not by the first operation: a client whose first try fails that way stays closed.
      await client.connect();
      await db.command({ ping: 1 });
      return Object.assign(await open(db), { close: () => client.close() });
    } catch (error) {
      if (!mayPass(error) || performance.now() > giveUpAt) {
        await client.close();
        throw error;
      }
      log.warn({ err: error }, "waiting for the store");
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
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

/**
 * Runs a write: one that may have happened is OUTCOME_UNKNOWN. So is one for which no server was found: the driver
 * repeats a write by itself, and the error doesn't tell whether the first one was sent.
 */
export async function writing<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (isLost(error)) throw shared.outcomeUnknown("the store did not answer", error);
    throw error;
  }
}

/** Whether the unique index refused a document. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY && !isLost(error);
}

/**
 * Inserts documents in any order and gives the errors of those that the store refused, mostly because it has them.
 * Rejects when there isn't an answer for each: some may be stored then.
 */
export async function insertEach<T extends Document>(
  collection: Collection<T>,
  documents: readonly OptionalUnlessRequiredId<T>[],
): Promise<readonly WriteError[]> {
  try {
    await writing(() => collection.insertMany(documents, { ordered: false }));
    return [];
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const refused = [error.writeErrors].flat();
    if (refused.length + error.insertedCount === documents.length) return refused;
    throw shared.outcomeUnknown("the store did not answer for every document", error);
  }
}

/** Whether a document was refused because another one has its key. */
export const isDuplicateKey = ({ code }: WriteError): boolean => code === DUPLICATE_KEY;

/** A server that is just starting answers with all kinds of errors. */
function mayPass(error: unknown): boolean {
  return isLost(error) || error instanceof MongoServerError;
}

/** Whether the server is to blame, not the request: such an operation may succeed later. */
function isLost(error: unknown): boolean {
  if (!(error instanceof MongoError)) {
    return error instanceof Error && "code" in error && BROKEN.has(String(error.code));
  }
  if (error instanceof MongoTopologyClosedError || error instanceof MongoClientClosedError) return true;
  if (error instanceof MongoWriteConcernError) return true;
  if (error instanceof MongoBulkWriteError && isUnanswered(error)) return true;
  if (error instanceof MongoServerError) {
    const labelled = error.hasErrorLabel("RetryableWriteError") || error.hasErrorLabel("RetryableError");
    return labelled || PASSING.has(Number(error.code));
  }
  return !(error instanceof MongoAPIError);
}

/** The driver turns a lost connection into one of these too: without a server's code and errors of documents. */
function isUnanswered(error: MongoBulkWriteError): boolean {
  if (error.result.getWriteConcernError() !== undefined) return true;
  return [error.writeErrors].flat().length === 0 && typeof error.code !== "number";
}
