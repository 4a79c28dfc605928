import assert from "node:assert/strict";
import type { SendOutcome } from "../../src/ports.ts";
import { type ApnsFailure, apnsOutcome, apnsPayload } from "../../src/providers/apns-message.ts";
import { notification } from "../support/notification.ts";

describe("apnsPayload", () => {
  it("shows title and body, counts, groups by conversation, and carries the data beside `aps`", () => {
    const { recordId, conversationId, userId } = notification();
    assert.deepEqual(apnsPayload(notification()), {
      seq: "7",
      recordId,
      conversationId,
      userId,
      aps: {
        alert: { title: "Alice", body: "hello" },
        badge: 3,
        sound: "default",
        "thread-id": conversationId,
        "mutable-content": 1,
      },
    });
  });

  it("shows nothing when silent", () => {
    const payload = apnsPayload(notification({ silent: true }));
    assert.deepEqual(payload?.aps, { "content-available": 1 });
    assert.ok(!JSON.stringify(payload).includes("hello"));
  });

  it("can't be given another `aps` or another record by the data", () => {
    const payload = apnsPayload(notification({ data: { aps: "x", recordId: "y" } }));
    assert.equal(typeof payload?.aps, "object");
    assert.equal(payload?.recordId, notification().recordId);
  });

  it("cuts the body to 4096 bytes in all", () => {
    for (const letter of ["x", "é", "語", "👩🏽‍🚀", '"']) {
      const payload = JSON.stringify(apnsPayload(notification({ body: letter.repeat(5000) })));
      assert.ok(Buffer.byteLength(payload) <= 4096 && Buffer.byteLength(payload) > 4060, letter);
      assert.ok(payload.includes("…"));
    }
  });

  it("is none when the data alone is too large", () => {
    const data = { big: "x".repeat(4096) };
    assert.equal(apnsPayload(notification({ data })), undefined);
    assert.equal(apnsPayload(notification({ data, silent: true })), undefined);
  });
});

describe("apnsOutcome", () => {
  const refusal = (status: number, reason: string, more = {}): ApnsFailure => ({
    status,
    response: { reason, ...more },
  });
  const provider = { kind: "retry", scope: "provider" } as const;
  const rejected = (reason: string): SendOutcome => ({ kind: "rejected", reason });
  const cases: readonly [ApnsFailure, SendOutcome][] = [
    [refusal(400, "BadDeviceToken"), { kind: "invalid-token" }],
    [
      refusal(410, "Unregistered", { timestamp: 1_700_000_000_000 }),
      { kind: "invalid-token", since: 1_700_000_000_000 },
    ],
    [refusal(410, "ExpiredToken"), { kind: "invalid-token" }],
    // A wrong topic is a mistake in our configuration: it must not cost all users their tokens.
    [refusal(400, "DeviceTokenNotForTopic"), rejected("DeviceTokenNotForTopic")],
    [refusal(400, "BadTopic"), rejected("BadTopic")],
    [refusal(404, "BadPath"), rejected("BadPath")],
    [refusal(413, "PayloadTooLarge"), rejected("PayloadTooLarge")],
    [refusal(400, "IdleTimeout"), { ...provider, reason: "IdleTimeout" }],
    [refusal(403, "InvalidProviderToken"), { ...provider, afterMs: 60_000, reason: "InvalidProviderToken" }],
    [
      { status: 403, error: new Error("ExpiredProviderToken") },
      { ...provider, afterMs: 60_000, reason: "ExpiredProviderToken" },
    ],
    [refusal(429, "TooManyRequests"), { kind: "retry", scope: "device", reason: "TooManyRequests" }],
    [
      refusal(429, "TooManyProviderTokenUpdates"),
      { ...provider, afterMs: 1_200_000, reason: "TooManyProviderTokenUpdates" },
    ],
    [
      { status: 500, error: new Error("Error 500") },
      { ...provider, reason: "Error 500" },
    ],
    [refusal(503, "ServiceUnavailable"), { ...provider, reason: "ServiceUnavailable" }],
    [refusal(503, "Shutdown"), { ...provider, reason: "Shutdown" }],
    [{ error: new Error("apn write timeout") }, { ...provider, reason: "apn write timeout" }],
    [
      { status: "(aborted)", error: new Error("aborted") },
      { ...provider, reason: "aborted" },
    ],
    [{}, { ...provider, reason: "no reason given" }],
  ];
  for (const [failure, outcome] of cases) {
    it(`takes ${failure.status} ${failure.response?.reason ?? failure.error?.message} as ${outcome.kind}`, () => {
      assert.deepEqual(apnsOutcome(failure), outcome);
    });
  }
});
