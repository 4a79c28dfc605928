import assert from "node:assert/strict";
import { verifyLog } from "../../src/log/verify.ts";
import { entries, entryAt, type FakeLog, fakeTiers, LOG_ID, recordBytes } from "../support/fakes.ts";

const options = { maxProblems: 20, pause: async () => undefined };
const verify = async (log: FakeLog) => verifyLog(fakeTiers(log).tiers, LOG_ID, options);

describe("verifying a log", () => {
  const problems: readonly [string, FakeLog, readonly string[]][] = [
    ["what is stored and in the stream", { store: entries(1, 9), stream: entries(5, 9), writtenUpTo: 90n }, []],
    ["what is archived, stored and in the stream", { archive: entries(1, 4), store: entries(5, 9) }, []],
    ["what is in two places while it is moved", { archive: entries(1, 4), store: entries(3, 9) }, []],
    ["what is not written yet", { store: entries(1, 3), stream: entries(2, 6), writtenUpTo: 30n }, []],
    [
      "a hole",
      { store: [...entries(1, 3), ...entries(6, 7), ...entries(9, 9)], stream: [] },
      ["seq 4 to 5 are missing everywhere", "seq 8 is missing everywhere"],
    ],
    ["a beginning that is missing", { store: entries(3, 4) }, ["seq 1 to 2 are missing everywhere"]],
    [
      "an end that only the head knows",
      { store: entries(1, 2), head: { headSeq: 4n, streamSequence: 40n, lastRecord: recordBytes(4n) } },
      ["seq 3 to 4 are missing everywhere"],
    ],
    [
      "records that differ",
      {
        archive: [entryAt(1n, { text: "once" })],
        store: [entryAt(1n), entryAt(2n, { text: "other" })],
        stream: entries(1, 2),
        head: { headSeq: 2n, streamSequence: 20n, lastRecord: recordBytes(2n, { text: "other" }) },
      },
      [
        "seq 1 the archive differs from the stream: in message",
        "seq 1 the store differs from the archive: in message",
        "seq 2 the store differs from the stream: in message",
      ],
    ],
    [
      "another place in the stream",
      {
        store: [{ ...entryAt(1n), streamSequence: 11n }],
        stream: entries(1, 1),
        head: { headSeq: 1n, streamSequence: 11n, lastRecord: recordBytes(1n) },
      },
      ["seq 1 the store says that it lies at stream sequence 11, the stream 10"],
    ],
    [
      "a record of another log under this one's seq",
      { archive: [entryAt(1n, { logId: "g_other" })] },
      ["seq 1 is of the log g_other in the archive"],
    ],
    [
      "a record under another key and seq",
      {
        store: [{ ...entryAt(2n, { key: "kept", recordId: "own" }), seq: 1n }],
        head: { headSeq: 1n, streamSequence: 20n, lastRecord: entryAt(2n, { recordId: "own" }).bytes },
      },
      ["seq 1 has seq 2 in the store", "seq 1 has the record id own, kept as kept, in the store"],
    ],
    [
      "bytes that are no record",
      { archive: [{ seq: 1n, bytes: Uint8Array.of(0xff, 0xff), streamSequence: 10n }] },
      ["seq 1 is no record in the archive"],
    ],
    [
      "a record id that occurs twice",
      { archive: [entryAt(1n, { recordId: "same" }), entryAt(2n, { recordId: "same" })] },
      ["seq 2 has the record id same, which seq 1 has too"],
    ],
    [
      "a seq that occurs twice in one place",
      { archive: [entryAt(1n), entryAt(2n), entryAt(2n)] },
      ["seq 2 occurs once more"],
    ],
    [
      "what the writer has acknowledged and not stored",
      { store: entries(1, 2), stream: entries(1, 4), writtenUpTo: 30n },
      ["seq 3 is in the stream and neither stored nor archived, but the writer has acknowledged it"],
    ],
    [
      "what lies behind the head and is not stored",
      {
        store: [entryAt(1n), entryAt(3n)],
        stream: entries(1, 3),
      },
      ["seq 2 is in the stream and neither stored nor archived, but the head says seq 3"],
    ],
    [
      "a head that is behind",
      { store: entries(1, 3), head: { headSeq: 2n, streamSequence: 20n, lastRecord: recordBytes(2n) } },
      ["the head says seq 2, but records up to seq 3 are stored"],
    ],
    ["no head", { store: entries(1, 3), head: undefined }, ["there is no head, but records up to seq 3 are stored"]],
    [
      "a head with another record",
      { store: entries(1, 3), head: { headSeq: 3n, streamSequence: 31n, lastRecord: recordBytes(3n, { text: "?" }) } },
      ["seq 3 differs from the record that the head has", "seq 3 lies at stream sequence 30, but the head says 31"],
    ],
  ];
  for (const [name, log, expected] of problems) {
    const archivedOnly = log.archive !== undefined && log.store === undefined;
    const head = { headSeq: log.archive?.at(-1)?.seq ?? 0n, streamSequence: 0n, lastRecord: new Uint8Array() };
    it(`${expected.length === 0 ? "is content with" : "tells"} ${name}`, async () => {
      const verdict = await verify(archivedOnly ? { ...log, head } : log);
      const about = archivedOnly ? verdict.problems.filter((each) => !each.includes(" head ")) : verdict.problems;
      assert.deepEqual(about, expected);
    });
  }

  it("counts what each place has", async () => {
    const { stored, archived, streamed, unwritten, lastSeq } = await verify({
      archive: entries(1, 4),
      store: entries(5, 9),
      stream: entries(8, 11),
      writtenUpTo: 90n,
    });
    assert.deepEqual(
      { stored, archived, streamed, unwritten, lastSeq },
      { stored: 5, archived: 4, streamed: 4, unwritten: 2, lastSeq: 11n },
    );
  });

  it("finds what was moved into the archive between two reads", async () => {
    const { tiers, store, archive } = fakeTiers({ store: entries(1, 6), stream: [] });
    // The archive was read before, the store after the move.
    store.onRange = (reading) => {
      if (reading === 1) store.entries = entries(4, 6);
    };
    archive.onRange = (reading) => {
      if (reading === 2) archive.entries = entries(1, 3);
    };
    const verdict = await verifyLog(tiers, LOG_ID, options);
    assert.deepEqual(verdict.problems, []);
    assert.equal(verdict.archived, 3);
  });

  it("finds what was stored after the store was read", async () => {
    const { tiers, store } = fakeTiers({ store: [], stream: entries(1, 2), writtenUpTo: 20n, head: undefined });
    store.onRange = (reading) => {
      if (reading === 2) store.entries = entries(1, 2);
    };
    const { problems } = await verifyLog(tiers, LOG_ID, options);
    assert.deepEqual(problems, ["there is no head, but records up to seq 2 are stored"]);
  });

  it("waits for a head that the writer moves a moment later", async () => {
    const { tiers, heads } = fakeTiers({ store: entries(1, 3), head: undefined });
    heads.push(undefined, { headSeq: 3n, streamSequence: 30n, lastRecord: recordBytes(3n) });
    assert.deepEqual((await verifyLog(tiers, LOG_ID, options)).problems, []);
  });

  it("tells the first problems and counts the others", async () => {
    const store = Array.from({ length: 10 }, (_, index) => entryAt(BigInt(2 * index + 2)));
    const verdict = await verifyLog(fakeTiers({ store }).tiers, LOG_ID, { ...options, maxProblems: 3 });
    assert.equal(verdict.problems.length, 3);
    assert.equal(verdict.moreProblems, 7);
  });

  it("tells what a damaged block says", async () => {
    const { tiers, archive } = fakeTiers({ store: entries(1, 1) });
    archive.notes = ["the archive's block x can't be unpacked"];
    assert.deepEqual((await verifyLog(tiers, LOG_ID, options)).problems, ["the archive's block x can't be unpacked"]);
  });
});
