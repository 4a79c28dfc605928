import assert from "node:assert/strict";
import { setImmediate as tick } from "node:timers/promises";
import { DirectRevisions } from "../../src/core/direct-revisions.ts";
import { slotOf } from "../../src/core/slots.ts";
import type { RevisionStore } from "../../src/ports.ts";

const MINUTE = 60_000;

/** A store in memory that several instances share. */
class FakeRevisions implements RevisionStore {
  readonly counts = new Map<number, number>();
  readonly open = new Map<string, readonly number[]>();
  error: Error | undefined;
  /** Every reading is given after this. */
  turn: () => Promise<void> = async () => {};

  async read() {
    const found = { counts: new Map(this.counts), open: new Map(this.open) };
    await this.turn();
    this.#fail();
    return found;
  }

  async begin(slots: readonly number[]) {
    this.#fail();
    for (const slot of slots) this.counts.set(slot, (this.counts.get(slot) ?? 0) + 1);
    const change = `change ${this.open.size}`;
    this.open.set(change, slots);
    return change;
  }

  async end(change: string) {
    this.#fail();
    this.open.delete(change);
  }

  #fail() {
    if (this.error !== undefined) throw this.error;
  }
}

function setUp() {
  const store = new FakeRevisions();
  const clock = { ms: 0 };
  const journal = { stayOpen: 0, changeStaysOpen: () => void journal.stayOpen++ };
  const instance = () => new DirectRevisions(store, journal, () => clock.ms);
  /** Whether an answer with that stamp would be confirmed. */
  const confirmed = async (by: DirectRevisions, { slot, revision } = by.stampOf("bob")) =>
    revision !== 0 && (await by.read())[slot] === revision;
  return { store, clock, journal, instance, confirmed };
}

describe("revisions of who may write to whom", () => {
  it("confirm an answer that was read after they were, until there is a change", async () => {
    const { instance, confirmed } = setUp();
    const [a, b] = [instance(), instance()];
    assert.equal(a.stampOf("bob").revision, 0);
    await tick();
    const stamp = a.stampOf("bob");
    assert.equal(stamp.slot, slotOf("bob"));
    assert.equal(await confirmed(b, stamp), true);
    assert.equal(await b.changing(["bob", "ann"], async () => "written"), "written");
    for (const by of [a, b]) assert.equal(await confirmed(by, stamp), false);
    assert.equal(await confirmed(a), true);
  });

  it("confirm nothing of a user who is being changed, and others still", async () => {
    const { instance, confirmed } = setUp();
    const [a, b] = [instance(), instance()];
    await a.read();
    const [stamp, other] = [a.stampOf("bob"), a.stampOf("cid")];
    assert.notEqual(stamp.slot, other.slot);
    await b.changing(["bob"], async () => {
      for (const by of [a, b]) {
        assert.equal(await confirmed(by, stamp), false);
        assert.equal(by.stampOf("bob").revision, 0);
        assert.equal(await confirmed(by, other), true);
      }
    });
  });

  it("don't confirm what was read before a change with a reading that came late", async () => {
    const { store, instance, confirmed } = setUp();
    const a = instance();
    await a.read();
    const late = Promise.withResolvers<void>();
    store.turn = () => late.promise;
    const reading = a.read();
    store.turn = async () => {};
    await instance().changing(["bob"], async () => undefined);
    await a.read();
    late.resolve();
    await reading;
    assert.equal(await confirmed(a, a.stampOf("bob")), false);
  });

  it("stay open when it isn't known whether something was written, and for ten minutes at most", async () => {
    const { store, clock, instance, confirmed } = setUp();
    const a = instance();
    const lost = a.changing(["bob"], () => Promise.reject(new Error("no answer")));
    await assert.rejects(lost, /no answer/);
    for (const minute of [0, 5, 10]) {
      clock.ms = minute * MINUTE;
      await a.read();
      assert.equal(await confirmed(a), false);
    }
    assert.equal(store.open.size, 1);
    clock.ms += 1;
    await a.read();
    assert.equal(store.open.size, 0);
    assert.equal((await a.read())[slotOf("bob")], 2);
  });

  it("give what was written although its end can't be noted, and say so", async () => {
    const { store, journal, instance } = setUp();
    const written = instance().changing(["bob"], async () => {
      store.error = new Error("away");
      return "written";
    });
    assert.equal(await written, "written");
    assert.equal(journal.stayOpen, 1);
  });

  it("are not written without the change being counted first", async () => {
    const { store, instance } = setUp();
    store.error = new Error("away");
    await assert.rejects(instance().changing(["bob"], () => assert.fail("written")));
  });

  it("are read again when the last reading is older than a second, at most once a second", async () => {
    const { store, clock, instance } = setUp();
    const a = instance();
    let readings = 0;
    store.turn = async () => void readings++;
    for (const [ms, wanted] of [
      [0, 1],
      [500, 1],
      [1001, 2],
      [1500, 2],
    ] as const) {
      clock.ms = ms;
      a.stampOf("bob");
      await tick();
      assert.equal(readings, wanted);
    }
  });
});
