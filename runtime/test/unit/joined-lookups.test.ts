import assert from "node:assert/strict";
import { joinedLookups } from "@oceanchat/runtime/joined-lookups";

describe("joined look-ups", () => {
  /** Look-ups that are answered by hand: every key that isn't "gone" is found. */
  function given(atOnce: number, maxKeys: number) {
    const asked: { keys: readonly string[]; answer: (error?: Error) => void }[] = [];
    const look = joinedLookups<string>(
      (keys) => {
        const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, string>>();
        const found = new Map(keys.filter((key) => key !== "gone").map((key) => [key, `value of ${key}`]));
        asked.push({ keys, answer: (error) => (error === undefined ? resolve(found) : reject(error)) });
        return promise;
      },
      { atOnce, maxKeys, timeoutMs: 500 },
    );
    return { asked, look };
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it("asks once for what is asked for in one turn, and gives everybody his own", async () => {
    const { asked, look } = given(2, 100);
    const answers = [look(["a", "b"]), look(["b", "gone"]), look([])];
    await turn();
    assert.deepEqual(
      asked.map(({ keys }) => keys),
      [["a", "b", "gone"]],
    );
    asked[0]?.answer();
    const [first, second, nothing] = await Promise.all(answers);
    assert.deepEqual([...(first ?? [])].flat(), ["a", "value of a", "b", "value of b"]);
    assert.deepEqual([...(second ?? [])].flat(), ["b", "value of b"]);
    assert.equal(nothing?.size, 0);
  });

  it("gathers while enough are under way, and gives nobody an answer to an earlier question", async () => {
    const { asked, look } = given(1, 100);
    const first = look(["a"]);
    await turn();
    const later = [look(["a"]), look(["b"])];
    await turn();
    assert.equal(asked.length, 1);
    asked[0]?.answer();
    await first;
    await turn();
    assert.deepEqual(asked[1]?.keys, ["a", "b"]);
    asked[1]?.answer();
    await Promise.all(later);
  });

  it("cuts what is too much for one", async () => {
    const { asked, look } = given(4, 2);
    const found = look(["a", "b", "c", "d", "e"]);
    await turn();
    assert.deepEqual(
      asked.map(({ keys }) => keys),
      [["a", "b"], ["c", "d"], ["e"]],
    );
    for (const { answer } of asked) answer();
    assert.equal((await found).size, 5);
  });

  it("gives up what is never answered, and goes on", async () => {
    const { asked, look } = given(1, 100);
    const lost = look(["a"]);
    await turn();
    const next = look(["b"]);
    await assert.rejects(lost, { reason: "ERROR_REASON_UNAVAILABLE" });
    await turn();
    asked[1]?.answer();
    assert.equal((await next).size, 1);
  });

  it("fails for all who asked and for nobody else", async () => {
    const { asked, look } = given(1, 100);
    const failing = [look(["a"]), look(["b"])];
    await turn();
    const next = look(["c"]);
    asked[0]?.answer(new Error("lost"));
    for (const each of failing) await assert.rejects(each, /lost/);
    await turn();
    asked[1]?.answer();
    assert.equal((await next).size, 1);
  });
});
