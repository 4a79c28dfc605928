import assert from "node:assert/strict";
import { type Newcomer, Newcomers } from "../../src/core/newcomers.ts";
import { setUp } from "../support/session.ts";

const AT_ONCE = 16;
const MAX_WAIT_MS = 5_000;
const MANY = 100;

/** Newcomers with a clock that is set by hand. */
class Door {
  nowMs = 0;
  isBusy = false;
  /** Names of those that were let through after they had waited. */
  readonly passed: string[] = [];
  #calls: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly newcomers: Newcomers;

  constructor(maxWaitMs = MAX_WAIT_MS) {
    this.newcomers = new Newcomers({
      atOnce: AT_ONCE,
      maxWaitMs,
      isBusy: () => this.isBusy,
      now: () => this.nowMs,
      after: (ms, run) => void this.#calls.push({ atMs: this.nowMs + ms, run }),
    });
  }

  come(name = ""): Newcomer {
    return this.newcomers.come(() => this.passed.push(name));
  }

  connecting(count: number): Newcomer[] {
    return Array.from({ length: count }, () => this.come());
  }

  welcomed(count: number): void {
    for (const one of this.connecting(count)) one.welcomed();
  }

  /** Some that are there, with packets that may not go yet. */
  waiting(count: number, from = 0): Newcomer[] {
    return Array.from({ length: count }, (_, index) => {
      const one = this.come(String(from + index));
      one.welcomed();
      assert.equal(one.mayPass(), false);
      return one;
    });
  }

  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = this.#calls.filter(({ atMs }) => atMs <= end).toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#calls = this.#calls.filter((call) => call !== next);
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = end;
  }
}

const names = (count: number) => Array.from({ length: count }, (_, index) => String(index));

describe("Newcomers", () => {
  it("wait for nobody while few connect, however busy the gateway is", () => {
    const door = new Door();
    door.isBusy = true;
    door.connecting(31);
    const one = door.come();
    assert.equal(one.mayPass(), true);
    one.welcomed();
    assert.equal(one.mayPass(), true);
    assert.equal(door.newcomers.waiting, 0);
  });

  it("wait for nobody while many connect one after another and the gateway has time to spare", () => {
    const door = new Door();
    door.welcomed(MANY);
    assert.equal(door.come().mayPass(), true);
  });

  it("wait while many are on their way to hello, and go on in order when these are there", () => {
    const door = new Door();
    const others = door.connecting(MANY);
    door.waiting(AT_ONCE);
    for (const other of others) other.welcomed();
    door.advance(250);
    assert.deepEqual(door.passed, names(AT_ONCE));
  });

  it("wait while many were welcomed in the last second and the gateway has no time to spare", () => {
    const door = new Door();
    door.isBusy = true;
    door.welcomed(MANY);
    const waiting = door.waiting(AT_ONCE + 1);
    door.advance(250);
    assert.deepEqual(door.passed, names(8));
    for (const one of waiting.slice(0, 8)) one.leave();
    assert.deepEqual(door.passed, names(8));
    door.advance(250);
    assert.deepEqual(door.passed, names(16));
    door.advance(501);
    assert.deepEqual(door.passed, names(AT_ONCE + 1));
  });

  it("are so many at once, the next when one is answered or has gone", () => {
    const door = new Door();
    const passing = door.connecting(AT_ONCE);
    for (const one of passing) assert.equal(one.mayPass(), true);
    const [first, second] = door.waiting(3);
    assert.ok(first !== undefined && second !== undefined);
    door.advance(MAX_WAIT_MS - 1);
    assert.deepEqual(door.passed, []);
    first.leave();
    passing[0]?.leave();
    assert.deepEqual(door.passed, ["1"]);
    second.leave();
    assert.deepEqual(door.passed, ["1", "2"]);
    assert.equal(door.newcomers.waiting, 0);
  });

  it("wait so long while others connect, then so many go on at once, and after twice that all", () => {
    const door = new Door();
    door.connecting(MANY);
    door.waiting(3 * AT_ONCE);
    door.advance(MAX_WAIT_MS - 1);
    assert.deepEqual(door.passed, names(8));
    door.advance(250);
    assert.deepEqual(door.passed, names(AT_ONCE));
    door.advance(MAX_WAIT_MS);
    assert.deepEqual(door.passed, names(3 * AT_ONCE));
  });

  it("free their place once", () => {
    const door = new Door();
    const [one] = door.connecting(AT_ONCE);
    assert.ok(one !== undefined);
    one.mayPass();
    one.leave();
    one.leave();
    for (const other of door.connecting(AT_ONCE)) assert.equal(other.mayPass(), true);
    assert.equal(door.come().mayPass(), false);
  });

  it("never wait when they are not to", () => {
    const door = new Door(0);
    door.connecting(MANY);
    assert.equal(door.come().mayPass(), true);
  });
});

describe("Session of a newcomer", () => {
  it("keeps its first packets while others connect, reads no more, and answers what needs no router", () => {
    const door = new Door();
    door.connecting(MANY);
    const { session, wire, uplinks, receive } = setUp({}, door.newcomers);
    session.open();
    receive("a");
    receive("");
    assert.deepEqual([uplinks.length, wire.paused, wire.written], [0, true, ["hello", ""]]);
    door.advance(250);
    assert.deepEqual([uplinks[0]?.text, wire.paused], ["a", false]);
  });

  it("is never held up again once it was answered", async () => {
    const door = new Door();
    const { session, uplinks, receive } = setUp({}, door.newcomers);
    session.open();
    receive("a");
    await uplinks[0]?.answer("A");
    door.connecting(MANY);
    receive("b");
    assert.deepEqual(
      uplinks.map(({ text }) => text),
      ["a", "b"],
    );
  });

  it("that ends in the line leaves it, and forwards nothing", () => {
    const door = new Door();
    door.connecting(MANY);
    const { session, uplinks, receive } = setUp({}, door.newcomers);
    session.open();
    receive("a");
    assert.equal(door.newcomers.waiting, 1);
    session.gone(1006);
    assert.equal(door.newcomers.waiting, 0);
    door.advance(2 * MAX_WAIT_MS);
    assert.equal(uplinks.length, 0);
  });

  it("that ends before hello connects no longer", () => {
    const door = new Door();
    for (let index = 0; index < MANY; index++) setUp({}, door.newcomers).session.gone(1006);
    assert.equal(door.come().mayPass(), true);
  });
});
