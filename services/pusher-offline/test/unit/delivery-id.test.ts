import assert from "node:assert/strict";
import { deliveryId } from "../../src/providers/delivery-id.ts";

describe("deliveryId", () => {
  it("is a UUID of version 5", () => {
    assert.match(deliveryId("r1", "t1"), /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("never changes: repeats after an update of the pusher must be recognised too", () => {
    assert.equal(deliveryId("r1", "t1"), "ba23cf98-633d-5ea6-aaa8-b1316deb0fe6");
  });

  it("differs by record and by device", () => {
    assert.equal(
      new Set([deliveryId("r1", "t1"), deliveryId("r2", "t1"), deliveryId("r1", "t2"), deliveryId("r1\nt1", "")]).size,
      4,
    );
  });
});
