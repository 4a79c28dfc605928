import assert from "node:assert/strict";
import { create, fromBinary } from "@bufbuild/protobuf";
import { ServerPacketSchema, SignalSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { SignalPusher } from "../../src/core/signals.ts";
import { FakeGateways } from "../support/fakes.ts";
import { target } from "../support/records.ts";

const typing = create(SignalSchema, {
  kind: { case: "typing", value: { conversationId: "c", userId: "alice", active: false } },
});

function setUp(...connections: string[]) {
  const gateways = new FakeGateways();
  gateways.hold("gw1:1", ...connections);
  gateways.hold("gw2:1", ...connections);
  const signals = new SignalPusher(gateways);
  const take = (address: string, ...names: string[]) =>
    signals.take({ address, targets: names.map(target), signal: typing });
  return { gateways, signals, take };
}

describe("SignalPusher", () => {
  it("writes a packet once for each codec, without a hint", async () => {
    const { gateways, signals, take } = setUp("bob/1", "bob/2/json", "carol/1", "carol/2/json");
    take("gw1:1", "bob/1", "bob/2/json", "carol/1", "carol/2/json");
    await signals.stop();
    const [binary, json] = gateways.parcels;
    assert.deepEqual(binary?.connectionIds, ["bob/1", "carol/1"]);
    assert.deepEqual(json?.connectionIds, ["bob/2/json", "carol/2/json"]);
    assert.equal(gateways.parcels.length, 2);
    const { requestId, event } = fromBinary(ServerPacketSchema, binary?.payload ?? new Uint8Array());
    assert.deepEqual([requestId, event], [0, { case: "signal", value: typing }]);
    assert.deepEqual(JSON.parse(Buffer.from(json?.payload ?? []).toString()), {
      requestId: 0,
      signal: { typing: { conversationId: "c", userId: "alice", active: false } },
    });
    assert.equal((binary?.hint.length ?? 1) + (json?.hint.length ?? 1), 0);
    assert.deepEqual(signals.losses(), { dropped: 0, failed: 0 });
  });

  it("names at most a thousand connections in a packet", async () => {
    const { gateways, signals, take } = setUp();
    take("gw1:1", ...Array.from({ length: 2500 }, (_, n) => `user/${n}`));
    await signals.stop();
    assert.deepEqual(
      gateways.parcels.map(({ connectionIds }) => connectionIds.length),
      [1000, 1000, 500],
    );
  });

  it("tries once: what a gateway doesn't take is lost", async () => {
    const { gateways, signals, take } = setUp("bob/1");
    gateways.next.push({ kind: "busy" }, { kind: "silent" }, { kind: "refused", error: new Error() });
    for (let n = 0; n < 3; n++) take("gw1:1", "bob/1");
    take("nowhere:1", "bob/1");
    await signals.stop();
    assert.equal(gateways.parcels.length, 4);
    assert.deepEqual(signals.losses(), { dropped: 0, failed: 4 });
    assert.deepEqual(signals.losses(), { dropped: 0, failed: 0 });
  });

  it("drops what is too much for a gateway, and others are written to", async () => {
    const { gateways, signals, take } = setUp("bob/1");
    for (let n = 0; n < 70; n++) take("gw1:1", "bob/1");
    take("gw2:1", "bob/1");
    assert.equal(gateways.mostRunning, 65);
    await signals.stop();
    assert.deepEqual(signals.losses(), { dropped: 6, failed: 0 });
    for (let n = 0; n < 64; n++) take("gw1:1", "bob/1");
    await signals.stop();
    assert.equal(gateways.parcels.length, 65 + 64);
    assert.equal(signals.losses().dropped, 0);
  });

  it("holds a bounded number of packets over all gateways", async () => {
    const { gateways, signals, take } = setUp();
    for (let gateway = 0; gateway < 20; gateway++) {
      for (let n = 0; n < 60; n++) take(`gw${gateway}:1`, "bob/1");
    }
    assert.equal(gateways.mostRunning, 1024);
    await signals.stop();
    assert.equal(signals.losses().dropped, 20 * 60 - 1024);
  });
});
