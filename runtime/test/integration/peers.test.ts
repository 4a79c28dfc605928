import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { Code } from "@connectrpc/connect";
import { ServiceError, shared } from "@oceanchat/runtime/fail";
import type { CallContext } from "@oceanchat/runtime/handlers";
import { bothWays, NEVER, until } from "../support/echo-bed.ts";
import { addressesOf, deadAddress, latch, reasonOf } from "../support/echo-door.ts";

bothWays("peers", ({ connectPeers: connect, followPeers: follow, listen, serve, serveNumbered }) => {
  it("calls a unary method and passes the trace and request id on", async () => {
    let seen: CallContext | undefined;
    const { address } = await serve({
      say: ({ text }, context) => {
        seen = context;
        return { text: `${text}!` };
      },
    });
    const answer = await connect(address).call.say({ text: "hi" }, { traceparent: "00-1-2-01", requestId: "r1" });
    assert.equal(answer.text, "hi!");
    assert.deepEqual([seen?.traceparent, seen?.requestId], ["00-1-2-01", "r1"]);
  });

  it("rejects with the error of the service, whole", async () => {
    const error = new ServiceError(Code.FailedPrecondition, "GONE", "echo.oceanchat", "it is gone", {
      metadata: { id: "7" },
      retryAfterMs: 40,
      violations: [{ field: "text", description: "wrong" }],
    });
    const { address } = await serve({ say: () => Promise.reject(error) });
    await assert.rejects(connect(address).call.say({}), (thrown: ServiceError) => {
      const { code, reason, domain, message, metadata, retryAfterMs, violations } = thrown;
      const { name: _name, ...sent } = { ...error, message: error.message };
      assert.deepEqual({ code, reason, domain, metadata, retryAfterMs, violations, message }, sent);
      return thrown instanceof ServiceError;
    });
  });

  it("rejects with UNIMPLEMENTED what the peer does not have", async () => {
    const { address } = await serve({});
    assert.equal(await reasonOf(connect(address).call.say({})), "ERROR_REASON_UNIMPLEMENTED");
  });

  describe("choice of address", () => {
    it("takes turns without a key", async () => {
      const doors = await serveNumbered(3);
      const peers = connect(...doors.map(({ address }) => address));
      const texts = [];
      for (let i = 0; i < 6; i++) texts.push((await peers.call.say({})).text);
      assert.deepEqual(texts, ["0", "1", "2", "0", "1", "2"]);
    });

    it("stays with one address per key, and spreads the keys", async () => {
      const doors = await serveNumbered(3);
      const addresses = doors.map(({ address }) => address);
      const [one, other] = [connect(...addresses), connect(...addresses.toReversed())];
      const used = new Set<string>();
      for (let i = 0; i < 40; i++) {
        const key = `user-${i}`;
        const { text } = await one.call.say({}, { key });
        used.add(text);
        assert.equal((await other.call.say({}, { key })).text, text);
      }
      assert.equal(used.size, 3);
    });

    it("calls exactly the address that is asked for, and no other when it is dead", async () => {
      const [first, second] = await serveNumbered(2);
      const dead = await deadAddress();
      const peers = connect(first?.address ?? "");
      assert.equal((await peers.call.say({}, { address: second?.address ?? "" })).text, "1");
      assert.equal(await reasonOf(peers.call.say({}, { address: dead })), "ERROR_REASON_UNAVAILABLE");
    });

    it("goes past addresses where nothing listens", async () => {
      const [door] = await serveNumbered(1);
      const peers = connect(await deadAddress(), door?.address ?? "", await deadAddress());
      for (let i = 0; i < 4; i++) assert.equal((await peers.call.say({})).text, "0");
    });

    it("goes past an address that does not answer at all", async () => {
      const mute = await listen(createServer());
      const [door] = await serveNumbered(1);
      const peers = connect(mute, door?.address ?? "");
      assert.equal((await peers.call.say({})).text, "0");
    });

    it("is UNAVAILABLE when no address can be reached, and when there is none", async () => {
      assert.equal(await reasonOf(connect(await deadAddress()).call.say({})), "ERROR_REASON_UNAVAILABLE");
      assert.equal(await reasonOf(connect().call.say({})), "ERROR_REASON_UNAVAILABLE");
    });

    it("leaves an address that stops serving and returns to it", async () => {
      const [first, second] = await serveNumbered(2);
      const peers = connect(first?.address ?? "", second?.address ?? "");
      const texts = async () => new Set([(await peers.call.say({})).text, (await peers.call.say({})).text]);
      assert.equal((await texts()).size, 2);
      first?.setServing(false);
      await until(async () => (await texts()).size === 1);
      first?.setServing(true);
      await until(async () => (await texts()).size === 2);
    });

    it("finds an address again that was restarted", async () => {
      const door = await serve({ say: () => ({ text: "old" }) });
      const peers = connect(door.address);
      assert.equal((await peers.call.say({})).text, "old");
      await door.close(0);
      await until(async () => (await reasonOf(peers.call.say({}))) === "ERROR_REASON_UNAVAILABLE");
      await serve({ say: () => ({ text: "new" }) }, door.port);
      await until(async () => (await reasonOf(peers.call.say({}))) === "no error");
      assert.equal((await peers.call.say({})).text, "new");
    });

    it("waits for a service that is being restarted", async () => {
      const door = await serve({ say: () => ({ text: "old" }) });
      const peers = connect(door.address);
      assert.equal((await peers.call.say({})).text, "old");
      await door.close(0);
      // Known to be down: what is called now waits.
      await until(async () => (await reasonOf(peers.call.say({}, { timeoutMs: 10 }))) === "ERROR_REASON_UNAVAILABLE");
      const calls = Array.from({ length: 20 }, () => peers.call.say({}));
      await serve({ say: () => ({ text: "new" }) }, door.port);
      assert.deepEqual(new Set((await Promise.all(calls)).map(({ text }) => text)), new Set(["new"]));
    });

    it("lets those go who wait for a service when it closes", async () => {
      const peers = connect(await deadAddress());
      assert.equal(await reasonOf(peers.call.say({}, { timeoutMs: 10 })), "ERROR_REASON_UNAVAILABLE");
      const call = reasonOf(peers.call.say({}));
      peers.close();
      assert.equal(await call, "ERROR_REASON_UNAVAILABLE");
    });

    it("follows a change of the addresses", async () => {
      const [first, second] = await serveNumbered(2);
      const addresses = addressesOf(first?.address ?? "");
      const peers = follow(addresses);
      assert.equal((await peers.call.say({})).text, "0");
      addresses.set(second?.address ?? "");
      for (let i = 0; i < 3; i++) assert.equal((await peers.call.say({})).text, "1");
    });
  });

  describe("deadlines", () => {
    it("gives up in time: the outcome is unknown", async () => {
      const { address } = await serve({ say: () => NEVER, read: () => ({}) });
      const peers = connect(address);
      await peers.call.read({}); // connected: what comes now is sent in time
      const before = performance.now();
      assert.equal(await reasonOf(peers.call.say({}, { timeoutMs: 100 })), "ERROR_REASON_OUTCOME_UNKNOWN");
      assert.ok(performance.now() - before < 2000);
    });

    it("has a default", async () => {
      const { address } = await serve({ say: () => NEVER, read: () => ({}) });
      const peers = follow(addressesOf(address), 100);
      await peers.call.read({}, { timeoutMs: 8000 });
      assert.equal(await reasonOf(peers.call.say({})), "ERROR_REASON_OUTCOME_UNKNOWN");
    });

    it("ends with the caller's signal", async () => {
      const [started, aborted] = [latch(), latch()];
      const { address } = await serve({
        say: async (_request, { signal }) => {
          started.open();
          await once(signal, "abort");
          aborted.open();
          return {};
        },
      });
      const stop = new AbortController();
      const call = reasonOf(connect(address).call.say({}, { signal: stop.signal }));
      await started.promise;
      stop.abort();
      assert.equal(await call, "ERROR_REASON_OUTCOME_UNKNOWN");
      await aborted.promise;
    });
  });

  describe("server streams", () => {
    it("gives each message", async () => {
      const { address } = await serve({
        async *count({ to }) {
          for (let value = 1; value <= to; value++) yield { value };
        },
      });
      const values = [];
      for await (const { value } of connect(address).call.count({ to: 2000 })) values.push(value);
      assert.deepEqual(
        values,
        Array.from({ length: 2000 }, (_, i) => i + 1),
      );
    });

    it("throws the error of the service after what came before", async () => {
      const { address } = await serve({
        async *count() {
          yield { value: 1 };
          throw shared.rateLimited(10);
        },
      });
      const values: number[] = [];
      const reading = async () => {
        for await (const { value } of connect(address).call.count({})) values.push(value);
      };
      assert.equal(await reasonOf(reading()), "ERROR_REASON_RATE_LIMITED");
      assert.deepEqual(values, [1]);
    });

    it("tells the service when the caller stops reading", async () => {
      const aborted = latch();
      const { address } = await serve({
        async *count(_request, { signal }) {
          signal.addEventListener("abort", () => aborted.open());
          for (let value = 1; ; value++) yield { value };
        },
      });
      for await (const { value } of connect(address).call.count({})) if (value === 3) break;
      await aborted.promise;
    });

    it("has a deadline", async () => {
      const { address } = await serve({
        async *count() {
          yield { value: 1 };
          await NEVER;
        },
        read: () => ({}),
      });
      const peers = connect(address);
      await peers.call.read({});
      const reading = async () => {
        for await (const _ of peers.call.count({}, { timeoutMs: 100 }));
      };
      assert.equal(await reasonOf(reading()), "ERROR_REASON_OUTCOME_UNKNOWN");
    });

    it("is UNAVAILABLE when no address can be reached", async () => {
      const reading = async () => {
        for await (const _ of connect().call.count({}));
      };
      assert.equal(await reasonOf(reading()), "ERROR_REASON_UNAVAILABLE");
    });
  });
});
