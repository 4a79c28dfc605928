import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { asItStands, standingOf } from "../../src/core/fold.ts";
import {
  edit,
  expected,
  randomLog,
  randomOf,
  react,
  recall,
  recordOf,
  shownOf,
  storedChanges,
} from "../support/model.ts";

const NOTHING = { states: [], reactions: [] };
const ann = { userId: "ann", mayRead: () => true };
const message = recordOf(1);

describe("asItStands", () => {
  it("shows the last edit with its time, and keeps the record's own place and time", () => {
    const standing = standingOf(NOTHING, [recordOf(3, "ann", edit(1, "new")), recordOf(2, "ann", edit(1, "old"))]);
    const shown = asItStands(message, standing, ann);
    assert.deepEqual(shownOf(shown), { text: "new", editedAt: 3, recalled: false, reactions: [] });
    assert.deepEqual([shown.seq, shown.recordId, shown.acceptedTime], [1n, "r1", message.acceptedTime]);
    assert.equal(shownOf(message).text, "message 1", "the record itself is not changed");
  });

  it("shows what was found in the last edit, and no longer what was found before", () => {
    const flagged = recordOf(2, "ann", edit(1, "bad"));
    assert.ok(flagged.body.case === "edit");
    flagged.body.value.flags = ["sensitive"];
    const flagsAfter = (...newest: (typeof flagged)[]) => {
      const { body } = asItStands(message, standingOf(NOTHING, newest), ann);
      return body.case === "message" ? body.value.flags : undefined;
    };
    assert.deepEqual(flagsAfter(flagged), ["sensitive"]);
    assert.deepEqual(flagsAfter(flagged, recordOf(3, "ann", edit(1, "good"))), []);
  });

  it("shows nothing of a recalled message, edited or not, reacted to or not", () => {
    const secrets = [recordOf(2, "ann", edit(1, "secret 2")), recordOf(4, "ann", edit(1, "secret 4"))];
    const standing = standingOf(NOTHING, [
      ...secrets,
      recordOf(3, "ann", recall(1)),
      recordOf(5, "bob", react(1, "🎉")),
    ]);
    const shown = asItStands(message, standing, ann);
    assert.deepEqual(shownOf(shown), { text: undefined, editedAt: undefined, recalled: true, reactions: [] });
    const bytes = Buffer.from(toBinary(RecordSchema, shown)).toString();
    assert.doesNotMatch(bytes, /secret|message 1/);
  });

  it("counts each user once and names the first ten", () => {
    const users = Array.from({ length: 12 }, (_, n) => `u${n}`);
    const reactions = users.map((user, n) => recordOf(2 + n, user, react(1, "👍")));
    const again = recordOf(50, "u3", react(1, "👍"));
    const withdrawn = recordOf(51, "u0", react(1, "👍", true));
    const shown = asItStands(message, standingOf(NOTHING, [...reactions, again, withdrawn]), { ...ann, userId: "u3" });
    const [count] = shown.reactions;
    assert.deepEqual([count?.count, count?.mine, count?.userIds.length], [11, true, 10]);
    assert.equal(count?.userIds[0], "u1");
  });

  it("does not show what its reader may not read, but for recalls", () => {
    const left = { userId: "ann", mayRead: (seq: bigint) => seq <= 3n };
    const changes = [
      recordOf(3, "bob", react(1, "👍")),
      recordOf(4, "bob", edit(1, "x")),
      recordOf(5, "bob", react(1, "🎉")),
    ];
    assert.deepEqual(shownOf(asItStands(message, standingOf(NOTHING, changes), left)), {
      text: "message 1",
      editedAt: undefined,
      recalled: false,
      reactions: ["👍 1 false bob"],
    });
    const recalled = standingOf(NOTHING, [recordOf(6, "bob", recall(1))]);
    assert.equal(asItStands(message, recalled, left).recalled, true);
  });

  it("is what a reading of the whole log gives, whatever is stored, repeated or out of order (300 random logs)", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = randomOf(seed);
      const log = randomLog(random, 2 + random(60));
      const stored = log.filter(() => random(2) === 0);
      const newest = log.filter((record) => !stored.includes(record) || random(3) === 0);
      newest.sort(() => random(3) - 1);
      const end = BigInt(1 + random(80));
      const reader = { userId: "bob", mayRead: (seq: bigint) => seq <= end };
      const standing = standingOf(storedChanges(stored), newest);
      for (const record of log.filter(({ body }) => body.case === "message")) {
        const shown = shownOf(asItStands(record, standing, reader));
        assert.deepEqual(
          shown,
          expected(log, record.seq, "bob", reader.mayRead),
          `seed ${seed}, message ${record.seq}`,
        );
      }
    }
  });
});
