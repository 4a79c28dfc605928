import assert from "node:assert/strict";
import type { Acked } from "./steady-sender.ts";
import type { JsonRecord } from "./user.ts";

/**
 * What must hold of a conversation whatever happened to the processes: seqs gapless from 1, every record once, every acked message
 * there with the record id and seq of its ack, no client message twice.
 */
export function assertConserved(records: readonly JsonRecord[], acked: readonly Acked[]): void {
  assert.deepEqual(
    records.map(({ seq }) => seq),
    records.map((_, index) => String(index + 1)),
    "seqs are gapless from 1",
  );
  assert.equal(new Set(records.map(({ recordId }) => recordId)).size, records.length, "record ids are unique");
  const byClientId = new Map<string, JsonRecord>();
  for (const record of records) {
    const id = record.message?.clientMessageId;
    if (id === undefined) continue;
    assert.ok(!byClientId.has(id), `message ${id} is stored twice: ${byClientId.get(id)?.seq} and ${record.seq}`);
    byClientId.set(id, record);
  }
  for (const { clientMessageId, recordId, seq } of acked) {
    const record = byClientId.get(clientMessageId);
    assert.ok(record !== undefined, `message ${clientMessageId} was acked as ${seq} and is not there`);
    const acked = `message ${clientMessageId} was acked as ${recordId} at ${seq}`;
    assert.equal(`${record.recordId} at ${record.seq}`, `${recordId} at ${seq}`, acked);
  }
}
