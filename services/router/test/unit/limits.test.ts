import assert from "node:assert/strict";
import { Limits } from "../../src/core/limits.ts";

const users = { packetsPerSecond: 100, packetsBurst: 20, maxUsers: 10 };

function passing(limits: Limits, platform: string, userId = "alice"): number {
  let passed = 0;
  while (limits.take({ userId, platform }, 0) === 0) passed++;
  return passed;
}

describe("Limits", () => {
  it("counts a user's clients together when programs have no rate of their own", () => {
    const limits = new Limits({ ...users, serverPacketsPerSecond: 0, serverPacketsBurst: 500 });
    assert.equal(limits.ofPlatforms.size, 0);
    assert.equal(passing(limits, "PLATFORM_SERVER"), 20);
    assert.equal(passing(limits, "PLATFORM_WEB"), 0);
  });

  it("counts programs by themselves when they have one", () => {
    const limits = new Limits({ ...users, serverPacketsPerSecond: 1000, serverPacketsBurst: 50 });
    assert.deepEqual([...limits.ofPlatforms], [["PLATFORM_SERVER", { perSecond: 1000, burst: 50 }]]);
    assert.equal(passing(limits, "PLATFORM_SERVER"), 50);
    assert.equal(passing(limits, "PLATFORM_WEB"), 20);
    assert.equal(limits.take({ userId: "alice", platform: "PLATFORM_SERVER" }, 1), 0);
    assert.notEqual(limits.take({ userId: "alice", platform: "PLATFORM_WEB" }, 1), 0);
  });

  it("gives programs a burst of two seconds unless it is told another", () => {
    const limits = new Limits({ ...users, serverPacketsPerSecond: 30, serverPacketsBurst: 0 });
    assert.equal(passing(limits, "PLATFORM_SERVER"), 60);
  });
});
