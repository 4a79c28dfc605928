import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { createOrchestratorCore, type OrchestratorCore } from "../../src/core.ts";
import {
  ALICE,
  BOB,
  CAROL,
  change,
  changeEntry,
  directEntry,
  GROUP,
  GROUP_ID,
  groupEntry,
  id,
} from "../support/entries.ts";
import { connection, FakeGroups, FakeLog, FakePresence, FakePush, locatorOver, namedBy } from "../support/fakes.ts";

describe("OrchestratorCore.handOver", () => {
  let groups: FakeGroups;
  let log: FakeLog;
  let presence: FakePresence;
  let push: FakePush;
  let core: OrchestratorCore;

  beforeEach(() => {
    groups = new FakeGroups();
    log = new FakeLog();
    presence = new FakePresence();
    push = new FakePush();
    core = createOrchestratorCore({
      groups,
      log,
      locator: locatorOver(presence),
      push,
      now: () => 0,
      maxIds: 1_000_000,
    });
    groups.lists.set(GROUP_ID, { userIds: [ALICE, BOB, CAROL], version: 1n });
  });

  /** Who gets which record of a conversation: `["gw1 5 <connection>", …]`. */
  const delivered = () =>
    push.onlineTasks.flatMap(({ gatewayId, records }) =>
      records.flatMap(({ record, targets }) =>
        targets.map(({ connectionId }) => `${gatewayId} ${record?.seq} ${connectionId}`),
      ),
    );
  const told = () =>
    push.offlineTasks.flatMap((task) => namedBy(task).map((userId) => `${task.record?.seq} ${userId}`));

  it("sends a group's message to each gateway once, and to the absent offline", async () => {
    presence.connections = [
      connection(ALICE, "gw1", "phone"),
      connection(ALICE, "gw2", "laptop"),
      connection(BOB, "gw1"),
    ];
    const handed = await core.handOver([groupEntry(5), groupEntry(6)]);
    assert.deepEqual(handed, { online: 2, offline: 2, dropped: 0 });
    // Everyone but the sending device; the sender's laptop too.
    assert.deepEqual(delivered(), [
      `gw1 5 gw1/${BOB}/phone`,
      `gw1 6 gw1/${BOB}/phone`,
      `gw2 5 gw2/${ALICE}/laptop`,
      `gw2 6 gw2/${ALICE}/laptop`,
    ]);
    assert.deepEqual(told(), [`5 ${CAROL}`, `6 ${CAROL}`]);
    const [task] = push.onlineTasks;
    assert.equal(task?.gatewayAddress, "gw1:1");
    assert.equal(task.records[0]?.notify, true);
    assert.equal(task.records[0].targets[0]?.userId, BOB);
    assert.deepEqual(task.records[0].record, groupEntry(5).record);
    assert.deepEqual(push.offlineTasks[0]?.record, groupEntry(5).record);
    assert.deepEqual(presence.asked, [3]);
  });

  it("needs nothing but presence for a direct message, and never tells the sender offline", async () => {
    await core.handOver([directEntry(1)]);
    assert.deepEqual(told(), [`1 ${BOB}`]);
    assert.deepEqual(groups.calls, []);
    assert.deepEqual(presence.asked, [2]);
  });

  it("tells nobody offline of what is no message", async () => {
    presence.connections = [connection(BOB, "gw1")];
    const reaction = { case: "reaction", value: { targetSeq: 1n, emoji: "+1" } } as const;
    const recall = { case: "recall", value: { targetSeq: 1n } } as const;
    await core.handOver([groupEntry(2, { body: reaction }), directEntry(2, { body: recall })]);
    assert.equal(delivered().length, 2);
    assert.deepEqual(told(), []);
    assert.equal(push.onlineTasks[0]?.records[0]?.notify, false);
  });

  it("gives a user's own log to all his devices but the one that caused it", async () => {
    presence.connections = [connection(ALICE, "gw1", "phone"), connection(ALICE, "gw1", "laptop")];
    const body = { case: "readCursor", value: { conversationId: GROUP, seq: 4n } } as const;
    const entry = groupEntry(1, { conversationId: `u_${ALICE}`, body });
    await core.handOver([{ ...entry, audience: { kind: "users", userIds: [ALICE] } }]);
    assert.deepEqual(delivered(), [`gw1 1 gw1/${ALICE}/laptop`]);
    assert.deepEqual(told(), []);
  });

  it("gives a record that no device caused to all devices", async () => {
    presence.connections = [connection(ALICE, "gw1", "phone"), connection(ALICE, "gw1", "laptop")];
    await core.handOver([directEntry(1, { senderDeviceId: "" })]);
    assert.equal(delivered().length, 2);
  });

  it("counts a change of membership from its own record on", async () => {
    groups.lists.set(GROUP_ID, { userIds: [ALICE, CAROL], version: 2n }); // as it is now
    const carolForBob = change({ joined: [CAROL], left: [BOB], version: 2n });
    log.changes.push({ conversationId: GROUP, sequence: 60, change: carolForBob });
    presence.connections = [connection(BOB, "gw1"), connection(CAROL, "gw1")];
    await core.handOver([groupEntry(5), changeEntry(6, carolForBob), groupEntry(7)]);
    assert.deepEqual(delivered(), [
      `gw1 5 gw1/${BOB}/phone`,
      `gw1 6 gw1/${BOB}/phone`,
      `gw1 6 gw1/${CAROL}/phone`,
      `gw1 7 gw1/${CAROL}/phone`,
    ]);
  });

  it("needs no second list for a change that it sees in the log", async () => {
    presence.connections = [connection(BOB, "gw1"), connection(CAROL, "gw1")];
    groups.lists.set(GROUP_ID, { userIds: [ALICE, BOB], version: 1n });
    await core.handOver([groupEntry(5)]);
    groups.lists.set(GROUP_ID, { userIds: [ALICE, BOB, CAROL], version: 2n });
    await core.handOver([groupEntry(6), changeEntry(7, change({ joined: [CAROL], version: 2n }))]);
    await core.handOver([groupEntry(8)]);
    assert.deepEqual(
      delivered().filter((line) => line.includes(CAROL)),
      [`gw1 7 gw1/${CAROL}/phone`, `gw1 8 gw1/${CAROL}/phone`],
    );
    assert.deepEqual(groups.calls, ["members"]);
  });

  it("sends a large record without its body, but tells of it whole", async () => {
    presence.connections = [connection(BOB, "gw1")];
    groups.lists.set(GROUP_ID, { userIds: [ALICE, BOB, CAROL], version: 1n });
    const text = (bytes: number) =>
      ({
        case: "message",
        value: { content: { kind: { case: "text", value: { text: "x".repeat(bytes) } } } },
      }) as const;
    const sized = (seq: number, bytes: number) => {
      const entry = groupEntry(seq, { body: text(bytes) });
      return { ...entry, encoded: toBinary(RecordSchema, entry.record) };
    };
    const small = sized(5, 3700);
    const large = sized(6, 4097);
    await core.handOver([small, large]);
    const [first, second] = push.onlineTasks[0]?.records ?? [];
    assert.ok(first && second);
    assert.deepEqual(first.record, small.record);
    assert.equal(second.record?.body.case, undefined);
    assert.equal(second.record?.seq, 6n);
    assert.equal(second.record?.recordId, id(1006));
    assert.deepEqual(second.record?.acceptedTime, large.record.acceptedTime);
    assert.equal(second.notify, true);
    assert.deepEqual(push.offlineTasks[1]?.record, large.record);
  });

  it("asks presence by the thousand and splits what is too much for one task", async () => {
    const userIds = Array.from({ length: 10_000 }, (_, n) => id(n));
    groups.lists.set(GROUP_ID, { userIds, version: 1n });
    presence.connections = userIds.slice(0, 9000).map((userId) => connection(userId, "gw1"));
    const handed = await core.handOver([groupEntry(5), groupEntry(6)]);
    assert.deepEqual(
      presence.asked,
      Array.from({ length: 10 }, () => 1000),
    );
    assert.equal(delivered().length, 2 * 8999); // all but the sender's phone
    assert.ok(Math.max(...push.bytes) < 640 * 1024, `${Math.max(...push.bytes)} bytes`);
    assert.equal(handed.offline, 2000, "users");
    assert.equal(push.offlineTasks.length, 2, "one task for each record");
    assert.ok(push.mostRunning <= 96, `${push.mostRunning} at once`);
    const seqs = push.onlineTasks.flatMap(({ records }) => records.map(({ record }) => Number(record?.seq)));
    assert.deepEqual(seqs, seqs.toSorted());
  });

  it("publishes nothing twice when a batch comes again after a failure", async () => {
    presence.connections = [connection(BOB, "gw1"), connection(CAROL, "gw2")];
    groups.lists.set(GROUP_ID, { userIds: [ALICE, BOB, CAROL, id(4)], version: 1n });
    push.before = (what) => {
      if (what === "gw2") throw new Error("no answer");
    };
    await assert.rejects(core.handOver([groupEntry(5)]), /no answer/);
    assert.equal(push.running, 0, "nothing is under way any more");
    push.before = () => undefined;
    await core.handOver([groupEntry(5)]);
    assert.deepEqual(
      push.onlineTasks.map(({ gatewayId }) => gatewayId),
      ["gw1", "gw2"],
    );
    assert.deepEqual(told(), [`5 ${id(4)}`]);
    assert.deepEqual(groups.calls, ["members"], "the list is remembered");
  });

  it("publishes again what is not the same: somebody has connected meanwhile", async () => {
    presence.connections = [connection(BOB, "gw1")];
    push.before = (what) => {
      if (what === CAROL) throw new Error("no answer");
    };
    await assert.rejects(core.handOver([groupEntry(5)]));
    push.before = () => undefined;
    presence.connections.push(connection(CAROL, "gw1"));
    await core.handOver([groupEntry(5)]);
    assert.ok(delivered().includes(`gw1 5 gw1/${CAROL}/phone`));
  });

  it("follows the members right when a batch comes again in pieces", async () => {
    const bobLeaves = change({ left: [BOB], version: 2n });
    groups.lists.set(GROUP_ID, { userIds: [ALICE, CAROL], version: 2n });
    log.changes.push({ conversationId: GROUP, sequence: 60, change: bobLeaves });
    presence.connections = [connection(BOB, "gw1")];
    presence.down = true;
    const batch = [groupEntry(5), changeEntry(6, bobLeaves), groupEntry(7)];
    await assert.rejects(core.handOver(batch));
    presence.down = false;
    for (const entry of batch) await core.handOver([entry]);
    assert.deepEqual(delivered(), [`gw1 5 gw1/${BOB}/phone`, `gw1 6 gw1/${BOB}/phone`]);
    assert.deepEqual(groups.calls, ["members"]);
  });

  it("does not hold messages back because notices can't be stored", async () => {
    presence.connections = [connection(BOB, "gw1")];
    push.full = true;
    assert.deepEqual(await core.handOver([groupEntry(5)]), { online: 1, offline: 0, dropped: 1 });
  });

  it("ignores connections of gateways that are gone", async () => {
    presence.connections = [connection(BOB, "gw1")];
    presence.deadGateways.add("gw1");
    await core.handOver([directEntry(1)]);
    assert.deepEqual(delivered(), []);
    assert.deepEqual(told(), [`1 ${BOB}`]);
  });
});
