import assert from "node:assert/strict";
import type { Locations } from "../../src/core/locator.ts";
import type { Answer, Question } from "../../src/ports.ts";
import { ALICE, BOB, CAROL, id } from "../support/entries.ts";
import { connection, FakePresence, locatorOver } from "../support/fakes.ts";

const idsOf = (locations: Locations, ...userIds: string[]) =>
  userIds.flatMap((userId) => locations.of(userId).map(({ connectionId }) => connectionId));

/** Presence that answers when the test says so. */
class SlowPresence extends FakePresence {
  readonly answers: (() => void)[] = [];

  override async find(question: Question): Promise<Answer> {
    const answer = super.find(question);
    await new Promise<void>((resolve) => this.answers.push(resolve));
    return answer;
  }
}

describe("Locator", () => {
  it("asks for a user once, and then only whether a connection has come", async () => {
    const presence = new FakePresence();
    const locator = locatorOver(presence);
    presence.connections = [connection(ALICE, "gw1")];
    await locator.locate(new Set([ALICE, BOB]));
    const again = await locator.locate(new Set([ALICE, BOB]));
    assert.deepEqual(idsOf(again, ALICE, BOB), [`gw1/${ALICE}/phone`]);
    assert.deepEqual(presence.asked, [2, 0]);
    assert.deepEqual(presence.questions[1], { userIds: [], slots: [0], gatewayIds: [] });
  });

  it("misses nobody who has connected since", async () => {
    const presence = new FakePresence();
    const locator = locatorOver(presence);
    await locator.locate(new Set([ALICE, BOB]));
    presence.connections = [connection(BOB, "gw1")];
    const found = await locator.locate(new Set([ALICE, BOB]));
    assert.deepEqual(idsOf(found, ALICE, BOB), [`gw1/${BOB}/phone`]);
    assert.equal(found.addressOf("gw1"), "gw1:1");
    // In a round with one whom nobody has asked for yet, too.
    presence.connections = [...presence.connections, connection(ALICE, "gw1"), connection(CAROL, "gw1")];
    assert.equal(idsOf(await locator.locate(new Set([ALICE, BOB, CAROL])), ALICE, BOB, CAROL).length, 3);
  });

  it("remembers nothing without stamps", async () => {
    const presence = new FakePresence();
    presence.stamped = false;
    const locator = locatorOver(presence);
    await locator.locate(new Set([ALICE]));
    presence.connections = [connection(ALICE, "gw1")];
    assert.equal(idsOf(await locator.locate(new Set([ALICE])), ALICE).length, 1);
    assert.deepEqual(presence.asked, [1, 1]);
  });

  it("trusts nothing that had a stamp when there is none any more", async () => {
    const presence = new FakePresence();
    const locator = locatorOver(presence);
    await locator.locate(new Set([ALICE]));
    presence.stamped = false;
    presence.connections = [connection(ALICE, "gw1")];
    assert.equal(idsOf(await locator.locate(new Set([ALICE])), ALICE).length, 1);
  });

  it("notices within a second that a gateway is gone, and that it lives again", async () => {
    const presence = new FakePresence();
    const clock = { ms: 0 };
    const locator = locatorOver(presence, () => clock.ms);
    presence.connections = [connection(ALICE, "gw1"), connection(ALICE, "gw2", "laptop")];
    const look = async () => idsOf(await locator.locate(new Set([ALICE])), ALICE);
    assert.equal((await look()).length, 2);
    presence.deadGateways.add("gw1");
    clock.ms = 1001;
    assert.deepEqual(await look(), [`gw2/${ALICE}/laptop`]);
    presence.deadGateways.clear();
    clock.ms = 2002;
    assert.equal((await look()).length, 2);
    assert.deepEqual(presence.asked, [1, 0, 0]);
  });

  it("joins those who ask while a question is under way, and doesn't answer them with it", async () => {
    const presence = new SlowPresence();
    const locator = locatorOver(presence);
    const first = locator.locate(new Set([ALICE]));
    await Promise.resolve();
    presence.connections = [connection(ALICE, "gw1")];
    const others = [locator.locate(new Set([ALICE])), locator.locate(new Set([BOB]))];
    presence.answers.shift()?.();
    assert.deepEqual(idsOf(await first, ALICE), []);
    while (presence.answers.length === 0) await Promise.resolve();
    presence.answers.shift()?.();
    // Alice is known, and it shows that she has connected since.
    while (presence.answers.length === 0) await Promise.resolve();
    presence.answers.shift()?.();
    assert.deepEqual(idsOf((await Promise.all(others))[0] as Locations, ALICE), [`gw1/${ALICE}/phone`]);
    assert.deepEqual(presence.asked, [1, 1, 1]);
  });

  it("lets others ask beside a question that takes long", async () => {
    const presence = new SlowPresence();
    const timers: (() => void)[] = [];
    const after = (ms: number, run: () => void) => {
      assert.equal(ms, 20);
      timers.push(run);
      return () => undefined;
    };
    const locator = locatorOver(presence, () => 0, after);
    const stuck = locator.locate(new Set([ALICE]));
    await Promise.resolve();
    const other = locator.locate(new Set([BOB]));
    assert.equal(presence.answers.length, 1);
    timers.shift()?.();
    assert.equal(presence.answers.length, 2);
    presence.answers.pop()?.();
    await other;
    presence.answers.pop()?.();
    await stuck;
  });

  it("tells all who asked together when presence can't be asked, and goes on afterwards", async () => {
    const presence = new FakePresence();
    presence.down = true;
    const locator = locatorOver(presence);
    const both = [locator.locate(new Set([ALICE])), locator.locate(new Set([BOB]))];
    for (const each of both) await assert.rejects(each, /presence is down/);
    presence.down = false;
    await locator.locate(new Set([ALICE]));
  });

  it("takes nobody for gone while presence is being told again, and holds up only those who ask for him", async () => {
    const presence = new FakePresence();
    const locator = locatorOver(presence);
    presence.connections = [connection(ALICE, "gw1")];
    presence.rebuilding = true;
    const [hers, his] = [locator.locate(new Set([ALICE])), locator.locate(new Set([ALICE, BOB]))];
    await assert.rejects(his, /told again who is connected/);
    assert.deepEqual(idsOf(await hers, ALICE), [`gw1/${ALICE}/phone`]);
    presence.connections = [...presence.connections, connection(BOB, "gw1")];
    assert.equal(idsOf(await locator.locate(new Set([ALICE, BOB])), ALICE, BOB).length, 2);
    presence.connections = [];
    presence.rebuilding = false;
    assert.deepEqual(idsOf(await locator.locate(new Set([BOB])), BOB), []);
  });

  it("remembers a bounded number of users", async () => {
    const presence = new FakePresence();
    const locator = locatorOver(presence);
    const many = (from: number) => new Set(Array.from({ length: 10_000 }, (_, n) => id(from + n)));
    await locator.locate(new Set([ALICE]));
    for (let turn = 0; turn < 11; turn++) await locator.locate(many(1000 + turn * 10_000));
    presence.asked.length = 0;
    await locator.locate(new Set([ALICE]));
    assert.deepEqual(presence.asked, [1]);
  });
});
