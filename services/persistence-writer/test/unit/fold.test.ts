import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import type { LogEntry } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { writableEntry } from "../../src/core/entry.ts";
import { changesOf } from "../../src/core/fold.ts";
import {
  ALICE,
  BOB,
  contentOf,
  DIRECT,
  edit,
  entry,
  id,
  mentioning,
  reaction,
  readCursor,
  recall,
  settings,
  T0,
} from "../support/entries.ts";

const fold = (...entries: LogEntry[]) =>
  changesOf(
    entries.map((entry) => {
      const { recordId = "", seq = 0n } = entry.record ?? {};
      return writableEntry(entry, { streamSequence: seq, messageId: `key of ${recordId}` });
    }),
  );
const said = (text: string) => toBinary(ContentSchema, contentOf(text));

describe("changesOf", () => {
  it("finds nothing in messages", () => {
    const nothing = { messages: [], reactions: [], readCursors: [], settings: [], mentions: [], appendKeys: [] };
    assert.deepEqual(fold(entry(1, 1), entry(2, 2)), nothing);
  });

  it("keeps the last edit and the last recall of a message, in whatever order they come", () => {
    const batch = [entry(5, 5, edit(1, "five")), entry(6, 6, recall(1)), entry(3, 3, edit(1, "three"))];
    const change = {
      conversationId: DIRECT,
      seq: 1n,
      edit: { seq: 5n, time: new Date(T0 + 5000), content: said("five"), flags: ["five"] },
      recallSeq: 6n,
    };
    assert.deepEqual(fold(...batch).messages, [change]);
    assert.deepEqual(fold(...batch.toReversed()).messages, [change]);
  });

  it("keeps messages, emojis and users apart", () => {
    const { reactions } = fold(
      entry(4, 4, reaction(1, "👍", true)),
      entry(3, 3, reaction(1, "👍")),
      entry(5, 5, reaction(1, "🎉")),
      entry(6, 6, reaction(2, "👍")),
      entry(7, 7, { ...reaction(1, "👍"), senderUserId: BOB }),
    );
    assert.deepEqual(
      reactions.map(({ targetSeq, emoji, userId, seq, removed }) => [targetSeq, emoji, userId === BOB, seq, removed]),
      [
        [1n, "👍", false, 4n, true],
        [1n, "🎉", false, 5n, false],
        [2n, "👍", false, 6n, false],
        [1n, "👍", true, 7n, false],
      ],
    );
  });

  it("moves a read cursor to the furthest, and only by its user's own log", () => {
    const { readCursors } = fold(
      entry(2, 2, readCursor(BOB, 9)),
      entry(1, 1, readCursor(BOB, 7)),
      entry(8, 8, { body: readCursor(BOB, 99).body }),
    );
    assert.deepEqual(readCursors, [{ userId: BOB, conversationId: DIRECT, readSeq: 9n }]);
  });

  it("keeps of each setting what was said last, and only in the user's own log", () => {
    const said = [
      entry(1, 1, settings(BOB, { pinned: true, mutedUntilMs: T0 })),
      entry(2, 2, settings(BOB, { pinned: false })),
      entry(3, 3, settings(BOB, { mutedUntilMs: 0 })),
      entry(4, 4, settings(BOB, {})),
      entry(9, 9, { body: settings(BOB, { pinned: true }).body }),
    ];
    const change = {
      userId: BOB,
      conversationId: DIRECT,
      pinned: { seq: 2n, value: false },
      mutedUntil: { seq: 3n, value: new Date(0) },
    };
    assert.deepEqual(fold(...said).settings, [change]);
    assert.deepEqual(fold(...said.toReversed()).settings, [change]);
    const [pinned] = fold(entry(1, 1, settings(BOB, { pinned: true }))).settings;
    assert.deepEqual([pinned?.pinned, pinned?.mutedUntil], [{ seq: 1n, value: true }, undefined]);
  });

  it("finds whom messages name", () => {
    const { mentions } = fold(
      entry(1, 1, mentioning(1, [ALICE, BOB])),
      entry(2, 2),
      entry(3, 3, mentioning(3, [], true)),
    );
    assert.deepEqual(mentions, [
      { userId: ALICE, conversationId: DIRECT, seq: 1n },
      { userId: BOB, conversationId: DIRECT, seq: 1n },
    ]);
  });

  it("keeps the keys of what is no message, reaction or read cursor", () => {
    const entries = [
      entry(1, 1),
      entry(2, 2, edit(1, "two")),
      entry(3, 3, recall(1)),
      entry(4, 4, reaction(1, "👍")),
      entry(5, 5, readCursor(BOB, 4)),
      entry(6, 6, settings(BOB, { pinned: true })),
      entry(7, 7, { body: { case: "membership", value: { joined: [BOB] } } }),
      entry(8, 8, { body: { case: undefined } }),
    ];
    const { appendKeys } = fold(...entries);
    assert.deepEqual(
      appendKeys.map(({ messageId, seq }) => [messageId, seq]),
      [2, 3, 6, 7, 8].map((n) => [`key of ${id(n)}`, BigInt(n)]),
    );
    assert.deepEqual(appendKeys[0], {
      messageId: `key of ${id(2)}`,
      recordId: id(2),
      conversationId: DIRECT,
      seq: 2n,
      acceptedTime: new Date(T0 + 2000),
    });
    const unkeyed = writableEntry(entry(2, 2, edit(1, "two")), { streamSequence: 1n, messageId: undefined });
    assert.deepEqual(changesOf([unkeyed]).appendKeys, []);
  });
});
