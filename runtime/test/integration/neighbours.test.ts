import assert from "node:assert/strict";
import { once } from "node:events";
import { create } from "@bufbuild/protobuf";
import { ServiceError, shared } from "@oceanchat/runtime/fail";
import { addressesOfDoor, Neighbours } from "@oceanchat/runtime/neighbours";
import { pino } from "pino";
import { type EchoItem, EchoItemSchema, type SayRequest, SayRequestSchema } from "../support/echo_pb.ts";
import { bothWays, echo, echoBed, NEVER, until } from "../support/echo-bed.ts";
import { addressesOf, deadAddress, latch, reasonOf } from "../support/echo-door.ts";

bothWays("a mesh door that is called", (bed) => {
  const { connectCalls, connectPeers, serve } = bed;

  it("refuses a request that breaks a rule, before the handler sees it", async () => {
    let called = false;
    const { address } = await serve({
      say: () => {
        called = true;
        return {};
      },
    });
    const call = connectPeers(address).call.say({ tags: [{ name: "" }] });
    await assert.rejects(call, ({ violations }: ServiceError) => violations[0]?.field === "tags[0].name");
    assert.equal(called, false);
  });

  it("logs a defect and tells the caller nothing of it", async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    const fail = () => Promise.reject(new Error("the password is 1234"));
    const { address } = await serve({ say: fail, exchange: fail }, 0, { log });
    for (const call of [
      connectPeers(address).call.say({}, { requestId: "r7" }),
      connectCalls(addressesOf(address)).call({}),
    ]) {
      await assert.rejects(call, ({ reason, message, cause }: ServiceError) => {
        const inside = cause instanceof Error ? cause.message : "";
        return reason === "ERROR_REASON_INTERNAL" && !/1234/.test(message + inside);
      });
    }
    assert.ok(lines.some((line) => JSON.parse(line).requestId === "r7"));
    assert.equal(lines.filter((line) => /1234/.test(line)).length, 2);
  });

  it("keeps to itself what caused an error", async () => {
    const fail = () => {
      throw shared.outcomeUnknown("a store did not answer", new TypeError("a secret"));
    };
    const { address } = await serve({ say: fail, exchange: fail });
    const calls = [connectPeers(address).call.say({}), connectCalls(addressesOf(address)).call({})];
    for (const call of calls) {
      const error = await call.then(
        () => assert.fail("answered"),
        (thrown: ServiceError) => thrown,
      );
      assert.ok(error instanceof ServiceError);
      assert.equal(error.reason, "ERROR_REASON_OUTCOME_UNKNOWN");
      assert.ok(!(error.cause instanceof TypeError));
    }
  });

  it("answers with every field of the message", async () => {
    const { address } = await serve({ say: () => ({}), exchange: () => ({}) });
    assert.equal((await connectPeers(address).call.say({})).text, "");
    const answer = await connectCalls(addressesOf(address)).call({});
    assert.deepEqual([answer.text, answer.payload.length, answer.failure], ["", 0, undefined]);
  });

  it("refuses what is above its limit of calls and frees the places again", async () => {
    const [started, go] = [latch(), latch()];
    const say = async () => {
      started.open();
      await go.promise;
      return {};
    };
    const { address } = await serve({ say, read: () => ({ text: "free" }) }, 0, { maxCallsInFlight: 2 });
    const peers = connectPeers(address);
    // Over sockets the watch of its health is none of them.
    const running = [peers.call.say({}), peers.call.say({})];
    await started.promise;
    await until(async () => (await reasonOf(peers.call.read({}))) === "ERROR_REASON_OVERLOADED");
    go.open();
    await Promise.all(running);
    assert.equal((await peers.call.read({})).text, "free");
  });

  it("begins the unary calls of one caller in their order", async () => {
    const seen: string[] = [];
    const { address } = await serve({ say: ({ text }) => ({ text: `${seen.push(text)}` }) });
    const peers = connectPeers(address);
    await peers.call.say({ text: "0" });
    const texts = Array.from({ length: 300 }, (_, i) => String(i + 1));
    await Promise.all(texts.map((text) => peers.call.say({ text })));
    assert.deepEqual(seen, ["0", ...texts]);
  });

  it("gives each item its own trace", async () => {
    const seen: string[] = [];
    const { address } = await serve({
      exchange: (_item, { traceparent }) => ({ text: `${seen.push(traceparent)}` }),
    });
    const calls = connectCalls(addressesOf(address));
    await Promise.all([calls.call({}), calls.call({ traceparent: "00-1-2-01" })]);
    assert.deepEqual(seen, ["", "00-1-2-01"]);
  });

  describe("when it closes", () => {
    it("lets what runs be answered and takes nothing new", async () => {
      const [started, go] = [latch(), latch()];
      const slow = async ({ text }: { text: string }) => {
        started.open();
        await go.promise;
        return { text };
      };
      const door = await serve({ say: slow, exchange: slow });
      const peers = connectPeers(door.address);
      const calls = connectCalls(addressesOf(door.address));
      const running = [peers.call.say({ text: "last" }), calls.call({ text: "last" })];
      await started.promise;
      await until(async () => (await reasonOf(calls.call({}, { timeoutMs: 1 }))) === "ERROR_REASON_OUTCOME_UNKNOWN");
      let closed = false;
      const closing = door.close(60_000).then(() => {
        closed = true;
      });
      await until(async () => (await reasonOf(peers.call.say({}, { timeoutMs: 50 }))) === "ERROR_REASON_UNAVAILABLE");
      // They hear of it over a connection of their own.
      await until(async () => (await reasonOf(calls.call({}, { timeoutMs: 50 }))) === "ERROR_REASON_UNAVAILABLE");
      assert.equal(closed, false);
      go.open();
      for (const { text } of await Promise.all(running)) assert.equal(text, "last");
      await closing;
    });

    it("cuts what runs longer than the grace, and tells the handlers", async () => {
      const aborted = [latch(), latch()];
      let started = 0;
      const held =
        (number: number) =>
        async (_request: unknown, { signal }: { signal: AbortSignal }) => {
          started++;
          await once(signal, "abort");
          aborted[number]?.open();
          return {};
        };
      const door = await serve({ say: held(0), exchange: held(1) });
      const cut = [
        reasonOf(connectPeers(door.address).call.say({})),
        reasonOf(connectCalls(addressesOf(door.address)).call({})),
      ];
      await until(async () => started === 2);
      await door.close(20);
      assert.deepEqual(await Promise.all(cut), ["ERROR_REASON_OUTCOME_UNKNOWN", "ERROR_REASON_OUTCOME_UNKNOWN"]);
      await Promise.all(aborted.map(({ promise }) => promise));
    });

    it("gives what may be repeated to another address", async () => {
      const started = latch();
      const hold = () => {
        started.open();
        return NEVER;
      };
      const leaving = await serve({ read: hold });
      const addresses = addressesOf(leaving.address);
      const peers = bed.followPeers(addresses);
      const call = peers.call.read({});
      await started.promise;
      const staying = await serve({ read: () => ({ text: "stays" }) });
      addresses.set(leaving.address, staying.address);
      await leaving.close(0);
      assert.equal((await call).text, "stays");
    });
  });

  it("is found by calls that came before it", async () => {
    const address = await deadAddress();
    const calls = connectCalls(addressesOf(address), { resend: true });
    const early = ["1", "2", "3"].map((text) => calls.call({ text }));
    const seen: string[] = [];
    const exchange = ({ text }: EchoItem) => {
      seen.push(text);
      return { text };
    };
    await serve({ exchange }, Number(address.split(":")[1]));
    const answers = await Promise.all([...early, calls.call({ text: "4" })]);
    assert.deepEqual(
      answers.map(({ text }) => text),
      ["1", "2", "3", "4"],
    );
    assert.deepEqual(seen, ["1", "2", "3", "4"]);
  });
});

