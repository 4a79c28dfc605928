import assert from "node:assert/strict";
import type { SendOutcome } from "../../src/ports.ts";
import { type FcmFailure, fcmMessage, fcmOutcome, isUnauthenticated } from "../../src/providers/fcm-message.ts";
import { notification } from "../support/notification.ts";

const NOW = 1_800_000_000_000;

describe("fcmMessage", () => {
  const later = { expiresAtMs: NOW + 60_000 };

  it("says the same to Android, Apple and the web", () => {
    const { recordId, conversationId, userId, collapseId } = notification();
    assert.deepEqual(fcmMessage("t1", notification(later), NOW), {
      token: "t1",
      data: { seq: "7", recordId, conversationId, userId },
      notification: { title: "Alice", body: "hello" },
      android: { priority: "high", ttl: 60_000, notification: { tag: collapseId, notificationCount: 3 } },
      apns: {
        headers: {
          "apns-collapse-id": collapseId,
          "apns-expiration": String(NOW / 1000 + 60),
          "apns-push-type": "alert",
          "apns-priority": "10",
        },
        payload: { aps: { badge: 3, sound: "default", threadId: conversationId, mutableContent: true } },
      },
      webpush: { headers: { TTL: "60", Urgency: "high" }, notification: { tag: collapseId } },
    });
  });

  it("shows nothing when silent", () => {
    const message = fcmMessage("t1", notification({ ...later, silent: true }), NOW);
    assert.ok(!JSON.stringify(message).includes("hello"));
    assert.equal(message?.notification, undefined);
    assert.deepEqual(message?.android, { priority: "normal", ttl: 60_000 });
    assert.deepEqual(message?.apns?.payload, { aps: { contentAvailable: true } });
  });

  it("uses no collapse key, of which FCM keeps only four for a device that is off", () => {
    assert.ok(!JSON.stringify(fcmMessage("t1", notification(later), NOW)).includes("collapseKey"));
  });

  it("asks for at most the 28 days that FCM keeps anything", () => {
    assert.equal(fcmMessage("t1", notification({ expiresAtMs: NOW * 2 }), NOW)?.android?.ttl, 28 * 86_400_000);
  });

  it("cuts the body so that the message stays within 4096 bytes, and gives up on data that doesn't", () => {
    const message = JSON.stringify(fcmMessage("", notification({ ...later, body: "語".repeat(5000) }), NOW));
    assert.ok(Buffer.byteLength(message) <= 4096 && Buffer.byteLength(message) > 4080);
    assert.equal(fcmMessage("t1", notification({ ...later, data: { big: "x".repeat(4096) } }), NOW), undefined);
  });
});

describe("fcmOutcome", () => {
  const fcmError = (errorCode: string): object => ({
    "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
    errorCode,
  });
  const wrongField = (field: string): object => ({
    "@type": "type.googleapis.com/google.rpc.BadRequest",
    fieldViolations: [{ field }],
  });
  const answer = (
    status: number,
    canonical: string,
    details: object[] = [],
    headers = {},
    message = "m",
  ): FcmFailure => ({
    code: "messaging/whatever",
    httpResponse: { status, headers, data: { error: { code: status, status: canonical, message, details } } },
  });
  const provider = { kind: "retry", scope: "provider" } as const;
  const cases: readonly [string, FcmFailure, SendOutcome][] = [
    ["an unregistered token", answer(404, "NOT_FOUND", [fcmError("UNREGISTERED")]), { kind: "invalid-token" }],
    [
      "another sender's token",
      answer(403, "PERMISSION_DENIED", [fcmError("SENDER_ID_MISMATCH")]),
      { kind: "invalid-token" },
    ],
    [
      "a token that is none",
      answer(400, "INVALID_ARGUMENT", [fcmError("INVALID_ARGUMENT"), wrongField("message.token")]),
      { kind: "invalid-token" },
    ],
    [
      "a token that is none, told in words only",
      answer(400, "INVALID_ARGUMENT", [], {}, "The registration token is not a valid FCM registration token"),
      { kind: "invalid-token" },
    ],
    // The library gives the next two the same codes as a lost token; taken so, they would cost every user his token.
    [
      "a missing permission",
      answer(403, "PERMISSION_DENIED"),
      { ...provider, afterMs: 60_000, reason: "PERMISSION_DENIED: m" },
    ],
    ["a project that is gone", answer(404, "NOT_FOUND"), { ...provider, afterMs: 60_000, reason: "NOT_FOUND: m" }],
    [
      "a wrong message",
      answer(400, "INVALID_ARGUMENT", [wrongField("message.data")]),
      { kind: "rejected", reason: "INVALID_ARGUMENT: m" },
    ],
    ["a refused access token", answer(401, "UNAUTHENTICATED"), { ...provider, reason: "UNAUTHENTICATED: m" }],
    [
      "Apple's key missing at Google",
      answer(401, "UNAUTHENTICATED", [fcmError("THIRD_PARTY_AUTH_ERROR")]),
      { kind: "retry", scope: "device", afterMs: 60_000, reason: "THIRD_PARTY_AUTH_ERROR: m" },
    ],
    [
      "a full quota",
      answer(429, "RESOURCE_EXHAUSTED", [fcmError("QUOTA_EXCEEDED")]),
      { ...provider, afterMs: 60_000, reason: "QUOTA_EXCEEDED: m" },
    ],
    [
      "a device's own full quota, with the time to wait",
      answer(429, "RESOURCE_EXHAUSTED", [{ violations: [{ subject: "device:t1" }] }], { "retry-after": "7" }),
      { kind: "retry", scope: "device", afterMs: 7_000, reason: "RESOURCE_EXHAUSTED: m" },
    ],
    ["an error inside", answer(500, "INTERNAL", [fcmError("INTERNAL")]), { ...provider, reason: "INTERNAL: m" }],
    [
      "a date to wait for",
      answer(503, "UNAVAILABLE", [], { "retry-after": new Date(NOW + 9_000).toUTCString() }),
      { ...provider, afterMs: 9_000, reason: "UNAVAILABLE: m" },
    ],
    [
      "a page in HTML",
      { code: "messaging/unknown-error", httpResponse: { status: 502, headers: {}, data: "<html>" } },
      { ...provider, reason: "unknown: " },
    ],
    [
      "no network",
      { code: "app/network-error", message: "m", cause: new Error("connect ECONNREFUSED") },
      { ...provider, reason: "connect ECONNREFUSED" },
    ],
    ["no access token", { code: "app/invalid-credential", message: "m" }, { ...provider, reason: "m" }],
    [
      "what the library won't even send",
      { code: "messaging/invalid-payload", message: "m" },
      { kind: "rejected", reason: "m" },
    ],
  ];
  for (const [what, failure, outcome] of cases) {
    it(`takes ${what} as ${outcome.kind}`, () => assert.deepEqual(fcmOutcome(failure, NOW), outcome));
  }

  it("asks for a new access token only when Google refuses ours", () => {
    assert.ok(isUnauthenticated(answer(401, "UNAUTHENTICATED")));
    assert.ok(!isUnauthenticated(answer(401, "UNAUTHENTICATED", [fcmError("THIRD_PARTY_AUTH_ERROR")])));
    assert.ok(!isUnauthenticated(answer(403, "PERMISSION_DENIED")));
  });
});
