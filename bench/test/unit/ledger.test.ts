import assert from "node:assert/strict";
import { rowMemory } from "../../src/rows.ts";
import { Account, account, CONVERSATIONS, deliverDirect, deliverGroup, kindsOf, sent } from "./account.ts";

describe("the ledger", () => {
  it("finds nothing when every message arrives once, in order", () => {
    const { ledger, direct, group } = account();
    assert.equal(ledger.audit.settled(), false);
    deliverDirect(ledger, direct, [1, 2, 3, 4]);
    deliverGroup(ledger, group);
    assert.equal(ledger.audit.settled(), true);
    assert.equal(ledger.rows.unanswered, 0);
    const { violations, ...counts } = ledger.close();
    assert.deepEqual(counts, { sent: 6, acked: 6, refused: 0, unknown: 0, unanswered: 0, deliveries: 10, resumed: 0 });
    assert.deepEqual(violations, { total: 0, kinds: [] });
  });

  it("finds a message that was dropped", () => {
    const { ledger, direct, group } = account();
    deliverDirect(ledger, direct, [1, 2, 4]);
    deliverGroup(ledger, group);
    assert.equal(ledger.audit.settled(), false);
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

  it("keeps the order of each connection by itself", () => {
    const ledger = new Account([{ members: [0, 1, 2], writers: [0], part: 0 }]);
    const [first, second] = [sent(ledger, 0, 0), sent(ledger, 0, 0)];
    for (const [message, seq] of [
      [first, 1],
      [second, 2],
    ] as const)
      ledger.ack(message, 0, seq);
    for (const [message, connection, seq] of [
      [first, 1, 1],
      [second, 1, 2],
      [first, 2, 1],
      [second, 2, 2],
    ] as const) {
      assert.ok(ledger.deliver(message, connection, seq));
    }
    assert.deepEqual(kindsOf(ledger), []);
  });

  it("lets who came back or missed something fetch it, and get what he fetched once more", () => {
    const { ledger, direct, group } = account();
    deliverGroup(ledger, group);
    deliverDirect(ledger, direct, [1]);
    ledger.reopened(1);
    ledger.fetch(direct[1] ?? -1, 1, 2);
    ledger.fetch(direct[2] ?? -1, 1, 3);
    assert.equal(ledger.deliver(direct[2] ?? -1, 1, 3), false, "has it already");
    assert.ok(ledger.deliver(direct[3] ?? -1, 1, 4));
    assert.equal(ledger.audit.settled(), true);
    const { resumed, violations } = ledger.close();
    assert.deepEqual({ resumed, total: violations.total }, { resumed: 2, total: 0 });
  });

  it("finds what one connection got twice, also after it had fetched", () => {
    const { ledger, direct, group } = account();
    deliverGroup(ledger, group);
    ledger.fetch(direct[0] ?? -1, 1, 1);
    deliverDirect(ledger, direct, [2, 3, 4, 4]);
    assert.deepEqual(kindsOf(ledger), [{ kind: "duplicate", count: 1 }]);
  });

  it("is one account over several threads' ledgers", () => {
    const memory = rowMemory(100, 1000);
    const [sender, receiver] = [new Account(CONVERSATIONS, memory), new Account(CONVERSATIONS, memory)];
    const [first, second] = [sent(sender, 0, 0), sent(sender, 0, 0)];
    receiver.deliver(first, 1, 1);
    sender.ack(first, 0, 1);
    sender.ack(second, 0, 2);
    receiver.lost(1, "gone");
    const { acked, deliveries, violations } = sender.audit.close([sender.violations(), receiver.violations()]);
    assert.deepEqual([acked, deliveries], [2, 1]);
    assert.deepEqual(
      violations.kinds.map(({ kind }) => kind),
      ["connection lost", "missing"],
    );
  });

  it("takes a delivery before the ack", () => {
    const ledger = new Account(CONVERSATIONS);
    const message = sent(ledger, 0, 0);
    assert.ok(ledger.deliver(message, 1, 1));
    assert.ok(ledger.ack(message, 0, 1));
    assert.equal(ledger.audit.settled(), true);
    assert.deepEqual(kindsOf(ledger), []);
  });

  it("finds a receiver that was told another seq than the sender", () => {
    const ledger = new Account(CONVERSATIONS);
    const message = sent(ledger, 0, 0);
    ledger.ack(message, 0, 1);
    ledger.deliver(message, 1, 2);
    assert.deepEqual(kindsOf(ledger), [{ kind: "seqs differ", count: 1 }]);
  });

  it("finds two messages with one seq", () => {
    const ledger = new Account(CONVERSATIONS);
    const [first, second] = [sent(ledger, 0, 0), sent(ledger, 0, 1)];
    ledger.ack(first, 0, 1);
    ledger.ack(second, 1, 1);
    ledger.deliver(first, 1, 1);
    ledger.deliver(second, 0, 1);
    assert.deepEqual(kindsOf(ledger), [{ kind: "seq twice", count: 1 }]);
  });

  it("finds a hole in the seqs, unless a message of unknown outcome explains it", () => {
    const holed = (answer: (ledger: Account, message: number) => void) => {
      const ledger = new Account(CONVERSATIONS);
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
    const ledger = new Account(CONVERSATIONS);
    const [unknown, refused] = [sent(ledger, 0, 0), sent(ledger, 0, 0)];
    ledger.refuse(unknown, 0, false);
    ledger.refuse(refused, 0, true);
    ledger.deliver(unknown, 1, 1);
    assert.equal(ledger.audit.settled(), true);
    ledger.deliver(refused, 1, 2);
    assert.deepEqual(kindsOf(ledger), [{ kind: "refused, yet delivered", count: 1 }]);
  });

  it("takes the refusal of a repeat for no word on the first try", () => {
    const ledger = new Account(CONVERSATIONS);
    const message = sent(ledger, 0, 0);
    ledger.repeated(0);
    ledger.refuse(message, 0, true);
    ledger.deliver(message, 1, 1);
    assert.deepEqual(kindsOf(ledger), []);
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
    const ledger = new Account(CONVERSATIONS);
    const message = sent(ledger, 0, 0);
    assert.equal(ledger.ack(message, 1, 1), false, "another connection's");
    assert.equal(ledger.rows.unanswered, 1);
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

  it("lets both tries of a repeated message be answered", () => {
    const ledger = new Account(CONVERSATIONS);
    const message = sent(ledger, 0, 0);
    ledger.repeated(0);
    assert.ok(ledger.ack(message, 0, 1));
    assert.equal(ledger.ack(message, 0, 1), false);
    ledger.deliver(message, 1, 1);
    assert.deepEqual(kindsOf(ledger), []);
  });

  it("finds a connection that was lost", () => {
    const ledger = new Account(CONVERSATIONS);
    ledger.lost(3, "1013 slow reader");
    assert.deepEqual(ledger.close().violations.kinds, [
      { kind: "connection lost", count: 1, examples: ["connection 3: 1013 slow reader"] },
    ]);
  });

  it("keeps a few examples and counts all", () => {
    const ledger = new Account(CONVERSATIONS);
    for (let n = 0; n < 1000; n++) ledger.stranger(`stranger ${n}`);
    const { total, kinds } = ledger.close().violations;
    assert.equal(total, 1000);
    assert.equal(kinds[0]?.examples.length, 5);
  });

  it("takes no more than it has room for", () => {
    const ledger = new Account(CONVERSATIONS, rowMemory(3, 1000));
    for (let n = 0; n < 3; n++) assert.equal(ledger.send(0, 0), n);
    assert.equal(ledger.send(0, 0), undefined);
    assert.equal(ledger.rows.count, 3);
    const tight = new Account(CONVERSATIONS, rowMemory(100, 7));
    assert.equal(tight.send(1, 2), 0);
    assert.equal(tight.send(1, 2), undefined, "no room for its deliveries");
  });

  it("counts by part of the traffic", () => {
    const { ledger, direct, group } = account();
    deliverDirect(ledger, direct, [1, 2]);
    deliverGroup(ledger, group);
    assert.deepEqual([ledger.rows.ackedOf(0), ledger.rows.deliveriesOf(0)], [4, 2]);
    assert.deepEqual([ledger.rows.ackedOf(1), ledger.rows.deliveriesOf(1)], [2, 6]);
  });

  it("knows every one of many messages", () => {
    const ledger = new Account(CONVERSATIONS);
    const count = 40_000;
    const messages = Array.from({ length: count }, () => sent(ledger, 1, 2));
    for (const [index, message] of messages.entries()) ledger.ack(message, 2, index + 1);
    for (const [index, message] of messages.entries()) {
      for (const connection of [3, 4, 5]) {
        if (index !== 31_999 || connection !== 4) ledger.deliver(message, connection, index + 1);
      }
    }
    assert.equal(ledger.audit.settled(), false);
    assert.deepEqual(ledger.close().violations.kinds, [
      { kind: "missing", count: 1, examples: ["message 31999, seq 32000 of conversation 1, to connection 4"] },
    ]);
  });
});
