import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import apn from "@parse/node-apn";
import jwt from "jsonwebtoken";
import type { ApnsReason } from "../apns-rules.ts";
import { type ApnsServer, startApnsServer } from "../apns-server.ts";
import { jsonObject } from "../json.ts";

const DEVICE = "ab".repeat(32);

describe("the local APNs", () => {
  let server: ApnsServer;
  let session: ClientHttp2Session;

  before(async () => {
    server = await startApnsServer();
    session = connect(`https://${server.host}`, { ca: readFileSync(server.caFile) });
    await once(session, "connect");
  });
  after(async () => {
    session.destroy();
    await server.close();
  });
  beforeEach(() => server.acceptAll());

  interface Changes {
    readonly key?: string;
    readonly claims?: Record<string, unknown>;
    readonly kid?: string;
    readonly algorithm?: jwt.Algorithm;
    readonly headers?: Record<string, string | undefined>;
    readonly body?: string;
    readonly path?: string;
    readonly method?: string;
  }

  function providerToken({ key, claims, kid, algorithm }: Changes): string {
    const secret = key ?? readFileSync(server.keyFile, "utf8");
    const header = { alg: algorithm ?? "ES256", kid: kid ?? server.keyId };
    return jwt.sign({ iss: server.teamId, ...claims }, secret, { algorithm: algorithm ?? "ES256", header });
  }

  /** Sends a good request but for the changes and tells what came back. */
  async function post(changes: Changes = {}): Promise<{ status: number; reason: unknown; apnsId: unknown }> {
    const headers: Record<string, string> = {
      ":method": changes.method ?? "POST",
      ":path": changes.path ?? `/3/device/${DEVICE}`,
    };
    const named: Record<string, string | undefined> = {
      authorization: `bearer ${providerToken(changes)}`,
      "apns-topic": server.topic,
      "apns-push-type": "alert",
      "apns-priority": "10",
      ...changes.headers,
    };
    for (const [name, value] of Object.entries(named)) if (value !== undefined) headers[name] = value;
    const stream = session.request(headers);
    stream.end(changes.body ?? '{"aps":{"alert":"hello"}}');
    const [answer] = await once(stream, "response");
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(Buffer.from(chunk));
    return { status: answer[":status"], reason: jsonObject(Buffer.concat(chunks))?.reason, apnsId: answer["apns-id"] };
  }

  it("accepts a good request and returns its apns-id", async () => {
    const id = randomUUID();
    assert.deepEqual(await post({ headers: { "apns-id": id } }), { status: 200, reason: undefined, apnsId: id });
  });

  it("makes an apns-id for a request without one", async () => {
    assert.match(String((await post()).apnsId), /^[0-9A-F-]{36}$/);
  });

  const otherKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const pemOf = (key: typeof otherKey) => key.export({ type: "pkcs8", format: "pem" }).toString();
  const nowS = () => Math.floor(Date.now() / 1000);
  const refused: readonly [string, number, ApnsReason, () => Changes][] = [
    ["no provider token", 403, "MissingProviderToken", () => ({ headers: { authorization: undefined } })],
    ["another scheme", 403, "InvalidProviderToken", () => ({ headers: { authorization: "basic abc" } })],
    [
      "a provider token that is no JWT",
      403,
      "InvalidProviderToken",
      () => ({ headers: { authorization: "bearer abc" } }),
    ],
    ["another key's signature", 403, "InvalidProviderToken", () => ({ key: pemOf(otherKey) })],
    [
      "an HMAC under the public key's name",
      403,
      "InvalidProviderToken",
      () => ({ key: "x".repeat(64), algorithm: "HS256" }),
    ],
    ["another key id", 403, "InvalidProviderToken", () => ({ kid: "ZZZZZZZZZZ" })],
    ["another team", 403, "InvalidProviderToken", () => ({ claims: { iss: "OTHERTEAM1" } })],
    ["a provider token older than an hour", 403, "ExpiredProviderToken", () => ({ claims: { iat: nowS() - 3700 } })],
    ["no topic", 400, "MissingTopic", () => ({ headers: { "apns-topic": undefined } })],
    ["another topic", 400, "TopicDisallowed", () => ({ headers: { "apns-topic": "app.other" } })],
    ["no push type", 400, "InvalidPushType", () => ({ headers: { "apns-push-type": undefined } })],
    ["an unknown push type", 400, "InvalidPushType", () => ({ headers: { "apns-push-type": "chat" } })],
    ["an unknown priority", 400, "BadPriority", () => ({ headers: { "apns-priority": "7" } })],
    ["a hurried background push", 400, "BadPriority", () => ({ headers: { "apns-push-type": "background" } })],
    ["an apns-id that is no UUID", 400, "BadMessageId", () => ({ headers: { "apns-id": "17" } })],
    ["an expiration that is no time", 400, "BadExpirationDate", () => ({ headers: { "apns-expiration": "soon" } })],
    ["a collapse id of 65 bytes", 400, "BadCollapseId", () => ({ headers: { "apns-collapse-id": "x".repeat(65) } })],
    ["an empty payload", 400, "PayloadEmpty", () => ({ body: "" })],
    ["a payload of 4097 bytes", 413, "PayloadTooLarge", () => ({ body: `{"aps":{"alert":"${"x".repeat(4077)}"}}` })],
    ["a device token that is not hexadecimal", 400, "BadDeviceToken", () => ({ path: `/3/device/${"zz".repeat(32)}` })],
    ["no device token", 400, "MissingDeviceToken", () => ({ path: "/3/device/" })],
    ["another path", 404, "BadPath", () => ({ path: "/4/device" })],
    ["another method", 405, "MethodNotAllowed", () => ({ method: "PUT" })],
  ];
  for (const [what, status, reason, changes] of refused) {
    it(`refuses ${what} with ${status} ${reason}`, async () => {
      const answer = await post(changes());
      assert.deepEqual([answer.status, answer.reason], [status, reason]);
      assert.equal(server.requests.at(-1)?.reason, reason);
    });
  }

  it("accepts a payload of 4096 bytes and a collapse id of 64", async () => {
    const body = `{"aps":{"alert":"${"x".repeat(4076)}"}}`;
    assert.equal(Buffer.byteLength(body), 4096);
    assert.equal((await post({ body, headers: { "apns-collapse-id": "x".repeat(64) } })).status, 200);
  });

  it("answers what it was told to, as often as it was told", async () => {
    server.answer(DEVICE, { reason: "Unregistered", timestampMs: 1_700_000_000_000 });
    assert.equal((await post()).status, 410);
    assert.equal((await post()).status, 200);
  });

  it("reports a request to those who wait for it, and gives up in time", async () => {
    const other = "cd".repeat(32);
    const waiting = server.untilRequest((push) => push.token === other);
    await post({ path: `/3/device/${other}` });
    assert.equal((await waiting).status, 200);
    await assert.rejects(
      server.untilRequest(() => false, 20),
      /no such push request within 20 ms/,
    );
  });

  it("cuts the connection when it was told to", async () => {
    const own = connect(`https://${server.host}`, { ca: readFileSync(server.caFile) });
    own.on("error", () => undefined); // this is what is asked for
    server.answer(DEVICE, "reset");
    const headers = {
      "apns-topic": server.topic,
      "apns-push-type": "alert",
      authorization: `bearer ${providerToken({})}`,
    };
    const stream = own.request({ ":method": "POST", ":path": `/3/device/${DEVICE}`, ...headers });
    stream.on("error", () => undefined);
    stream.end('{"aps":{}}');
    await once(own, "close");
    assert.equal(server.requests.at(-1)?.reason, "reset");
  });
});

