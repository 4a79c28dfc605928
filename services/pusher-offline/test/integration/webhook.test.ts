import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { PushProvider } from "../../src/ports.ts";
import { deliveryId } from "../../src/providers/delivery-id.ts";
import { connectWebhook } from "../../src/providers/webhook.ts";
import { notification } from "../support/notification.ts";

const SECRET = "a secret of sixteen bytes or more";

describe("webhook", () => {
  let server: Server;
  let url: string;
  let webhook: PushProvider;
  let requests: { headers: IncomingHttpHeaders; body: string; path: string | undefined }[];
  let answer: (response: ServerResponse) => void;

  beforeEach(async () => {
    requests = [];
    answer = (response) => response.writeHead(204).end();
    server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        requests.push({ headers: request.headers, body, path: request.url });
        answer(response);
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/in`;
    webhook = await connectWebhook({ url, secret: SECRET });
  });
  afterEach(async () => {
    await webhook.close();
    server.closeAllConnections();
    server.close();
  });

  it("posts the notification with a signature that the receiver can check", async () => {
    const sent = notification();
    const id = deliveryId(sent.recordId, "t1");
    assert.deepEqual(await webhook.send("t1", sent), { kind: "sent", providerMessageId: id });
    const [request] = requests;
    assert.ok(request !== undefined);
    const [, seconds, signature] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request.headers["oceanchat-signature"])) ?? [];
    assert.equal(signature, createHmac("sha256", SECRET).update(`${seconds}.${request.body}`).digest("hex"));
    assert.ok(Math.abs(Number(seconds) - Date.now() / 1000) < 5);
    assert.equal(request.headers["idempotency-key"], id);
    const { expiresAtMs, ...rest } = sent;
    const expected = { deliveryId: id, token: "t1", ...rest, expireTime: new Date(expiresAtMs).toISOString() };
    assert.deepEqual(JSON.parse(request.body), expected);
  });

  it("keeps what is silent to itself", async () => {
    await webhook.send("t1", notification({ silent: true }));
    assert.ok(!String(requests[0]?.body).includes("hello"));
  });

  it("follows no redirect", async () => {
    answer = (response) => response.writeHead(307, { location: `${url}/elsewhere` }).end();
    assert.deepEqual(await webhook.send("t1", notification()), { kind: "rejected", reason: "status 307" });
    assert.deepEqual(
      requests.map(({ path }) => path),
      ["/in"],
    );
  });

  it("is told to send again later", async () => {
    answer = (response) => response.writeHead(503, { "retry-after": "3" }).end("busy");
    const outcome = await webhook.send("t1", notification());
    assert.deepEqual(outcome, { kind: "retry", scope: "provider", afterMs: 3000, reason: "status 503" });
  });

  it("doesn't wait for ever, neither for an answer nor for the end of one", async () => {
    answer = () => undefined;
    const hasty = await connectWebhook({ url, secret: SECRET, timeoutMs: 300 });
    const late = { kind: "retry", scope: "provider", reason: "no answer within 300 ms" };
    assert.deepEqual(await hasty.send("t1", notification()), late);
    await hasty.close();
    answer = (response) => response.writeHead(200).write("and so on");
    assert.equal((await webhook.send("t1", notification())).kind, "sent");
  });

  it("survives a cut connection", async () => {
    answer = (response) => response.destroy();
    const outcome = await webhook.send("t1", notification());
    assert.deepEqual([outcome.kind, "scope" in outcome && outcome.scope], ["retry", "provider"]);
    answer = (response) => response.writeHead(200).end();
    assert.equal((await webhook.send("t1", notification())).kind, "sent");
  });
});
