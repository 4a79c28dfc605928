import assert from "node:assert/strict";
import { stillReadable } from "../../src/core/still-readable.ts";
import type { Interval, QueryPeers } from "../../src/ports.ts";

const groupIds = Array.from({ length: 5 }, (_, i) => `0190a8d2-5f2a-7c3e-8f6b-3a4b5c6d7e8${i}`);
const [first = "", second = "", third = ""] = groupIds;
const open = (fromSeq: bigint): Interval => ({ fromSeq, toSeq: undefined });
const listed = (groupId: string, ...intervals: Interval[]) => ({ conversationId: `g_${groupId}`, intervals });

/** What group says now. */
function peersOf(now: Readonly<Record<string, readonly Interval[]>>) {
  const asked: string[] = [];
  const peers: QueryPeers = {
    signingKeys: async () => [],
    intervals: async (groupId) => {
      asked.push(groupId);
      return now[groupId] ?? [];
    },
    groupsOf: async () => {
      asked.push("all");
      return groupIds.flatMap((groupId) => {
        const last = now[groupId]?.at(-1);
        return last === undefined || last.toSeq !== undefined ? [] : [{ groupId, fromSeq: last.fromSeq }];
      });
    },
    membersOf: async () => [],
  };
  return { peers, asked };
}

describe("stillReadable", () => {
  it("leaves everything as it is when nothing has changed, by one question", async () => {
    const now = Object.fromEntries(groupIds.map((groupId) => [groupId, [{ fromSeq: 1n, toSeq: 2n }, open(4n)]]));
    const { peers, asked } = peersOf(now);
    const candidates = groupIds.map((groupId) => listed(groupId, open(4n)));
    assert.deepEqual(await stillReadable(peers, "bob", candidates), candidates);
    assert.deepEqual(asked, ["all"]);
  });

  it("ends a membership that has ended, and knows one that has begun again", async () => {
    const back = [{ fromSeq: 1n, toSeq: 7n }, open(9n)];
    const { peers, asked } = peersOf({ [first]: [{ fromSeq: 1n, toSeq: 5n }], [second]: back, [third]: [open(1n)] });
    const candidates = [first, second, third].map((groupId) => listed(groupId, open(1n)));
    assert.deepEqual(
      (await stillReadable(peers, "bob", candidates)).map(({ intervals }) => intervals),
      [[{ fromSeq: 1n, toSeq: 5n }], back, [open(1n)]],
    );
    assert.deepEqual(asked, ["all", first, second]);
  });

  it("asks for one group alone, and for nothing that can't end", async () => {
    const { peers, asked } = peersOf({ [first]: [{ fromSeq: 1n, toSeq: 5n }] });
    const direct = { conversationId: `d_${first}_${second}`, intervals: [open(1n)] };
    const left = listed(second, { fromSeq: 1n, toSeq: 3n });
    const described = await stillReadable(peers, "bob", [direct, left, listed(first, open(1n))]);
    assert.deepEqual(
      described.map(({ intervals }) => intervals),
      [direct.intervals, left.intervals, [{ fromSeq: 1n, toSeq: 5n }]],
    );
    assert.deepEqual(asked, [first]);
  });
});
