import assert from "node:assert/strict";
import { MongoClient } from "mongodb";
import { checked } from "../support/device/checked.ts";
import { Device } from "../support/device/device.ts";
import { sumOf } from "../support/device/diary.ts";
import { Fleet } from "../support/device/fleet.ts";
import { inMesh } from "../support/mode.ts";
import { installation } from "../support/shared-installation.ts";
import { TestUser } from "../support/user.ts";

const pair = async () => {
  const { at } = installation();
  const [alice, bob] = [await TestUser.register(at, "alice"), await TestUser.register(at, "bob")];
  const { conversationId } = await alice.createGroup([bob]);
  return { alice, bob, conversationId };
};

const seqsOf = (device: Device, conversationId: string) =>
  device.timeline(conversationId).records.map(({ seq }) => seq);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

async function withStore<T>(use: (mongo: MongoClient) => Promise<T>): Promise<T> {
  const mongo = await MongoClient.connect(installation().mesh.endpoints.infra.mongodb);
  try {
    return await use(mongo);
  } finally {
    await mongo.close();
  }
}

describe("resuming", function () {
  this.timeout(120_000);

  it("gives a device that comes back at another gateway what it missed, by one sync, and nothing twice", async () => {
    const { alice, bob, conversationId } = await pair();
    const [hers, his] = [new Device(alice), new Device(bob)];
    await Promise.all([hers.start(), his.start()]);
    for (let n = 0; n < 5; n++) await hers.send(conversationId, `before ${n}`);
    await his.untilHas(conversationId, 6, 10_000);
    const first = his.gatewayId;
    await his.end();
    for (let n = 0; n < 30; n++) await hers.send(conversationId, `meanwhile ${n}`);
    const { pages, fetched, pushed } = his.diary;
    const { repeated } = his.timeline(conversationId);
    await his.start(first);
    if (inMesh) assert.notEqual(his.gatewayId, first);
    await his.untilHas(conversationId, 36, 10_000);
    assert.deepEqual(seqsOf(his, conversationId), upTo(36));
    assert.deepEqual([his.diary.pages - pages, his.diary.fetched - fetched, his.diary.pushed - pushed], [1, 30, 0]);
    assert.equal(his.timeline(conversationId).repeated, repeated);
    await hers.send(conversationId, "and on");
    await his.untilHas(conversationId, 37, 10_000);
    assert.equal(his.diary.pushed - pushed, 1);
    await Promise.all([hers.end(), his.end()]);
  });

  it("closes a gap that a lost push has left", async () => {
    const { alice, bob, conversationId } = await pair();
    const [hers, his] = [new Device(alice), new Device(bob, { misses: (seq) => seq === 4 || seq === 5 })];
    await Promise.all([hers.start(), his.start()]);
    for (let n = 0; n < 6; n++) await hers.send(conversationId, `message ${n}`);
    await his.untilHas(conversationId, 7, 10_000);
    assert.deepEqual(seqsOf(his, conversationId), upTo(7));
    assert.equal(his.diary.gaps, 1);
    await Promise.all([hers.end(), his.end()]);
  });

  it("keeps what each device has confirmed", async () => {
    const { alice, bob, conversationId } = await pair();
    const hers = new Device(alice);
    await hers.start();
    await hers.send(conversationId, "to both");
    const other = await bob.login();
    const [phone, laptop] = [new Device(bob), new Device(other)];
    await Promise.all([phone.start(), laptop.start()]);
    await Promise.all([phone, laptop].map((device) => device.untilHas(conversationId, 2, 10_000)));
    await phone.end();
    await hers.send(conversationId, "to the laptop");
    await laptop.untilHas(conversationId, 3, 10_000);
    await laptop.end();
    await laptop.start();
    await withStore(async (mongo) => {
      const cursors = mongo.db("oceanchat").collection<{ deviceId: string; deliveredSeq: number }>("delivered_cursors");
      const expected = new Map([
        [bob.deviceId, 2],
        [other.deviceId, 3],
      ]);
      for (const began = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 100))) {
        const kept = await cursors.find({ conversationId, userId: bob.userId }).toArray();
        const seqs = new Map(kept.map(({ deviceId, deliveredSeq }) => [deviceId, Number(deliveredSeq)]));
        if ([...expected].every(([deviceId, seq]) => seqs.get(deviceId) === seq)) break;
        assert.ok(Date.now() - began < 10_000, JSON.stringify([...seqs]));
      }
    });
    await Promise.all([hers.end(), laptop.end()]);
  });

  it("loses nothing when a gateway is killed and its clients come back at the other while messages are sent", async () => {
    const { at, mesh } = installation();
    const fleet = await Fleet.gather(at, 6);
    fleet.start(20);
    const at1 = () => fleet.devices.filter(({ gatewayId }) => gatewayId?.startsWith("ws-gateway-1")).length;
    while (fleet.messages.length < 40 || at1() === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await mesh.kill("ws-gateway-1", "SIGKILL");
    const soFar = fleet.messages.length;
    while (fleet.messages.length < soFar + 60) await new Promise((resolve) => setTimeout(resolve, 50));
    await fleet.finish(60_000);
    await fleet.untilComplete(30_000);
    const diaries = fleet.devices.map(({ diary }) => diary);
    assert.deepEqual(
      Object.keys(sumOf(diaries.map(({ closings }) => closings))).length > 0,
      true,
      "nobody was cut off",
    );
    assert.deepEqual(await fleet.violations(), []);
    const violations = await withStore((mongo) =>
      checked(fleet.devices, (index) => fleet.conversationsOf(index), mongo),
    );
    assert.deepEqual(violations, []);
    await fleet.end();
    await mesh.untilReady("ws-gateway-1");
  });
});
