import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { shortKeyOf } from "@oceanchat/runtime/short-key";
import { streamOf } from "@oceanchat/runtime/streams";
import { silentLog, testHost } from "@oceanchat/runtime/testing";
import { type Collection, MongoClient } from "mongodb";
import { type SearchIndex, searchChangesOf } from "../../src/core/search-words.ts";
import { openSearchIndex } from "../../src/store/search.ts";
import { ALICE, DIRECT, edit, entry, GROUP, recall, T0 } from "../support/entries.ts";
import { WriterProcess } from "../support/writer-process.ts";

interface Entry {
  readonly _id: string;
  readonly tokens: readonly string[];
  readonly words: readonly string[];
}

describe("the search index", () => {
  let servers: TestServers;
  let indexes: Awaited<ReturnType<typeof openSearchIndex>>[];
  let client: MongoClient;
  let entries: Collection<Entry>;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    const at = { url: servers.mongodbUrl, database: "oceanchat", name: "test", log: silentLog };
    indexes = await Promise.all([openSearchIndex(at), openSearchIndex(at)]);
    client = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
    entries = client.db("oceanchat").collection("search_entries");
  });

  after(async () => {
    await Promise.all(indexes?.map((index) => index.close()) ?? []);
    await client?.close();
    await servers?.stop();
  });

  beforeEach(() => entries.deleteMany({}));

  type Entries = Parameters<typeof entry>;
  const log = (
    [
      [1, 1],
      [2, 2],
      [3, 3, edit(1, "$three drei")],
      [4, 4, { body: { case: "message", value: {} } }],
      [5, 5, edit(1, "$five fünf")],
      [6, 6, recall(2)],
      [7, 7, edit(2, "brought back")],
      [8, 8, edit(4, "words after all")],
      [9, 9],
    ] satisfies Entries[]
  ).map((each) => entry(...(each as Entries)).record ?? assert.fail());
  const whole = (seq: number, contentSeq: number, words: readonly string[], tokens: readonly string[]) => ({
    _id: `${DIRECT}:${seq}`,
    conversationId: DIRECT,
    seq: BigInt(seq),
    senderUserId: ALICE,
    conversationKey: shortKeyOf(DIRECT),
    acceptedTime: new Date(T0 + seq * 1000),
    tokens,
    words,
    contentSeq: BigInt(contentSeq),
  });
  const final = [
    whole(1, 5, ["five", "funf"], ["^fiv", "^fun"]),
    whole(2, 7, [], []),
    whole(4, 8, ["words", "after", "all"], ["^wor", "^aft", "^all"]),
    whole(9, 9, ["message", "9"], ["^mes", "^9"]),
  ];

  async function applyAll(index: SearchIndex | undefined, batches: readonly (typeof log)[]) {
    assert.ok(index);
    // A rejection means that the batch comes again, as the log does it.
    for (const batch of batches) {
      for (let tries = 1; ; tries++) {
        try {
          await index.apply(searchChangesOf(batch));
          break;
        } catch (error) {
          if (tries === 5) throw error;
        }
      }
    }
  }

  async function assertFinal(when: string) {
    const found = await entries.find().sort({ _id: 1 }).toArray();
    // Of a recalled message it doesn't matter which content it no longer shows.
    const recalled = found.find(({ _id }) => _id === `${DIRECT}:2`);
    assert.deepEqual(recalled && { ...recalled, contentSeq: 7n }, { ...final[1], recalled: true }, when);
    const others = final.filter((_, index) => index !== 1);
    assert.deepEqual(
      found.filter((each) => each !== recalled),
      others,
      when,
    );
  }

  it("is the same in one batch, one by one, backwards and again", async () => {
    const singly = log.map((each) => [each]);
    for (const [when, batches] of [
      ["one batch", [log]],
      ["one by one", singly],
      ["backwards", singly.toReversed()],
      ["in halves, the second first", [log.slice(4), log.slice(0, 4)]],
      ["everything twice", [log, ...singly.toReversed()]],
    ] as const) {
      await entries.deleteMany({});
      await applyAll(indexes[0], batches);
      await assertFinal(when);
    }
  });

  it("is the same when several writers have the same records at the same time", async () => {
    for (let cut = 1; cut < log.length; cut += 2) {
      await entries.deleteMany({});
      await Promise.all([
        applyAll(indexes[0], [log.slice(cut), log.slice(0, cut)]),
        applyAll(indexes[1], [log.slice(0, cut), log.slice(cut)]),
      ]);
      await assertFinal(`cut at ${cut}`);
    }
  });

  it("reads one conversation's entries of a token by its index, the newest first", async () => {
    await applyAll(indexes[0], [log, [entry(1, 50, { conversationId: GROUP }).record ?? assert.fail()]]);
    const query = entries
      .find({
        conversationKey: shortKeyOf(GROUP),
        tokens: "^mes",
        acceptedTime: { $lt: new Date(T0 + 5000) },
      })
      .sort({ acceptedTime: -1, seq: -1 })
      .limit(10);
    const { queryPlanner } = await query.explain("queryPlanner");
    const plan = JSON.stringify(queryPlanner, (_key, value) => (typeof value === "bigint" ? String(value) : value));
    assert.match(plan, /IXSCAN.*"words"/);
    assert.equal((await query.toArray()).length, 1);
  });

  it("is kept by the service from the log, unless it is switched off", async function () {
    this.timeout(180_000);
    const host = testHost("test");
    const bus = await host.bus(servers.natsUrl);
    await bus.ensureStream(LogEntrySchema);
    const stream = streamOf(LogEntrySchema);
    const append = (seq: number) => {
      const subject = stream.subjectOf("conversation", { id: DIRECT });
      return bus.publish(subject, toBinary(LogEntrySchema, entry(seq, seq)), { expectStream: "LOG" });
    };
    const env = { OCEANCHAT_NATS_URL: servers.natsUrl, OCEANCHAT_MONGODB_URL: servers.mongodbUrl };
    const untilStored = async (collection: string, seq: bigint) => {
      const filter = { conversationId: DIRECT, seq };
      const deadline = Date.now() + 60_000;
      while ((await client.db("oceanchat").collection(collection).countDocuments(filter)) === 0) {
        assert.ok(Date.now() < deadline, `${collection} has no ${seq}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await append(1);
    const off = await WriterProcess.start({ ...env, OCEANCHAT_SEARCH_INDEX: "off" });
    await untilStored("records", 1n);
    assert.equal(await off.end("SIGTERM"), 0);
    assert.equal(await entries.countDocuments(), 0);
    const on = await WriterProcess.start(env);
    try {
      await append(2);
      await untilStored("search_entries", 2n);
      await untilStored("search_entries", 1n);
    } finally {
      assert.equal(await on.end("SIGTERM"), 0);
      await host.stop();
    }
  });
});