describe("neighbours", () => {
  const neighbours = new Neighbours();
  const { connectCalls, connectPeers, serve } = echoBed(neighbours);

  it("hand requests and answers over", async () => {
    let got: SayRequest | EchoItem | undefined;
    const payload = new Uint8Array(3);
    const { address } = await serve({
      say: (request) => {
        got = request;
        return {};
      },
      exchange: (item) => {
        got = item;
        return { payload };
      },
    });
    const request = create(SayRequestSchema, { text: "the same" });
    await connectPeers(address).call.say(request);
    assert.equal(got, request);
    const item = create(EchoItemSchema, { text: "the same" });
    assert.equal((await connectCalls(addressesOf(address)).call(item)).payload, payload);
    assert.equal(got, item);
  });

  it("answer a chain of calls in one turn of the event loop", async () => {
    const last = await serve({ say: ({ text }) => ({ text }) });
    const lastPeers = connectPeers(last.address);
    const middle = await serve({ exchange: async ({ text }) => ({ text: (await lastPeers.call.say({ text })).text }) });
    const calls = connectCalls(addressesOf(middle.address));
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    await calls.call({ text: "a" });
    assert.equal(turned, false);
  });

  it("don't keep the event loop from turning, however many calls follow one another", async () => {
    const { address } = await serve({ exchange: echo });
    const calls = connectCalls(addressesOf(address));
    let turns = 0;
    const turn = () => {
      turns++;
      immediate = setImmediate(turn);
    };
    let immediate = setImmediate(turn);
    for (let i = 0; i < 1000; i++) await calls.call({ text: "a" });
    clearImmediate(immediate);
    assert.ok(turns >= 10);
  });

  it("have no more items of one caller in work than over a socket, and begin the others in their order", async () => {
    const begun: string[] = [];
    const go = latch();
    const exchange = async ({ text }: EchoItem) => {
      begun.push(text);
      await go.promise;
      return {};
    };
    const { address } = await serve({ exchange }, 0, { maxItemsInFlight: 3 });
    const calls = connectCalls(addressesOf(address));
    const texts = Array.from({ length: 50 }, (_, i) => String(i));
    const all = texts.map((text) => calls.call({ text }));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(begun, texts.slice(0, 3));
    go.open();
    await Promise.all(all);
    assert.deepEqual(begun, texts);
  });

  it("say OVERLOADED for what did not begin in time: it waits in their own process", async () => {
    const { address } = await serve({ exchange: () => NEVER }, 0, { maxItemsInFlight: 1 });
    const calls = connectCalls(addressesOf(address), { resend: true });
    const begun = reasonOf(calls.call({}, { timeoutMs: 100 }));
    const held = reasonOf(calls.call({}, { timeoutMs: 100 }));
    assert.deepEqual(await Promise.all([begun, held]), ["ERROR_REASON_OUTCOME_UNKNOWN", "ERROR_REASON_OVERLOADED"]);
  });

  it("are called over a socket by whoever is given none", async () => {
    const bed = echoBed();
    const { address } = await serve({ say: ({ text }) => ({ text }) });
    const request = create(SayRequestSchema, { text: "a" });
    assert.equal((await bed.connectPeers(address).call.say(request)).text, "a");
    bed.closeCallers();
  });

  it("are known by the addresses on which they listen", () => {
    assert.deepEqual(addressesOfDoor("127.0.0.1", 7), ["127.0.0.1:7", "localhost:7"]);
    assert.deepEqual(addressesOfDoor("::1", 7), ["[::1]:7", "localhost:7"]);
    assert.deepEqual(addressesOfDoor("10.1.2.3", 7), ["10.1.2.3:7"]);
    const everywhere = addressesOfDoor("0.0.0.0", 7);
    assert.ok(["127.0.0.1:7", "localhost:7"].every((address) => everywhere.includes(address)));
  });
});
