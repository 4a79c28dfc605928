import assert from "node:assert/strict";
import type { MessageAccepted } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { entriesOf } from "./running.ts";

/** Checks that a log is gapless, holds no message twice and holds everything that was accepted; gives its records. */
export async function checkLog(
  bus: Bus,
  conversationId: string,
  accepted: ReadonlyMap<string, MessageAccepted>,
): Promise<Record[]> {
  const records = (await entriesOf(bus, conversationId)).map(({ record }) => record).filter((record) => !!record);
  assert.deepEqual(
    records.map(({ seq }) => Number(seq)),
    records.map((_, index) => index + 1),
    "gapless from 1",
  );
  const keys = records.map(({ body }) => (body.case === "message" ? body.value.clientMessageId : ""));
  assert.equal(new Set(keys).size, keys.length, "no message twice");
  for (const [key, { recordId, seq }] of accepted) {
    const stored = records[Number(seq) - 1];
    assert.equal(stored?.recordId, recordId, `record ${seq} is the one that was accepted`);
    assert.equal(keys[Number(seq) - 1], key);
  }
  return records;
}
