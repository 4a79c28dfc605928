import assert from "node:assert/strict";
import { type Road, startLoad } from "../../src/load.ts";

/** Notes what is sent; nothing is answered by itself. The clock stands still where a test must not be late. */
function road(options: { conversations: number; room?: number; unanswered?: number; now?: () => number }) {
  const sent: { conversation: number; intended: number }[] = [];
  const taken: Road = {
    conversations: Array.from({ length: options.conversations }, (_, index) => index),
    now: options.now ?? (() => performance.now()),
    send: (conversation, intended) => sent.length < (options.room ?? 1e6) && sent.push({ conversation, intended }) > 0,
    unanswered: () => options.unanswered ?? 0,
  };
  return { sent, road: taken };
}

describe("a closed loop", () => {
  it("has its messages in flight in each conversation and sends one more per answer", async () => {
    const { sent, road: taken } = road({ conversations: 3, now: () => 1000 });
    const load = startLoad({ kind: "closed", inFlight: 2 }, taken, 1000, 1050);
    assert.deepEqual(
      sent.map(({ conversation }) => conversation),
      [0, 1, 2, 0, 1, 2],
    );
    load.answered(1, 0);
    assert.deepEqual(
      sent.slice(6).map(({ conversation }) => conversation),
      [1],
    );
    await load.ended;
    load.answered(2, 0);
    assert.equal(sent.length, 7, "nothing after the end");
  });

  it("waits as long as an answer asks for", async () => {
    const { sent, road: taken } = road({ conversations: 1 });
    const began = performance.now();
    const load = startLoad({ kind: "closed", inFlight: 1 }, taken, began, began + 1000);
    load.answered(0, 50);
    assert.equal(sent.length, 1);
    await load.ended;
    assert.equal(sent.length, 2);
    assert.ok((sent[1]?.intended ?? 0) - began >= 49);
  });

  it("ends when no more can be accounted for", async () => {
    const { sent, road: taken } = road({ conversations: 1, room: 2 });
    const load = startLoad({ kind: "closed", inFlight: 1 }, taken, performance.now(), performance.now() + 5000);
    load.answered(0, 0);
    load.answered(0, 0);
    await load.ended;
    assert.equal(sent.length, 2);
  });
});

describe("an open loop", () => {
  it("sends at its rate, one conversation after the other, without any answer", async () => {
    const { sent, road: taken } = road({ conversations: 3 });
    const start = performance.now();
    await startLoad({ kind: "open", perSecond: 100 }, taken, start, start + 100).ended;
    assert.deepEqual(
      sent.map(({ conversation }) => conversation),
      [0, 1, 2, 0, 1, 2, 0, 1, 2, 0],
    );
    for (const [n, { intended }] of sent.entries()) assert.equal(intended, start + n * 10);
  });

  it("holds messages back when too many wait for an answer, and times them as if it had not", async () => {
    const waiting = { conversations: 1, unanswered: 20_000 };
    const { sent, road: taken } = road(waiting);
    const start = performance.now();
    const load = startLoad({ kind: "open", perSecond: 100 }, taken, start, start + 50);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(sent.length, 0);
    waiting.unanswered = 0;
    await load.ended;
    assert.deepEqual(
      sent.map(({ intended }) => intended),
      [0, 10, 20, 30, 40].map((ms) => start + ms),
    );
  });
});
