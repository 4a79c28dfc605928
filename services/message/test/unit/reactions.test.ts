import assert from "node:assert/strict";
import { alice, bob, carol, conversationId, instance } from "../support/changing.ts";
import { reason } from "../support/fakes.ts";

describe("reacting to a message", () => {
  it("can be done, taken back and done again", async () => {
    const { say, react, stream } = instance();
    const { recordId } = await say(alice);
    const states = [false, true, false, true];
    for (const removed of states) assert.equal((await react(bob, recordId, "🐋", removed)).duplicate, false);
    const bodies = stream
      .recordsOf(conversationId)
      .slice(1)
      .map(({ body }) => body);
    assert.deepEqual(
      bodies.map((body) => body.case === "reaction" && [body.value.targetSeq, body.value.emoji, body.value.removed]),
      states.map((removed) => [1n, "🐋", removed]),
    );
  });

  it("is answered with its record when it is there already, for each user, emoji and message", async () => {
    const { say, react, stream } = instance();
    const { recordId } = await say(alice);
    const first = await react(bob, recordId, "🐋");
    await say(alice);
    const again = await react(bob, recordId, "🐋");
    assert.deepEqual([again.duplicate, again.record.recordId], [true, first.record.recordId]);
    assert.equal((await react(carol, recordId, "🐋")).duplicate, false);
    assert.equal((await react(bob, recordId, "🐙")).duplicate, false);
    const removed = await react(bob, recordId, "🐋", true);
    const removedAgain = await react(bob, recordId, "🐋", true);
    assert.deepEqual([removedAgain.duplicate, removedAgain.record.recordId], [true, removed.record.recordId]);
    assert.equal(stream.stored.length, 6);
  });

  it("keeps the order of what arrives at once", async () => {
    const { say, react, stream } = instance();
    const { recordId } = await say(alice);
    const states = [false, true, true, false, false];
    const answers = await Promise.all(states.map((removed) => react(bob, recordId, "🐋", removed)));
    assert.deepEqual(
      answers.map(({ duplicate }) => duplicate),
      [false, false, true, false, true],
    );
    assert.equal(stream.stored.length, 4);
  });

  it("isn't taken for a repeat when another instance has withdrawn it meanwhile", async () => {
    const one = instance();
    const other = instance(one.stream);
    const { recordId } = await one.say(alice);
    await one.react(bob, recordId, "🐋");
    await other.react(bob, recordId, "🐋", true);
    assert.equal((await one.react(bob, recordId, "🐋")).duplicate, false);
    const last = one.stream.stored.at(-1)?.entry.record?.body;
    assert.ok(last?.case === "reaction" && !last.value.removed);
  });

  it("is answered with the other instance's record when that has set the same state again", async () => {
    const one = instance();
    const other = instance(one.stream);
    const { recordId } = await one.say(alice);
    await one.react(bob, recordId, "🐋");
    await other.react(bob, recordId, "🐋", true);
    const { record } = await other.react(bob, recordId, "🐋");
    const again = await one.react(bob, recordId, "🐋");
    assert.deepEqual([again.duplicate, again.record.recordId], [true, record.recordId]);
  });

  it("is one record when its answer is lost", async () => {
    const { say, react, stream } = instance();
    const { recordId } = await say(alice);
    let lost = 0;
    stream.fault = () => (lost++ === 0 ? "answer-lost" : "none");
    assert.equal((await react(bob, recordId, "🐋")).duplicate, false);
    assert.equal((await react(bob, recordId, "🐋")).duplicate, true);
    assert.equal(stream.stored.length, 2);
  });
});

describe("the kinds of reactions to a message", () => {
  const kind = (n: number) => `kind ${n}`;

  it("are 20 at most; those that are there go on, and one that is gone makes room", async () => {
    const { say, react, stream } = instance();
    const { recordId } = await say(alice);
    for (let n = 1; n <= 20; n++) await react(alice, recordId, kind(n));
    await assert.rejects(react(bob, recordId, kind(21)), reason("TOO_MANY_REACTIONS"));
    assert.equal(stream.stored.length, 21);
    await react(bob, recordId, kind(20));
    await react(alice, recordId, kind(1), true);
    assert.equal((await react(bob, recordId, kind(21))).duplicate, false);
    await react(bob, recordId, kind(22), true);
  });

  it("are those of the store and what it hasn't got yet", async () => {
    const { say, react, store, clock } = instance();
    const { recordId } = await say(alice);
    const key = `${conversationId}:1`;
    store.kinds.set(
      key,
      Array.from({ length: 18 }, (_, n) => kind(n)),
    );
    await react(alice, recordId, kind(18));
    await react(alice, recordId, kind(19));
    await assert.rejects(react(bob, recordId, kind(20)), reason("TOO_MANY_REACTIONS"));
    await react(bob, recordId, kind(3));
    // Somebody has withdrawn them on another instance since.
    clock.ms += 60_000;
    assert.equal((await react(bob, recordId, kind(20))).duplicate, false);
  });

  it("are counted anew for each message", async () => {
    const { say, react } = instance();
    const [one, two] = [await say(alice), await say(alice)];
    for (let n = 1; n <= 20; n++) await react(alice, one.recordId, kind(n));
    assert.equal((await react(alice, two.recordId, kind(21))).duplicate, false);
  });
});
