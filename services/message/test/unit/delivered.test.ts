import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { ConfirmRequestSchema } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { Delivered, type DeliveredLimits } from "../../src/core/delivered.ts";
import { Permissions } from "../../src/core/permissions.ts";
import { alice, bob, carol, conversationId, instance } from "../support/changing.ts";
import { fakeSignals } from "../support/fake-signals.ts";
import { FakeClock, FakePeers, gate, reason, uuid } from "../support/fakes.ts";

const request = (seq: bigint, where = conversationId) => create(ConfirmRequestSchema, { conversationId: where, seq });

function setUp() {
  const one = instance();
  const confirm = (userId: string, seq: bigint, deviceId = "phone", where = conversationId) =>
    one.core.confirm({ userId, deviceId }, request(seq, where), "");
  return { ...one, confirm };
}

/** Confirmations by themselves, in conversations that never end. */
function bounded(limits: Partial<DeliveredLimits>) {
  const { delivered: store, journal } = fakeSignals();
  const clock = new FakeClock();
  const permissions = new Permissions(new FakePeers(), clock, {
    allowMs: 1000,
    confirmedMs: 60_000,
    remembered: 1000,
    asking: 1000,
  });
  const told: string[] = [];
  const delivered = new Delivered(
    {
      permissions,
      appender: { clamp: async (_log, seq) => seq },
      clock,
      store,
      journal,
      moved: (_log, userId, seq) => void told.push(`${userId} ${seq}`),
    },
    { batch: 1000, waiting: 1000, remembered: 1000, ...limits },
  );
  const confirm = (user: number, seq: bigint, deviceId = "phone") =>
    delivered.confirm({ userId: uuid(user), deviceId }, request(seq), "");
  return { delivered, store, journal, told, confirm };
}

describe("confirming", () => {
  it("keeps the furthest record of each device and writes it at once with all others", async () => {
    const { say, confirm, core, delivered } = setUp();
    for (let n = 0; n < 5; n++) await say(alice);
    for (const seq of [1n, 2n, 4n, 3n, 4n]) await confirm(bob, seq);
    await confirm(bob, 2n, "laptop");
    await confirm(carol, 5n);
    assert.equal(delivered.batches.length, 0);
    await core.flushDelivered();
    assert.deepEqual(
      delivered.batches.map((batch) =>
        batch.map(({ userId, deviceId, deliveredSeq }) => `${userId} ${deviceId} ${deliveredSeq}`),
      ),
      [[`${bob} phone 4`, `${bob} laptop 2`, `${carol} phone 5`]],
    );
    assert.equal(delivered.batches[0]?.[0]?.conversationId, conversationId);
    await confirm(bob, 4n);
    await core.flushDelivered();
    assert.equal(delivered.batches.length, 1);
  });

  it("ends at the conversation's last record, and is nothing in an empty one", async () => {
    const { say, confirm, core, delivered } = setUp();
    await confirm(bob, 7n);
    await core.flushDelivered();
    assert.equal(delivered.batches.length, 0);
    await say(alice);
    await say(alice);
    await confirm(bob, 7n);
    await core.flushDelivered();
    assert.deepEqual([...delivered.cursors.values()], [2n]);
  });

  it("is for those who can read: members, muted or not, and the two of a direct conversation", async () => {
    const { say, confirm, core, peers, delivered } = setUp();
    await say(alice);
    peers.send = SendVerdict.NOT_A_MEMBER;
    await assert.rejects(confirm(bob, 1n), reason("NOT_A_MEMBER"));
    await assert.rejects(confirm(carol, 1n, "phone", `d_${alice}_${bob}`), reason("NOT_A_MEMBER"));
    peers.send = SendVerdict.ALL_MUTED;
    await confirm(bob, 1n);
    await core.flushDelivered();
    assert.equal(delivered.cursors.size, 1);
  });

  it("tells the others when a user's furthest device has come further, and not before it is written", async () => {
    const { say, confirm, core, signals } = setUp();
    for (let n = 0; n < 5; n++) await say(alice);
    await confirm(bob, 2n);
    await confirm(bob, 3n, "laptop");
    assert.deepEqual(signals.lines(), []);
    await core.flushDelivered();
    await confirm(bob, 3n);
    await core.flushDelivered();
    await confirm(bob, 5n);
    await core.flushDelivered();
    assert.deepEqual(signals.lines(), [`receipt ${bob} 0/3`, `receipt ${bob} 0/5`]);
  });
});

