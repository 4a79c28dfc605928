import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApnsServer, startApnsServer } from "../apns-server.ts";
import { type FcmServer, startFcmServer } from "../fcm-server.ts";

describe("the providers' keys", () => {
  const contents = (server: ApnsServer | FcmServer): string[] =>
    Object.entries(server.environment)
      .filter(([name]) => name.endsWith("_FILE"))
      .map(([, file]) => readFileSync(file, "utf8"));

  it("are found again in a folder that is named, so that a client outlives a restart", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kept-"));
    try {
      for (const start of [startApnsServer, startFcmServer]) {
        const first = await start({ folder: join(folder, start.name) });
        const before = contents(first);
        await first.close();
        const second = await start({ folder: join(folder, start.name) });
        assert.deepEqual(contents(second), before);
        await second.close();
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("go with the server when no folder is named", async () => {
    const server = await startApnsServer();
    assert.ok(existsSync(server.keyFile));
    await server.close();
    assert.ok(!existsSync(server.keyFile));
  });
});
