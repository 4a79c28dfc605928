import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { ConnectionSchema, ReplacedSchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { type Reportable, Reports } from "../../src/core/reports.ts";
import type { PresencePort } from "../../src/ports.ts";

type Answer = Awaited<ReturnType<PresencePort["report"]>>;
const fine: Answer = { replaced: [], reportAll: false };

const subject = (id: string): Reportable => ({
  id,
  userId: `user of ${id}`,
  connected: () => ({ case: "connected", value: create(ConnectionSchema, { connectionId: id }) }),
});

/** Lets everything run that doesn't wait for something outside. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

function setUp(inFlight = 2) {
  const sent: string[] = [];
  const open: { resolve(answer?: Answer): void; reject(error: Error): void }[] = [];
  const timers: { ms: number; run: () => void }[] = [];
  const told = { replaced: 0, reportAll: 0, refused: 0 };
  const reports = new Reports({
    presence: {
      report(event, key) {
        const id = event.case === "lease" ? "lease" : event.value.connectionId;
        sent.push(`${event.case} ${id}`);
        assert.equal(key, event.case === "lease" ? "gateway" : `user of ${id}`);
        return new Promise((resolve, reject) => {
          open.push({ resolve: (answer = fine) => resolve(answer), reject });
        });
      },
    },
    inFlight,
    maxPending: 4,
    after: (ms, run) => void timers.push({ ms, run }),
    onReplaced: (replaced) => {
      told.replaced += replaced.length;
    },
    onReportAll: () => void told.reportAll++,
    onRefused: () => void told.refused++,
  });
  const next = async (act: (call: (typeof open)[number]) => void) => {
    const call = open.shift();
    assert.ok(call !== undefined, "nothing is on its way");
    act(call);
    await settle();
  };
  return {
    reports,
    sent,
    timers,
    told,
    answer: (answer?: Answer) => next((call) => call.resolve(answer)),
    fail: (error: Error = shared.unavailable("away")) => next((call) => call.reject(error)),
  };
}

describe("Reports", () => {
  it("reports a connection, and that it has gone", async () => {
    const { reports, sent, answer } = setUp();
    let heard = 0;
    reports.connected(subject("a"), () => heard++);
    assert.equal(heard, 0);
    await answer();
    assert.equal(heard, 1);
    reports.disconnected(subject("a"));
    await answer();
    assert.deepEqual(sent, ["connected a", "disconnected a"]);
    await reports.allHeard();
  });

  it("never has more on the way than it may", async () => {
    const { reports, sent, answer } = setUp(2);
    for (const id of ["a", "b", "c"]) reports.connected(subject(id));
    assert.deepEqual(sent, ["connected a", "connected b"]);
    await answer();
    assert.deepEqual(sent.at(-1), "connected c");
  });

  it("waits longer and longer while presence is away, then sends everything", async () => {
    const { reports, sent, timers, answer, fail } = setUp(1);
    let heard = 0;
    reports.connected(subject("a"), () => heard++);
    reports.connected(subject("b"), () => heard++);
    await fail();
    assert.equal(sent.length, 1);
    timers[0]?.run();
    await fail(shared.outcomeUnknown("late"));
    timers[1]?.run();
    await fail(shared.overloaded("full"));
    assert.deepEqual(
      timers.map(({ ms }) => ms),
      [100, 200, 400],
    );
    assert.equal(heard, 0);
    timers[2]?.run();
    await answer();
    await answer();
    assert.equal(heard, 2);
    await reports.allHeard();
    reports.connected(subject("c"));
    await fail();
    assert.equal(timers.at(-1)?.ms, 100);
  });

  it("says nothing of a connection that came and went while presence was away", async () => {
    const { reports, sent, timers, answer, fail } = setUp(1);
    reports.connected(subject("a"));
    await fail();
    reports.connected(subject("b"));
    reports.disconnected(subject("b"));
    timers[0]?.run();
    await answer();
    assert.deepEqual(sent, ["connected a", "connected a"]);
    await reports.allHeard();
  });

  it("says that a connection has gone of which presence may have heard", async () => {
    const { reports, sent, timers, answer, fail } = setUp();
    reports.connected(subject("a"));
    reports.disconnected(subject("a"));
    await answer();
    await answer();
    assert.deepEqual(sent, ["connected a", "disconnected a"]);
    reports.connected(subject("b"));
    await fail();
    reports.disconnected(subject("b"));
    timers[0]?.run();
    await answer();
    assert.deepEqual(sent.slice(2), ["connected b", "disconnected b"]);
    await reports.allHeard();
  });

  it("drops what presence refuses", async () => {
    const { reports, told, fail } = setUp();
    let heard = 0;
    reports.connected(subject("a"), () => heard++);
    await fail(shared.malformed("what?"));
    assert.deepEqual([told.refused, heard], [1, 1]);
    await reports.allHeard();
  });

  it("hands over which connections are replaced", async () => {
    const { reports, told, answer } = setUp();
    reports.connected(subject("a"));
    await answer({ replaced: [create(ReplacedSchema)], reportAll: false });
    assert.equal(told.replaced, 1);
  });

  it("asks once for everything again, until that is done", async () => {
    const { reports, sent, told, answer } = setUp(2);
    const all = { replaced: [], reportAll: true };
    const leases = [reports.tell({ case: "lease", value: lease() }, "gateway")];
    await answer(all);
    for (const id of ["a", "b"]) reports.again(subject(id));
    leases.push(reports.tell({ case: "lease", value: lease() }, "gateway"));
    assert.deepEqual(sent, ["lease lease", "connected a", "connected b", "lease lease"]);
    await answer();
    await answer(all);
    assert.equal(told.reportAll, 2, "what was reported before it was asked again may be lost");
    await answer();
    assert.equal(told.reportAll, 2);
    await Promise.all(leases);
  });

  it("reports everything after an answer was lost that may have asked for it", async () => {
    const { reports, told, answer, fail } = setUp();
    const tell = () => reports.tell({ case: "lease", value: lease() }, "gateway");
    const lost = tell();
    await Promise.all([assert.rejects(lost), fail(shared.outcomeUnknown("no answer"))]);
    assert.equal(told.reportAll, 0);
    for (const expected of [1, 1]) {
      const heard = tell();
      await answer();
      await heard;
      assert.equal(told.reportAll, expected);
    }
  });

  it("reports a connection once more whose report was on the way when everything was lost", async () => {
    const { reports, sent, answer } = setUp();
    reports.connected(subject("a"));
    reports.again(subject("a"));
    await answer();
    await answer();
    assert.deepEqual(sent, ["connected a", "connected a"]);
    await reports.allHeard();
  });

  it("keeps no more than so many that have gone", async () => {
    const { reports, sent, answer } = setUp(1);
    for (let i = 0; i < 10; i++) reports.disconnected(subject(`c${i}`));
    for (let i = 0; i < 4; i++) await answer();
    assert.deepEqual(sent, ["disconnected c0", "disconnected c1", "disconnected c2", "disconnected c3"]);
    await reports.allHeard();
  });

  it("says when the lease can't be told", async () => {
    const { reports, fail } = setUp();
    const told = assert.rejects(reports.tell({ case: "lease", value: lease() }, "gateway"));
    await fail();
    await told;
  });
});

const lease = () => ({
  $typeName: "oceanchat.presence.v1.Lease" as const,
  address: "a:1",
  connections: 0,
  released: false,
});
