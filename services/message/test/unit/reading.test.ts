import assert from "node:assert/strict";
import { shared } from "@oceanchat/runtime/fail";
import { directLog, groupLog } from "../../src/core/log.ts";
import { Reading } from "../../src/core/reading.ts";
import { alice, bob, carol, conversationId, instance } from "../support/changing.ts";
import { FakeClock, FakePeers, gate, reason, uuid } from "../support/fakes.ts";

const group = groupLog(uuid(9));

function setUp() {
  const peers = new FakePeers();
  const clock = new FakeClock();
  return {
    peers,
    clock,
    reading: new Reading(peers, clock, { allowMs: 1000, confirmedMs: 60_000, remembered: 100, asking: 100 }),
  };
}

describe("what may be read", () => {
  it("is what lies in one of the intervals", async () => {
    const { peers, reading } = setUp();
    peers.intervals = [
      { fromSeq: 3n, toSeq: 5n },
      { fromSeq: 8n, toSeq: 0n },
    ];
    const seqs = [1n, 2n, 3n, 5n, 6n, 7n, 8n, 2n ** 63n];
    const answers = await Promise.all(seqs.map((seq) => reading.mayRead(group, alice, seq, "")));
    assert.deepEqual(answers, [false, false, true, true, false, false, true, true]);
    peers.intervals = [];
    assert.equal(await reading.mayRead(group, bob, 8n, ""), false);
    assert.equal(await reading.isReader(group, bob, ""), false);
  });

  it("is all of one's own direct conversations, and nobody is asked", async () => {
    const { peers, reading } = setUp();
    const direct = directLog(alice, bob);
    assert.equal(await reading.mayRead(direct, bob, 7n, ""), true);
    assert.equal(await reading.mayRead(direct, carol, 7n, ""), false);
    assert.equal(await reading.isReader(direct, carol, ""), false);
    assert.deepEqual(peers.askedToRead, []);
  });

  it("is remembered for a second while the membership lasts", async () => {
    const { peers, clock, reading } = setUp();
    assert.equal(await reading.mayRead(group, alice, 7n, ""), true);
    clock.ms += 999;
    assert.equal(await reading.mayRead(group, alice, 8n, ""), true);
    assert.equal(peers.askedToRead.length, 1);
    clock.ms += 1;
    peers.intervals = [];
    assert.equal(await reading.mayRead(group, alice, 7n, ""), false);
  });

  it("is asked again before anything is denied, and after the membership's end", async () => {
    const { peers, reading } = setUp();
    peers.intervals = [{ fromSeq: 5n, toSeq: 0n }];
    assert.equal(await reading.mayRead(group, alice, 4n, ""), false);
    peers.intervals = [{ fromSeq: 1n, toSeq: 0n }];
    assert.equal(await reading.mayRead(group, alice, 4n, ""), true);
    peers.intervals = [{ fromSeq: 1n, toSeq: 9n }];
    assert.equal(await reading.isReader(group, bob, ""), true);
    peers.intervals = [];
    assert.equal(await reading.isReader(group, bob, ""), false);
  });

  it("is asked for once by all who wait, also by who prepares", async () => {
    const { peers, reading } = setUp();
    const { opened, open } = gate();
    peers.turn = () => opened;
    reading.prepare(group, alice, "");
    const answers = [1n, 2n].map((seq) => reading.mayRead(group, alice, seq, ""));
    open();
    assert.deepEqual(await Promise.all(answers), [true, true]);
    assert.equal(peers.askedToRead.length, 1);
  });

  it("isn't guessed when nobody can say it", async () => {
    const { peers, reading } = setUp();
    peers.error = shared.unavailable("away");
    reading.prepare(group, alice, "");
    await assert.rejects(reading.mayRead(group, alice, 1n, ""), reason("UNAVAILABLE"));
  });
});

describe("a message from before one's time", () => {
  it("isn't there: no reaction, edit or recall, whoever appended it", async () => {
    const first = instance();
    const { recordId } = await first.say(alice);
    for (const { peers, react, edit, recall, stream } of [first, instance(first.stream)]) {
      peers.intervals = [{ fromSeq: 2n, toSeq: 0n }];
      await assert.rejects(react(bob, recordId, "🐋"), reason("MESSAGE_NOT_FOUND"));
      await assert.rejects(edit(bob, recordId, "x"), reason("MESSAGE_NOT_FOUND"));
      await assert.rejects(recall(bob, recordId), reason("MESSAGE_NOT_FOUND"));
      assert.equal(stream.stored.length, 1);
    }
    first.peers.intervals = [{ fromSeq: 1n, toSeq: 0n }];
    assert.equal((await first.react(bob, recordId, "🐋")).record.seq, 2n);
  });

  it("costs no question when one only says something", async () => {
    const { say, react, peers } = instance();
    const { recordId } = await say(alice);
    await say(bob);
    assert.deepEqual(peers.askedToRead, []);
    await react(bob, recordId, "🐋");
    await react(bob, recordId, "🐙");
    assert.deepEqual(peers.askedToRead, [`${conversationId.slice(2)} ${bob}`]);
  });

  it("can't be told from others while group doesn't answer", async () => {
    const { say, react, peers, stream } = instance();
    const { recordId } = await say(alice);
    peers.checkRead = async () => {
      throw shared.unavailable("away");
    };
    await assert.rejects(react(bob, recordId, "🐋"), reason("UNAVAILABLE"));
    assert.equal(stream.stored.length, 1);
  });
});
