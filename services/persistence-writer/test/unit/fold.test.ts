import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import type { LogEntry } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { changesOf } from "../../src/core/fold.ts";
import { BOB, contentOf, DIRECT, edit, entry, reaction, readCursor, recall, T0 } from "../support/entries.ts";

const fold = (...entries: LogEntry[]) => changesOf(entries.flatMap(({ record }) => record ?? []));
const said = (text: string) => toBinary(ContentSchema, contentOf(text));

describe("changesOf", () => {
  it("finds nothing in messages", () => {
    assert.deepEqual(fold(entry(1, 1), entry(2, 2)), { messages: [], reactions: [], readCursors: [] });
  });

  it("keeps the last edit and the last recall of a message, in whatever order they come", () => {
    const batch = [entry(5, 5, edit(1, "five")), entry(6, 6, recall(1)), entry(3, 3, edit(1, "three"))];
    const change = {
      conversationId: DIRECT,
      seq: 1n,
      edit: { seq: 5n, time: new Date(T0 + 5000), content: said("five") },
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
});
