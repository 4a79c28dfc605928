import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "@oceanchat/runtime/config";
import { startApnsServer } from "@oceanchat/tests/push-providers/apns-server";
import { startFcmServer } from "@oceanchat/tests/push-providers/fcm-server";
import { connectProviders, providerKeys } from "../../src/providers/configured.ts";
import { notification } from "../support/notification.ts";

describe("the providers from the environment", () => {
  it("are there and work when they are configured", async () => {
    const folder = mkdtempSync(join(tmpdir(), "webhook-"));
    const secretFile = join(folder, "secret");
    writeFileSync(secretFile, "a secret of sixteen bytes or more\n");
    const [apns, fcm] = await Promise.all([startApnsServer(), startFcmServer()]);
    const config = readConfig(providerKeys, {
      ...apns.environment,
      ...fcm.environment,
      OCEANCHAT_WEBHOOK_URL: "http://127.0.0.1:1/",
      OCEANCHAT_WEBHOOK_SECRET_FILE: secretFile,
    });
    const providers = await connectProviders(config);
    try {
      assert.deepEqual([...providers.keys()], ["apns", "fcm", "webhook"]);
      assert.equal((await providers.get("apns")?.send("ab".repeat(32), notification()))?.kind, "sent");
      assert.equal((await providers.get("fcm")?.send("device-token", notification()))?.kind, "sent");
      assert.equal((await providers.get("webhook")?.send("t1", notification()))?.kind, "retry");
    } finally {
      await Promise.all([...providers.values()].map((provider) => provider.close()));
      await Promise.all([apns.close(), fcm.close()]);
      rmSync(folder, { recursive: true });
    }
  });
});
