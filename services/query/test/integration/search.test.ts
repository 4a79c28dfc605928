import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import { shortKeyOf } from "@oceanchat/runtime/short-key";
import { silentLog } from "@oceanchat/runtime/testing";
import { type Db, type Document, MongoClient } from "mongodb";
import type { SearchInit } from "../../src/core/search.ts";
import { createQueryCore, type QueryCore } from "../../src/core.ts";
import type { FoundMessage } from "../../src/ports/search.ts";
import type { Interval, QueryPeers, RecordLog } from "../../src/ports.ts";
import { type MongoRecordStore, openStore } from "../../src/store.ts";
import { randomOf, text } from "../support/model.ts";
import { id, row, type Said, searchable, T0 } from "../support/said.ts";
import { noTail } from "../support/tiers.ts";

const alice = id(1);
const direct = (other: number) => `d_${alice}_${id(other)}`;
const group = (n: number) => `g_${id(n)}`;
const WORDS = ["anchor", "anchors", "ancient", "bay", "coral", "deep", "ebb", "北京", "北海", "京"];

describe("search", () => {
  let servers: Awaited<ReturnType<typeof startServers>>;
  let mongo: MongoClient;
  let db: Db;
  let store: MongoRecordStore;
  let core: QueryCore;
  const memberships = new Map<string, readonly Interval[]>();
  const peers: QueryPeers = {
    signingKeys: async () => [],
    intervals: async (groupId, userId) => (userId === alice ? (memberships.get(groupId) ?? []) : []),
    groupsOf: async (userId) =>
      userId !== alice
        ? []
        : [...memberships].flatMap(([groupId, intervals]) =>
            intervals.flatMap(({ fromSeq, toSeq }) => (toSeq === undefined ? [{ groupId, fromSeq }] : [])),
          ),
    membersOf: async () => [],
  };
  /** Everything is in the store. */
  const log: RecordLog = { last: async () => undefined, lastOf: async () => new Map(), from: async () => [] };

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    store = await openStore({ url: servers.mongodbUrl, database: "search", name: "test", log: silentLog });
    mongo = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
    db = mongo.db("search");
    core = createQueryCore({ store, log, peers, ...noTail });
    // As persistence-writer makes it.
    const key = { conversationKey: 1, tokens: 1, acceptedTime: 1, seq: 1 } as const;
    await db.collection("search_entries").createIndexes([{ name: "words", key }]);
  });

  after(async () => {
    await store?.close();
    await mongo?.close();
    await servers?.stop();
  });

  beforeEach(async () => {
    memberships.clear();
    const names = ["search_entries", "records", "conversation_heads", "user_conversations", "message_states"];
    await Promise.all(names.map((name) => db.collection(name).deleteMany({})));
    core = createQueryCore({ store, log, peers, ...noTail });
  });

  /** Stores messages as persistence-writer does; each conversation's seqs from 1 without a hole. */
  async function say(...messages: readonly Said[]): Promise<void> {
    const put = (name: string, documents: readonly Document[]) => db.collection(name).insertMany([...documents]);
    const last = new Map(messages.map((said) => [said.conversationId, said]));
    await put("records", messages.map(row));
    await put(
      "search_entries",
      messages.map((said) => ({
        _id: `${said.conversationId}:${said.seq}` as never,
        conversationId: said.conversationId,
        conversationKey: shortKeyOf(said.conversationId),
        seq: BigInt(said.seq),
        senderUserId: said.by ?? id(2),
        acceptedTime: new Date(T0 + said.at * 1000),
        ...searchable(said.words),
        contentSeq: BigInt(said.seq),
      })),
    );
    for (const [conversationId, { seq, at }] of last) {
      const lastTime = new Date(T0 + at * 1000);
      const head = { headSeq: BigInt(seq), streamSequence: BigInt(seq), lastTime };
      const _id = conversationId as never;
      await db.collection("conversation_heads").updateOne({ _id }, { $set: head }, { upsert: true });
      if (!conversationId.startsWith("d_")) continue;
      for (const userId of conversationId.slice(2).split("_")) {
        const listed = { userId, conversationId, lastTime };
        const key = { _id: `${userId}:${conversationId}` as never };
        await db.collection("user_conversations").updateOne(key, { $set: listed }, { upsert: true });
      }
    }
  }

  const init = (query: string, rest: Partial<SearchInit> = {}): SearchInit => ({
    query,
    conversationId: "",
    senderUserId: "",
    fromMs: 0,
    toMs: undefined,
    pageSize: 50,
    after: undefined,
    ...rest,
  });
  const placeOf = ({ conversationId, seq }: LogRecord) => `${conversationId}:${seq}`;
  const found = async (query: string, rest: Partial<SearchInit> = {}, userId = alice) =>
    (await core.search(userId, init(query, rest))).records.map(placeOf);

  /** All pages, one after another. */
  async function allOf(query: string, rest: Partial<SearchInit>): Promise<string[]> {
    const places: string[] = [];
    let after: FoundMessage | undefined;
    do {
      const page = await core.search(alice, init(query, { ...rest, after }));
      assert.ok(page.records.length <= (rest.pageSize ?? 50));
      places.push(...page.records.map(placeOf));
      after = page.next;
    } while (after !== undefined);
    return places;
  }

  const newestFirst = (a: Said, b: Said) =>
    b.at - a.at ||
    (a.conversationId === b.conversationId ? b.seq - a.seq : a.conversationId < b.conversationId ? 1 : -1);

  it("finds all words, the last one as a beginning, the newest first", async () => {
    const said = { conversationId: direct(2), by: alice };
    await say(
      { ...said, seq: 1, words: "The anchor holds", at: 1 },
      { ...said, seq: 2, words: "Anchors and chains", at: 2 },
      { ...said, seq: 3, words: "北京大学 in the bay", at: 3 },
      { ...said, seq: 4, words: "Ａｎｃｈｏｒ, the last", at: 4 },
    );
    const at = (...seqs: number[]) => seqs.map((seq) => `${direct(2)}:${seq}`);
    assert.deepEqual(await found("anch"), at(4, 2, 1));
    assert.deepEqual(await found("anchor the"), at(4, 1));
    assert.deepEqual(await found("the anch"), at(4, 1));
    assert.deepEqual(await found("大学"), at(3));
    assert.deepEqual(await found("bay 北"), at(3));
    assert.deepEqual(await found("京"), at(3));
    assert.deepEqual(await found("学大"), []);
    assert.deepEqual(await found("chor"), []);
    assert.deepEqual(await found("anchor", { senderUserId: id(2) }), []);
    assert.deepEqual(await found("anchor", { fromMs: T0 + 2000, toMs: T0 + 4000 }), at(2));
  });

  it("answers what a reading of everything gives, page by page (20 random queries)", async function () {
    this.timeout(120_000);
    const random = randomOf(7);
    const messages: Said[] = [];
    for (let n = 0; n < 24; n++) {
      const conversationId = n % 2 === 0 ? direct(10 + n) : group(10 + n);
      const fromSeq = BigInt(1 + random(4));
      if (n % 2 === 1) memberships.set(id(10 + n), [{ fromSeq, toSeq: undefined }]);
      let at = random(3);
      for (let seq = 1; seq <= 8; seq++) {
        const words = Array.from({ length: 1 + random(3) }, () => WORDS[random(WORDS.length)]).join(" ");
        messages.push({ conversationId, seq, words, at, by: id(2 + random(2)) });
        // Several at the same time, and some long before the others.
        at += random(3) === 0 ? 0 : random(10) === 0 ? 40 * 86_400 : random(3);
      }
    }
    await say(...messages);
    const fromOf = (conversationId: string) => memberships.get(conversationId.slice(2))?.[0]?.fromSeq ?? 1n;
    for (let round = 0; round < 20; round++) {
      const words = Array.from({ length: 1 + random(2) }, () => WORDS[random(WORDS.length)] ?? "");
      const last = (words.pop() ?? "").slice(0, 1 + random(6));
      const one = messages[random(messages.length)]?.conversationId ?? "";
      const rest = {
        conversationId: random(4) === 0 ? one : "",
        senderUserId: random(4) === 0 ? id(2) : "",
        toMs: random(4) === 0 ? T0 + random(30 * 86_400) * 1000 : undefined,
        pageSize: 15 + random(40),
      };
      const expected = messages
        .filter(({ conversationId, seq }) => BigInt(seq) >= fromOf(conversationId))
        .filter(({ conversationId }) => rest.conversationId === "" || conversationId === rest.conversationId)
        .filter(({ by }) => rest.senderUserId === "" || by === rest.senderUserId)
        .filter(({ at }) => rest.toMs === undefined || T0 + at * 1000 < rest.toMs)
        .filter(({ words: said }) => words.every((word) => said.split(" ").includes(word)))
        .filter(({ words: said }) => said.split(" ").some((word) => word.startsWith(last)))
        .sort(newestFirst);
      assert.deepEqual(
        await allOf([...words, last].join(" "), rest),
        expected.map(({ conversationId, seq }) => `${conversationId}:${seq}`),
        `round ${round}: ${JSON.stringify([...words, last, rest])}`,
      );
    }
  });

  it("finds a beginning among many words that begin alike, in one conversation and in many", async function () {
    this.timeout(60_000);
    const messages: Said[] = [];
    for (let n = 0; n < 20; n++) {
      const conversationId = direct(100 + n);
      for (let seq = 1; seq <= 5; seq++) {
        const words = seq === 3 && n % 2 === 0 ? "the contract 北京" : `the content of ${seq} 北海`;
        messages.push({ conversationId, seq, words, at: n + seq * 40 * 86_400 });
      }
    }
    await say(...messages);
    const contracts = messages.filter(({ seq, words }) => seq === 3 && words.includes("contract")).sort(newestFirst);
    const places = contracts.map(({ conversationId, seq }) => `${conversationId}:${seq}`);
    assert.equal(places.length, 10);
    const one = { conversationId: direct(100), pageSize: 1 };
    for (const query of ["contr", "co contr", "北京", "the 北 contr"]) {
      assert.deepEqual(await allOf(query, { pageSize: 4 }), query.startsWith("co ") ? [] : places, query);
    }
    assert.deepEqual(await found("contr", { pageSize: 4 }), places.slice(0, 4), "others don't fill the page");
    assert.deepEqual(await allOf("contr", one), [`${direct(100)}:3`]);
    for (const beginning of ["con", "co", "c", "北"]) {
      assert.equal((await allOf(beginning, { pageSize: 60 })).length, messages.length, beginning);
      assert.equal((await allOf(beginning, { ...one, pageSize: 3 })).length, 5, beginning);
    }
  });

  it("tells short words from the beginnings of longer ones", async () => {
    const said = ["on", "only one", "o", "onion on", "oslo"];
    await say(...said.map((words, n) => ({ conversationId: direct(2), seq: n + 1, words, at: n })));
    const at = (...seqs: number[]) => seqs.map((seq) => `${direct(2)}:${seq}`);
    assert.deepEqual(await found("on on"), at(4, 1), "a word");
    assert.deepEqual(await found("on o"), at(4, 1));
    assert.deepEqual(await found("on"), at(4, 2, 1), "a beginning");
    assert.deepEqual(await found("o"), at(5, 4, 3, 2, 1));
    assert.deepEqual(await found("o o"), at(3));
    assert.deepEqual(await found("only only"), at(2));
  });

  it("shows only what the caller may read", async () => {
    memberships.set(id(20), [
      { fromSeq: 2n, toSeq: 3n },
      { fromSeq: 5n, toSeq: undefined },
    ]);
    await say(...[1, 2, 3, 4, 5].map((seq) => ({ conversationId: group(20), seq, words: `secret ${seq}`, at: seq })), {
      conversationId: `d_${id(8)}_${id(9)}`,
      seq: 1,
      words: "secret of others",
      at: 9,
    });
    const at = (...seqs: number[]) => seqs.map((seq) => `${group(20)}:${seq}`);
    assert.deepEqual(await found("secret"), at(5), "the membership that lasts");
    assert.deepEqual(await found("secret", { conversationId: group(20) }), at(5, 3, 2), "all of his memberships");
    assert.deepEqual(await found("secret", {}, id(3)), [], "a stranger");
    memberships.set(id(20), [{ fromSeq: 2n, toSeq: 3n }]);
    assert.deepEqual(await found("secret"), [], "he has left");
    assert.deepEqual(await found("secret", { conversationId: group(20) }), at(3, 2));
  });

  it("drops what a removed member may no longer read, though it was found", async () => {
    memberships.set(id(20), [{ fromSeq: 1n, toSeq: undefined }]);
    await say(
      { conversationId: group(20), seq: 1, words: "secret", at: 1 },
      { conversationId: group(20), seq: 2, words: "secret", at: 2 },
    );
    const removed = { ...peers, intervals: async () => [{ fromSeq: 1n, toSeq: 1n }] };
    const { records } = await createQueryCore({ store, log, peers: removed, ...noTail }).search(alice, init("secret"));
    assert.deepEqual(records.map(placeOf), [`${group(20)}:1`]);
  });

  it("goes by what a message says to the reader, whatever the index says", async () => {
    memberships.set(id(20), [{ fromSeq: 1n, toSeq: 2n }]);
    await say(
      { conversationId: group(20), seq: 1, words: "before", at: 1 },
      { conversationId: group(20), seq: 2, words: "recalled later", at: 2 },
      { conversationId: group(20), seq: 3, words: "outside", at: 3 },
    );
    const content = toBinary(ContentSchema, create(ContentSchema, text("after")));
    const about = { conversationId: group(20), seq: 1n };
    const _id = `${group(20)}:1`;
    await db.collection("message_states").insertMany([
      { _id: _id as never, ...about, editSeq: 3n, editedTime: new Date(T0), content },
      { _id: `${group(20)}:2` as never, conversationId: group(20), seq: 2n, recallSeq: 3n },
    ]);
    const inGroup = { conversationId: group(20) };
    // The index has the edit, which lies outside his membership: neither its words nor the old ones find it.
    await db.collection("search_entries").updateOne({ _id: _id as never }, { $set: searchable("after") });
    assert.deepEqual(await found("after", inGroup), []);
    // The index hasn't got the recall yet.
    assert.deepEqual(await found("recalled", inGroup), []);
    memberships.set(id(20), [{ fromSeq: 1n, toSeq: undefined }]);
    assert.deepEqual(await found("after", inGroup), [_id]);
  });

  it("refuses what can't be searched", async () => {
    await assert.rejects(found("?!"), { reason: "ERROR_REASON_NOTHING_TO_SEARCH" });
    for (const conversationId of [`d_${id(8)}_${id(9)}`, group(77), "nonsense"]) {
      await assert.rejects(found("word", { conversationId }), { reason: "ERROR_REASON_CONVERSATION_NOT_FOUND" });
    }
  });
});
