import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { type ApnsServer, startApnsServer } from "@oceanchat/tests/push-providers/apns-server";
import type { PushProvider } from "../../src/ports.ts";
import { type ApnsOptions, connectApns } from "../../src/providers/apns.ts";
import { deliveryId } from "../../src/providers/delivery-id.ts";
import { notification } from "../support/notification.ts";

const DEVICE = "ab".repeat(32);

describe("APNs", () => {
  let server: ApnsServer;
  let apns: PushProvider;

  const optionsFor = (changes: Partial<ApnsOptions> = {}): ApnsOptions => ({
    key: readFileSync(server.keyFile, "utf8"),
    keyId: server.keyId,
    teamId: server.teamId,
    topic: server.topic,
    host: "localhost",
    port: server.port,
    ca: readFileSync(server.caFile, "utf8"),
    ...changes,
  });

  beforeEach(async () => {
    server = await startApnsServer();
    apns = await connectApns(optionsFor());
  });
  afterEach(async () => {
    await apns.close();
    await server.close();
  });

  it("brings a notification to a device", async () => {
    const sent = notification();
    const id = deliveryId(sent.recordId, DEVICE);
    assert.deepEqual(await apns.send(DEVICE, sent), { kind: "sent", providerMessageId: id });
    const push = await server.untilRequest((request) => request.token === DEVICE);
    const { headers } = push;
    assert.equal(headers["apns-id"], id);
    assert.equal(headers["apns-collapse-id"], sent.collapseId);
    assert.equal(headers["apns-push-type"], "alert");
    assert.equal(headers["apns-priority"], "10");
    assert.equal(headers["apns-expiration"], String(Math.floor(sent.expiresAtMs / 1000)));
    assert.deepEqual(Object(push.body).aps.alert, { title: "Alice", body: "hello" });
  });

  it("wakes a device without showing anything", async () => {
    assert.equal((await apns.send(DEVICE, notification({ silent: true }))).kind, "sent");
    const push = server.requests[0];
    assert.equal(push?.headers["apns-push-type"], "background");
    assert.deepEqual(Object(push?.body).aps, { "content-available": 1 });
  });

  it("sends a long text within Apple's limit", async () => {
    assert.equal((await apns.send(DEVICE, notification({ body: "語".repeat(5000) }))).kind, "sent");
  });

  it("sends a repeat under the same id, so that it is recognised", async () => {
    const sent = notification();
    await apns.send(DEVICE, sent);
    await apns.send(DEVICE, sent);
    const [first, second] = server.requests;
    assert.equal(first?.headers["apns-id"], second?.headers["apns-id"]);
  });

  it("tells since when a token is no longer good", async () => {
    server.answer(DEVICE, { reason: "Unregistered", timestampMs: 1_700_000_000_000 });
    assert.deepEqual(await apns.send(DEVICE, notification()), { kind: "invalid-token", since: 1_700_000_000_000 });
    server.answer(DEVICE, { reason: "BadDeviceToken" });
    assert.deepEqual(await apns.send(DEVICE, notification()), { kind: "invalid-token" });
  });

  it("never makes a path of something that is no device token", async () => {
    assert.deepEqual(await apns.send("../../1/apps", notification()), { kind: "invalid-token" });
    assert.equal(server.requests.length, 0);
  });

  it("is told to send again later, once per attempt", async () => {
    server.answer(DEVICE, { reason: "TooManyRequests" });
    server.answer(DEVICE, { reason: "InternalServerError" });
    server.answer(DEVICE, { reason: "ServiceUnavailable" });
    const outcomes = [];
    for (let i = 0; i < 4; i += 1) outcomes.push(await apns.send(DEVICE, notification()));
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ["retry", "retry", "retry", "sent"],
    );
    assert.equal(server.requests.length, 4, "the library repeats nothing behind our back");
  });

  it("renews a stale provider token by itself, and gives up if that doesn't help", async () => {
    await apns.send(DEVICE, notification());
    server.expireProviderTokens();
    assert.equal((await apns.send(DEVICE, notification())).kind, "sent");
    server.answer(DEVICE, { reason: "ExpiredProviderToken" }, 2);
    const outcome = await apns.send(DEVICE, notification());
    assert.deepEqual(outcome, { kind: "retry", scope: "provider", afterMs: 60_000, reason: "ExpiredProviderToken" });
    assert.equal(server.requests.length, 5);
  });

  it("waits for its configuration to be put right when Apple doesn't know its key", async () => {
    const stranger = await connectApns(optionsFor({ keyId: "ZZZZZZZZZZ" }));
    const outcome = await stranger.send(DEVICE, notification());
    assert.deepEqual(outcome, { kind: "retry", scope: "provider", afterMs: 60_000, reason: "InvalidProviderToken" });
    await stranger.close();
  });

  it("gives up on what Apple will never take", async () => {
    const elsewhere = await connectApns(optionsFor({ topic: "app.other" }));
    assert.deepEqual(await elsewhere.send(DEVICE, notification()), { kind: "rejected", reason: "TopicDisallowed" });
    await elsewhere.close();
  });

  it("survives a cut connection and a restart of the other side", async () => {
    server.answer(DEVICE, "reset");
    const cut = await apns.send(DEVICE, notification());
    assert.deepEqual([cut.kind, "scope" in cut && cut.scope], ["retry", "provider"]);
    assert.equal((await apns.send(DEVICE, notification())).kind, "sent");
  });

  it("doesn't trust a server that its authority doesn't vouch for", async () => {
    const other = await startApnsServer();
    const careful = await connectApns(optionsFor({ ca: readFileSync(other.caFile, "utf8") }));
    const outcome = await careful.send(DEVICE, notification());
    assert.match("reason" in outcome ? outcome.reason : "", /certificate/);
    assert.equal(server.requests.length, 0);
    await careful.close();
    await other.close();
  });

  it("reports nobody at the address", async () => {
    await server.close();
    const outcome = await apns.send(DEVICE, notification());
    assert.match("reason" in outcome ? outcome.reason : "", /ECONNREFUSED/);
    server = await startApnsServer(); // for afterEach
  });

  it("leaves a connection that has fallen silent, and takes a new one", async () => {
    const hasty = await connectApns(optionsFor({ timeoutMs: 2000 })); // enough for a handshake on a busy machine
    server.answer(DEVICE, "hang");
    const outcome = await hasty.send(DEVICE, notification());
    assert.match("reason" in outcome ? outcome.reason : "", /apn write timeout|no answer within 2000 ms/);
    assert.equal((await hasty.send(DEVICE, notification())).kind, "sent");
    await hasty.close();
  });

  it("gives up in time when the other side doesn't even greet, and leaves no connection behind", async () => {
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket.on("error", () => undefined).resume()));
    await once(mute.listen(0, "127.0.0.1"), "listening");
    const address = mute.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const hasty = await connectApns(optionsFor({ port, timeoutMs: 1000 }));
    const outcome = await hasty.send(DEVICE, notification());
    assert.equal(outcome.kind, "retry");
    const [socket] = sockets;
    assert.ok(socket !== undefined);
    if (!socket.closed) await once(socket, "close");
    await hasty.close();
    mute.close();
  });
});
