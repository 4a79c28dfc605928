import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { type FcmServer, startFcmServer } from "@oceanchat/tests/push-providers/fcm-server";
import type { PushProvider, SendOutcome } from "../../src/ports.ts";
import { connectFcm, type FcmOptions } from "../../src/providers/fcm.ts";
import { notification } from "../support/notification.ts";

const DEVICE = "device-token-of-an-android-phone";

describe("FCM", () => {
  let server: FcmServer;
  let fcm: PushProvider;

  const optionsFor = (changes: Partial<FcmOptions> = {}): FcmOptions => ({
    serviceAccount: readFileSync(server.serviceAccountFile, "utf8"),
    address: { host: "localhost", port: server.port },
    ca: readFileSync(server.caFile, "utf8"),
    ...changes,
  });

  beforeEach(async () => {
    server = await startFcmServer();
    fcm = await connectFcm(optionsFor());
  });
  afterEach(async () => {
    await fcm.close();
    await server.close();
  });

  const reasonOf = (outcome: SendOutcome): string => ("reason" in outcome ? outcome.reason : "");

  it("brings a notification to a device, with one access token for many", async () => {
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => fcm.send(DEVICE, notification())));
    for (const outcome of outcomes) {
      assert.equal(outcome.kind, "sent");
      assert.match(outcome.kind === "sent" ? outcome.providerMessageId : "", /^projects\/oceanchat-test\/messages\//);
    }
    assert.equal(server.tokensAsked, 1);
    const message = Object((await server.untilRequest((request) => request.token === DEVICE)).body);
    assert.deepEqual(message.notification, { title: "Alice", body: "hello" });
    assert.equal(message.data.recordId, notification().recordId);
    assert.equal(message.android.notification.tag, notification().collapseId);
    assert.match(message.android.ttl, /^\d+(\.\d+)?s$/);
    assert.equal(message.apns.payload.aps["thread-id"], notification().conversationId);
  });

  it("wakes a device without showing anything", async () => {
    assert.equal((await fcm.send(DEVICE, notification({ silent: true }))).kind, "sent");
    const message = Object(server.requests[0]?.body);
    assert.equal(message.notification, undefined);
    assert.equal(message.apns.payload.aps["content-available"], 1);
  });

  it("sends a long text within Google's limit", async () => {
    assert.equal((await fcm.send(DEVICE, notification({ body: "語".repeat(5000) }))).kind, "sent");
  });

  it("tells which tokens are good for nothing", async () => {
    server.answer(DEVICE, { error: "UNREGISTERED" });
    assert.deepEqual(await fcm.send(DEVICE, notification()), { kind: "invalid-token" });
    server.answer(DEVICE, { error: "SENDER_ID_MISMATCH" });
    assert.deepEqual(await fcm.send(DEVICE, notification()), { kind: "invalid-token" });
    assert.deepEqual(await fcm.send("no token at all", notification()), { kind: "invalid-token" });
  });

  it("is told to send again later, and how much later", async () => {
    server.answer(DEVICE, { error: "QUOTA_EXCEEDED", retryAfterSeconds: 7 });
    const quota = { kind: "retry", scope: "provider", afterMs: 7000, reason: "QUOTA_EXCEEDED: Quota exceeded." };
    assert.deepEqual(await fcm.send(DEVICE, notification()), quota);
    server.answer(DEVICE, { error: "QUOTA_EXCEEDED", device: DEVICE });
    assert.deepEqual(await fcm.send(DEVICE, notification()), { ...quota, scope: "device", afterMs: 60_000 });
    server.answer(DEVICE, { error: "INTERNAL" });
    assert.match(reasonOf(await fcm.send(DEVICE, notification())), /^INTERNAL/);
    server.answer(DEVICE, { status: 502, body: "<!DOCTYPE html><title>Error 502</title>" });
    assert.equal((await fcm.send(DEVICE, notification())).kind, "retry");
  });

  it("makes one request for each send, although the library would repeat it", async () => {
    server.answer(DEVICE, { error: "UNAVAILABLE" }, 5);
    const outcome = await fcm.send(DEVICE, notification());
    assert.deepEqual(outcome, { kind: "retry", scope: "provider", reason: "unavailable or cut off" });
    server.acceptAll();
    server.answer(DEVICE, "reset", 5);
    assert.deepEqual(await fcm.send(DEVICE, notification()), outcome);
    assert.equal(server.requests.length, 2);
    server.acceptAll();
    assert.equal((await fcm.send(DEVICE, notification())).kind, "sent");
  });

  it("makes no late request for a send that was reported as unknown", async () => {
    const hasty = await connectFcm(optionsFor({ timeoutMs: 300 }));
    await hasty.send(DEVICE, notification());
    server.answer(DEVICE, { error: "UNAVAILABLE", retryAfterSeconds: 1 });
    assert.equal(reasonOf(await hasty.send(DEVICE, notification())), "no answer within 300 ms");
    await assert.rejects(server.untilRequest((push) => server.requests.indexOf(push) > 1, 1200)); // it would come after 1 s
    await hasty.close();
  });

  it("gives up in time on a server that doesn't answer", async () => {
    const hasty = await connectFcm(optionsFor({ timeoutMs: 2000 })); // enough for a handshake on a busy machine
    server.answerTokenRequest("hang");
    assert.equal((await hasty.send(DEVICE, notification())).kind, "retry");
    server.answer(DEVICE, "hang");
    assert.equal((await hasty.send(DEVICE, notification())).kind, "retry");
    assert.equal((await hasty.send(DEVICE, notification())).kind, "sent");
    await hasty.close();
  });

  it("takes a new access token when Google no longer takes the old one", async () => {
    await fcm.send(DEVICE, notification());
    server.revokeAccessTokens();
    const outcomes = await Promise.all([1, 2, 3].map(() => fcm.send(DEVICE, notification())));
    for (const outcome of outcomes) assert.match(reasonOf(outcome), /^UNAUTHENTICATED/);
    assert.equal((await fcm.send(DEVICE, notification())).kind, "sent");
    assert.equal(server.tokensAsked, 2);
  });

  it("renews its access token before it expires", async () => {
    let now = Date.now();
    const patient = await connectFcm(optionsFor({ now: () => now }));
    await patient.send(DEVICE, notification());
    now += 54 * 60_000;
    await patient.send(DEVICE, notification({ expiresAtMs: now + 1000 }));
    assert.equal(server.tokensAsked, 1);
    now += 60_000;
    await patient.send(DEVICE, notification({ expiresAtMs: now + 1000 }));
    assert.equal(server.tokensAsked, 2);
    await patient.close();
  });

  it("tries again after the token endpoint was ill", async () => {
    server.answerTokenRequest({ status: 503, body: "ill" });
    assert.match(reasonOf(await fcm.send(DEVICE, notification())), /no access token: 503 ill/);
    assert.equal((await fcm.send(DEVICE, notification())).kind, "sent");
  });

  it("is nobody without the account's key, and never shows the key it has", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const account = JSON.parse(readFileSync(server.serviceAccountFile, "utf8"));
    account.private_key = privateKey.export({ type: "pkcs8", format: "pem" });
    const thief = await connectFcm(optionsFor({ serviceAccount: JSON.stringify(account) }));
    const outcome = await thief.send(DEVICE, notification());
    assert.match(reasonOf(outcome), /invalid_grant/);
    assert.ok(!JSON.stringify(outcome).includes("PRIVATE"));
    await thief.close();
  });

  it("doesn't trust a server that its authority doesn't vouch for", async () => {
    const other = await startFcmServer();
    const careful = await connectFcm(optionsFor({ ca: readFileSync(other.caFile, "utf8") }));
    assert.match(reasonOf(await careful.send(DEVICE, notification())), /certificate/);
    assert.equal(server.tokensAsked, 0);
    await careful.close();
    await other.close();
  });

  it("reports nobody at the address", async () => {
    await fcm.send(DEVICE, notification());
    await server.close();
    assert.match(reasonOf(await fcm.send(DEVICE, notification())), /ECONNREFUSED|cut off/);
    server = await startFcmServer(); // for afterEach
  });
});
