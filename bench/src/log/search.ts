import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { QueryService } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import { implement } from "@oceanchat/runtime/handlers";
import { openTestDoor } from "@oceanchat/runtime/testing";
import { publicClient } from "@oceanchat/runtime/testing-public";
import { createTestIssuer } from "@oceanchat/runtime/testing-tokens";
import { MongoClient } from "mongodb";
import { Latencies } from "../latency.ts";
import { bytesIn } from "./bytes-in.ts";
import { DATABASE, startQuery } from "./query-process.ts";
import { alice, conversationAt, fillStore, wordAt } from "./search-store.ts";

/*
 * How long a search takes, in all conversations of a user and in one of them, by frequent and rare words; and what the index costs.
 * Asked of a query process through its public door, one search after another. OCEANCHAT_STORE=fast for the fast store. Prints one
 * line of JSON. node bench/src/log/search.ts [--messages 200000] [--conversations 1000] [--searches 50]
 */

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "200000" },
    conversations: { type: "string", default: "1000" },
    searches: { type: "string", default: "50" },
  },
});
const messages = Number(values.messages);
const conversations = Number(values.conversations);
const searches = Number(values.searches);

/** The n-th search of a kind. A vocabulary of 20,000; ranks count from the most frequent word. */
const KINDS: Readonly<Record<string, (n: number) => string>> = {
  frequentWord: (n) => `${wordAt(n % 10)} ${wordAt(n % 10)}`,
  rareWord: (n) => `${wordAt(5_000 + n)} ${wordAt(5_000 + n)}`,
  rareBeginning: (n) => wordAt(5_000 + n).slice(0, 4),
  // Begins like a frequent word, and no word goes on like it.
  misleadingBeginning: (n) => `${wordAt(n % 10).slice(0, 3)}zz`,
  shortBeginning: (n) => wordAt(n % 50).slice(0, 2),
  frequentAndRare: (n) => `${wordAt(3)} ${wordAt(2_000 + n)}`,
  nothing: (n) => `xxabsent${n} xxabsent${n}`,
};

async function measureAll(port: number, token: string) {
  const client = publicClient(QueryService, port, token);
  const measure = async (query: (n: number) => string, conversationId: (n: number) => string) => {
    const latencies = new Latencies();
    let found = 0;
    for (let n = -3; n < searches; n++) {
      const begun = performance.now();
      const { records } = await client.search({
        query: query(Math.abs(n)),
        conversationId: conversationId(Math.abs(n)),
      });
      if (n < 0) continue;
      found += records.length;
      latencies.add(performance.now() - begun);
    }
    const { p50, p99, max } = latencies.summary();
    return { p50Ms: p50, p99Ms: p99, maxMs: max, found: found / searches };
  };
  const figures: Record<string, unknown> = {};
  for (const [kind, query] of Object.entries(KINDS)) {
    figures[kind] = {
      all: await measure(query, () => ""),
      one: await measure(query, (n) => conversationAt((n * 37) % conversations)),
    };
  }
  return figures;
}

const dataDir = await mkdtemp(join(tmpdir(), "oceanchat-bench-"));
const servers = await startServers({ nats: true, mongo: true, valkey: true, dataDir });
const mongo = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
const issuer = createTestIssuer();
const noGroups = implement(GroupMeshService, {
  listGroupIdsOfUsers: ({ users }) => ({ users: users.map(({ userId }) => ({ userId, memberships: [] })) }),
});
const door = await openTestDoor([issuer.auth, noGroups]);
try {
  let bytesBefore = 0;
  const cost = await fillStore(mongo.db(DATABASE), messages, conversations, async () => {
    bytesBefore = await bytesIn(dataDir);
  });
  const bytesPerMessage = Math.round(((await bytesIn(dataDir)) - bytesBefore) / messages);
  const query = await startQuery(servers, door.port);
  try {
    const figures = await measureAll(query.port, issuer.tokenFor(alice));
    const store = process.env.OCEANCHAT_STORE ?? "embedded";
    const index = { ...cost, bytesPerMessage };
    const line = { bench: "search", store, messages, conversations, searches, load: loadavg()[0], index, ...figures };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  } finally {
    await query.end();
  }
} finally {
  await door.close(0);
  await mongo.close();
  await servers.stop();
  await rm(dataDir, { recursive: true, force: true });
}
