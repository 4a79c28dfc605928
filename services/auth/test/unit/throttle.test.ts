import assert from "node:assert/strict";
import { refused } from "@oceanchat/runtime/testing";
import { LoginThrottle } from "../../src/core/throttle.ts";

const admitted = (throttle: LoginThrottle, username: string, address: string) =>
  (async () => throttle.admit(username, address))();

describe("login throttle", () => {
  it("counts one username over all addresses up to five times the limit", async () => {
    const throttle = new LoginThrottle(2, () => 0);
    for (let i = 0; i < 10; i++) throttle.admit("ada", `192.0.2.${i}`);
    await refused(admitted(throttle, "ada", "192.0.2.99"), "RATE_LIMITED");
    throttle.admit("bob", "192.0.2.99");
  });

  it("counts one address over all usernames up to thirty times the limit", async () => {
    const throttle = new LoginThrottle(1, () => 0);
    for (let i = 0; i < 30; i++) throttle.admit(`user${i}`, "192.0.2.1");
    await refused(admitted(throttle, "user30", "192.0.2.1"), "RATE_LIMITED");
  });

  it("fills up again with time, and no further than full", async () => {
    let ms = 0;
    const throttle = new LoginThrottle(2, () => ms);
    throttle.admit("ada", "a");
    throttle.admit("ada", "a");
    const { retryAfterMs } = await refused(admitted(throttle, "ada", "a"), "RATE_LIMITED");
    ms += retryAfterMs ?? 0;
    throttle.admit("ada", "a");
    ms += 3_600_000;
    throttle.admit("ada", "a");
    throttle.admit("ada", "a");
    await refused(admitted(throttle, "ada", "a"), "RATE_LIMITED");
  });

  it("forgets a try that didn't fail", () => {
    const throttle = new LoginThrottle(1, () => 0);
    assert.doesNotThrow(() => {
      for (let i = 0; i < 100; i++) throttle.admit("ada", "a")();
    });
  });
});