describe("@parse/node-apn against the local APNs", () => {
  let server: ApnsServer;
  let provider: apn.Provider;

  before(async () => {
    server = await startApnsServer();
    const { keyId, teamId, port } = server;
    provider = new apn.Provider({
      token: { key: server.keyFile, keyId, teamId },
      address: "localhost",
      port,
      ca: [server.caFile],
      connectionRetryLimit: 1,
    });
  });
  after(async () => {
    await new Promise<void>((resolve) => void provider.shutdown(resolve));
    await server.close();
  });

  it("gets its notification accepted, and the request is recorded as sent", async () => {
    const notification = new apn.Notification({
      topic: server.topic,
      pushType: "alert",
      alert: "hello",
      collapseId: "r1",
    });
    const result = await provider.send(notification, DEVICE);
    assert.deepEqual(result.failed, []);
    const push = await server.untilRequest((request) => request.token === DEVICE);
    assert.equal(push.headers["apns-collapse-id"], "r1");
    assert.deepEqual(push.body, { aps: { alert: "hello" } });
  });

  it("is told what is wrong", async () => {
    const result = await provider.send(new apn.Notification({ pushType: "alert", alert: "hello" }), DEVICE);
    assert.equal(result.failed[0]?.status, 400);
    assert.equal(result.failed[0]?.response?.reason, "MissingTopic");
  });

  it("signs a new provider token when the old one is stale", async () => {
    server.expireProviderTokens();
    const result = await provider.send(
      new apn.Notification({ topic: server.topic, pushType: "alert", alert: "x" }),
      DEVICE,
    );
    assert.equal(result.sent.length, 1);
    const [stale, fresh] = server.requests.slice(-2);
    assert.equal(stale?.reason, "ExpiredProviderToken");
    assert.equal(fresh?.status, 200);
  });
});
