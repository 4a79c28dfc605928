import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { silentLog } from "@oceanchat/runtime/testing";
import { RevocationNotices } from "../../src/revocation-notices.ts";

/** Appends that wait until they are answered. */
function setUp(pauseMs = 1) {
  const appends: { readonly text: string; resolve(): void; reject(error: Error): void }[] = [];
  const events = new EventEmitter();
  const append = (userId: string, sessionId: string, attempt: number) =>
    new Promise<void>((resolve, reject) => {
      appends.push({ text: `${userId} ${sessionId} ${attempt}`, resolve, reject });
      events.emit("append");
    });
  const notices = new RevocationNotices(append, silentLog, pauseMs);
  const count = async (number: number) => {
    while (appends.length < number) await once(events, "append");
  };
  const texts = () => appends.map(({ text }) => text);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { notices, appends, texts, count, settle };
}

describe("RevocationNotices", () => {
  it("tells each session once, and nothing of none", async () => {
    const { notices, appends, texts, settle } = setUp();
    notices.revoked("ada", []);
    notices.revoked("ada", ["phone", "laptop"]);
    for (const each of appends) each.resolve();
    await settle();
    assert.deepEqual(texts(), ["ada phone 1", "ada laptop 1"]);
    await notices.stop();
  });

  it("tries again, saying that it does, and gives up after eight times", async () => {
    const { notices, appends, texts, count, settle } = setUp();
    notices.revoked("ada", ["phone"]);
    for (let tries = 1; tries <= 8; tries++) {
      await count(tries);
      appends[tries - 1]?.reject(new Error("away"));
    }
    await settle();
    assert.deepEqual(
      texts(),
      Array.from({ length: 8 }, (_, index) => `ada phone ${index + 1}`),
    );
    await notices.stop();
    assert.equal(appends.length, 8);
  });

  it("appends sixteen at once", async () => {
    const { notices, appends, settle } = setUp();
    notices.revoked(
      "ada",
      Array.from({ length: 40 }, (_, index) => `session-${index}`),
    );
    assert.equal(appends.length, 16);
    appends[0]?.resolve();
    await settle();
    assert.equal(appends.length, 17);
    for (let next = 1; next < 40; next++) {
      appends[next]?.resolve();
      await settle();
    }
    assert.equal(appends.length, 40);
    await notices.stop();
  });

  it("keeps 20,000 waiting and no more", async () => {
    const { notices, appends } = setUp();
    const ids = Array.from({ length: 20_100 }, (_, index) => `session-${index}`);
    notices.revoked("ada", ids);
    for (let next = 0; next < appends.length; next++) {
      appends[next]?.resolve();
      if (next % 16 === 15) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(appends.length, 20_000);
    await notices.stop();
  });

  it("stops when what was begun is done, without another try", async () => {
    const { notices, appends, settle } = setUp();
    notices.revoked("ada", ["phone"]);
    let stopped = false;
    const stopping = notices.stop().then(() => {
      stopped = true;
    });
    notices.revoked("bob", ["phone"]);
    await settle();
    assert.equal(stopped, false);
    appends[0]?.reject(new Error("away"));
    await stopping;
    assert.equal(appends.length, 1);
  });
});
