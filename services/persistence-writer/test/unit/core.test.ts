import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { writableEntry } from "../../src/core/entry.ts";
import { createWriterCore } from "../../src/core.ts";
import { ALICE, BOB, DIRECT, entry, GROUP, id, mentioning, recall, T0 } from "../support/entries.ts";
import { MemoryStore, noTail } from "../support/memory-store.ts";

const writable = (...args: Parameters<typeof entry>) =>
  writableEntry(entry(...args), { streamSequence: BigInt(args[1]) + 100n, messageId: undefined });
const at = { streamSequence: 1n, messageId: undefined };
const STORED = { kind: "stored" };

describe("writableEntry", () => {
  it("keeps the whole record and what is searched by", () => {
    const { row, directUserIds } = writable(3, 30);
    assert.deepEqual(
      { ...row, record: undefined },
      {
        recordId: id(30),
        conversationId: DIRECT,
        seq: 3n,
        senderUserId: ALICE,
        clientMessageId: id(1_000_030),
        kind: "message",
        streamSequence: 130n,
        acceptedTime: new Date(T0 + 3000),
        record: undefined,
        mentions: [],
        mentionsAll: false,
      },
    );
    assert.deepEqual(fromBinary(RecordSchema, row.record), entry(3, 30).record);
    assert.deepEqual(directUserIds, [ALICE, BOB]);
  });

  it("takes the record's bytes as they were published", () => {
    const logEntry = entry(3, 30);
    const encoded = toBinary(LogEntrySchema, logEntry);
    const { row } = writableEntry(logEntry, { ...at, encoded });
    assert.deepEqual(row.record, toBinary(RecordSchema, logEntry.record ?? create(RecordSchema)));
    assert.equal(row.record.buffer, encoded.buffer, "no copy");
    // The contract allows a message in two parts, which are merged.
    const tail = toBinary(LogEntrySchema, create(LogEntrySchema, { record: { senderDeviceId: "pad" } }));
    const parts = new Uint8Array([...encoded, ...tail]);
    const merged = writableEntry(fromBinary(LogEntrySchema, parts), { ...at, encoded: parts }).row;
    assert.equal(fromBinary(RecordSchema, merged.record).senderDeviceId, "pad");
    assert.equal(fromBinary(RecordSchema, merged.record).recordId, id(30));
  });

  it("keeps who a message mentions", () => {
    const { row } = writable(3, 30, { body: { case: "message", value: { mentions: [BOB], mentionsAll: true } } });
    assert.deepEqual([row.mentions, row.mentionsAll], [[BOB], true]);
  });

  it("gives a record that is no message no client message id", () => {
    const { row } = writable(4, 40, { body: { case: "recall", value: { targetSeq: 3n } } });
    assert.equal(row.kind, "recall");
    assert.equal(row.clientMessageId, undefined);
  });

  it("keeps a body that it does not know", () => {
    assert.equal(writable(5, 50, { body: { case: undefined } }).row.kind, "unknown");
  });

  it("refuses what has no place in a log", () => {
    assert.throws(() => writableEntry(create(LogEntrySchema), at), /no record/);
    assert.throws(() => writable(0, 1), /without id or seq/);
    assert.throws(() => writable(1, 1, { recordId: "" }), /without id or seq/);
    assert.throws(
      () => writableEntry(create(LogEntrySchema, { record: { conversationId: "c", seq: 1n, recordId: "r" } }), at),
      /time/,
    );
  });
});

