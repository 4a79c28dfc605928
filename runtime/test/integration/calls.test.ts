import assert from "node:assert/strict";
import type { Addresses } from "@oceanchat/runtime/addresses";
import { type Calls, type CallsOptions, connectCalls } from "@oceanchat/runtime/calls";
import { shared } from "@oceanchat/runtime/fail";
import type { Handlers } from "@oceanchat/runtime/handlers";
import { rendezvous } from "@oceanchat/runtime/rendezvous";
import { EchoService } from "../support/echo_pb.ts";
import { type EchoChild, forkEcho } from "../support/echo-child.ts";
import { addressesOf, deadAddress, type EchoDoor, latch, openEcho, reasonOf, silent } from "../support/echo-door.ts";

type Exchange = NonNullable<Handlers<typeof EchoService>["exchange"]>;
type Options = Partial<CallsOptions<typeof EchoService.method.exchange>>;
type EchoCalls = Calls<typeof EchoService.method.exchange>;

const NEVER = new Promise<never>(() => undefined);
const echo: Exchange = ({ text }) => ({ text });

describe("batched calls", () => {
  const doors: EchoDoor[] = [];
  const children: EchoChild[] = [];
  const open: EchoCalls[] = [];

  function connect(addresses: Addresses | undefined, options: Options = {}): EchoCalls {
    const { exchange: method } = EchoService.method;
    const calls = connectCalls({ method, addresses, log: silent, timeoutMs: 8000, ...options });
    open.push(calls);
    return calls;
  }

  async function serve(exchange: Exchange, port = 0): Promise<EchoDoor> {
    const door = await openEcho({ exchange }, { port });
    doors.push(door);
    return door;
  }

  async function fork(count: number): Promise<EchoChild[]> {
    const forked = await Promise.all(Array.from({ length: count }, forkEcho));
    children.push(...forked);
    return forked;
  }

  afterEach(async () => {
    for (const calls of open.splice(0)) calls.close();
    await Promise.all(children.splice(0).map((child) => child.kill()));
    await Promise.all(doors.splice(0).map((door) => door.close(0)));
  });

  it("answers each call with its own answer", async () => {
    const { address } = await serve(async ({ text }) => {
      if (text.endsWith("7")) await new Promise((resolve) => setTimeout(resolve, 5));
      return { text: `${text}!` };
    });
    const calls = connect(addressesOf(address));
    const texts = Array.from({ length: 1000 }, (_, i) => `text ${i}`);
    const answers = await Promise.all(texts.map((text) => calls.call({ text })));
    assert.deepEqual(
      answers.map(({ text }) => text),
      texts.map((text) => `${text}!`),
    );
  });

  it("keeps the order of the calls", async () => {
    const seen: string[] = [];
    const { address } = await serve(({ text }) => {
      seen.push(text);
      return {};
    });
    const calls = connect(addressesOf(address));
    const texts = Array.from({ length: 700 }, (_, i) => `text ${i}`);
    await Promise.all(texts.map((text) => calls.call({ text }, { key: "one" })));
    assert.deepEqual(seen, texts);
  });

  it("takes a message as well as what makes one", async () => {
    const { address } = await serve(echo);
    const calls = connect(addressesOf(address));
    const answer = await calls.call({ text: "a", traceparent: "00-1-2-01", payload: new Uint8Array(3) });
    assert.equal(answer.text, "a");
  });

  it("rejects with the error that the item was answered with", async () => {
    const { address } = await serve(({ text }) => {
      if (text === "bad") throw shared.rateLimited(70);
      return { text };
    });
    const calls = connect(addressesOf(address));
    const [good, bad] = await Promise.allSettled([calls.call({ text: "good" }), calls.call({ text: "bad" })]);
    assert.equal(good.status, "fulfilled");
    assert.equal(bad.status === "rejected" && bad.reason.reason, "ERROR_REASON_RATE_LIMITED");
    assert.equal(bad.status === "rejected" && bad.reason.retryAfterMs, 70);
  });

  it("carries items of any size up to the limit, and refuses a larger one alone", async () => {
    const { address } = await serve(({ payload }) => ({ text: String(payload.length) }));
    const calls = connect(addressesOf(address));
    const sizes = Array.from({ length: 40 }, (_, i) => (i % 4) * 100_000);
    const answers = sizes.map((size) => calls.call({ payload: new Uint8Array(size) }));
    assert.equal(await reasonOf(calls.call({ payload: new Uint8Array(5_000_000) })), "ERROR_REASON_MALFORMED");
    const texts = (await Promise.all(answers)).map(({ text }) => Number(text));
    assert.deepEqual(texts, sizes);
  });

  it("refuses what is above its limit in flight, and takes calls again afterwards", async () => {
    const go = latch();
    const { address } = await serve(async ({ text }) => {
      await go.promise;
      return { text };
    });
    const calls = connect(addressesOf(address), { maxInFlight: 3 });
    const running = [1, 2, 3].map(() => calls.call({ text: "a" }));
    assert.equal(await reasonOf(calls.call({ text: "b" })), "ERROR_REASON_OVERLOADED");
    go.open();
    await Promise.all(running);
    assert.equal((await calls.call({ text: "c" })).text, "c");
  });

  it("is UNIMPLEMENTED where there is no handler", async () => {
    const door = await openEcho({});
    doors.push(door);
    const calls = connect(addressesOf(door.address), { resend: true });
    assert.equal(await reasonOf(calls.call({ text: "a" })), "ERROR_REASON_UNIMPLEMENTED");
  });

  describe("timeouts", () => {
    it("are OUTCOME_UNKNOWN for what was sent, and an answer that comes later harms nobody", async () => {
      const late = latch();
      const { address } = await serve(async ({ text }) => {
        if (text === "late") await late.promise;
        return { text };
      });
      const calls = connect(addressesOf(address));
      const slow = reasonOf(calls.call({ text: "late" }, { timeoutMs: 100 }));
      const other = calls.call({ text: "late" });
      assert.equal(await slow, "ERROR_REASON_OUTCOME_UNKNOWN");
      late.open();
      assert.equal((await other).text, "late");
    });

    it("are UNAVAILABLE for what was certainly not sent", async () => {
      const calls = connect(addressesOf(), { resend: true });
      assert.equal(await reasonOf(calls.call({ text: "a" }, { timeoutMs: 100 })), "ERROR_REASON_UNAVAILABLE");
    });
  });

  describe("choice of address", () => {
    it("stays with one address per key and spreads the keys", async () => {
      const numbered = await Promise.all([0, 1, 2].map((n) => serve(() => ({ text: String(n) }))));
      const calls = connect(addressesOf(...numbered.map(({ address }) => address)));
      const first = new Map<string, string>();
      for (const round of [1, 2]) {
        for (let i = 0; i < 40; i++) {
          const { text } = await calls.call({ text: "x" }, { key: `user-${i}` });
          if (round === 1) first.set(`user-${i}`, text);
          else assert.equal(text, first.get(`user-${i}`));
        }
      }
      assert.equal(new Set(first.values()).size, 3);
    });

    it("calls exactly the address that is asked for", async () => {
      const [one, two] = await Promise.all(["one", "two"].map((name) => serve(() => ({ text: name }))));
      const calls = connect(undefined);
      assert.equal((await calls.call({}, { address: one?.address ?? "" })).text, "one");
      assert.equal((await calls.call({}, { address: two?.address ?? "" })).text, "two");
    });

    it("goes past addresses where nothing listens, also without resend", async () => {
      const { address } = await serve(echo);
      const calls = connect(addressesOf(await deadAddress(), address, await deadAddress()));
      const texts = Array.from({ length: 30 }, (_, i) => `text ${i}`);
      for (const options of [() => ({}), (key: string) => ({ key })]) {
        const answers = await Promise.all(texts.map((text) => calls.call({ text }, options(text))));
        assert.deepEqual(
          answers.map(({ text }) => text),
          texts,
        );
      }
    });

    it("lets nobody overtake calls that wait for an address", async () => {
      const seen: string[] = [];
      const { address } = await serve(({ text }) => {
        seen.push(text);
        return {};
      });
      const addresses = addressesOf();
      const calls = connect(addresses, { resend: true });
      const first = calls.call({ text: "first" });
      addresses.set(address);
      await Promise.all([first, calls.call({ text: "second" })]);
      assert.deepEqual(seen, ["first", "second"]);
    });

    it("fails a call to a named address that is away, and finds it again", async () => {
      const door = await serve(echo);
      const calls = connect(undefined);
      const { address } = door;
      assert.equal((await calls.call({ text: "a" }, { address })).text, "a");
      await door.close(0);
      await until(async () => (await reasonOf(calls.call({}, { address }))) === "ERROR_REASON_UNAVAILABLE");
      await serve(echo, door.port);
      await until(async () => (await reasonOf(calls.call({}, { address }))) === "no error");
    });

    it("closes the stream to a named address that is not used any more", async () => {
      const ended = latch();
      const door = await serve(({ text }, { signal }) => {
        signal.addEventListener("abort", () => ended.open());
        return { text };
      });
      const calls = connect(undefined, { namedIdleMs: 50 });
      await calls.call({ text: "a" }, { address: door.address });
      await ended.promise;
      assert.equal((await calls.call({ text: "b" }, { address: door.address })).text, "b");
    });

    it("follows a change of the addresses and answers what is under way", async () => {
      const go = latch();
      const old = await serve(async () => {
        await go.promise;
        return { text: "old" };
      });
      const next = await serve(() => ({ text: "new" }));
      const addresses = addressesOf(old.address);
      const calls = connect(addresses);
      const running = calls.call({});
      await until(async () => (await reasonOf(calls.call({}, { timeoutMs: 1 }))) === "ERROR_REASON_OUTCOME_UNKNOWN");
      addresses.set(next.address);
      assert.equal((await calls.call({})).text, "new");
      go.open();
      assert.equal((await running).text, "old");
    });
  });

  describe("a peer that drains", () => {
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
  });

  describe("a peer that dies", () => {
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
      for (const calls of open.splice(0)) calls.close();
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

    it("with resend and no other address: refuses more than it may keep", async () => {
      const calls = connect(addressesOf(), { resend: true, maxInFlight: 2, timeoutMs: 200 });
      const outcome = await reasons([1, 2, 3].map(() => calls.call({})));
      assert.deepEqual(outcome, { ERROR_REASON_UNAVAILABLE: 2, ERROR_REASON_OVERLOADED: 1 });
    });
  });

  it("rejects what is unanswered when it is closed, and every call afterwards", async () => {
    const received = latch();
    const { address } = await serve(() => {
      received.open();
      return NEVER;
    });
    const calls = connect(addressesOf(address));
    const held = reasonOf(calls.call({}));
    await received.promise;
    calls.close();
    assert.equal(await held, "ERROR_REASON_OUTCOME_UNKNOWN");
    assert.equal(await reasonOf(calls.call({})), "ERROR_REASON_UNAVAILABLE");
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

/** Asks again until the answer is yes; the test's own timeout ends it. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}
