import assert from "node:assert/strict";
import { getHeapSpaceStatistics } from "node:v8";
import { collectStartGarbage } from "../../src/start-garbage.ts";

const MIB = 1024 * 1024;

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.physical_space_size ?? 0;
}

/** Survivors are what makes the young generation grow. */
function growYoungGeneration(): number {
  const kept: object[] = [];
  while (youngBytes() < 4 * MIB && kept.length < 4_000_000) kept.push({ at: kept.length });
  return youngBytes();
}

describe("the garbage of the start", () => {
  it("gives the young generation's pages back", () => {
    assert.ok(growYoungGeneration() >= 4 * MIB);
    collectStartGarbage();
    assert.ok(youngBytes() < 2 * MIB, `${youngBytes()} bytes`);
  });

  it("leaves no collector behind for others to find", () => {
    collectStartGarbage();
    assert.equal(Reflect.get(globalThis, "gc"), undefined);
  });
});
