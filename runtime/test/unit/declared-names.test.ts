import assert from "node:assert/strict";
import { ConversationSignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { TailRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { keyOf, signalOf } from "@oceanchat/runtime/declared-names";

describe("names that messages declare", () => {
  it("fills the parts of a Redis key in", () => {
    assert.equal(keyOf(TailRecordSchema)({ conversation_id: "g_1" }), "tail:g_1");
    assert.throws(() => keyOf(TailRecordSchema)({}), /conversation_id is missing/);
  });

  it("fills the tokens of a signal's subject in, and listens to all", () => {
    const signal = signalOf(ConversationSignalSchema);
    assert.equal(signal.subjectOf({ conversation_id: "g_1" }), "signal.conversation.g_1");
    assert.equal(signal.filterOf(), "signal.conversation.*");
    assert.throws(() => signal.subjectOf({ conversation_id: "a.b" }), /without/);
  });

  it("says when nothing is declared", () => {
    assert.throws(() => keyOf(RecordSchema), /declares no key/);
    assert.throws(() => signalOf(RecordSchema), /declares no signal/);
  });
});
