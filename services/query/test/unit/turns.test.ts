import assert from "node:assert/strict";
import { ServiceError } from "@oceanchat/runtime/fail";
import { Turns } from "../../src/turns.ts";

describe("turns", () => {
  /** Calls that end by hand, by name, in the order in which they began. */
  function given(atOnce: number, maxWaiting = 100, apartMs = 0) {
    const clock = { ms: 0 };
    const timers: { readonly ms: number; readonly run: () => void }[] = [];
    const after = (ms: number, run: () => void) => void (ms === 0 ? run() : timers.push({ ms, run }));
    const turns = new Turns({ atOnce, apartMs, maxWaiting, maxWaitMs: 2_000, now: () => clock.ms, after });
    const began: string[] = [];
    const ends = new Map<string, () => void>();
    const call = (userId: string, name = userId) => {
      const answer = turns.run(userId, () => {
        began.push(name);
        return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
      });
      answer.catch(() => undefined);
      return answer;
    };
    const end = async (name: string) => {
      ends.get(name)?.();
      await new Promise((resolve) => setImmediate(resolve));
    };
    const pass = async (ms: number) => {
      clock.ms += ms;
      for (const { run } of timers.splice(0)) run();
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { clock, turns, timers, began, call, end, pass };
  }
  const awayOf = async (call: Promise<unknown>): Promise<number> => {
    const error = await call.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof ServiceError && error.reason === "ERROR_REASON_OVERLOADED", String(error));
    return error.retryAfterMs ?? 0;
  };

  it("carries out so many at once, and the next when one has ended, well or not", async () => {
    const { began, call, end, turns, pass } = given(2);
    const calls = ["ann", "bob", "cid"].map((each) => call(each));
    await pass(0);
    assert.deepEqual(began, ["ann", "bob"]);
    await end("bob");
    assert.deepEqual(began, ["ann", "bob", "cid"]);
    await Promise.all([end("ann"), end("cid")]);
    assert.deepEqual(await Promise.all(calls), ["ann", "bob", "cid"]);
    await assert.rejects(
      turns.run("dan", () => Promise.reject(new Error("lost"))),
      /lost/,
    );
    await assert.rejects(
      turns.run("dan", () => Promise.reject(new Error("lost"))),
      /lost/,
    );
    const last = call("eve");
    await end("eve");
    assert.equal(await last, "eve");
  });

  it("begins at once when nobody is there, else together with others", async () => {
    const { began, call, end, timers, pass } = given(3, 100, 20);
    call("ann");
    assert.deepEqual(began, ["ann"]);
    await pass(5);
    for (const each of ["bob", "cid", "dan"]) call(each);
    assert.deepEqual([began.length, timers.map(({ ms }) => ms)], [1, [15]]);
    await pass(15);
    assert.deepEqual(began, ["ann", "bob", "cid"], "as many as may be carried out at once");
    await end("ann");
    await end("bob");
    call("eve");
    assert.deepEqual([began.length, timers.map(({ ms }) => ms)], [3, [20]]);
    await pass(20);
    assert.deepEqual(began.slice(3), ["dan", "eve"]);
    for (const each of ["cid", "dan", "eve"]) await end(each);
    call("fay");
    assert.deepEqual([began.at(-1), timers], ["fay", []]);
  });

  it("lets one who asks much wait for the others", async () => {
    const { began, call, end } = given(1);
    for (const name of ["greedy 1", "greedy 2", "greedy 3"]) call("greedy", name);
    call("bob");
    for (const name of ["greedy 1", "greedy 2", "bob"]) await end(name);
    assert.deepEqual(began, ["greedy 1", "greedy 2", "bob", "greedy 3"]);
  });

  it("refuses at once who would wait too long, each to come back later than the one before", async () => {
    const { began, call, clock, end } = given(1);
    for (let n = 0; n < 200; n++) {
      const name = `warm ${n}`;
      call(name);
      clock.ms += 1_000;
      await end(name);
    }
    assert.equal(began.length, 200);
    call("ann");
    for (const each of ["bob", "cid", "dan"]) call(each);
    const away = [await awayOf(call("eve")), await awayOf(call("fay")), await awayOf(call("gus"))];
    assert.ok(
      away.every((ms, index) => ms >= 2_000 && ms > (away[index - 1] ?? 0)),
      String(away),
    );
    for (let n = 0; n < 100; n++) assert.ok((await awayOf(call(`more ${n}`))) <= 10_000);
  });

  it("refuses who has waited too long, and as many as there is no room for", async () => {
    const { began, call, clock, end, turns } = given(1, 2);
    call("ann");
    const bob = call("bob");
    const cid = call("cid");
    await awayOf(call("dan"));
    clock.ms += 2_001;
    await end("ann");
    await awayOf(bob);
    await awayOf(cid);
    assert.equal(turns.waiting, 0);
    assert.deepEqual(began, ["ann"]);
    call("eve");
    assert.deepEqual(began, ["ann", "eve"]);
  });
});
