import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { toBinary } from "@bufbuild/protobuf";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { QueryService, SyncResponseSchema } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import { connectBus } from "@oceanchat/runtime/bus";
import type { Bus, Consumption } from "@oceanchat/runtime/bus-types";
import { implement } from "@oceanchat/runtime/handlers";
import { openTestDoor } from "@oceanchat/runtime/testing";
import { publicClient } from "@oceanchat/runtime/testing-public";
import { createTestIssuer } from "@oceanchat/runtime/testing-tokens";
import { type Db, MongoClient } from "mongodb";
import { pino } from "pino";
import { Latencies } from "../latency.ts";
import { startAcking, untilAcked } from "./acknowledge.ts";
import { DATABASE, startQuery } from "./query-process.ts";
import { alice, groupsOf, makeIndexes, sayInEach, storeAll } from "./sync-store.ts";

/*
 * How long it takes a device to learn what it has missed: all of its conversations, half of them groups, each with unread messages;
 * the first time, and after one message in each, stored or in the log alone. Asked of a query process through its public door until
 * a round is over. OCEANCHAT_STORE=fast for the fast store. Prints one line of JSON.
 * node bench/src/log/sync.ts [--conversations 1000] [--messages 20] [--rounds 20]
 */

const { values } = parseArgs({
  options: {
    conversations: { type: "string", default: "1000" },
    messages: { type: "string", default: "20" },
    rounds: { type: "string", default: "20" },
  },
});
const conversations = Number(values.conversations);
const messages = Number(values.messages);
const rounds = Number(values.rounds);
const log = pino({ level: "warn" }, process.stderr);
const WRITER = "persistence-writer";

type Asker = ReturnType<typeof publicClient<typeof QueryService>>;

async function roundOf(client: Asker, since: string, pageSize: number) {
  let cursor = since;
  let bytes = 0;
  let calls = 0;
  const found = new Set<string>();
  for (;;) {
    const page = await client.sync({ cursor, pageSize });
    cursor = page.cursor;
    bytes += toBinary(SyncResponseSchema, page).length;
    calls++;
    for (const { conversationId } of page.conversations) found.add(conversationId);
    if (!page.hasMore) return { cursor, bytes, calls, found: found.size };
  }
}

/** The same round again and again; the first two don't count. */
async function measure(client: Asker, cursor: string, expected: number) {
  const figures: Record<string, unknown> = {};
  for (const pageSize of [200, 1000]) {
    const latencies = new Latencies();
    let last = await roundOf(client, cursor, pageSize);
    for (let n = -1; n < rounds; n++) {
      const begun = performance.now();
      last = await roundOf(client, cursor, pageSize);
      if (n >= 0) latencies.add(performance.now() - begun);
    }
    if (last.found !== expected) throw new Error(`${last.found} conversations instead of ${expected}`);
    const { p50, p99, max } = latencies.summary();
    figures[`pagesOf${pageSize}`] = { p50Ms: p50, p99Ms: p99, maxMs: max, calls: last.calls, bytes: last.bytes };
  }
  return figures;
}

/** Acknowledges what is stored already. */
async function ackingAsWriter(bus: Bus): Promise<Consumption> {
  await bus.ensureConsumer(LogEntrySchema, { name: WRITER, ackWaitMs: 60_000, maxAckPending: 20_000, maxDeliver: -1 });
  return startAcking(bus, WRITER);
}

async function measureAll(db: Db, bus: Bus, client: Asker) {
  const acking = await ackingAsWriter(bus);
  await untilAcked(bus, WRITER);
  const first = await measure(client, "", conversations);
  const { cursor } = await roundOf(client, "", 1000);
  const nothing = await measure(client, cursor, 0);
  await storeAll(db, await sayInEach(bus, conversations, messages + 1));
  await untilAcked(bus, WRITER);
  const stored = await measure(client, cursor, conversations);
  await acking.stop();
  await sayInEach(bus, conversations, messages + 2);
  const inTheLog = await measure(client, cursor, conversations);
  return { first, nothing, stored, inTheLog };
}

const servers = await startServers({ nats: true, mongo: true, valkey: true });
const mongo = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
const bus = await connectBus({ url: servers.natsUrl, name: "bench", log, onClosed: (error) => log.error(error) });
const issuer = createTestIssuer();
const memberships = groupsOf(conversations).map((groupId) => ({ groupId, fromSeq: 1n }));
const groups = implement(GroupMeshService, {
  listGroupIdsOfUsers: ({ users }) => ({ users: users.map(({ userId }) => ({ userId, memberships })) }),
});
const door = await openTestDoor([issuer.auth, groups]);
try {
  await bus.ensureStream(LogEntrySchema);
  await bus.ensureStream(DeadLetterSchema);
  const db = mongo.db(DATABASE);
  await makeIndexes(db);
  for (let seq = 1; seq <= messages; seq++) await storeAll(db, await sayInEach(bus, conversations, seq));
  const query = await startQuery(servers, door.port);
  try {
    const client = publicClient(QueryService, query.port, issuer.tokenFor(alice));
    const figures = await measureAll(db, bus, client);
    const store = process.env.OCEANCHAT_STORE ?? "embedded";
    const line = { bench: "sync", store, conversations, messages, rounds, load: loadavg()[0], ...figures };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  } finally {
    await query.end();
  }
} finally {
  await door.close(0);
  await bus.close();
  await mongo.close();
  await servers.stop();
}
