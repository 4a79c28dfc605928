import assert from "node:assert/strict";
import { Ledger } from "../../src/ledger.ts";

/** Connections 0 and 1 in a direct conversation, 2 to 5 in a group. */
const CONVERSATIONS = [
  { members: [0, 1], writers: [0, 1] },
  { members: [2, 3, 4, 5], writers: [2] },
];

function sent(ledger: Ledger, conversation: number, sender: number): number {
  const message = ledger.send(conversation, sender);
  assert.ok(message !== undefined);
  return message;
}

/** Four messages from 0 to 1 and two from 2 to the rest, acked as 1, 2, …; nothing delivered yet. */
function account(): { ledger: Ledger; direct: readonly number[]; group: readonly number[] } {
  const ledger = new Ledger(CONVERSATIONS);
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

function deliverGroup(ledger: Ledger, group: readonly number[]): void {
  for (const connection of [3, 4, 5]) {
    for (const [index, message] of group.entries()) assert.ok(ledger.deliver(message, connection, index + 1));
  }
}

function deliverDirect(ledger: Ledger, direct: readonly number[], seqs: readonly number[]): void {
  for (const seq of seqs) ledger.deliver(direct[seq - 1] ?? -1, 1, seq);
}

const kindsOf = (ledger: Ledger) => ledger.close().violations.kinds.map(({ kind, count }) => ({ kind, count }));

describe("the ledger", () => {
  it("finds nothing when every message arrives once, in order", () => {
    const { ledger, direct, group } = account();
    assert.equal(ledger.undelivered, 10);
    deliverDirect(ledger, direct, [1, 2, 3, 4]);
    deliverGroup(ledger, group);
    assert.equal(ledger.undelivered, 0);
    assert.equal(ledger.unanswered, 0);
    const { violations, ...counts } = ledger.close();
    assert.deepEqual(counts, { sent: 6, acked: 6, refused: 0, unknown: 0, unanswered: 0, deliveries: 10 });
    assert.deepEqual(violations, { total: 0, kinds: [] });
  });

  it("finds a message that was dropped", () => {
    const { ledger, direct, group } = account();
    deliverDirect(ledger, direct, [1, 2, 4]);
    deliverGroup(ledger, group);
    assert.equal(ledger.undelivered, 1);
    const { violations } = ledger.close();
    assert.equal(violations.total, 1);
    assert.deepEqual(violations.kinds, [
      { kind: "missing", count: 1, examples: ["message 2, seq 3 of conversation 0, to connection 1"] },
    ]);
  });

  it("finds a group's message that one member of many has not got", () => {
    const { ledger, direct, group } = account();
    deliverDirect(ledger, direct, [1, 2, 3, 4]);
    for (const connection of [3, 5])
      for (const [index, message] of group.entries()) ledger.deliver(message, connection, index + 1);
    ledger.deliver(group[0] ?? -1, 4, 1);
    const [violation, ...others] = ledger.close().violations.kinds;
    assert.deepEqual(others, []);
    assert.deepEqual(violation?.examples, ["message 5, seq 2 of conversation 1, to connection 4"]);
  });

  it("finds a message that was delivered twice, at once and later", () => {
    const { ledger, direct, group } = account();
    deliverDirect(ledger, direct, [1, 2, 2, 3, 4, 1]);
    deliverGroup(ledger, group);
    assert.deepEqual(kindsOf(ledger), [{ kind: "duplicate", count: 2 }]);
  });

  it("finds two messages that were swapped", () => {
    const { ledger, direct, group } = account();
    deliverDirect(ledger, direct, [1, 3, 2, 4]);
    deliverGroup(ledger, group);
    assert.deepEqual(kindsOf(ledger), [{ kind: "out of order", count: 1 }]);
  });

  it("keeps the order of each connection and conversation by itself", () => {
    const ledger = new Ledger([
      { members: [0, 1, 2], writers: [0] },
      { members: [0, 1, 2], writers: [0] },
    ]);
    const [first, second, other] = [sent(ledger, 0, 0), sent(ledger, 0, 0), sent(ledger, 1, 0)];
    for (const [message, seq] of [
      [first, 1],
      [second, 2],
      [other, 1],
    ] as const)
      ledger.ack(message, 0, seq);
    for (const [message, connection, seq] of [
      [first, 1, 1],
      [second, 1, 2],
      [other, 1, 1],
      [first, 2, 1],
      [other, 2, 1],
      [second, 2, 2],
    ] as const) {
      assert.ok(ledger.deliver(message, connection, seq));
    }
    assert.deepEqual(kindsOf(ledger), []);
  });

  it("takes a delivery before the ack", () => {
    const ledger = new Ledger(CONVERSATIONS);
    const message = sent(ledger, 0, 0);
    assert.ok(ledger.deliver(message, 1, 1));
    assert.ok(ledger.ack(message, 0, 1));
    assert.equal(ledger.undelivered, 0);
    assert.deepEqual(kindsOf(ledger), []);
  });

  it("finds a receiver that was told another seq than the sender", () => {
    const ledger = new Ledger(CONVERSATIONS);
    const message = sent(ledger, 0, 0);
    ledger.ack(message, 0, 1);
    ledger.deliver(message, 1, 2);
    assert.deepEqual(kindsOf(ledger), [{ kind: "seqs differ", count: 1 }]);
  });

  it("finds two messages with one seq", () => {
    const ledger = new Ledger(CONVERSATIONS);
    const [first, second] = [sent(ledger, 0, 0), sent(ledger, 0, 1)];
    ledger.ack(first, 0, 1);
    ledger.ack(second, 1, 1);
    ledger.deliver(first, 1, 1);
    ledger.deliver(second, 0, 1);
    assert.deepEqual(kindsOf(ledger), [{ kind: "seq twice", count: 1 }]);
  });

  it("finds a hole in the seqs, unless a message of unknown outcome explains it", () => {
    const holed = (answer: (ledger: Ledger, message: number) => void) => {
      const ledger = new Ledger(CONVERSATIONS);
      const [first, second, third] = [sent(ledger, 0, 0), sent(ledger, 0, 0), sent(ledger, 0, 0)];
      ledger.ack(first, 0, 1);
      answer(ledger, second);
      ledger.ack(third, 0, 3);
      ledger.deliver(first, 1, 1);
      ledger.deliver(third, 1, 3);
      return kindsOf(ledger);
    };
    assert.deepEqual(
      holed((ledger, message) => ledger.refuse(message, 0, true)),
      [{ kind: "seq hole", count: 1 }],
    );
    assert.deepEqual(
      holed((ledger, message) => ledger.refuse(message, 0, false)),
      [],
    );
  });

  it("lets a message of unknown outcome arrive, but not one that was refused", () => {
    const ledger = new Ledger(CONVERSATIONS);
    const [unknown, refused] = [sent(ledger, 0, 0), sent(ledger, 0, 0)];
    ledger.refuse(unknown, 0, false);
    ledger.refuse(refused, 0, true);
    ledger.deliver(unknown, 1, 1);
    assert.equal(ledger.undelivered, 0);
    ledger.deliver(refused, 1, 2);
    assert.deepEqual(kindsOf(ledger), [{ kind: "refused, yet delivered", count: 1 }]);
  });

  it("finds what came to the wrong connection, back to its sender, or from nowhere", () => {
    const { ledger, direct, group } = account();
    deliverDirect(ledger, direct, [1, 2, 3, 4]);
    deliverGroup(ledger, group);
    assert.equal(ledger.deliver(direct[0] ?? -1, 3, 1), false);
    assert.equal(ledger.deliver(direct[0] ?? -1, 0, 1), false);
    assert.equal(ledger.deliver(99, 1, 5), false);
    assert.equal(ledger.deliver(Number.NaN, 1, 5), false);
    ledger.stranger("an id of another run");
    assert.deepEqual(kindsOf(ledger), [
      { kind: "stranger", count: 4 },
      { kind: "echo", count: 1 },
    ]);
  });

  it("finds answers that nobody waited for and messages without an answer", () => {
    const ledger = new Ledger(CONVERSATIONS);
    const message = sent(ledger, 0, 0);
    assert.equal(ledger.ack(message, 1, 1), false, "another connection's");
    assert.equal(ledger.unanswered, 1);
    assert.ok(ledger.ack(message, 0, 1));
    assert.equal(ledger.ack(message, 0, 1), false, "a second time");
    assert.equal(ledger.ack(7, 0, 1), false, "never sent");
    ledger.deliver(message, 1, 1);
    sent(ledger, 0, 0);
    assert.deepEqual(kindsOf(ledger), [
      { kind: "stray answer", count: 3 },
      { kind: "unanswered", count: 1 },
    ]);
  });

  it("finds a connection that was lost", () => {
    const ledger = new Ledger(CONVERSATIONS);
    ledger.lost(3, "1013 slow reader");
    assert.deepEqual(ledger.close().violations.kinds, [
      { kind: "connection lost", count: 1, examples: ["connection 3: 1013 slow reader"] },
    ]);
  });

  it("keeps a few examples and counts all", () => {
    const ledger = new Ledger(CONVERSATIONS);
    for (let n = 0; n < 1000; n++) ledger.stranger(`stranger ${n}`);
    const { total, kinds } = ledger.close().violations;
    assert.equal(total, 1000);
    assert.equal(kinds[0]?.examples.length, 5);
  });

  it("still knows every message after its tables have grown", () => {
    const ledger = new Ledger(CONVERSATIONS);
    const count = 40_000;
    const messages = Array.from({ length: count }, () => sent(ledger, 1, 2));
    for (const [index, message] of messages.entries()) ledger.ack(message, 2, index + 1);
    for (const [index, message] of messages.entries()) {
      for (const connection of [3, 4, 5]) {
        if (index !== 31_999 || connection !== 4) ledger.deliver(message, connection, index + 1);
      }
    }
    assert.equal(ledger.undelivered, 1);
    assert.deepEqual(ledger.close().violations.kinds, [
      { kind: "missing", count: 1, examples: ["message 31999, seq 32000 of conversation 1, to connection 4"] },
    ]);
  });
});
