import assert from "node:assert/strict";
import { setUp } from "../support/session.ts";

describe("Session", () => {
  it("forwards nothing before hello, and reads no more", () => {
    const { session, wire, uplinks, receive } = setUp();
    receive("a");
    assert.deepEqual([uplinks.length, wire.written.length, wire.paused], [0, 0, true]);
    session.open();
    assert.deepEqual(wire.written, ["hello"]);
    assert.deepEqual([uplinks[0]?.text, wire.paused], ["a", false]);
    session.open();
    assert.deepEqual(wire.written, ["hello"]);
  });

  it("has so many packets on the way, reads on when one is answered, and keeps the order", async () => {
    const { session, wire, uplinks, receive } = setUp();
    session.open();
    receive("a");
    assert.equal(wire.paused, false);
    receive("b");
    assert.equal(wire.paused, true);
    receive("c");
    assert.deepEqual(
      uplinks.map(({ text }) => text),
      ["a", "b"],
    );
    await uplinks[1]?.answer("B");
    assert.deepEqual(
      uplinks.map(({ text }) => text),
      ["a", "b", "c"],
    );
    assert.equal(wire.paused, true);
    await uplinks[0]?.answer("");
    assert.equal(wire.paused, false);
    assert.deepEqual(wire.written, ["hello", "B"]);
  });

  it("answers heartbeats, and forwards none", () => {
    const { session, wire, uplinks, receive, counters } = setUp();
    receive("");
    session.open();
    receive("");
    assert.deepEqual(wire.written, ["hello", ""]);
    assert.equal(uplinks.length, 0);
    assert.equal(counters.heartbeats, 2);
  });

  it("writes an answer to nobody who has gone", async () => {
    const { session, wire, uplinks, receive, ended } = setUp();
    session.open();
    receive("a");
    session.gone(1006);
    await uplinks[0]?.answer("A");
    session.tell(Buffer.from("x"));
    receive("b");
    assert.deepEqual(wire.written, ["hello"]);
    assert.deepEqual(ended, [1006]);
    session.close({ code: 1001, reason: "" });
    assert.equal(wire.closedWith(), undefined);
  });

  it("closes when more packets wait than one reading can hold", () => {
    const { wire, receive, ended } = setUp();
    for (let i = 0; i < 1_025; i++) receive("x");
    assert.equal(wire.closedWith(), 4429);
    assert.deepEqual(ended, [4429]);
  });

  it("answers pings under the limits that hold for everything", () => {
    const { session, wire, clock } = setUp({ packetsBurst: 3 });
    session.ping(Buffer.from("early"));
    session.open();
    session.ping(Buffer.from("?"));
    assert.equal(wire.written.length, 2);
    session.ping(Buffer.from("?"));
    session.ping(Buffer.from("too many"));
    assert.equal(wire.written.length, 3);
    assert.equal(wire.paused, true);
    clock.nowMs = 1_000;
    wire.unsentBytes = 3_000;
    session.gone(1006);
    const unread = setUp();
    unread.session.open();
    unread.wire.unsentBytes = 2_999;
    unread.session.ping(Buffer.from("?"));
    assert.equal(unread.wire.closedWith(), 1013);
  });

  it("closes one who sends too many packets for too long, not one who pauses, nor one who sends too many bytes", () => {
    const rates = { packetsPerSecond: 100, packetsBurst: 10, bytesPerSecond: 1_000, bytesBurst: 1_000, idleMs: 1e6 };
    const [flood, bursts, large] = [setUp(rates), setUp(rates), setUp({ ...rates, packetsBurst: 1_000 })];
    for (const { session } of [flood, bursts, large]) session.open();
    for (let second = 0; second < 60; second++) {
      for (const { clock } of [flood, bursts, large]) clock.nowMs = second * 1_000;
      for (let i = 0; i < 120; i++) flood.receive("");
      if (second % 5 === 0) for (let i = 0; i < 120; i++) bursts.receive("");
      large.receive("x".repeat(5_000));
    }
    assert.deepEqual(
      [flood, bursts, large].map(({ wire }) => wire.closedWith()),
      [4429, undefined, undefined],
    );
    for (const { session } of [bursts, large]) session.gone(1006); // they wait for a clock that stands still
    const atOnce = setUp(rates);
    for (let i = 0; i < 3_000; i++) atOnce.receive("");
    assert.equal(atOnce.wire.closedWith(), 4429);
  });

  it("closes after silence, not while bytes come, nor while it doesn't read itself", () => {
    const { session, wire, clock, receive } = setUp({ packetsInFlight: 1 });
    session.open();
    for (let i = 1; i <= 5; i++) {
      clock.nowMs += 900;
      wire.receivedBytes++;
      session.checkIdle();
    }
    receive("a");
    clock.nowMs += 5_000;
    session.checkIdle();
    assert.equal(wire.closedWith(), undefined);
  });

  it("closes after silence", () => {
    const { session, wire, clock } = setUp();
    session.open();
    wire.receivedBytes = 10;
    session.checkIdle();
    clock.nowMs = 999;
    session.checkIdle();
    assert.equal(wire.closedWith(), undefined);
    clock.nowMs = 1_000;
    session.checkIdle();
    assert.equal(wire.closedWith(), 1001);
  });

  it("says hello before the first delivery", () => {
    const { wire, deliver } = setUp();
    deliver("record");
    assert.deepEqual(wire.written, ["hello", "record"]);
  });
});
