import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Device } from "../support/device/device.ts";
import { installation } from "../support/shared-installation.ts";
import { TestUser } from "../support/user.ts";

interface Conversation {
  readonly conversation: { readonly unreadCount: number; readonly settings?: { readonly mutedUntil: string } };
}

describe("two devices of a user, one of them asleep", function () {
  this.timeout(60_000);

  it("the muted conversation reaches the one on its socket and nobody by notification, the other when it wakes", async () => {
    const { at, fcm } = installation();
    const users = await Promise.all(["alice", "bob", "carol"].map((name) => TestUser.register(at, name)));
    const [alice, bob, carol] = users;
    assert.ok(alice !== undefined && bob !== undefined && carol !== undefined);
    const bobsPhone = await bob.login();
    const { conversationId } = await alice.createGroup([bob, carol]);
    const [bobsToken, carolsToken] = [`fcm-${randomUUID()}`, `fcm-${randomUUID()}`];
    await bobsPhone.ok("POST", "/push/tokens", { provider: "PROVIDER_FCM", token: bobsToken });
    await carol.ok("POST", "/push/tokens", { provider: "PROVIDER_FCM", token: carolsToken });
    const [hers, laptop, phone] = [new Device(alice), new Device(bob), new Device(bobsPhone)];
    await Promise.all([hers, laptop, phone].map((device) => device.start()));
    await Promise.all([hers, laptop, phone].map((device) => device.untilHas(conversationId, 1, 10_000)));

    await phone.end();
    const mutedUntil = "2999-01-01T00:00:00Z";
    await bob.ok("PATCH", `/conversations/${conversationId}/settings`, { mutedUntil });
    for (let n = 0; n < 3; n++) await hers.send(conversationId, `message ${n}`);
    await laptop.untilHas(conversationId, 4, 10_000);
    assert.deepEqual([laptop.diary.pushed, laptop.diary.fetched - 1], [3, 0], "muted, it is pushed all the same");
    // Carol is told of all three: whoever else is to be told of them has been by then.
    const toCarol = () => fcm.requests.filter(({ token }) => token === carolsToken).length;
    while (toCarol() < 3) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(fcm.requests.filter(({ token }) => token === bobsToken).length, 0, "he is here, on his laptop");

    const { pages, fetched } = phone.diary;
    await phone.start();
    await phone.untilHas(conversationId, 4, 10_000);
    assert.deepEqual(phone.timeline(conversationId).records, laptop.timeline(conversationId).records);
    assert.deepEqual([phone.diary.pages - pages, phone.diary.fetched - fetched], [1, 3]);
    const { conversation } = await bobsPhone.ok<Conversation>("GET", `/conversations/${conversationId}`);
    assert.deepEqual([conversation.settings?.mutedUntil, conversation.unreadCount], [mutedUntil, 3]);
    await Promise.all([hers, laptop, phone].map((device) => device.end()));
  });

  it("what one of them sends comes to the other, and not back to itself", async () => {
    const { at } = installation();
    const alice = await TestUser.register(at, "alice");
    const bob = await TestUser.register(at, "bob");
    const { conversationId } = await alice.createGroup([bob]);
    const [laptop, phone, his] = [new Device(alice), new Device(await alice.login()), new Device(bob)];
    await Promise.all([laptop, phone, his].map((device) => device.start()));
    await phone.end();
    await laptop.send(conversationId, "while the phone sleeps");
    await phone.start();
    await laptop.send(conversationId, "while it is awake");
    await Promise.all([laptop, phone, his].map((device) => device.untilHas(conversationId, 3, 10_000)));
    const records = his.timeline(conversationId).records;
    for (const device of [laptop, phone]) assert.deepEqual(device.timeline(conversationId).records, records);
    assert.deepEqual([laptop.diary.pushed, laptop.timeline(conversationId).repeated], [0, 0]);
    assert.equal(phone.diary.pushed, 1);
    await Promise.all([laptop, phone, his].map((device) => device.end()));
  });
});
