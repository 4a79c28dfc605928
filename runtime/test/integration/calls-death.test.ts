import assert from "node:assert/strict";
import { rendezvous } from "@oceanchat/runtime/rendezvous";
import { ALARM_MS, bothWays, type Exchange, echo, echoBed, NEVER, until } from "../support/echo-bed.ts";
import { addressesOf, reasonOf } from "../support/echo-door.ts";

bothWays("batched calls to a peer that stops", (bed) => {
  const { connectCalls: connect } = bed;
  const serve = (exchange: Exchange, port?: number) => bed.serve({ exchange }, port);

  it("answers what it has; nothing is lost or repeated without resend", async () => {
    const served = new Map<string, number>();
    const count: Exchange = async ({ text }) => {
      served.set(text, (served.get(text) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 2));
      return { text };
    };
    const [leaving, staying] = await Promise.all([serve(count), serve(count)]);
    const calls = connect(addressesOf(leaving.address, staying.address));
    const total = 3000;
    const all: Promise<unknown>[] = [];
    for (let i = 0; i < total; i++) {
      all.push(calls.call({ text: String(i) }, { key: String(i) }));
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
      if (i === 1500) void leaving.close(5000);
    }
    await Promise.all(all);
    assert.equal(served.size, total);
    assert.ok([...served.values()].every((times) => times === 1));
  });

  it("with resend and no other address: waits until it is back", async () => {
    const door = await serve(() => NEVER);
    const calls = connect(addressesOf(door.address), { resend: true });
    const call = calls.call({ text: "a" });
    await until(async () => (await reasonOf(calls.call({}, { timeoutMs: 1 }))) === "ERROR_REASON_OUTCOME_UNKNOWN");
    await door.close(0);
    const later = calls.call({ text: "b" });
    await serve(echo, door.port);
    assert.equal((await call).text, "a");
    assert.equal((await later).text, "b");
  });
});

describe("batched calls to a peer that dies", function () {
  this.timeout(ALARM_MS);
  const bed = echoBed();
  const { connectCalls: connect, fork } = bed;
  const serve = (exchange: Exchange) => bed.serve({ exchange });

  it("with resend: every call is answered, once, by another address", async () => {
    const [dying, living] = await fork(2);
    assert.ok(dying !== undefined && living !== undefined);
    const calls = connect(addressesOf(dying.address, living.address), { resend: true });
    const total = 400;
    let settled = 0;
    const keys = Array.from({ length: total }, (_, i) => `key-${i}`);
    const held = keys.map((key) => calls.call({ text: `hold ${key}` }, { key }).finally(() => settled++));
    const rest = reasons(held);
    await Promise.race(keys.map((key) => dying.received(`hold ${key}`)));
    await Promise.race(keys.map((key) => living.received(`hold ${key}`)));
    await dying.kill();
    // All of them are held by the living one now, those of the dead one too.
    for (const key of keys) await living.received(`hold ${key}`);
    assert.equal(settled, 0);
    const answers = await Promise.all(keys.map((key) => calls.call({ text: key }, { key })));
    assert.ok(answers.every(({ text }, i) => text.startsWith(`${keys[i]} from `)));
    bed.closeCallers();
    assert.deepEqual(await rest, { ERROR_REASON_OUTCOME_UNKNOWN: total });
    assert.equal(settled, total);
  });

  it("with resend: calls under load all get their answer while peers are killed", async () => {
    const [one, two, three] = await fork(3);
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const calls = connect(addressesOf(one.address, two.address, three.address), { resend: true });
    let made = 0;
    const worker = async () => {
      while (made < 6000) {
        const text = `n${made++}`;
        if (made === 2000) void one.kill();
        if (made === 4000) void two.kill();
        const answer = await calls.call({ text }, { key: text });
        assert.ok(answer.text.startsWith(`${text} from `));
      }
    };
    await Promise.all(Array.from({ length: 200 }, worker));
  });

  it("without resend: what was sent is OUTCOME_UNKNOWN, and new calls go elsewhere", async () => {
    const [dying] = await fork(1);
    assert.ok(dying !== undefined);
    const living = await serve(() => ({ text: "alive" }));
    const calls = connect(addressesOf(dying.address, living.address));
    const key = keyOf(dying.address, [dying.address, living.address]);
    const held = reasonOf(calls.call({ text: "hold" }, { key }));
    await dying.received("hold");
    await dying.kill();
    assert.equal(await held, "ERROR_REASON_OUTCOME_UNKNOWN");
    assert.equal((await calls.call({}, { key })).text, "alive");
  });

  it("to a named address: fails, since there is no other", async () => {
    const [dying] = await fork(1);
    assert.ok(dying !== undefined);
    const calls = connect(undefined, { resend: true });
    const held = reasonOf(calls.call({ text: "hold" }, { address: dying.address }));
    await dying.received("hold");
    await dying.kill();
    assert.equal(await held, "ERROR_REASON_OUTCOME_UNKNOWN");
    assert.equal(await reasonOf(calls.call({ text: "a" }, { address: dying.address })), "ERROR_REASON_UNAVAILABLE");
  });

  it("with resend: a call that brings down every peer that it is sent to is given up", async () => {
    const doomed = await fork(4);
    const calls = connect(addressesOf(...doomed.map(({ address }) => address)), { resend: true });
    const held = reasonOf(calls.call({ text: "hold" }, { key: "poison" }));
    const alive = new Set(doomed);
    for (const _ of [1, 2, 3]) {
      const hit = await Promise.race([...alive].map((child) => child.received("hold").then(() => child)));
      alive.delete(hit);
      await hit.kill();
    }
    assert.equal(await held, "ERROR_REASON_OUTCOME_UNKNOWN");
    assert.ok([...alive].every((child) => !child.got.has("hold")));
  });

  it("with resend and no other address: refuses more than it may keep", async () => {
    const calls = connect(addressesOf(), { resend: true, maxInFlight: 2, timeoutMs: 200 });
    const outcome = await reasons([1, 2, 3].map(() => calls.call({})));
    assert.deepEqual(outcome, { ERROR_REASON_UNAVAILABLE: 2, ERROR_REASON_OVERLOADED: 1 });
  });
});

/** How often each reason was given. */
async function reasons(calls: Promise<unknown>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const reason of await Promise.all(calls.map(reasonOf))) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

/** A key that belongs to an address. */
function keyOf(address: string, addresses: string[]): string {
  for (let i = 0; ; i++) if (rendezvous(`key-${i}`, addresses) === address) return `key-${i}`;
}
