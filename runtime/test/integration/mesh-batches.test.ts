import assert from "node:assert/strict";
import { type Client, status } from "@grpc/grpc-js";
import { shared } from "@oceanchat/runtime/fail";
import type { CallContext, Handlers } from "@oceanchat/runtime/handlers";
import { decodeStatus } from "@oceanchat/runtime/wire-error";
import type { EchoService } from "../support/echo_pb.ts";
import { ALARM_MS } from "../support/echo-bed.ts";
import { BareStream, bareClient } from "../support/echo-client.ts";
import { type EchoDoor, latch, openEcho } from "../support/echo-door.ts";

type Exchange = NonNullable<Handlers<typeof EchoService>["exchange"]>;

describe("mesh door, batched calls", function () {
  this.timeout(ALARM_MS);
  let door: EchoDoor | undefined;
  let client: Client | undefined;

  async function open(exchange: Exchange, options = {}): Promise<BareStream> {
    door = await openEcho({ exchange }, options);
    client = bareClient(door.address);
    return new BareStream(client);
  }

  afterEach(async () => {
    client?.close();
    await door?.close(0);
  });

  it("answers each item under its ref, in whatever order the answers come", async () => {
    const slow = latch();
    const stream = await open(async ({ text }) => {
      if (text === "slow") await slow.promise;
      return { text: `${text}!` };
    });
    stream.send(7, "slow", "b", "c");
    await stream.until(({ answers }) => answers.length === 2);
    assert.deepEqual(
      stream.answers.map(({ ref, text }) => [ref, text]),
      [
        [8n, "b!"],
        [9n, "c!"],
      ],
    );
    slow.open();
    await stream.until(({ answers }) => answers.length === 3);
    assert.equal(stream.answers[2]?.ref, 7n);
  });

  it("starts the items in the order of their arrival, none waiting for another", async () => {
    const started: string[] = [];
    const all = latch();
    const stream = await open(async ({ text }) => {
      if (started.push(text) === 6) all.open();
      await all.promise;
      return {};
    });
    stream.send(1, "a", "b", "c");
    stream.send(4, "d", "e", "f");
    await all.promise;
    assert.deepEqual(started, ["a", "b", "c", "d", "e", "f"]);
  });

  it("gathers what becomes ready together into one message", async () => {
    const stream = await open(({ text }) => ({ text }));
    stream.send(1, ...Array.from({ length: 100 }, (_, i) => `text ${i}`));
    await stream.until(({ answers }) => answers.length === 100);
    assert.equal(stream.messages.length, 1);
  });

  it("answers an item that fails with its error and the others as usual", async () => {
    const stream = await open(({ text }) => {
      if (text === "bad") throw shared.rateLimited(300);
      if (text === "worse") throw new Error("a secret");
      return { text };
    });
    stream.send(1, "good", "bad", "worse");
    await stream.until(({ answers }) => answers.length === 3);
    const [good, bad, worse] = stream.answers.toSorted((a, b) => Number(a.ref - b.ref));
    assert.equal(good?.failure, undefined);
    assert.equal(bad?.failure?.reason, "ERROR_REASON_RATE_LIMITED");
    assert.equal(bad?.failure?.retryAfterMs, 300);
    assert.equal(worse?.failure?.reason, "ERROR_REASON_INTERNAL");
    assert.doesNotMatch(worse?.failure?.message ?? "", /secret/);
  });

  it("answers INTERNAL in the place of an answer that can't be sent", async () => {
    const stream = await open(({ text }) => ({ text, payload: new Uint8Array(text === "huge" ? 100_000 : 10) }), {
      maxMessageBytes: 50_000,
    });
    stream.send(1, "a", "huge", "c");
    await stream.until(({ answers }) => answers.length === 3);
    const reasons = Object.fromEntries(stream.answers.map(({ ref, failure }) => [String(ref), failure?.reason]));
    assert.deepEqual(reasons, { 1: undefined, 2: "ERROR_REASON_INTERNAL", 3: undefined });
  });

  it("reads no further while too many items are unanswered", async () => {
    let started = 0;
    const go = latch();
    const full = latch();
    const stream = await open(
      async () => {
        if (++started === 4) full.open();
        await go.promise;
        return {};
      },
      { maxItemsInFlight: 3 },
    );
    for (let i = 0; i < 50; i++) stream.send(i * 2 + 1, "a", "b");
    await full.promise;
    // Whatever else was going to be read has been: the door answers a later call of the same connection.
    const other = new BareStream(client as Client);
    await new Promise((resolve) => other.call.once("metadata", resolve));
    assert.equal(started, 4);
    go.open();
    await stream.until(({ answers }) => answers.length === 100);
  });

  it("reads no further while its answers are not read", async () => {
    let started = 0;
    const stream = await open(
      () => {
        started++;
        return { payload: new Uint8Array(64 * 1024) };
      },
      { maxItemsInFlight: 16 },
    );
    stream.call.pause();
    const total = 2000;
    const written = (async () => {
      for (let i = 0; i < total; i++) {
        stream.send(i + 1, "x");
        if (stream.call.writableNeedDrain) await new Promise((resolve) => stream.call.once("drain", resolve));
      }
    })();
    // Started items stop growing: the windows and buffers hold some, the limit the rest.
    let before = -1;
    while (before !== started || started === 0) {
      before = started;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(started < total / 4, `${started} of ${total} were started for a reader that reads nothing`);
    stream.call.resume();
    await stream.until(({ answers }) => answers.length === total);
    await written;
  });

  it("gives the handler the trace of its item", async () => {
    const seen: string[] = [];
    const stream = await open((_item, { traceparent }) => {
      seen.push(traceparent);
      return {};
    });
    stream.sendItems([{ ref: 1n }, { ref: 2n, traceparent: "00-1-2-01" }]);
    await stream.until(({ answers }) => answers.length === 2);
    assert.deepEqual(seen, ["", "00-1-2-01"]);
  });

  it("answers what it has received after the caller has ended its side", async () => {
    const go = latch();
    const stream = await open(async ({ text }) => {
      if (text === "slow") await go.promise;
      return { text };
    });
    stream.send(1, "slow", "quick");
    stream.call.end();
    await stream.until(({ answers }) => answers.length === 1);
    go.open();
    await stream.until(({ ended }) => ended);
    assert.equal(stream.answers.length, 2);
    assert.equal(stream.failure, undefined);
  });

  it("ends a stream whose bytes are no batch with MALFORMED", async () => {
    const stream = await open(() => ({}));
    stream.call.write(Buffer.from([0x0a, 0x7f]));
    await stream.until(({ failure }) => failure !== undefined);
    assert.equal(stream.failure?.code, status.INVALID_ARGUMENT);
    const [details] = stream.failure?.metadata.get("grpc-status-details-bin") ?? [];
    assert.equal(decodeStatus(details as Buffer)?.reason, "ERROR_REASON_MALFORMED");
  });

  it("tells the handlers when the caller is gone", async () => {
    const context = latch<CallContext>();
    const stream = await open((_item, given) => {
      context.open(given);
      return new Promise<never>(() => undefined);
    });
    stream.send(1, "a");
    const { signal } = await context.promise;
    assert.equal(signal.aborted, false);
    const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
    stream.call.cancel();
    await aborted;
  });

  it("counts a stream as a call until it ends", async () => {
    const stream = await open(() => ({}), { maxCallsInFlight: 1 });
    stream.send(1, "a");
    await stream.until(({ answers }) => answers.length === 1);
    const second = new BareStream(client as Client);
    await second.until(({ failure }) => failure !== undefined);
    assert.equal(second.failure?.code, status.RESOURCE_EXHAUSTED);
    stream.call.end();
    await stream.until(({ ended }) => ended);
    const third = new BareStream(client as Client);
    third.send(1, "a");
    await third.until(({ answers }) => answers.length === 1);
  });
});
