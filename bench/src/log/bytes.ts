import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { testHost } from "@oceanchat/runtime/testing";
import { Redis } from "ioredis";
import { type Db, MongoClient } from "mongodb";
import { logBacklog } from "../backlog.ts";
import { bytesIn } from "./bytes-in.ts";
import { fillLog } from "./fill-log.ts";
import { textOf } from "./search-store.ts";
import { startServiceProcess } from "./service-process.ts";

/*
 * How many bytes a stored message takes: in the log on disk, as documents of each collection, and in the store on disk with its
 * indexes after it was started again; without and with what search adds. Words are as frequent as in a language. Prints one line of JSON.
 */

const DATABASE = "oceanchat";
const POLL_MS = 100;

const { values } = parseArgs({
  options: { messages: { type: "string", default: "50000" }, conversations: { type: "string", default: "256" } },
});
const messages = Number(values.messages);
const conversations = Number(values.conversations);

const perMessage = (bytes: number) => Math.round(bytes / messages);

/** Runs a writer until it has done everything. */
async function store(servers: TestServers, search: "on" | "off"): Promise<void> {
  const writer = await startServiceProcess("persistence-writer", servers, { OCEANCHAT_SEARCH_INDEX: search });
  const done = async () => (await logBacklog(servers.natsUrl)).every(({ records }) => records === 0);
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  await writer.end();
}

/** The bytes of each collection's documents, per message. */
async function documentBytes(db: Db): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const { name } of await db.listCollections({}, { nameOnly: true }).toArray()) {
    let bytes = 0;
    for await (const document of db.collection(name).find({}, { raw: true }))
      bytes += Buffer.byteLength(rawOf(document));
    if (bytes > 0) sizes[name] = perMessage(bytes);
  }
  return sizes;
}

/** With `raw` the driver gives the document's BSON. */
function rawOf(document: unknown): Uint8Array {
  if (!(document instanceof Uint8Array)) throw new TypeError("the driver has decoded a document");
  return document;
}

/** The store's folder when nothing of it is in memory alone. */
async function storeOnDisk(servers: TestServers, folder: string): Promise<number> {
  await servers.kill("mongodb", "SIGTERM");
  await servers.untilReady("mongodb");
  return bytesIn(join(folder, "mongodb"));
}

async function tailBytes(url: string): Promise<number> {
  const redis = new Redis(url);
  const info = await redis.info("memory");
  redis.disconnect();
  return Number(/used_memory:(\d+)/.exec(info)?.[1]);
}

async function measure(servers: TestServers, folder: string, db: Db) {
  const [empty, emptyTail] = [await storeOnDisk(servers, folder), await tailBytes(servers.redisUrl)];
  const host = testHost("bench");
  const bus = await host.bus(servers.natsUrl);
  await bus.ensureStream(LogEntrySchema);
  const emptyLog = await bytesIn(join(folder, "nats"));
  await fillLog(bus, { from: 0, count: messages, conversations, textOf });
  await host.stop();
  const log = perMessage((await bytesIn(join(folder, "nats"))) - emptyLog);
  await store(servers, "off");
  const tailPerConversation = Math.round(((await tailBytes(servers.redisUrl)) - emptyTail) / conversations);
  const withoutSearch = await storeOnDisk(servers, folder);
  await store(servers, "on");
  const withSearch = await storeOnDisk(servers, folder);
  return {
    log,
    documents: await documentBytes(db),
    onDisk: { withoutSearch: perMessage(withoutSearch - empty), search: perMessage(withSearch - withoutSearch) },
    tailPerConversation,
  };
}

const load = loadavg()[0];
const folder = await mkdtemp(join(tmpdir(), "oceanchat-bench-"));
const servers = await startServers({ nats: true, mongo: true, valkey: true, dataDir: folder });
const client = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
try {
  const figures = await measure(servers, folder, client.db(DATABASE));
  const text = Array.from({ length: messages }, (_, n) => textOf(n).length).reduce((sum, length) => sum + length, 0);
  const kind = process.env.OCEANCHAT_STORE ?? "embedded";
  const sizes = { messages, conversations, text: perMessage(text) };
  process.stdout.write(`${JSON.stringify({ bench: "bytes", store: kind, ...sizes, load, ...figures })}\n`);
} finally {
  await client.close();
  await servers.stop();
  await rm(folder, { recursive: true, force: true });
}
