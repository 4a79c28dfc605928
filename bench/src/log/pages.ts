import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { QueryService } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import { connectBus } from "@oceanchat/runtime/bus";
import { publicClient } from "@oceanchat/runtime/testing-public";
import { openTestIssuer } from "@oceanchat/runtime/testing-tokens";
import { Redis } from "ioredis";
import { type Db, MongoClient } from "mongodb";
import { pino } from "pino";
import { Latencies } from "../latency.ts";
import { alice, conversationId, fillNewest, fillStore } from "./pages-store.ts";
import { DATABASE, startQuery } from "./query-process.ts";

/*
 * How long a page of 50 records takes, out of a conversation of a million: asked of a query process through its public door, one
 * page after another, beside a bare find of the same range. OCEANCHAT_STORE=fast for the fast store. Prints one line of JSON.
 */

const PAGE = 50;
const log = pino({ level: "warn" }, process.stderr);

const { values } = parseArgs({
  options: { records: { type: "string", default: "1000000" }, pages: { type: "string", default: "300" } },
});
const records = Number(values.records);
const pages = Number(values.pages);

/** One after another; the first few don't count. */
async function measure(ask: (n: number) => Promise<number>) {
  const latencies = new Latencies();
  for (let n = -10; n < pages; n++) {
    const begun = performance.now();
    const got = await ask(n);
    if (got !== PAGE) throw new Error(`a page of ${got}`);
    if (n >= 0) latencies.add(performance.now() - begun);
  }
  const { p50, p99, max } = latencies.summary();
  return { p50Ms: p50, p99Ms: p99, maxMs: max };
}

/** A place in the conversation, another one each time, far from both ends. */
const middle = (n: number) => BigInt(Math.floor(records * (0.1 + 0.8 * ((n * 0.618_034 + 10) % 1))));

async function measureAll(db: Db, redis: Redis, port: number, token: string) {
  const client = publicClient(QueryService, port, token);
  const page = (raw: boolean, place: (n: number) => { beforeSeq?: bigint; afterSeq?: bigint }) =>
    measure(async (n) => (await client.listRecords({ conversationId, limit: PAGE, raw, ...place(n) })).records.length);
  const both = async (place: (n: number) => { beforeSeq?: bigint; afterSeq?: bigint }) => ({
    folded: await page(false, place),
    raw: await page(true, place),
  });
  const stored = db.collection("records");
  const find = (place: (n: number) => bigint) =>
    measure(async (n) => {
      const seq = { $gte: place(n), $lt: place(n) + BigInt(PAGE) };
      return (
        await stored
          .find({ conversationId, seq }, { projection: { record: 1 } })
          .sort({ seq: 1 })
          .toArray()
      ).length;
    });
  const newestFromTail = await both(() => ({}));
  await redis.flushall();
  return {
    newestFromTail,
    newestFromStore: await both(() => ({})),
    middle: await both((n) => ({ beforeSeq: middle(n) })),
    oldest: await both(() => ({ afterSeq: 0n })),
    bareFind: {
      newest: await find(() => BigInt(records - PAGE + 1)),
      middle: await find(middle),
      oldest: await find(() => 1n),
    },
  };
}

const servers = await startServers({ nats: true, mongo: true, valkey: true });
const mongo = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
const redis = new Redis(servers.redisUrl);
const bus = await connectBus({ url: servers.natsUrl, name: "bench", log, onClosed: (error) => log.error(error) });
const issuer = await openTestIssuer();
try {
  const db = mongo.db(DATABASE);
  const begun = performance.now();
  await fillStore(db, records);
  await fillNewest(bus, redis, db, records);
  const loadSeconds = Math.round((performance.now() - begun) / 1000);
  const query = await startQuery(servers, issuer.port);
  try {
    const figures = await measureAll(db, redis, query.port, issuer.tokenFor(alice));
    const store = process.env.OCEANCHAT_STORE ?? "embedded";
    process.stdout.write(
      `${JSON.stringify({ bench: "pages", store, records, pages, loadSeconds, load: loadavg()[0], ...figures })}\n`,
    );
  } finally {
    await query.end();
  }
} finally {
  redis.disconnect();
  await issuer.close(0);
  await bus.close();
  await mongo.close();
  await servers.stop();
}
