import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { testHost } from "@oceanchat/runtime/testing";
import { type Db, type Document, MongoClient } from "mongodb";
import { logBacklog } from "../backlog.ts";
import { sampleUsage, type Usage, usageBetween } from "../usage.ts";
import { childProcesses } from "./child-processes.ts";
import { fillLog } from "./fill-log.ts";
import { startServiceProcess } from "./service-process.ts";
import { textOf } from "./text-records.ts";

/*
 * How fast persistence-writer stores a backlog, beside a bare insertMany of the same documents into a collection with the
 * same indexes, in batches of the same size, as many at once; one after the other, several times, each into an empty database.
 * Prints one line of JSON.
 */

/** As persistence-writer has it. */
const LANES = 4;
const BATCH = 2000;
const POLL_MS = 25;
const DATABASE = "oceanchat";

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "20000" },
    runs: { type: "string", default: "3" },
    conversations: { type: "string", default: "256" },
    textBytes: { type: "string", default: "100" },
    search: { type: "string", default: "off" },
  },
});
const runs = Number(values.runs);
const sizes = {
  records: Number(values.records),
  conversations: Number(values.conversations),
  textBytes: Number(values.textBytes),
};

/** CPU of each process, in microseconds per record; that of all others, in CPUs. */
function cpuOf(usage: Usage, records: number) {
  const micros = (seconds: number) => Math.round((seconds / records) * 1e6);
  return {
    cpuMicros: Object.fromEntries(usage.processes.map(({ name, cpuSeconds }) => [name, micros(cpuSeconds)])),
    otherCpus: Number((usage.otherCpuSeconds / usage.seconds).toFixed(2)),
  };
}

/** Runs a writer until it has stored everything; from when it serves. */
async function runWriter(servers: TestServers) {
  // The index runs in the same process, apart from the writer.
  const writer = await startServiceProcess("persistence-writer", servers, { OCEANCHAT_SEARCH_INDEX: values.search });
  try {
    const behind = async () => {
      const consumers = await logBacklog(servers.natsUrl);
      return consumers.find(({ consumer }) => consumer === "persistence-writer")?.records ?? 0;
    };
    const refs = await childProcesses();
    const before = await sampleUsage(refs);
    const first = await behind();
    while ((await behind()) > 0) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const usage = usageBetween(before, await sampleUsage(refs));
    const rss = usage.processes.find(({ name }) => name === "service")?.rssBytes ?? 0;
    const perSecond = Math.round(first / usage.seconds);
    return { perSecond, records: first, rssMiB: Math.round(rss / 2 ** 20), ...cpuOf(usage, first) };
  } finally {
    await writer.end();
  }
}

/** Inserts documents into a new collection with the same indexes. */
async function insertBare(db: Db, documents: readonly Document[]) {
  const to = db.collection("bare");
  const indexes = await db.collection("records").indexes();
  await to.createIndexes(indexes.filter((index) => index.name !== "_id_").map(({ v: _v, ...index }) => index));
  const batches: Document[][] = [];
  for (let from = 0; from < documents.length; from += BATCH) batches.push(documents.slice(from, from + BATCH));
  const refs = await childProcesses();
  const before = await sampleUsage(refs);
  const lane = async () => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift())
      await to.insertMany(batch, { ordered: false });
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const usage = usageBetween(before, await sampleUsage(refs));
  return { perSecond: Math.round(documents.length / usage.seconds), ...cpuOf(usage, documents.length) };
}

/** One run: the writer, then the bare insert of what it has stored. */
async function measure(servers: TestServers, bus: Bus, db: Db, run: number) {
  const { records: count, conversations, textBytes } = sizes;
  await fillLog(bus, { from: run * count, count, conversations, textOf: (n) => textOf(n, textBytes) });
  const writer = await runWriter(servers);
  const documents = await db.collection("records").find().sort({ streamSequence: 1 }).toArray();
  if (documents.length !== sizes.records) throw new Error(`${documents.length} of ${sizes.records} are stored`);
  const bare = await insertBare(db, documents);
  await db.dropDatabase();
  return { writer, bare };
}

const load = loadavg()[0];
const servers = await startServers({ nats: true, mongo: true, valkey: true });
const host = testHost("bench");
const client = new MongoClient(servers.mongodbUrl, {
  useBigInt64: true,
  promoteBuffers: true,
  writeConcern: { w: "majority", journal: true },
});
try {
  const bus = await host.bus(servers.natsUrl);
  await bus.ensureStream(LogEntrySchema);
  const results: Awaited<ReturnType<typeof measure>>[] = [];
  for (let run = 0; run < runs; run++) results.push(await measure(servers, bus, client.db(DATABASE), run));
  const writer = results.map((result) => result.writer);
  const bare = results.map((result) => result.bare);
  const perSecond = { writer: writer.map((each) => each.perSecond), bare: bare.map((each) => each.perSecond) };
  const store = process.env.OCEANCHAT_STORE ?? "embedded";
  const { search } = values;
  process.stdout.write(
    `${JSON.stringify({ bench: "writer", store, ...sizes, search, load, perSecond, writer, bare })}\n`,
  );
} finally {
  await client.close();
  await host.stop();
  await servers.stop();
}
