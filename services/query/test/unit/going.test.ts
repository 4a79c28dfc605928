import assert from "node:assert/strict";
import { createQueryCore } from "../../src/core.ts";
import type { QueryPeers } from "../../src/ports.ts";
import { recordOf } from "../support/model.ts";
import { tiersOf } from "../support/tiers.ts";

const conversationId = "g_0190a8d2-5f2a-7c3e-8f6b-3a4b5c6d7e8f";

describe("ListRecords of somebody who is removed meanwhile", () => {
  it("shows nothing behind his end", async () => {
    const log = [1, 2, 3, 4, 5].map((seq) => recordOf(seq));
    let questions = 0;
    /** Whatever is asked first: then he is removed by record 3, and two messages follow. */
    const isRemoved = () => questions++ > 0;
    const tiers = tiersOf(() => {
      const records = isRemoved() ? log : log.slice(0, 2);
      return { records, isStored: () => false, headSeq: BigInt(records.length) };
    });
    const peers: QueryPeers = {
      signingKeys: async () => [],
      intervals: async () => [{ fromSeq: 1n, toSeq: isRemoved() ? 3n : undefined }],
      groupsOf: async () => [],
      membersOf: async () => [],
    };
    const core = createQueryCore({ ...tiers, peers });
    const page = { afterSeq: undefined, beforeSeq: undefined, limit: 50, raw: true };
    const { records } = await core.listRecords("bob", conversationId, page);
    assert.deepEqual(
      records.map(({ seq }) => seq),
      [1n, 2n],
    );
  });
});
