import assert from "node:assert/strict";
import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { type Candidate, describeConversations, type ListSources } from "../../src/core/conversations.ts";
import type { QueryPeers, RecordStore } from "../../src/ports.ts";
import { randomLog, randomOf, recordOf, said, text } from "../support/model.ts";
import { type Held, sourcesOf, tiersOf } from "../support/tiers.ts";

const peers: QueryPeers = {
  signingKeys: async () => [],
  intervals: async () => [],
  groupsOf: async () => [],
  membersOf: async () => [],
};
const whole = [{ fromSeq: 1n, toSeq: undefined }];

/** The same sources with how often each question was asked of the store. */
function counted(sources: ReturnType<typeof tiersOf>, more: Partial<RecordStore> = {}) {
  const asked = new Map<string, number>();
  const store = new Proxy(
    { ...sources.store, ...more },
    {
      get(target, name, receiver) {
        asked.set(String(name), (asked.get(String(name)) ?? 0) + 1);
        return Reflect.get(target, name, receiver);
      },
    },
  );
  const listSources: ListSources = { ...sources, store, peers };
  return { asked, sources: listSources };
}

/** The reference: counts over the whole log. */
function recount(log: readonly LogRecord[], userId: string, fromSeq: bigint, toSeq: bigint) {
  const recalled = new Set(log.flatMap(({ body }) => (body.case === "recall" ? [body.value.targetSeq] : [])));
  const unread = log.filter(
    ({ seq, senderUserId, body }) =>
      body.case === "message" && senderUserId !== userId && !recalled.has(seq) && seq >= fromSeq && seq <= toSeq,
  );
  const mentioning = unread.filter(
    ({ body }) => body.case === "message" && (body.value.mentionsAll || body.value.mentions.includes(userId)),
  );
  return { unread: unread.length, mentions: mentioning.length };
}

/** Makes some messages of a log mention people. */
function withMentions(log: readonly LogRecord[], random: (n: number) => number): LogRecord[] {
  return log.map((record) => {
    if (record.body.case !== "message") return record;
    const mentions = ["ann", "bob"].filter(() => random(3) === 0);
    const value = { content: text(`message ${record.seq}`), mentions, mentionsAll: random(5) === 0 };
    return recordOf(Number(record.seq), record.senderUserId, { case: "message", value });
  });
}