describe("WriterCore.write", () => {
  it("stores a batch and moves each head and list once, to the last", async () => {
    const store = new MemoryStore();
    const batch = [writable(1, 10), writable(3, 12), writable(2, 11), writable(1, 20, { conversationId: GROUP })];
    assert.deepEqual(await createWriterCore(store, noTail).write(batch), [STORED, STORED, STORED, STORED]);
    assert.equal(store.rows.length, 4);
    assert.deepEqual(store.calls, ["apply", "insert 4", "heads 2", "lists 2"]);
    assert.deepEqual(store.heads.get(DIRECT), {
      conversationId: DIRECT,
      headSeq: 3n,
      streamSequence: 112n,
      lastTime: new Date(T0 + 3000),
      lastRecord: batch[1]?.row.record,
      lastRecalledSeq: undefined,
      lastMentionAllSeq: undefined,
    });
    assert.deepEqual([...store.lists.keys()], [`${ALICE}:${DIRECT}`, `${BOB}:${DIRECT}`]);
  });

  it("moves a head with the furthest message that is recalled, and that mentions everybody", async () => {
    const store = new MemoryStore();
    const batch = [
      writable(5, 14, mentioning(14, [], true)),
      writable(7, 16, recall(3)),
      writable(6, 15, recall(4)),
      writable(4, 13, mentioning(13, [BOB], true)),
    ];
    await createWriterCore(store, noTail).write(batch);
    const { headSeq, lastRecord, lastRecalledSeq, lastMentionAllSeq } = store.heads.get(DIRECT) ?? {};
    assert.deepEqual([headSeq, lastRecalledSeq, lastMentionAllSeq], [7n, 4n, 5n]);
    assert.equal(lastRecord, batch[1]?.row.record);
  });

  it("applies what records change before they are there, so that whoever finds them may rely on it", async () => {
    const store = new MemoryStore();
    await createWriterCore(store, noTail).write([writable(1, 10), writable(2, 11, recall(1))]);
    assert.deepEqual(store.applied[0]?.messages, [{ conversationId: DIRECT, seq: 1n, edit: undefined, recallSeq: 2n }]);
    store.apply = () => Promise.reject(new Error("down"));
    await assert.rejects(createWriterCore(store, noTail).write([writable(3, 12, recall(1))]), /down/);
    assert.equal(await store.recordAt(DIRECT, 3n), undefined);
  });

  it("takes a repeated batch as stored, and moves heads that were not moved then", async () => {
    const store = new MemoryStore();
    const batch = [writable(1, 10), writable(2, 11)];
    await store.insert(batch.map(({ row }) => row)); // killed before the heads were moved
    assert.deepEqual(await createWriterCore(store, noTail).write(batch), [STORED, STORED]);
    assert.equal(store.rows.length, 2);
    assert.equal(store.heads.get(DIRECT)?.headSeq, 2n);
  });

  it("refuses another record in a place that is taken, and stores the rest", async () => {
    const store = new MemoryStore();
    const core = createWriterCore(store, noTail);
    await core.write([writable(1, 10)]);
    const written = await core.write([writable(1, 99), writable(2, 11)]);
    assert.equal(written[0]?.kind, "contradicted");
    assert.deepEqual(written[1], STORED);
    assert.equal(await store.recordAt(DIRECT, 1n), id(10));
    assert.equal(store.heads.get(DIRECT)?.headSeq, 2n);
  });

  it("refuses a record that lies elsewhere already", async () => {
    const core = createWriterCore(new MemoryStore(), noTail);
    await core.write([writable(1, 10)]);
    const [written] = await core.write([writable(2, 10)]);
    assert.equal(written?.kind, "contradicted");
  });

  it("does not move a head by a record that was not stored", async () => {
    const store = new MemoryStore();
    const core = createWriterCore(store, noTail);
    await core.write([writable(1, 10)]);
    await core.write([writable(9, 10)]);
    assert.equal(store.heads.get(DIRECT)?.headSeq, 1n);
  });

  it("makes no hole for a client message id that was used twice", async () => {
    const store = new MemoryStore();
    const core = createWriterCore(store, noTail);
    const first = entry(1, 10).record;
    assert.ok(first);
    await core.write([writable(1, 10)]);
    assert.deepEqual(await core.write([writable(2, 11, { body: first.body })]), [{ kind: "repeated" }]);
    assert.equal(await store.recordAt(DIRECT, 2n), id(11));
    assert.equal(store.heads.get(DIRECT)?.headSeq, 2n);
    // Its redelivery is an ordinary repeat.
    assert.deepEqual(await core.write([writable(2, 11, { body: first.body })]), [STORED]);
    assert.equal(store.rows.length, 2);
  });

  it("rejects when the store does, so that the batch comes again", async () => {
    const store = new MemoryStore();
    store.moveHeads = () => Promise.reject(new Error("down"));
    await assert.rejects(createWriterCore(store, noTail).write([writable(1, 10)]), /down/);
  });
});
