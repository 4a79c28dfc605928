import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, cert, deleteApp, FirebaseAppError, initializeApp } from "firebase-admin/app";
import { FirebaseMessagingError, getMessaging } from "firebase-admin/messaging";
import jwt from "jsonwebtoken";
import { type FcmServer, startFcmServer } from "../fcm-server.ts";
import { asObject, jsonObject } from "../json.ts";

const DEVICE = "device-token-of-an-android-phone";

describe("the local FCM", () => {
  let server: FcmServer;
  let agent: Agent;

  before(async () => {
    server = await startFcmServer();
    // An agent's own host and port win over the request's: the certificate is still checked for Google's name.
    agent = new Agent({ host: "localhost", port: server.port, ca: readFileSync(server.caFile), keepAlive: true });
  });
  after(async () => {
    agent.destroy();
    await server.close();
  });
  beforeEach(() => server.acceptAll());

  async function post(url: string, body: string, headers: Record<string, string>) {
    const call = request(url, { method: "POST", agent, headers });
    call.end(body);
    const [response] = await once(call, "response");
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(Buffer.from(chunk));
    return { status: Number(response.statusCode), body: jsonObject(Buffer.concat(chunks)) ?? {} };
  }

  function account(): Record<string, unknown> {
    return jsonObject(readFileSync(server.serviceAccountFile)) ?? {};
  }

  interface Grant {
    readonly key?: string;
    readonly claims?: Record<string, unknown>;
    readonly grantType?: string;
    readonly expiresIn?: number;
  }

  function askToken({ key, claims, grantType, expiresIn = 3600 }: Grant = {}) {
    const scope = "https://www.googleapis.com/auth/firebase.messaging";
    const content = { iss: server.clientEmail, scope, aud: "https://oauth2.googleapis.com/token", ...claims };
    const assertion = jwt.sign(content, key ?? String(account().private_key), { algorithm: "RS256", expiresIn });
    const form = { grant_type: grantType ?? "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
    return post("https://oauth2.googleapis.com/token", new URLSearchParams(form).toString(), {});
  }

  async function sendAs(token: string, message: unknown, project = server.projectId) {
    const url = `https://fcm.googleapis.com/v1/projects/${project}/messages:send`;
    return post(url, JSON.stringify({ message }), { authorization: `Bearer ${token}` });
  }

  async function accessToken(): Promise<string> {
    return String((await askToken()).body.access_token);
  }

  it("gives an access token for a good assertion, and takes a message with it", async () => {
    const answer = await sendAs(await accessToken(), { token: DEVICE, notification: { title: "A", body: "hello" } });
    assert.equal(answer.status, 200);
    assert.match(String(answer.body.name), /^projects\/oceanchat-test\/messages\/0:/);
  });

  const otherKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const badGrants: readonly [string, string, Grant][] = [
    ["another key", "invalid_grant", { key: otherKey.export({ type: "pkcs8", format: "pem" }).toString() }],
    ["another account", "invalid_grant", { claims: { iss: "someone@else" } }],
    ["another audience", "invalid_grant", { claims: { aud: "https://example.org" } }],
    ["a life longer than an hour", "invalid_grant", { expiresIn: 7200 }],
    ["an assertion that has expired", "invalid_grant", { claims: { iat: 1_700_000_000 } }],
    ["another scope", "invalid_scope", { claims: { scope: "https://www.googleapis.com/auth/drive" } }],
    ["another grant", "unsupported_grant_type", { grantType: "password" }],
  ];
  for (const [what, error, grant] of badGrants) {
    it(`gives no access token for ${what}`, async () => {
      const answer = await askToken(grant);
      assert.deepEqual([answer.status, answer.body.error], [400, error]);
    });
  }

  const badMessages: readonly [string, number, string, unknown][] = [
    ["no message", 400, "INVALID_ARGUMENT", "text"],
    ["no recipient", 400, "INVALID_ARGUMENT", { data: {} }],
    ["two recipients", 400, "INVALID_ARGUMENT", { token: DEVICE, topic: "news" }],
    ["a token that is none", 400, "INVALID_ARGUMENT", { token: "a b" }],
    ["a field that doesn't exist", 400, "INVALID_ARGUMENT", { token: DEVICE, title: "A" }],
    ["data that is no text", 400, "INVALID_ARGUMENT", { token: DEVICE, data: { seq: 7 } }],
    ["a data key of Google's own", 400, "INVALID_ARGUMENT", { token: DEVICE, data: { from: "x" } }],
    ["a TTL of five weeks", 400, "INVALID_ARGUMENT", { token: DEVICE, android: { ttl: "3024000s" } }],
    ["too much data", 400, "INVALID_ARGUMENT", { token: DEVICE, data: { text: "x".repeat(4096) } }],
  ];
  for (const [what, status, canonical, message] of badMessages) {
    it(`refuses ${what}`, async () => {
      const answer = await sendAs(await accessToken(), message);
      assert.deepEqual([answer.status, asObject(answer.body.error)?.status], [status, canonical]);
    });
  }

  it("refuses a message without a valid access token, and to another project", async () => {
    assert.equal((await sendAs("ya29.made-up", { token: DEVICE })).status, 401);
    assert.equal((await sendAs(await accessToken(), { token: DEVICE }, "another")).status, 403);
    const token = await accessToken();
    server.revokeAccessTokens();
    assert.equal((await sendAs(token, { token: DEVICE })).status, 401);
  });

  describe("spoken to by firebase-admin", () => {
    let app: App;

    before(() => {
      const credential = cert(server.serviceAccountFile, agent);
      app = initializeApp({ credential, httpAgent: agent }, randomUUID());
    });
    after(() => deleteApp(app));

    it("accepts its message and records it", async () => {
      const token = "a-device-of-firebase-admin";
      const name = await getMessaging(app).send({ token, notification: { title: "A" }, android: { ttl: 60_000 } });
      assert.match(name, /^projects\/oceanchat-test\//);
      const push = await server.untilRequest((request) => request.token === token);
      assert.deepEqual(push.body, { token, notification: { title: "A" }, android: { ttl: "60s" } });
      assert.match(String(push.headers.authorization), /^Bearer ya29\./);
    });

    it("refuses in a shape that it understands", async () => {
      server.answer(DEVICE, { error: "UNREGISTERED" });
      await assert.rejects(getMessaging(app).send({ token: DEVICE }), (error) => {
        assert.ok(error instanceof FirebaseMessagingError);
        assert.equal(error.code, "messaging/registration-token-not-registered");
        assert.equal(error.httpResponse?.status, 404);
        return true;
      });
    });

    it("turns away a client that does not hold the key", async () => {
      const forged = { ...account(), private_key: otherKey.export({ type: "pkcs8", format: "pem" }).toString() };
      const folder = mkdtempSync(join(tmpdir(), "thief-"));
      const file = join(folder, "service-account.json"); // a file, as `cert` forgets the agent of an object
      writeFileSync(file, JSON.stringify(forged));
      const thief = initializeApp({ credential: cert(file, agent), httpAgent: agent }, randomUUID());
      await assert.rejects(getMessaging(thief).send({ token: DEVICE }), (error) => {
        assert.ok(error instanceof FirebaseAppError);
        assert.match(error.message, /invalid_grant/);
        return true;
      });
      await deleteApp(thief);
      rmSync(folder, { recursive: true });
    });
  });
});