describe("describeConversations", () => {
  it("asks the store the same few questions, however many conversations are read to their end", async () => {
    for (const many of [1, 300]) {
      const log = [recordOf(1), recordOf(2), recordOf(3)];
      const ids = Array.from({ length: many }, (_, n) => `c${n}`);
      const base = tiersOf(() => ({ records: log, isStored: () => true, headSeq: 3n }));
      const read = { readSeqsOf: async () => new Map(ids.map((id) => [id, 3n])) };
      const { asked, sources } = counted(base, read);
      const candidates = ids.map((conversationId) => ({ conversationId, intervals: whole }));
      const described = await describeConversations(sources, "bob", candidates, new Set());
      assert.deepEqual(
        described.map(({ conversationId, headSeq, unreadCount, lastRecord }) => [
          conversationId,
          headSeq,
          unreadCount,
          lastRecord?.seq,
        ]),
        ids.map((id) => [id, 3n, 0, 3n]),
      );
      assert.deepEqual(Object.fromEntries(asked), { heads: 1, readSeqsOf: 1, settingsOf: 1 }, `${many} conversations`);
    }
  });

  it("asks the log about those only that may be ahead of the store", async () => {
    const log = [recordOf(1), recordOf(2)];
    const base = tiersOf(
      (id): Held => ({ records: log, isStored: (seq) => id === "b" || seq < 2n, headSeq: id === "b" ? 2n : 1n }),
    );
    const asked: string[][] = [];
    const lastOf = (ids: readonly string[]) => {
      asked.push([...ids]);
      return base.log.lastOf(ids);
    };
    const sources: ListSources = { ...base, log: { ...base.log, lastOf }, peers };
    const candidates = ["a", "b"].map((conversationId) => ({ conversationId, intervals: whole }));
    const described = await describeConversations(sources, "bob", candidates, new Set(["a"]));
    assert.deepEqual(asked, [["a"]]);
    assert.deepEqual(
      described.map(({ headSeq, lastRecord, unreadCount }) => [headSeq, lastRecord?.seq, unreadCount]),
      [
        [2n, 2n, 2],
        [2n, 2n, 2],
      ],
    );
  });

  it("reads the last record where an older writer has left it out of the head", async () => {
    const base = sourcesOf(
      [recordOf(1), recordOf(2)],
      () => true,
      2n,
      () => false,
    );
    const heads: RecordStore["heads"] = async (ids) =>
      new Map([...(await base.store.heads(ids))].map(([id, head]) => [id, { ...head, lastRecord: undefined }]));
    const { sources } = counted(base, { heads });
    const [described] = await describeConversations(sources, "bob", [{ conversationId: "c", intervals: whole }]);
    assert.equal(described?.lastRecord?.seq, 2n);
  });

  it("shows who has left the last record that he may read, as it stands, and counts nothing beyond it", async () => {
    const log = [
      recordOf(1),
      recordOf(2),
      recordOf(3, "ann", { case: "recall", value: { targetSeq: 2n } }),
      recordOf(4),
    ];
    const { sources } = counted(sourcesOf(log, (seq) => seq < 3n, 2n));
    const left: Candidate = { conversationId: "c", intervals: [{ fromSeq: 1n, toSeq: 2n }], left: true };
    const [described] = await describeConversations(sources, "bob", [left]);
    assert.deepEqual(
      [described?.left, described?.headSeq, described?.firstSeq, described?.lastRecord?.seq, described?.unreadCount],
      [true, 2n, 1n, 2n, 1],
    );
    assert.equal(described?.lastRecord?.recalled, true);
  });

  it("gives settings and nothing in their place where there are none", async () => {
    const base = tiersOf(() => ({ records: [recordOf(1)], isStored: () => true, headSeq: 1n }));
    const settingsOf = async () => new Map([["a", { pinned: true, mutedUntilMs: 5_000 }]]);
    const { sources } = counted(base, { settingsOf });
    const candidates = ["a", "b"].map((conversationId) => ({ conversationId, intervals: whole }));
    const [a, b] = await describeConversations(sources, "bob", candidates);
    assert.deepEqual([a?.settings?.pinned, a?.settings?.mutedUntil?.seconds], [true, 5n]);
    assert.deepEqual([b?.settings?.pinned, b?.settings?.mutedUntil], [false, undefined]);
  });

  it("asks nothing to count when only the last record is unread, stored or not", async () => {
    const value = { content: text("you?"), mentions: ["bob"], mentionsAll: false };
    const log = [recordOf(1), recordOf(2, "ann", { case: "message", value })];
    for (const stored of [2n, 1n]) {
      const base = tiersOf(() => ({ records: log, isStored: (seq) => seq <= stored, headSeq: stored }));
      const { asked, sources } = counted(base, { readSeqsOf: async () => new Map([["c", 1n]]) });
      const candidates = [{ conversationId: "c", intervals: whole }];
      const [described] = await describeConversations(sources, "bob", candidates, new Set(["c"]));
      assert.deepEqual([described?.unreadCount, described?.unreadMentionCount], [1, 1]);
      assert.deepEqual(Object.fromEntries(asked), { heads: 1, readSeqsOf: 1, settingsOf: 1 });
      const [own] = await describeConversations(sources, "ann", candidates, new Set(["c"]));
      assert.deepEqual([own?.unreadCount, own?.unreadMentionCount], [0, 0], "his own");
    }
  });

  it("counts unread messages as a recount over the log does, whatever is written (400 random logs)", async () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = randomOf(seed);
      const log = withMentions(randomLog(random, 2 + random(80)), random);
      const stored = new Set(log.filter(() => random(4) !== 0).map(({ seq }) => seq));
      if (random(2) === 0) for (const { seq } of log) if (seq > BigInt(log.length >> 1)) stored.delete(seq);
      const storeHead = log.findLast(({ seq }) => stored.has(seq))?.seq ?? 0n;
      const readSeq = BigInt(random(log.length + 1));
      const fromSeq = BigInt(1 + random(log.length));
      const base = sourcesOf(log, (seq) => stored.has(seq), storeHead);
      const { sources } = counted(base, { readSeqsOf: async () => new Map([["c", readSeq]]) });
      const candidates = [{ conversationId: "c", intervals: [{ fromSeq, toSeq: undefined }] }];
      const first = readSeq >= fromSeq ? readSeq + 1n : fromSeq;
      const expected = recount(log, "bob", first, BigInt(log.length));
      for (const ahead of [undefined, new Set(["c"]), undefined]) {
        const [described] = await describeConversations(sources, "bob", candidates, ahead);
        const { unreadCount: unread, unreadMentionCount: mentions } = described ?? {};
        assert.deepEqual({ unread, mentions }, expected, `seed ${seed}`);
        assert.equal(described?.lastRecord?.seq, BigInt(log.length));
      }
    }
  });

  it("knows what the user has just read and set, before the store does", async () => {
    const own = [
      recordOf(1, "bob", { case: "readCursor", value: { conversationId: "c", seq: 2n } }),
      recordOf(2, "bob", { case: "conversationSettings", value: { conversationId: "c", pinned: true } }),
      recordOf(3, "bob", { case: "readCursor", value: { conversationId: "c", seq: 1n } }),
      recordOf(4, "bob", { case: "conversationSettings", value: { conversationId: "c", mutedUntil: { seconds: 9n } } }),
    ];
    const said = [recordOf(1), recordOf(2), recordOf(3)];
    for (const written of [0n, 2n, 4n]) {
      const base = tiersOf((id): Held => {
        if (id === "u_bob") return { records: own, isStored: (seq) => seq <= written, headSeq: written };
        return { records: said, isStored: () => true, headSeq: 3n };
      });
      const settings = { pinned: written >= 2n, mutedUntilMs: written >= 4n ? 9_000 : 0 };
      const { sources } = counted(base, {
        readSeqsOf: async () => new Map(written > 0n ? [["c", 2n]] : []),
        settingsOf: async () => new Map(written > 0n ? [["c", settings]] : []),
      });
      for (const ahead of [undefined, new Set(["u_bob"])]) {
        const [c] = await describeConversations(sources, "bob", [{ conversationId: "c", intervals: whole }], ahead);
        assert.deepEqual(
          [c?.readSeq, c?.unreadCount, c?.settings?.pinned, c?.settings?.mutedUntil?.seconds],
          [2n, 1, true, 9n],
          `written up to ${written}`,
        );
      }
    }
  });

  it("counts up to 999", async () => {
    const log = Array.from({ length: 1500 }, (_, n) => recordOf(n + 1, "ann", said("x")));
    const { sources } = counted(sourcesOf(log, (seq) => seq <= 700n, 700n));
    const [described] = await describeConversations(sources, "bob", [{ conversationId: "c", intervals: whole }]);
    assert.equal(described?.unreadCount, 999);
  });
});
