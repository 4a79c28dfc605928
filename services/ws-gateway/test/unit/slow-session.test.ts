import assert from "node:assert/strict";
import { setUp } from "../support/session.ts";

describe("Session of a slow reader", () => {
  it("sends hints above the soft limit, records again when all is sent", () => {
    const { session, wire, deliver, counters, lagging } = setUp();
    session.open();
    deliver("x".repeat(1_100), "hint 1");
    deliver("record 2", "hint 2");
    deliver("signal");
    deliver("record 3", "hint 3");
    wire.allSent();
    deliver("record 4", "hint 4");
    assert.deepEqual(
      wire.written.map((text) => text.slice(0, 8)),
      ["hello", "xxxxxxxx", "hint 2", "hint 3", "record 4"],
    );
    assert.deepEqual([counters.hinted, counters.dropped, lagging()], [2, 1, 1]);
    assert.equal(session.checkLag(), false);
  });

  it("sends one hint for each key, the newest, when all is sent", () => {
    const { session, wire, deliver, counters } = setUp();
    session.open();
    deliver("x".repeat(1_100));
    deliver("record 5", "a 5", "a", 5n);
    deliver("record 1", "b 1", "b", 1n);
    deliver("record 6", "a 6", "a", 6n);
    deliver("record 5, which is sent again", "a 5", "a", 5n);
    assert.equal(wire.written.length, 2);
    wire.allSent();
    assert.deepEqual(wire.written.slice(2), ["a 6", "b 1"]);
    assert.equal(counters.hinted, 2);
    deliver("record 7", "a 7", "a", 7n);
    wire.allSent();
    assert.deepEqual(wire.written.slice(4), ["record 7"]);
  });

  it("closes when it is owed hints of too many keys", () => {
    const { session, wire, deliver } = setUp();
    session.open();
    deliver("x".repeat(1_100));
    for (let i = 0; i < 1_024; i++) deliver("record", "hint", `g_${i}`);
    deliver("record", "hint", "g_0");
    assert.equal(wire.closedWith(), undefined);
    deliver("record", "hint", "g_1024");
    assert.equal(wire.closedWith(), 1013);
  });

  it("writes no hint to somebody who was closed meanwhile", () => {
    const { session, wire, deliver } = setUp();
    session.open();
    deliver("x".repeat(1_100));
    deliver("record", "hint", "a");
    session.close({ code: 4401, reason: "" });
    wire.allSent();
    assert.equal(wire.written.length, 2);
  });

  it("is too slow also when only its own answers pile up", () => {
    const { session, wire, clock } = setUp();
    session.open();
    wire.unsentBytes = 1_000;
    session.ping(Buffer.from("?"));
    clock.nowMs = 100;
    session.checkLag();
    assert.equal(wire.closedWith(), 1013);
  });

  it("goes on with hints until all is sent, not only less than the limit", () => {
    const { session, wire, deliver } = setUp();
    session.open();
    deliver("x".repeat(1_100));
    deliver("record", "hint");
    wire.unsentBytes = 10;
    deliver("record", "hint");
    assert.equal(wire.written.at(-1), "hint");
  });

  it("closes above the hard limit, without writing what is too much", () => {
    const { session, wire, deliver, ended } = setUp();
    session.open();
    deliver("x".repeat(900));
    deliver("y".repeat(2_900));
    assert.equal(wire.closedWith(), 1013);
    assert.deepEqual(ended, [1013]);
    assert.ok(wire.unsentBytes < 1_000);
  });

  it("counts answers to its own packets to the hard limit too", async () => {
    const { session, wire, uplinks, receive } = setUp();
    session.open();
    receive("a");
    await uplinks[0]?.answer("x".repeat(3_100));
    assert.equal(wire.closedWith(), 1013);
  });

  it("closes when it lags for too long", () => {
    const { session, wire, clock, deliver } = setUp();
    session.open();
    deliver("x".repeat(1_100));
    deliver("record", "hint");
    clock.nowMs = 99;
    assert.equal(session.checkLag(), true);
    assert.equal(wire.closedWith(), undefined);
    clock.nowMs = 100;
    assert.equal(session.checkLag(), false);
    assert.equal(wire.closedWith(), 1013);
  });
});