describe("delivered cursors that wait", () => {
  it("are written without delay when there are many, a batch at a time", async () => {
    const { delivered, store, confirm } = bounded({ batch: 3 });
    for (let user = 1; user <= 2; user++) await confirm(user, 1n);
    assert.equal(store.batches.length, 0);
    for (let user = 3; user <= 7; user++) await confirm(user, 1n);
    await delivered.flush();
    assert.equal(delivered.waiting, 0);
    assert.equal(store.cursors.size, 7);
    assert.ok(store.batches.every((batch) => batch.length <= 3));
  });

  it("stay while the store is away, and are not tried again before the next turn", async () => {
    const { delivered, store, journal, told, confirm } = bounded({ batch: 2 });
    store.error = new Error("away");
    for (let user = 1; user <= 6; user++) await confirm(user, 1n);
    await delivered.flush();
    assert.equal(delivered.waiting, 6);
    assert.deepEqual(told, []);
    const tries = store.batches.length;
    await confirm(7, 1n);
    assert.equal(store.batches.length, tries);
    store.error = undefined;
    await delivered.flush();
    assert.equal(store.cursors.size, 7);
    assert.equal(told.length, 7);
    assert.match(journal.lines[0] ?? "", /^\d wait$/);
  });

  it("go in smaller batches to a store that is too slow for large ones", async () => {
    const { delivered, store, confirm } = bounded({ batch: 8 });
    store.turn = async () => {
      if ((store.batches.at(-1)?.length ?? 0) > 3) throw new Error("too slow");
    };
    for (let user = 1; user <= 7; user++) await confirm(user, 1n);
    for (let turn = 0; turn < 10 && delivered.waiting > 0; turn++) await delivered.flush();
    assert.equal(store.cursors.size, 7);
  });

  it("are bounded: the oldest is given up, logged once, and taken when it comes again", async () => {
    const { delivered, store, journal, confirm } = bounded({ waiting: 3 });
    store.error = new Error("away");
    for (let user = 1; user <= 5; user++) await confirm(user, 4n);
    await confirm(5, 5n); // takes no room of its own
    assert.equal(delivered.waiting, 3);
    await delivered.flush();
    assert.deepEqual(journal.lines, ["3 wait", "2 dropped"]);
    store.error = undefined;
    await delivered.flush();
    await confirm(1, 4n);
    await delivered.flush();
    assert.deepEqual([...store.cursors.keys()].map((key) => key.slice(0, 36)).sort(), [1, 3, 4, 5].map(uuid));
    assert.equal(journal.lines.length, 2);
  });

  it("keep what moves on while it is written", async () => {
    const { delivered, store, told, confirm } = bounded({});
    const { opened, open } = gate();
    store.turn = () => opened;
    await confirm(1, 1n);
    const flushed = delivered.flush();
    await new Promise((resolve) => setImmediate(resolve));
    await confirm(1, 2n);
    open();
    await flushed;
    assert.equal(delivered.waiting, 1);
    await delivered.flush();
    assert.deepEqual([...store.cursors.values()], [2n]);
    assert.deepEqual(told, [`${uuid(1)} 1`, `${uuid(1)} 2`]);
  });

  it("are all written when flush resolves, also when one is under way", async () => {
    const { delivered, store, confirm } = bounded({});
    const { opened, open } = gate();
    store.turn = () => opened;
    await confirm(1, 1n);
    const first = delivered.flush();
    await new Promise((resolve) => setImmediate(resolve));
    await confirm(2, 1n);
    const last = delivered.flush();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(store.batches.length, 1, "one write at a time");
    open();
    await Promise.all([first, last]);
    assert.equal(store.cursors.size, 2);
  });

  it("don't wait behind one that the store refuses", async () => {
    const { delivered, store, journal, told, confirm } = bounded({});
    store.refused.add("odd");
    await confirm(1, 1n, "odd");
    await confirm(2, 1n);
    await delivered.flush();
    assert.equal(delivered.waiting, 0);
    assert.deepEqual(told, [`${uuid(2)} 1`]);
    assert.deepEqual(journal.lines, ["1 dropped"]);
  });
});
