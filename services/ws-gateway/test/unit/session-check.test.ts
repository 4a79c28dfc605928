import assert from "node:assert/strict";
import { shared } from "@oceanchat/runtime/fail";
import { pino } from "pino";
import { Admission } from "../../src/session-check.ts";

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Questions that wait until they are answered. */
function setUp() {
  const asked: { readonly ids: readonly string[]; answer(dead?: readonly string[]): void; fail(): void }[] = [];
  const auth = {
    liveSessions: (ids: readonly string[]) =>
      new Promise<ReadonlySet<string>>((resolve, reject) => {
        const answer = (dead: readonly string[] = []) => resolve(new Set(ids.filter((id) => !dead.includes(id))));
        asked.push({ ids, answer, fail: () => reject(shared.unavailable("away")) });
      }),
  };
  /** Pauses between questions: over at once, unless they are held. */
  const pauses = { ms: [] as number[], held: undefined as Promise<void> | undefined };
  const pause = (ms: number) => {
    pauses.ms.push(ms);
    return pauses.held ?? Promise.resolve();
  };
  return { asked, pauses, admission: new Admission(auth, pino({ level: "silent" }), pause) };
}

describe("Admission", () => {
  it("asks about one at once, and about all who come meanwhile by one question", async () => {
    const { asked, admission } = setUp();
    const first = admission.lives("a");
    await settle();
    const later = ["b", "c", "b", "d"].map((id) => admission.lives(id));
    await settle();
    assert.deepEqual(
      asked.map(({ ids }) => ids),
      [["a"]],
    );
    asked[0]?.answer();
    assert.equal(await first, true);
    await settle();
    assert.deepEqual(asked[1]?.ids, ["b", "c", "d"]);
    asked[1]?.answer(["c"]);
    assert.deepEqual(await Promise.all(later), [true, false, true, true]);
  });

  it("waits between two questions, and with nobody before it not at all", async () => {
    const { asked, pauses, admission } = setUp();
    const { promise, resolve: goOn } = Promise.withResolvers<void>();
    pauses.held = promise;
    const first = admission.lives("a");
    await settle();
    asked[0]?.answer();
    assert.equal(await first, true);
    const later = ["b", "c"].map((id) => admission.lives(id));
    await settle();
    assert.deepEqual([asked.length, pauses.ms], [1, [100]]);
    goOn();
    await settle();
    assert.deepEqual(asked[1]?.ids, ["b", "c"]);
    asked[1]?.answer();
    assert.deepEqual(await Promise.all(later), [true, true]);
  });

  it("asks about no more than a thousand at once", async () => {
    const { asked, admission } = setUp();
    const all = Array.from({ length: 2_001 }, (_, i) => admission.lives(`s-${i}`));
    for (const size of [1_000, 1_000, 1]) {
      await settle();
      assert.equal(asked.at(-1)?.ids.length, size);
      asked.at(-1)?.answer(["s-1500"]);
    }
    const lives = await Promise.all(all);
    assert.deepEqual(
      lives.flatMap((each, i) => (each ? [] : [i])),
      [1_500],
    );
  });

  it("takes sessions for living when auth doesn't say, waits for it no more, and goes on asking", async () => {
    const { asked, admission } = setUp();
    const first = admission.lives("a");
    await settle();
    asked[0]?.fail();
    assert.equal(await first, true);
    assert.equal(await admission.lives("b"), true);
    await settle();
    assert.deepEqual(asked[1]?.ids, ["b"]);
    asked[1]?.answer(["b"]);
    await settle();
    const third = admission.lives("b");
    await settle();
    asked[2]?.answer(["b"]);
    assert.equal(await third, false);
  });
});
