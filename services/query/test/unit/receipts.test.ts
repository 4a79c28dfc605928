import assert from "node:assert/strict";
import { readerOf } from "../../src/core/history.ts";
import { getReadReceipts } from "../../src/core/receipts.ts";
import type { QueryPeers, RecordStore } from "../../src/ports.ts";
import { recordOf } from "../support/model.ts";
import { sourcesOf } from "../support/tiers.ts";

const id = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;
const group = `g_${id(0)}`;
const direct = `d_${id(1)}_${id(2)}`;
const all = readerOf(id(1), [{ fromSeq: 1n, toSeq: undefined }]);

/** Three records of the first user; each user has read up to his number. */
function sources(members: number) {
  const log = [1, 2, 3].map((seq) => recordOf(seq, id(1)));
  const asked: number[] = [];
  const base = sourcesOf(log, () => true, 3n);
  const numberOf = (userId: string) => BigInt(userId.slice(-12));
  const store: RecordStore = {
    ...base.store,
    readSeqsIn: async (_id, users) =>
      new Map(users.flatMap((user) => (numberOf(user) === 4n ? [] : [[user, numberOf(user)]]))),
    deliveredSeqsIn: async () =>
      new Map([
        [id(2), 1n],
        [id(4), 3n],
      ]),
    countReaders: async (_id, users, seq) => {
      asked.push(users.length);
      return users.filter((user) => numberOf(user) >= seq).length;
    },
  };
  const peers: QueryPeers = {
    signingKeys: async () => [],
    intervals: async () => [],
    groupsOf: async () => [],
    membersOf: async () => Array.from({ length: members }, (_, n) => id(n + 1)),
  };
  return { sources: { ...base, store, peers }, asked };
}

describe("getReadReceipts", () => {
  it("names the other of a direct conversation", async () => {
    assert.deepEqual(await getReadReceipts(sources(0).sources, all, direct, 3n), {
      readCount: 0,
      memberCount: 1,
      receipts: [{ userId: id(2), readSeq: 2n, deliveredSeq: 2n }],
    });
    assert.equal((await getReadReceipts(sources(0).sources, all, direct, 2n)).readCount, 1);
  });

  it("names the members of a group, those who have read nothing too, and never the sender; what was read was received", async () => {
    assert.deepEqual(await getReadReceipts(sources(4).sources, all, group, 3n), {
      readCount: 1,
      memberCount: 3,
      receipts: [
        { userId: id(2), readSeq: 2n, deliveredSeq: 2n },
        { userId: id(3), readSeq: 3n, deliveredSeq: 3n },
        { userId: id(4), readSeq: 0n, deliveredSeq: 3n },
      ],
    });
  });

  it("only counts above a hundred members, a thousand at a time", async () => {
    assert.equal((await getReadReceipts(sources(100).sources, all, group, 3n)).receipts?.length, 99);
    assert.deepEqual(await getReadReceipts(sources(101).sources, all, group, 3n), { readCount: 99, memberCount: 100 });
    const large = sources(2500);
    assert.equal((await getReadReceipts(large.sources, all, group, 3n)).readCount, 2498);
    assert.deepEqual(large.asked, [1000, 1000, 499]);
  });

  it("says nothing about what isn't there or isn't the caller's to read", async () => {
    const notFound = { reason: "ERROR_REASON_RECORD_NOT_FOUND" };
    await assert.rejects(getReadReceipts(sources(3).sources, all, group, 4n), notFound);
    const late = readerOf(id(1), [{ fromSeq: 3n, toSeq: undefined }]);
    await assert.rejects(getReadReceipts(sources(3).sources, late, group, 2n), notFound);
  });
});
