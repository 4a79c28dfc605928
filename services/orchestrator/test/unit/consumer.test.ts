import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { delivered, silentLog } from "@oceanchat/runtime/testing";
import { handleBatch } from "../../src/consumer.ts";
import type { OrchestratorCore } from "../../src/core.ts";
import type { Entry } from "../../src/ports.ts";
import { ALICE, BOB, GROUP_ID, groupEntry } from "../support/entries.ts";

describe("handleBatch", () => {
  it("hands over what can be understood and sends the rest to the dead, each in its place", async () => {
    const seen: Entry[] = [];
    const core: OrchestratorCore = {
      async handOver(batch) {
        seen.push(...batch);
        return { online: 0, offline: 0, dropped: 0 };
      },
    };
    const { record } = groupEntry(1);
    const encode = (audience: Parameters<typeof create<typeof LogEntrySchema>>[1]) =>
      toBinary(LogEntrySchema, create(LogEntrySchema, { record, ...audience }));
    const outcomes = await handleBatch(core, silentLog, [
      delivered(1, new Uint8Array([0xff, 0xff])),
      delivered(2, encode({ audience: { case: "groupId", value: GROUP_ID } }), { traceparent: "00-trace" }),
      delivered(3, encode({})),
      delivered(4, encode({ audience: { case: "direct", value: { userIds: [ALICE] } } })),
      delivered(5, encode({ audience: { case: "groupId", value: "group" } })),
      delivered(6, encode({ audience: { case: "direct", value: { userIds: [ALICE, BOB] } } })),
      delivered(7, encode({ audience: { case: "userId", value: BOB } })),
      delivered(8, new Uint8Array()),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome === "ack"),
      [false, true, false, false, false, true, true, false],
    );
    assert.deepEqual(
      seen.map(({ sequence, audience }) => [sequence, audience]),
      [
        [2, { kind: "group", groupId: GROUP_ID }],
        [6, { kind: "users", userIds: [ALICE, BOB] }],
        [7, { kind: "users", userIds: [BOB] }],
      ],
    );
    assert.equal(seen[0]?.traceparent, "00-trace");
  });
});
