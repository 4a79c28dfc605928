import assert from "node:assert/strict";
import { check } from "./checker.ts";
import type { CheckName } from "./history.ts";
import { DIRECT, endOf, GROUP, historyOf, LEAVER, STRANGER, type Story, soundStory } from "./support/sound-history.ts";

/** What goes wrong, which check must see it, and how the history comes to look. */
interface Planted {
  readonly bug: string;
  readonly by: CheckName;
  readonly plant: (story: Story) => void;
}

/** That element; the story has more of everything than is asked for. */
function at<T>(list: readonly T[], index: number): T {
  const found = list.at(index);
  assert.ok(found !== undefined);
  return found;
}

const drop = <T>(list: T[], every: number) => {
  for (let index = list.length - 1; index >= 0; index--) if (index % every === every - 1) list.splice(index, 1);
};

const groupEntry = (story: Story, seq: number) => {
  const found = story.stream.find((entry) => entry.conversationId === GROUP && entry.seq === seq);
  assert.ok(found);
  return found;
};

/** The place of a record moves in the log and in the store. */
const move = (story: Story, from: number, to: number) => {
  for (const entry of [...story.stream, ...story.store]) {
    if (entry.conversationId === GROUP && entry.seq === from) entry.seq = -to;
  }
};

const PLANTED: readonly Planted[] = [
  { bug: "the store drops one of 1000", by: "C1", plant: ({ store }) => drop(store, 1000) },
  { bug: "the log drops one of 1000", by: "C1", plant: ({ stream }) => drop(stream, 1000) },
  { bug: "a hole in the store", by: "C3", plant: ({ store }) => drop(store, 1000) },
  {
    bug: "a record is stored twice",
    by: "C1",
    plant: ({ store }) => store.push({ ...at(store, 77) }),
  },
  {
    bug: "a repeat becomes a second record",
    by: "C10",
    plant: ({ stream, store }) => {
      const again = { ...at(stream, 77), recordId: "again", seq: 3001 };
      stream.push(again);
      store.push({ ...again });
    },
  },
  {
    bug: "a repeat is answered with another record",
    by: "C10",
    plant: ({ operations }) => {
      const repeated = operations.find(({ tries }) => tries.length === 2);
      assert.ok(repeated);
      at(repeated.tries, 0).outcome = { kind: "ok", recordId: "other", seq: 9, duplicate: false };
    },
  },
  {
    bug: "two records change places in the store",
    by: "C3",
    plant: ({ store }) => {
      [at(store, 10).seq, at(store, 11).seq] = [at(store, 11).seq, at(store, 10).seq];
    },
  },
  {
    bug: "a later message lies before an earlier one",
    by: "C4",
    plant: (story) => {
      move(story, 101, 102);
      move(story, 102, 101);
      for (const entry of [...story.stream, ...story.store]) entry.seq = Math.abs(entry.seq);
      for (const { conversationId, tries } of story.operations) {
        const { outcome } = at(tries, -1);
        if (conversationId !== GROUP || outcome.kind !== "ok" || (outcome.seq !== 101 && outcome.seq !== 102)) continue;
        at(tries, -1).outcome = { ...outcome, seq: 203 - outcome.seq };
      }
    },
  },
  {
    bug: "what one connection sent is stored in another order",
    by: "C4",
    plant: ({ operations }) => {
      const [first, second] = [at(operations, 1), at(operations, 4)];
      assert.equal(first.pipeline, second.pipeline);
      operations[1] = second;
      operations[4] = first;
    },
  },
  {
    bug: "a seq is used again",
    by: "C3",
    plant: (story) => {
      for (const entry of [...story.stream, ...story.store]) if (entry.seq === 501) entry.seq = 500;
    },
  },
  {
    bug: "an accepted message lies elsewhere (accepted before it was published)",
    by: "C1",
    plant: ({ operations }) => {
      const { outcome } = at(at(operations, 300).tries, -1);
      assert.equal(outcome.kind, "ok");
      if (outcome.kind === "ok") at(at(operations, 300).tries, -1).outcome = { ...outcome, seq: outcome.seq + 1 };
    },
  },
  {
    bug: "a refused message is stored",
    by: "C2",
    plant: ({ operations }) => {
      for (const each of at(operations, 40).tries) each.outcome = { kind: "failed", reason: "UNAVAILABLE" };
    },
  },
  { bug: "a message that nobody sent", by: "C2", plant: ({ operations }) => void operations.splice(40, 1) },
  {
    bug: "a message says something else",
    by: "C2",
    plant: ({ stream }) => {
      at(stream, 77).fact = { kind: "message", text: "something else" };
    },
  },
  {
    bug: "a reaction that nobody gave",
    by: "C2",
    plant: ({ operations }) => {
      const reaction = operations.findIndex(({ fact }) => fact.kind === "reaction");
      operations.splice(reaction, 1);
    },
  },
  {
    bug: "a member's list has a hole",
    by: "C3",
    plant: ({ lists }) => {
      at(lists, 0).records = at(lists, 0).records.filter(({ seq }) => seq !== 700);
    },
  },
  {
    bug: "a page has a hole",
    by: "C3",
    plant: ({ views }) => {
      at(views, 3).records = at(views, 3).records.slice(1);
    },
  },
  {
    bug: "a page shows another record",
    by: "C3",
    plant: ({ views }) => {
      const { records } = at(views, 3);
      at(views, 3).records = [{ ...at(records, 0), recordId: "other" }, ...records.slice(1)];
    },
  },
  {
    bug: "an ex-member reads on",
    by: "C6",
    plant: ({ views }) => {
      at(views, 14).userId = LEAVER;
    },
  },
  {
    bug: "somebody who left is synced a new record",
    by: "C6",
    plant: (story) => {
      const { seq, recordId } = groupEntry(story, 1001);
      story.views.push({
        ...{ userId: LEAVER, conversationId: GROUP, via: "sync", began: 1, ended: 2 },
        records: [{ seq, recordId }],
      });
    },
  },
  {
    bug: "a search shows a stranger what two others said",
    by: "C6",
    plant: (story) => {
      const found = story.stream.find(({ conversationId }) => conversationId === DIRECT);
      assert.ok(found);
      story.views.push({
        ...{ userId: STRANGER, conversationId: DIRECT, via: "search", began: 1, ended: 2 },
        records: [{ seq: found.seq, recordId: found.recordId }],
      });
    },
  },
  {
    bug: "a read is older than what was accepted before",
    by: "C5",
    plant: ({ views }) => {
      at(views, 9).headSeq = 990;
    },
  },
  {
    bug: "a reader is shown less than before",
    by: "C5",
    plant: ({ views, operations }) => {
      operations.splice(0);
      at(views, 9).headSeq = 890;
    },
  },
  {
    bug: "the cursor is where it was moved last",
    by: "C7",
    plant: ({ told }) => {
      at(told, 1).readSeq = 1200;
    },
  },
  {
    bug: "unread is one too many",
    by: "C7",
    plant: ({ told }) => {
      at(told, 2).unread++;
    },
  },
];

describe("the checker", () => {
  it("finds nothing wrong with a sound history", () => {
    const story = soundStory();
    assert.equal(story.stream.length, 3103);
    assert.deepEqual(check(historyOf(story), endOf(story)), []);
  });

  for (const { bug, by, plant } of PLANTED) {
    it(`${by}: ${bug}`, () => {
      const story = soundStory();
      plant(story);
      const found = check(historyOf(story), endOf(story));
      assert.ok(
        found.some((violation) => violation.check === by),
        `found only ${JSON.stringify(found.slice(0, 5))}`,
      );
    });
  }
});
