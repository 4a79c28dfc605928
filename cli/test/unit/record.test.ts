import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { decoded, printable, recordLine } from "../../src/log/record.ts";
import { RecordIds } from "../../src/log/record-ids.ts";
import { recordBytes } from "../support/fakes.ts";

describe("a record for people", () => {
  it("is one line", () => {
    const record = decoded(recordBytes(7n, { text: "ahoy\nsailor" }));
    assert.ok(record);
    assert.equal(
      recordLine(record),
      "     7  2023-11-14T22:13:20.007Z  01890000-0000-7000-8000-0000000000aa  message  ahoy sailor",
    );
  });

  it("says what it can of every other kind", () => {
    const line = (body: Parameters<typeof create<typeof RecordSchema>>[1]) => recordLine(create(RecordSchema, body));
    assert.match(line({ seq: 1n, body: { case: "recall", value: { targetSeq: 4n } } }), /recall {2}4$/);
    assert.match(line({ seq: 1n, body: { case: "reaction", value: { targetSeq: 4n, emoji: "👍" } } }), /4: \+👍$/);
    assert.match(
      line({ seq: 1n, body: { case: "membership", value: { joined: ["a", "b"], removed: ["c"], version: 3n } } }),
      /\+2 -1 version 3$/,
    );
    assert.match(line({ seq: 1n }), /unknown$/);
  });

  it("gives a terminal nothing to obey", () => {
    assert.equal(printable("a\u001b[2Jb\u202ec\u0007"), "a [2Jb c");
    assert.equal(printable("x".repeat(500)).length, 80);
    assert.equal([...printable("👍".repeat(500))].length, 80);
  });
});

describe("record ids", () => {
  it("are remembered, the last ones", () => {
    const ids = new RecordIds(2);
    assert.equal(ids.add("a", 1n), undefined);
    assert.equal(ids.add("a", 1n), undefined);
    assert.equal(ids.add("a", 2n), 1n);
    ids.add("b", 3n);
    ids.add("c", 4n);
    assert.equal(ids.add("a", 5n), 1n);
    assert.equal(ids.add("b", 5n), 3n);
    ids.add("d", 5n);
    assert.equal(ids.add("c", 6n), 4n);
    assert.equal(ids.add("a", 6n), undefined);
  });
});
