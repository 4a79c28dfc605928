import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { TailRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { writableEntry } from "../../src/core/entry.ts";
import { additionsOf, TAIL_BYTES } from "../../src/core/tail.ts";
import { createWriterCore } from "../../src/core.ts";
import type { TailAddition } from "../../src/ports.ts";
import { BOB, contentOf, DIRECT, entry, GROUP, readCursor } from "../support/entries.ts";
import { MemoryStore } from "../support/memory-store.ts";

const writable = (...args: Parameters<typeof entry>) =>
  writableEntry(entry(...args), { streamSequence: BigInt(args[1]), messageId: undefined });
const seqs = ({ records }: TailAddition) => records.map(({ seq }) => Number(seq));

describe("additionsOf", () => {
  it("takes the newest of each conversation, and nothing of users' own logs", () => {
    const batch = [3, 1, 2].map((seq) => writable(seq, seq));
    const additions = additionsOf([
      ...batch,
      writable(1, 4, { conversationId: GROUP }),
      writable(1, 5, readCursor(BOB, 1)),
    ]);
    assert.deepEqual(
      additions.map((addition) => [addition.conversationId, seqs(addition)]),
      [
        [DIRECT, [3, 2, 1]],
        [GROUP, [1]],
      ],
    );
    const { record, streamSequence } = fromBinary(
      TailRecordSchema,
      additions[0]?.records[1]?.encoded ?? new Uint8Array(),
    );
    assert.equal(streamSequence, 2n);
    assert.deepEqual(fromBinary(RecordSchema, record), entry(2, 2).record);
  });

  it("takes no more than the tail holds", () => {
    const many = Array.from({ length: 300 }, (_, n) => writable(n + 1, n + 1));
    const [addition] = additionsOf(many);
    assert.deepEqual(
      addition && seqs(addition),
      Array.from({ length: 100 }, (_, n) => 300 - n),
    );
    const value = { clientMessageId: "x", content: contentOf("x".repeat(30_000)) };
    const [large] = additionsOf(many.map((_, n) => writable(n + 1, n + 1, { body: { case: "message", value } })));
    assert.deepEqual(large && seqs(large), [300, 299, 298, 297]);
    assert.ok((large?.records ?? []).reduce((sum, { encoded }) => sum + encoded.length, 0) <= TAIL_BYTES);
  });
});

describe("WriterCore and the tail", () => {
  it("adds what the store has, after it has it", async () => {
    const store = new MemoryStore();
    const added: number[][] = [];
    const core = createWriterCore(store, {
      add: async (additions) => {
        added.push(additions.flatMap(seqs));
        assert.ok(store.calls.some((call) => call.startsWith("insert")));
      },
    });
    await core.write([writable(1, 1), writable(2, 2)]);
    await core.write([writable(2, 99), writable(3, 3)]);
    assert.deepEqual(added, [[2, 1], [3]], "not the one that contradicts the store");
    store.insert = () => Promise.reject(new Error("down"));
    await assert.rejects(core.write([writable(4, 4)]), /down/);
    assert.equal(added.length, 2);
  });
});
