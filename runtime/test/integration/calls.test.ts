import assert from "node:assert/strict";
import { type ServiceError, shared } from "@oceanchat/runtime/fail";
import { Unanswered } from "@oceanchat/runtime/unanswered";
import { bothWays, type Exchange, echo, echoBed, NEVER, until } from "../support/echo-bed.ts";
import { addressesOf, deadAddress, latch, reasonOf } from "../support/echo-door.ts";

bothWays("batched calls", (bed) => {
  const { connectCalls: connect } = bed;
  const serve = (exchange: Exchange, port?: number) => bed.serve({ exchange }, port);

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

  it("carries items of any size up to the limit", async () => {
    const { address } = await serve(({ payload }) => ({ text: String(payload.length) }));
    const calls = connect(addressesOf(address));
    const sizes = Array.from({ length: 40 }, (_, i) => (i % 4) * 100_000);
    const answers = sizes.map((size) => calls.call({ payload: new Uint8Array(size) }));
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
    const door = await bed.serve({});
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
      await calls.call({ text: "a" }); // connected: what comes now is sent in time
      const slow = reasonOf(calls.call({ text: "late" }, { timeoutMs: 100 }));
      const other = calls.call({ text: "late" });
      assert.equal(await slow, "ERROR_REASON_OUTCOME_UNKNOWN");
      late.open();
      assert.equal((await other).text, "late");
    });

    it("come later while the peer answers others, but not for ever", async () => {
      const late = latch();
      const { address } = await serve(async ({ text }) => {
        if (text === "late") await late.promise;
        return { text };
      });
      const calls = connect(addressesOf(address), { timeoutMs: 300, patientMs: 2500 });
      await calls.call({ text: "a" }, { timeoutMs: 8000 });
      const slow = calls.call({ text: "late" });
      const given = reasonOf(calls.call({ text: "late" }));
      const chat = async (ms: number) => {
        for (const end = Date.now() + ms; Date.now() < end; ) {
          await calls.call({ text: "a" });
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      await chat(1000);
      late.open();
      assert.equal((await slow).text, "late");
      assert.equal(await given, "no error");
    });

    it("come in the end, also while the peer answers others", async () => {
      const { address } = await serve(({ text }) => (text === "late" ? NEVER : { text }));
      const calls = connect(addressesOf(address), { timeoutMs: 200, patientMs: 600 });
      let given: string | undefined;
      await calls.call({ text: "a" }, { timeoutMs: 8000 });
      const since = Date.now();
      const lost = reasonOf(calls.call({ text: "late" })).then((reason) => {
        given = reason;
      });
      while (given === undefined) await calls.call({ text: "a" });
      await lost;
      assert.equal(given, "ERROR_REASON_OUTCOME_UNKNOWN");
      assert.ok(Date.now() - since >= 600);
    });

    it("say whether the peer is silent, answers others, or its stream broke", async () => {
      const door = await serve(({ text }) => (text === "late" ? NEVER : { text }));
      const calls = connect(addressesOf(door.address));
      const whyOf = (call: Promise<unknown>) =>
        call.then(
          () => assert.fail("answered"),
          ({ cause }: ServiceError) => cause instanceof Unanswered && cause.why,
        );
      await calls.call({ text: "a" });
      assert.equal(await whyOf(calls.call({ text: "late" }, { timeoutMs: 100 })), "silent");
      let why: unknown;
      const slow = whyOf(calls.call({ text: "late" }, { timeoutMs: 400 })).then((given) => {
        why = given;
      });
      while (why === undefined) await calls.call({ text: "a" });
      await slow;
      assert.equal(why, "busy");
      const broken = whyOf(calls.call({ text: "late" }));
      await door.close(0);
      assert.equal(await broken, "lost");
    });

    it("don't come because the caller itself was held up", async () => {
      const child = await bed.forkOne();
      const calls = connect(addressesOf(child.address));
      await calls.call({ text: "a" });
      const call = calls.call({ text: "b" }, { timeoutMs: 300 });
      await child.received("b");
      for (const end = Date.now() + 600; Date.now() < end; );
      assert.match((await call).text, /^b from/);
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

describe("batched calls over sockets", () => {
  const { connectCalls, serve } = echoBed();

  it("refuse an item that is too large, alone", async () => {
    const { address } = await serve({ exchange: ({ payload }) => ({ text: String(payload.length) }) });
    const calls = connectCalls(addressesOf(address));
    const before = calls.call({ payload: new Uint8Array(100_000) });
    assert.equal(await reasonOf(calls.call({ payload: new Uint8Array(5_000_000) })), "ERROR_REASON_MALFORMED");
    assert.equal((await before).text, "100000");
  });
});
