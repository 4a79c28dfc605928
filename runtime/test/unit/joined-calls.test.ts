import assert from "node:assert/strict";
import { joinedCalls } from "@oceanchat/runtime/joined-calls";

describe("joined calls", () => {
  /** Questions that are answered by hand, with their number. */
  function given() {
    const asked: PromiseWithResolvers<number>[] = [];
    const call = joinedCalls(() => {
      const question = Promise.withResolvers<number>();
      asked.push(question);
      return question.promise;
    });
    return { asked, call };
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it("asks once for all who call while a question is under way, and only after it", async () => {
    const { asked, call } = given();
    const first = call();
    const others = [call(), call(), call()];
    await turn();
    assert.equal(asked.length, 1);
    asked[0]?.resolve(1);
    assert.equal(await first, 1);
    await turn();
    assert.equal(asked.length, 2, "an answer that was under way is too old for them");
    asked[1]?.resolve(2);
    assert.deepEqual(await Promise.all(others), [2, 2, 2]);
    const last = call();
    asked[2]?.resolve(3);
    assert.equal(await last, 3);
  });

  it("tells a failure to those who asked and to nobody else", async () => {
    const { asked, call } = given();
    const first = call();
    const second = call();
    asked[0]?.reject(new Error("lost"));
    await assert.rejects(first, /lost/);
    await turn();
    asked[1]?.resolve(2);
    assert.equal(await second, 2);
  });
});
