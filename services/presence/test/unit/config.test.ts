import assert from "node:assert/strict";
import { ConfigError, readConfig } from "@oceanchat/runtime/config";
import { presenceKeys } from "../../src/config.ts";

const policy = (text: string) => readConfig(presenceKeys, { OCEANCHAT_DEVICE_LIMITS: text }).devicePolicy;

describe("OCEANCHAT_DEVICE_LIMITS", () => {
  it("counts platforms together that are joined", () => {
    assert.deepEqual(policy("ios+android=2, web=3,total=4"), {
      classes: { PLATFORM_IOS: "ios+android", PLATFORM_ANDROID: "ios+android", PLATFORM_WEB: "web" },
      limits: { "ios+android": 2, web: 3 },
      total: 4,
    });
    assert.deepEqual(policy("total=1"), { classes: {}, limits: {}, total: 1 });
    assert.equal(policy("").total, 20, "the default");
  });

  it("refuses what it doesn't understand", () => {
    for (const text of [
      "web=3",
      "web=0,total=4",
      "web,total=4",
      "phone=2,total=4",
      "web=1,web+ios=2,total=4",
      "total=x",
    ]) {
      assert.throws(() => policy(text), ConfigError, text);
    }
  });
});
