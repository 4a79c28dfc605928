import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { rendezvous } from "@oceanchat/runtime/rendezvous";

const addresses = ["10.0.0.1:9000", "10.0.0.2:9000", "10.0.0.3:9000", "10.0.0.4:9000", "10.0.0.5:9000"];
const keys = Array.from({ length: 20_000 }, () => randomUUID());

/** How many keys each address gets. */
function spread(ids: readonly string[], among: readonly string[]): number[] {
  const owners = ids.map((id) => rendezvous(id, among));
  return among.map((address) => owners.filter((owner) => owner === address).length);
}

describe("rendezvous", () => {
  it("gives random keys to all addresses evenly", () => {
    const fair = keys.length / addresses.length;
    for (const count of spread(keys, addresses)) assert.ok(Math.abs(count - fair) < fair * 0.08, `${count} of ${fair}`);
  });

  it("spreads keys and addresses that differ in one digit only", () => {
    const similar = Array.from({ length: 20_000 }, (_, i) => `user-${i}`);
    const local = ["localhost:7001", "localhost:7002"];
    for (const count of spread(similar, local)) assert.ok(Math.abs(count - 10_000) < 800, String(count));
  });

  it("moves only the keys of an address that goes", () => {
    const without = addresses.slice(1);
    for (const key of keys) {
      const before = rendezvous(key, addresses);
      if (before !== addresses[0]) assert.equal(rendezvous(key, without), before);
    }
  });

  it("gives an address that comes its share and moves nothing else", () => {
    const more = [...addresses, "10.0.0.6:9000"];
    let moved = 0;
    for (const key of keys) {
      const after = rendezvous(key, more);
      if (after === "10.0.0.6:9000") moved++;
      else assert.equal(after, rendezvous(key, addresses));
    }
    assert.ok(Math.abs(moved - keys.length / 6) < (keys.length / 6) * 0.1, String(moved));
  });

  it("does not depend on the order of the addresses", () => {
    const reversed = addresses.toReversed();
    for (const key of keys.slice(0, 1000)) assert.equal(rendezvous(key, reversed), rendezvous(key, addresses));
  });

  it("has no answer without addresses", () => assert.equal(rendezvous("key", []), undefined));
});
