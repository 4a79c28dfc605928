import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { connectBus } from "@oceanchat/runtime/bus";
import { streamOf } from "@oceanchat/runtime/streams";
import { type Db, type Document, MongoClient } from "mongodb";
import { pino } from "pino";
import { logBacklog } from "../backlog.ts";
import { type ProcessRef, sampleUsage, type Usage, usageBetween } from "../usage.ts";

/*
 * How fast persistence-writer stores a backlog, beside a bare insertMany of the same documents into a collection with the
 * same indexes, in batches of the same size, as many at once. Prints one line of JSON.
 */

const MAIN = fileURLToPath(new URL("../../../services/persistence-writer/src/main.ts", import.meta.url));
/** As persistence-writer has it. */
const LANES = 4;
const BATCH = 2000;
const IN_FLIGHT = 256;
const log = pino({ level: "warn" }, process.stderr);

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "20000" },
    conversations: { type: "string", default: "256" },
    textBytes: { type: "string", default: "100" },
    search: { type: "string", default: "off" },
  },
});
const sizes = {
  records: Number(values.records),
  conversations: Number(values.conversations),
  textBytes: Number(values.textBytes),
};

const uuid = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** Every second conversation is direct. */
function logIdOf(conversation: number): string {
  const user = 2 * conversation + 1;
  return conversation % 2 === 0 ? `d_${uuid(user)}_${uuid(user + 1)}` : `g_${uuid(conversation)}`;
}

function entryOf(n: number): LogEntry {
  const conversationId = logIdOf(n % sizes.conversations);
  const direct = conversationId.startsWith("d_");
  const kind = { case: "text", value: { text: `${n} `.padEnd(sizes.textBytes, "lorem ipsum ") } } as const;
  return create(LogEntrySchema, {
    record: {
      conversationId,
      seq: BigInt(Math.floor(n / sizes.conversations) + 1),
      recordId: uuid(n),
      senderUserId: uuid(2 * (n % sizes.conversations) + 1),
      senderDeviceId: "laptop",
      acceptedTime: timestampFromMs(Date.now()),
      body: { case: "message", value: { clientMessageId: uuid(1_000_000_000 + n), content: { kind } } },
    },
    audience: direct
      ? { case: "direct", value: { userIds: conversationId.split("_").slice(1) } }
      : { case: "groupId", value: conversationId.slice("g_".length) },
  });
}

/** Puts all records into the log. */
async function publishAll(natsUrl: string): Promise<void> {
  const bus = await connectBus({ url: natsUrl, name: "bench", log, onClosed: (error) => log.error(error) });
  const stream = streamOf(LogEntrySchema);
  await bus.ensureStream(LogEntrySchema);
  for (let from = 0; from < sizes.records; from += IN_FLIGHT) {
    const count = Math.min(IN_FLIGHT, sizes.records - from);
    await Promise.all(
      Array.from({ length: count }, (_, n) => {
        const entry = entryOf(from + n);
        const id = entry.record?.conversationId ?? "";
        const options = { expectStream: stream.name, messageId: `bench:${from + n}` };
        return bus.publish(stream.subjectOf("conversation", { id }), toBinary(LogEntrySchema, entry), options);
      }),
    );
  }
  await bus.close();
}

/** This process and those that it has started. */
async function processes(): Promise<ProcessRef[]> {
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, "latin1");
  const names = { MainThread: "writer" } as Readonly<Record<string, string>>;
  const started = children.split(" ").filter((pid) => pid.trim() !== "");
  const named = started.map(async (pid): Promise<ProcessRef> => {
    const name = (await readFile(`/proc/${pid}/comm`, "latin1")).trim();
    return { name: names[name] ?? name, pid: Number(pid) };
  });
  return [{ name: "bench", pid: process.pid }, ...(await Promise.all(named))];
}

/** CPU of each process, in microseconds per record; that of all others, in CPUs. */
function cpuOf(usage: Usage, records: number) {
  const micros = (seconds: number) => Math.round((seconds / records) * 1e6);
  return {
    cpuMicros: Object.fromEntries(usage.processes.map(({ name, cpuSeconds }) => [name, micros(cpuSeconds)])),
    otherCpus: Number((usage.otherCpuSeconds / usage.seconds).toFixed(2)),
  };
}

/** Runs a writer until it has stored everything; from when it serves. */
async function runWriter({ natsUrl, mongodbUrl, redisUrl }: TestServers) {
  const child = spawn(process.execPath, [...process.execArgv, MAIN], {
    env: {
      ...process.env,
      OCEANCHAT_NATS_URL: natsUrl,
      OCEANCHAT_MONGODB_URL: mongodbUrl,
      OCEANCHAT_REDIS_URL: redisUrl,
      OCEANCHAT_LISTEN_HOST: "127.0.0.1",
      OCEANCHAT_MESH_PORT: "0",
      // It runs in the same process, apart from the writer.
      OCEANCHAT_SEARCH_INDEX: values.search,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      child.once("exit", (code) => reject(new Error(`the writer ended with ${code}`)));
      lines.on("line", (line) => line.includes('"msg":"serving"') && resolve());
    });
    const behind = async () => (await logBacklog(natsUrl)).find(({ consumer }) => consumer === "persistence-writer");
    const refs = await processes();
    const before = await sampleUsage(refs);
    const first = (await behind())?.records ?? 0;
    while (((await behind())?.records ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 100));
    const usage = usageBetween(before, await sampleUsage(refs));
    const rss = usage.processes.find(({ name }) => name === "writer")?.rssBytes ?? 0;
    const perSecond = Math.round(first / usage.seconds);
    return { perSecond, records: first, rssMiB: Math.round(rss / 2 ** 20), ...cpuOf(usage, first) };
  } finally {
    const gone = once(child, "close");
    child.kill();
    await gone;
  }
}

/** Inserts documents into a new collection with the same indexes. */
async function insertBare(db: Db, name: string, documents: readonly Document[]) {
  const to = db.collection(name);
  const indexes = await db.collection("records").indexes();
  await to.createIndexes(indexes.filter((index) => index.name !== "_id_").map(({ v: _v, ...index }) => index));
  const batches: Document[][] = [];
  for (let from = 0; from < documents.length; from += BATCH) batches.push(documents.slice(from, from + BATCH));
  const refs = await processes();
  const before = await sampleUsage(refs);
  const lane = async () => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift())
      await to.insertMany(batch, { ordered: false });
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const usage = usageBetween(before, await sampleUsage(refs));
  return { perSecond: Math.round(documents.length / usage.seconds), ...cpuOf(usage, documents.length) };
}

const servers = await startServers({ nats: true, mongo: true, valkey: true });
const client = new MongoClient(servers.mongodbUrl, {
  useBigInt64: true,
  promoteBuffers: true,
  writeConcern: { w: "majority", journal: true },
});
try {
  await publishAll(servers.natsUrl);
  const writer = await runWriter(servers);
  const db = client.db("oceanchat");
  const documents = await db.collection("records").find().sort({ streamSequence: 1 }).toArray();
  if (documents.length !== sizes.records) throw new Error(`${documents.length} of ${sizes.records} are stored`);
  const bare = [await insertBare(db, "bare_1", documents), await insertBare(db, "bare_2", documents)];
  const best = Math.max(...bare.map(({ perSecond }) => perSecond));
  const share = Number((writer.perSecond / best).toFixed(3));
  const store = process.env.OCEANCHAT_STORE ?? "embedded";
  console.log(JSON.stringify({ bench: "writer", store, ...sizes, search: values.search, writer, bare, share }));
} finally {
  await client.close();
  await servers.stop();
}
