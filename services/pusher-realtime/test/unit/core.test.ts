import assert from "node:assert/strict";
import { createPusherCore, type PusherCore } from "../../src/core.ts";
import { FakeClock, FakeGateways, FakeJournal, FakeOffline, FakePresence, said } from "../support/fakes.ts";
import { addressed, message, reference, task } from "../support/records.ts";

describe("PusherCore.push", () => {
  let gateways: FakeGateways;
  let presence: FakePresence;
  let offline: FakeOffline;
  let clock: FakeClock;
  let journal: FakeJournal;
  let core: PusherCore;

  beforeEach(() => {
    gateways = new FakeGateways();
    presence = new FakePresence();
    offline = new FakeOffline();
    clock = new FakeClock();
    journal = new FakeJournal();
    core = createPusherCore({ gateways, presence, offline, clock, journal });
  });

  it("writes the tasks of a gateway in order, and needs nobody else", async () => {
    gateways.hold("gw1:1", "bob/1", "carol/1");
    await core.push(
      [
        task([addressed(message(5), ["bob/1"]), addressed(message(6), ["bob/1", "carol/1"])]),
        task([addressed(message(7), ["bob/1", "carol/1"])]),
      ],
      "00-trace",
    );
    assert.deepEqual(gateways.log, ["gw1:1 5,6,7 → bob/1", "gw1:1 6,7 → carol/1"]);
    assert.equal(gateways.parcels[0]?.traceparent, "00-trace");
    assert.equal(said(gateways.parcels[0].hint), "hint 7");
    assert.equal(presence.asked, 0);
    assert.deepEqual(offline.told, []);
  });

  it("tells a user offline, once for each record, when his connection is gone", async () => {
    gateways.hold("gw1:1", "carol/1");
    await core.push(
      [task([addressed(message(5), ["bob/1", "bob/2", "carol/1"]), addressed(message(6), ["bob/1"])])],
      "",
    );
    assert.deepEqual(offline.told.sort(), ["5 bob", "6 bob"]);
  });

  it("tells many users of a record by the thousand, each once", async () => {
    gateways.hold("gw1:1");
    const users = Array.from({ length: 2001 }, (_, n) => `user${n}`);
    const all = users.flatMap((user) => [`${user}/1`, `${user}/2`]);
    await core.push([task([addressed(message(5), all), addressed(message(6), ["bob/1", "alice/2"])])], "");
    assert.deepEqual(offline.told.toSorted(), [...users.map((user) => `5 ${user}`), "6 bob"].sort());
    assert.deepEqual(offline.named, [1000, 1000, 1, 1]);
  });

  it("tells nobody of what needs no notice, nor the sender of his own", async () => {
    gateways.hold("gw1:1");
    await core.push([task([addressed(message(5), ["alice/2"]), addressed(message(6), ["bob/1"], false)])], "");
    assert.deepEqual(offline.told, []);
  });

  it("gives the connection that has come in the place of one that is gone a hint, since what follows may be there", async () => {
    gateways.hold("gw1:1");
    gateways.hold("gw2:1", "bob/2");
    presence.where = { "bob/2": "gw2:1" };
    await core.push([task([addressed(message(5), ["bob/1"], false), addressed(message(6), ["bob/1"])])], "");
    assert.deepEqual(gateways.log, ["gw1:1 5,6 → bob/1", "gw2:1 hint 6 → bob/2"]);
    assert.deepEqual(offline.told, []);
  });

  it("tells him offline when that one is gone as well, and does not look a third time", async () => {
    gateways.hold("gw1:1");
    gateways.hold("gw2:1");
    presence.where = { "bob/2": "gw2:1" };
    await core.push([task([addressed(message(5), ["bob/1"])])], "");
    assert.deepEqual(offline.told, ["5 bob"]);
    assert.equal(presence.asked, 1);
  });

  it("tells nobody offline who has another connection that got it", async () => {
    gateways.hold("gw1:1", "bob/2");
    presence.where = { "bob/1": "gw1:1", "bob/2": "gw1:1" };
    await core.push([task([addressed(message(5), ["bob/1", "bob/2"])])], "");
    assert.deepEqual(offline.told, []);
    assert.equal(gateways.log.length, 1);
  });

  it("does not write to the sending device", async () => {
    gateways.hold("gw1:1");
    gateways.hold("gw2:1", "alice/phone");
    presence.where = { "alice/phone": "gw2:1" };
    await core.push([task([addressed(message(5), ["alice/laptop"])])], "");
    assert.deepEqual(gateways.log, ["gw1:1 5 → alice/laptop"]);
  });

  it("looks for the users of a gateway that is dead, and does not wait for it", async () => {
    gateways.hold("gw2:1", "carol/2");
    presence.where = { "bob/1": "gw1:1", "carol/2": "gw2:1" }; // Bob's lease has not ended yet
    await core.push([task([addressed(message(5), ["bob/1", "carol/1"])])], "");
    assert.deepEqual(gateways.log, ["gw1:1 5 → bob/1 carol/1", "gw1:1 5 → bob/1 carol/1", "gw2:1 hint 5 → carol/2"]);
    assert.deepEqual([offline.told, offline.later], [[], ["5 bob"]], "Bob is probably about to come back");
    assert.equal(clock.time, 100);
  });

  it("goes on after a stream that broke", async () => {
    gateways.hold("gw1:1", "bob/1");
    gateways.next.push({ kind: "unreachable" });
    await core.push([task([addressed(message(5), ["bob/1"])])], "");
    assert.deepEqual(gateways.log, ["gw1:1 5 → bob/1 unreachable", "gw1:1 5 → bob/1"]);
    assert.deepEqual(offline.told, []);
  });

  it("gives a silent gateway nothing twice, and leaves it alone for a while", async () => {
    gateways.hold("gw1:1", "bob/1");
    gateways.next.push({ kind: "silent" });
    await core.push([task([addressed(message(5), ["bob/1"])])], "");
    assert.equal(gateways.log.length, 1);
    await core.push([task([addressed(message(6), ["bob/1"])])], "");
    assert.equal(gateways.log.length, 1);
    assert.deepEqual(offline.told, ["5 bob", "6 bob"]);
    clock.time += 5001;
    await core.push([task([addressed(message(7), ["bob/1"])])], "");
    assert.equal(gateways.log.length, 2);
    assert.deepEqual(offline.told, ["5 bob", "6 bob"]);
  });

  it("tries a stream that broke before the answer once more", async () => {
    gateways.hold("gw1:1", "bob/1");
    gateways.next.push({ kind: "broken" });
    await core.push([task([addressed(message(5), ["bob/1"])])], "");
    assert.deepEqual(gateways.log, ["gw1:1 5 → bob/1 broken", "gw1:1 5 → bob/1"]);
    gateways.next.push({ kind: "broken" }, { kind: "broken" });
    await core.push([task([addressed(message(6), ["bob/1"])])], "");
    assert.equal(gateways.log.length, 4);
    assert.deepEqual(offline.told, ["6 bob"]);
  });

  it("waits for a busy gateway", async () => {
    gateways.hold("gw1:1", "bob/1");
    gateways.next.push({ kind: "busy" }, { kind: "busy" });
    await core.push([task([addressed(message(5), ["bob/1"])])], "");
    assert.equal(gateways.log.length, 3);
    assert.deepEqual(offline.told, []);
    assert.equal(clock.time, 500);
  });

  it("writes down what a gateway refuses", async () => {
    gateways.next.push({ kind: "refused", error: new Error("defect") });
    await core.push([task([addressed(message(5), ["bob/1"])])], "");
    assert.deepEqual(journal.lines, ["refused gw1:1"]);
    assert.deepEqual(offline.told, ["5 bob"]);
  });

  it("has users told later whom presence takes for connected where they aren't, the others at once", async () => {
    gateways.hold("gw1:1", "dave/1");
    presence.where = { "bob/1": "gw1:1", "dave/1": "gw1:1" }; // its gateway is going and doesn't say who goes with it
    await core.push([task([addressed(message(5), ["bob/1", "carol/1", "dave/1"])])], "");
    assert.deepEqual([offline.told, offline.later], [["5 carol"], ["5 bob"]]);
  });

  it("writes no record behind one that came after it: in its place goes a hint", async () => {
    gateways.hold("gw1:1", "bob/1", "carol/1");
    gateways.next.push({ kind: "busy" }, { kind: "busy" });
    const large = "x".repeat(30_000);
    await core.push([task([addressed(message(5, large), ["bob/1"]), addressed(message(6, large), ["bob/1"])])], "");
    // The first that comes again is overtaken by then, the last is not.
    assert.deepEqual(gateways.log.slice(2), ["gw1:1 hint 5 → bob/1", "gw1:1 6 → bob/1"]);
  });

  it("gives hints of what was delivered to another process before", async () => {
    gateways.hold("gw1:1", "bob/1");
    await core.push(
      [{ ...task([addressed(message(5), ["bob/1"]), addressed(message(6), ["bob/1"])]), again: true }],
      "",
    );
    await core.push([task([addressed(message(7), ["bob/1"])])], "");
    assert.deepEqual(gateways.log, ["gw1:1 hint 6 → bob/1", "gw1:1 7 → bob/1"]);
  });

  it("takes nobody for connected when presence can't be asked", async () => {
    gateways.hold("gw1:1", "carol/2");
    presence.down = true;
    await core.push([task([addressed(message(5), ["bob/1", "carol/1", "carol/2"])])], "");
    assert.equal(presence.asked, 2);
    assert.deepEqual([offline.told, offline.later], [[], ["5 bob"]]);
    assert.deepEqual(journal.lines, ["presence away"]);
  });

  it("rejects when nobody can be told, so that the tasks come again", async () => {
    gateways.hold("gw1:1");
    offline.down = true;
    await assert.rejects(core.push([task([addressed(message(5), ["bob/1"])])], ""), /NATS is down/);
  });

  it("says when the stream of notices is full", async () => {
    gateways.hold("gw1:1");
    offline.full = true;
    await core.push([task([addressed(message(5), ["bob/1", "carol/1"])])], "");
    assert.deepEqual(journal.lines, ["full 2"]);
  });

  it("tells offline of what was only hinted at", async () => {
    gateways.hold("gw1:1");
    await core.push([task([addressed(reference(5), ["bob/1"]), addressed(reference(6), ["bob/1"])])], "");
    assert.deepEqual(gateways.log, ["gw1:1 hint 6 → bob/1"]);
    assert.deepEqual(offline.told, ["5 bob", "6 bob"]);
  });

  it("asks a gateway for a bounded number of writes at a time", async () => {
    const many = Array.from({ length: 1000 }, (_, n) => `bob/${n}`);
    gateways.hold("gw1:1", ...many);
    // 40 packets of one record each, to 1000 connections each.
    const records = Array.from({ length: 40 }, (_, n) => addressed(message(n + 1, "x".repeat(30_000)), many));
    await core.push([task(records)], "");
    assert.equal(gateways.parcels.length, 40);
    assert.equal(gateways.mostRunning, 16);
  });

  it("keeps a bounded number of packets under way", async () => {
    const connections = Array.from({ length: 600 }, (_, n) => `user${n}/1`);
    gateways.hold("gw1:1", ...connections);
    const records = connections.map((name, n) => addressed(message(n + 1, "x", { conversationId: `c${n}` }), [name]));
    await core.push([task(records)], "");
    assert.equal(gateways.log.length, 600);
    assert.equal(gateways.mostRunning, 256);
  });
});
