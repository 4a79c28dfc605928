import assert from "node:assert/strict";
import { InFlight } from "@oceanchat/runtime/in-flight";

describe("InFlight", () => {
  it("gives each value back once, by a number that grows and is never given again", () => {
    const inFlight = new InFlight<string>();
    const model = new Map<number, string>();
    let highest = 0;
    for (let n = 0; n < 20_000; n++) {
      const number = inFlight.add(`value ${n}`);
      assert.ok(number > highest);
      highest = number;
      model.set(number, `value ${n}`);
      // Now many wait, now few; the first one for ever.
      const most = n % 2_000 < 1_000 ? 300 : 5;
      for (const old of [...model.keys()].slice(1, Math.max(1, model.size - most))) {
        assert.equal(inFlight.take(old), model.get(old));
        assert.equal(inFlight.take(old), undefined);
        model.delete(old);
      }
      assert.equal(inFlight.size, model.size);
    }
    assert.deepEqual(
      inFlight.takeIf(() => true),
      [...model.values()],
    );
    assert.equal(inFlight.size, 0);
  });

  it("takes out what is chosen, the oldest first, and leaves the rest", () => {
    const inFlight = new InFlight<number>();
    const numbers = Array.from({ length: 100 }, (_, n) => inFlight.add(n));
    for (const number of numbers.slice(0, 50)) inFlight.take(number);
    for (let n = 100; n < 150; n++) inFlight.add(n);
    const even = Array.from({ length: 50 }, (_, n) => 50 + 2 * n);
    assert.deepEqual(
      inFlight.takeIf((n) => n % 2 === 0),
      even,
    );
    assert.equal(inFlight.size, 50);
    assert.equal(inFlight.take(numbers[51] ?? 0), 51);
  });

  it("knows no numbers that it hasn't given", () => {
    const inFlight = new InFlight<string>();
    const number = inFlight.add("a");
    for (const other of [0, -1, 1.5, Number.NaN, number + 1, number + 2]) assert.equal(inFlight.take(other), undefined);
    assert.equal(inFlight.take(number), "a");
  });
});
