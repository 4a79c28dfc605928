import assert from "node:assert/strict";
import { Audit } from "../../src/audit.ts";
import { type Conversation, Ledger } from "../../src/ledger.ts";
import { Rows, rowMemory } from "../../src/rows.ts";

/** Connections 0 and 1 in a direct conversation, 2 to 5 in a group. */
export const CONVERSATIONS = [
  { members: [0, 1], writers: [0, 1], part: 0 },
  { members: [2, 3, 4, 5], writers: [2], part: 1 },
];

/** A ledger with its rows, and the audit over them. */
export class Account extends Ledger {
  readonly rows: Rows;
  readonly audit: Audit;

  constructor(conversations: readonly Conversation[], memory = rowMemory(50_000, 400_000)) {
    const rows = new Rows(memory);
    super(conversations, rows);
    this.rows = rows;
    this.audit = new Audit(conversations, rows);
  }

  close() {
    return this.audit.close([this.violations()]);
  }
}

export function sent(ledger: Account, conversation: number, sender: number): number {
  const message = ledger.send(conversation, sender);
  assert.ok(message !== undefined);
  return message;
}

/** Four messages from 0 to 1 and two from 2 to the rest, acked as 1, 2, …; nothing delivered yet. */
export function account(): { ledger: Account; direct: readonly number[]; group: readonly number[] } {
  const ledger = new Account(CONVERSATIONS);
  const direct = [1, 2, 3, 4].map((seq) => {
    const message = sent(ledger, 0, 0);
    assert.ok(ledger.ack(message, 0, seq));
    return message;
  });
  const group = [1, 2].map((seq) => {
    const message = sent(ledger, 1, 2);
    assert.ok(ledger.ack(message, 2, seq));
    return message;
  });
  return { ledger, direct, group };
}

export function deliverGroup(ledger: Account, group: readonly number[]): void {
  for (const connection of [3, 4, 5]) {
    for (const [index, message] of group.entries()) assert.ok(ledger.deliver(message, connection, index + 1));
  }
}

export function deliverDirect(ledger: Account, direct: readonly number[], seqs: readonly number[]): void {
  for (const seq of seqs) ledger.deliver(direct[seq - 1] ?? -1, 1, seq);
}

export const kindsOf = (ledger: Account) => ledger.close().violations.kinds.map(({ kind, count }) => ({ kind, count }));
