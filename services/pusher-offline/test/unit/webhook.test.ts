import assert from "node:assert/strict";
import { connectWebhook, signatureOf, webhookOutcome } from "../../src/providers/webhook.ts";

const SECRET = "a secret of sixteen bytes or more";

describe("webhook", () => {
  it("signs time and body", () => {
    // echo -n '1800000000.{}' | openssl dgst -sha256 -hmac 'a secret of sixteen bytes or more'
    assert.equal(
      signatureOf(SECRET, 1_800_000_000, "{}"),
      "t=1800000000,v1=4d4f0594979af47c240592ab2fe30c3c4f0d89aa3cae5f6e27ef8c689fcb5246",
    );
  });

  it("takes the endpoint's status for what it means", () => {
    const outcome = (status: number, retryAfter: string | null = null) => webhookOutcome("id", status, retryAfter, 0);
    assert.deepEqual(outcome(204), { kind: "sent", providerMessageId: "id" });
    assert.deepEqual(outcome(410), { kind: "invalid-token" });
    assert.deepEqual(outcome(404), { kind: "rejected", reason: "status 404" });
    assert.deepEqual(outcome(302), { kind: "rejected", reason: "status 302" });
    for (const status of [408, 425, 429, 500, 503]) {
      assert.deepEqual(outcome(status), { kind: "retry", scope: "provider", reason: `status ${status}` });
    }
    const busy = { kind: "retry", scope: "provider", afterMs: 5000, reason: "status 429" };
    assert.deepEqual(outcome(429, "5"), busy);
  });

  it("speaks https, and http only to this machine", async () => {
    for (const url of [
      "https://push.example.org/in",
      "http://localhost:1/",
      "http://127.0.0.1:1/",
      "http://[::1]:1/",
    ]) {
      await connectWebhook({ url, secret: SECRET });
    }
    for (const url of ["http://push.example.org/", "http://127.0.0.1.example.org/", "http://localhost.example.org/"]) {
      await assert.rejects(connectWebhook({ url, secret: SECRET }), /must be https/, url);
    }
    await assert.rejects(connectWebhook({ url: "https://me:word@example.org/", secret: SECRET }), /password/);
  });

  it("won't sign with a short secret", async () => {
    await assert.rejects(connectWebhook({ url: "https://example.org/", secret: "short" }), /shorter than 16 bytes/);
  });
});
