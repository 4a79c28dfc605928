import assert from "node:assert/strict";
import type { SendOutcome } from "../../src/ports.ts";
import { createProvider } from "../../src/providers/adapter.ts";
import { notification } from "../support/notification.ts";

const SENT: SendOutcome = { kind: "sent", providerMessageId: "1" };

describe("createProvider", () => {
  /** An adapter whose attempts end when the test says so. */
  function manual() {
    const attempts: { end: (outcome: SendOutcome) => void; signal: AbortSignal }[] = [];
    let closed = 0;
    return {
      attempts,
      closed: () => closed,
      attempt: (_token: string, _notification: unknown, signal: AbortSignal) =>
        new Promise<SendOutcome>((end) => attempts.push({ end, signal })),
      close: async () => {
        closed += 1;
      },
    };
  }

  it("hands on what the adapter found out", async () => {
    const provider = createProvider("apns", { attempt: async () => SENT, close: async () => undefined }, {});
    assert.deepEqual(await provider.send("t1", notification()), SENT);
  });

  it("tries nothing that has expired", async () => {
    const adapter = manual();
    const provider = createProvider("apns", adapter, { now: () => 1000 });
    assert.deepEqual(await provider.send("t1", notification({ expiresAtMs: 1000 })), {
      kind: "rejected",
      reason: "expired",
    });
    assert.equal(adapter.attempts.length, 0);
  });

  it("reports what takes too long as unknown, and tells the adapter", async () => {
    const adapter = manual();
    const provider = createProvider("apns", adapter, { timeoutMs: 5 });
    const outcome = await provider.send("t1", notification());
    assert.deepEqual(outcome, { kind: "retry", scope: "provider", reason: "no answer within 5 ms" });
    assert.equal(adapter.attempts[0]?.signal.aborted, true);
  });

  it("turns away what is too much, and takes it again afterwards", async () => {
    const adapter = manual();
    const provider = createProvider("apns", adapter, { maxInFlight: 1 });
    const first = provider.send("t1", notification());
    const tooMany = { kind: "retry", scope: "local", reason: "too many sends under way" };
    assert.deepEqual(await provider.send("t1", notification()), tooMany);
    adapter.attempts[0]?.end(SENT);
    await first;
    const third = provider.send("t1", notification());
    adapter.attempts[1]?.end(SENT);
    assert.deepEqual(await third, SENT);
  });

  it("closes once, after what is under way, and takes nothing more", async () => {
    const adapter = manual();
    const provider = createProvider("apns", adapter, {});
    const under = provider.send("t1", notification());
    const closing = Promise.all([provider.close(), provider.close()]);
    assert.deepEqual(await provider.send("t1", notification()), { kind: "retry", scope: "local", reason: "closing" });
    assert.equal(adapter.closed(), 0);
    adapter.attempts[0]?.end(SENT);
    assert.deepEqual(await under, SENT);
    await closing;
    assert.equal(adapter.closed(), 1);
  });
});
