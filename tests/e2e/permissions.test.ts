import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type Installation, startInstallation } from "../support/installation.ts";
import { TestUser } from "../support/user.ts";

/** How long an allow may count, in milliseconds. */
const ALLOW_MS = 1_000;
/** Long enough for permissions to be in use and confirmed again and again: several times as long as one counts. */
const IN_USE_MS = 4_000;
/** By now everybody has heard of a change. */
const HEARD_MS = ALLOW_MS + 2_000;
const EVERY_MS = 100;

describe("who may write to whom, with two instances of user and message", () => {
  let at: Installation;

  before(async function () {
    this.timeout(300_000);
    at = await startInstallation({}, { mode: "mesh", instances: { user: 2, message: 2 } });
  });
  after(async function () {
    this.timeout(60_000);
    await at?.stop();
  });

  it("counts within a second of a change, and at once when it is allowed again", async function () {
    this.timeout(60_000);
    const senders: TestUser[] = [];
    while (senders.length < 6) senders.push(await TestUser.register(at.at, "sender")); // hashing six passwords at once is slow
    const recipient = await TestUser.register(at.at, "recipient");
    const send = async (sender: TestUser) => {
      const begun = performance.now();
      const { status } = await sender.send({ userId: recipient.userId }, "hello");
      return { begun, status };
    };
    /** Everybody writes again and again. */
    const write = async (forMs: number) => {
      const until = performance.now() + forMs;
      const sent: Awaited<ReturnType<typeof send>>[] = [];
      for (; performance.now() < until; await sleep(EVERY_MS)) sent.push(...(await Promise.all(senders.map(send))));
      return sent;
    };
    const hear = (directPolicy: string) => recipient.ok("PATCH", "/users/me/settings", { directPolicy });
    for (let round = 0; round < 2; round++) {
      const statuses = (await write(IN_USE_MS)).map(({ status }) => status);
      assert.deepEqual([...new Set(statuses)], [200]);
      const writing = write(HEARD_MS);
      await hear("DIRECT_POLICY_FRIENDS");
      const changed = performance.now();
      const late = (await writing).filter(({ begun }) => begun > changed + ALLOW_MS);
      assert.ok(late.length >= senders.length, `${late.length} messages were sent a second after the change`);
      assert.deepEqual([...new Set(late.map(({ status }) => status))], [403]);
      await hear("DIRECT_POLICY_EVERYONE");
    }
  });
});
