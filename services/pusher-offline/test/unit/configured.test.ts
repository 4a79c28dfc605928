import assert from "node:assert/strict";
import { readConfig } from "@oceanchat/runtime/config";
import { connectProviders, providerKeys } from "../../src/providers/configured.ts";

describe("providerKeys", () => {
  it("leave every provider out when nothing is set", async () => {
    assert.equal((await connectProviders(readConfig(providerKeys, {}))).size, 0);
  });

  it("name Apple's own host unless told otherwise", () => {
    assert.deepEqual(readConfig(providerKeys, {}).apnsAddress, { host: "api.push.apple.com", port: 443 });
    const env = { OCEANCHAT_APNS_HOST: "localhost:8443", OCEANCHAT_FCM_HOST: "[::1]:8444" };
    const config = readConfig(providerKeys, env);
    assert.deepEqual(config.apnsAddress, { host: "localhost", port: 8443 });
    assert.deepEqual(config.fcmAddress, { host: "::1", port: 8444 });
  });

  it("report every mistake by its name", () => {
    const env = {
      OCEANCHAT_APNS_HOST: "localhost",
      OCEANCHAT_FCM_HOST: "localhost:0",
      OCEANCHAT_FCM_SERVICE_ACCOUNT_FILE: "/nowhere",
      OCEANCHAT_WEBHOOK_URL: "ftp://example.org",
    };
    assert.throws(
      () => readConfig(providerKeys, env),
      (error) => {
        for (const name of Object.keys(env)) assert.match(String(error), new RegExp(name));
        return true;
      },
    );
  });

  it("refuse a provider that is configured by half", async () => {
    const config = readConfig(providerKeys, {});
    await assert.rejects(connectProviders({ ...config, apnsKey: "k" }), /OCEANCHAT_APNS_KEY_ID/);
    await assert.rejects(connectProviders({ ...config, webhookUrl: "https://example.org" }), /WEBHOOK_SECRET_FILE/);
  });

  it("refuse keys that are none", async () => {
    const config = readConfig(providerKeys, {});
    const apple = { apnsKey: "no key", apnsKeyId: "A", apnsTeamId: "B", apnsTopic: "C" };
    await assert.rejects(connectProviders({ ...config, ...apple }), /DECODER|PEM|unsupported/i);
    await assert.rejects(connectProviders({ ...config, fcmServiceAccount: "{}" }), /no "private_key"/);
    await assert.rejects(connectProviders({ ...config, fcmServiceAccount: "no JSON" }), SyntaxError);
  });
});
