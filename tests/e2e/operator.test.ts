import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { connect } from "@nats-io/transport-node";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { streamOf } from "@oceanchat/runtime/streams";
import { type Collection, type Document, MongoClient } from "mongodb";
import { operate } from "../support/operator.ts";
import { installation } from "../support/shared-installation.ts";
import { TestUser } from "../support/user.ts";

interface RecordDocument extends Document {
  readonly _id: string;
  readonly record: { readonly buffer: Uint8Array };
}

describe("an operator", function () {
  this.timeout(120_000);
  let store: MongoClient;
  let records: Collection<RecordDocument>;
  let alice: TestUser;

  before(async () => {
    store = await MongoClient.connect(installation().mesh.endpoints.infra.mongodb);
    records = store.db("oceanchat").collection<RecordDocument>("records");
    alice = await TestUser.register(installation().at, "alice");
  });

  after(() => store.close());

  /** A group with its creation and so many messages, all of them stored. */
  const conversationOf = async (messages: number) => {
    const { conversationId } = await alice.createGroup([]);
    for (let n = 1; n <= messages; n++) await alice.send({ conversationId }, `message ${n}`);
    while ((await records.countDocuments({ conversationId })) < messages + 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return conversationId;
  };

  it("finds nothing wrong with what users write, and reads it", async () => {
    const conversationId = await conversationOf(5);
    const verified = await operate(installation(), "log", "verify", conversationId);
    assert.equal(verified.out, `ok     ${conversationId}  seq 1 to 6: 0 archived, 6 stored, 6 in the stream\n`);
    assert.equal(verified.code, 0, verified.errors);
    const read = await operate(installation(), "log", "read", conversationId, "--from", "2", "--json");
    assert.deepEqual(
      read.out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).message.content.text.text),
      [1, 2, 3, 4, 5].map((n) => `message ${n}`),
    );
  });

  it("is told which record is missing in the store and which one differs", async () => {
    const conversationId = await conversationOf(5);
    await records.deleteOne({ conversationId, seq: 3 });
    const forged = await records.findOne({ conversationId, seq: 5 });
    assert.ok(forged !== null);
    const record = fromBinary(RecordSchema, new Uint8Array(forged.record.buffer));
    assert.ok(record.body.case === "message");
    record.body.value.flags = ["forged"];
    const bytes = { record: Buffer.from(toBinary(RecordSchema, record)) };
    await records.updateOne({ _id: forged._id }, { $set: bytes as never });
    const { code, out } = await operate(installation(), "log", "verify", conversationId);
    assert.deepEqual(out.trimEnd().split("\n").slice(1), [
      "  seq 3 is in the stream and neither stored nor archived, but the head says seq 6",
      "  seq 5 the store differs from the stream: in message",
    ]);
    assert.equal(code, 1);
    await records.deleteMany({ conversationId });
  });

  it("sees a session's end in its user's own log", async () => {
    const ended = await alice.login();
    await ended.ok("POST", "/auth/logout", {});
    const logId = `u_${alice.userId}`;
    for (;;) {
      const { code, out } = await operate(installation(), "log", "read", logId);
      if (code === 0 && out.includes(`sessionRevoked  ${ended.sessionId}`)) return;
    }
  });

  /** The letters of one poison entry, which the tool lists. */
  const lettersOf = async (subject: string) => {
    const { out } = await operate(installation(), "dead", "list", "--stream", "LOG", "--json");
    const lines = out.trimEnd().split("\n");
    return lines.flatMap((line) => (line === "" ? [] : JSON.parse(line))).filter((each) => each.subject === subject);
  };

  /** Publishes to the log what message never would. */
  const poison = async (id: string, bytes: Uint8Array) => {
    const subject = streamOf(LogEntrySchema).subjectOf("conversation", { id });
    const nats = await connect({ servers: installation().mesh.endpoints.infra.nats.replace("nats://", "") });
    await nats.request(subject, bytes);
    await nats.close();
    return subject;
  };

  it("lists a message that nobody can handle, looks at it and gives it back, to one consumer only", async () => {
    const record = create(RecordSchema, { conversationId: "g_poison", seq: 1n, recordId: "poison" });
    const subject = await poison("g_poison", toBinary(LogEntrySchema, create(LogEntrySchema, { record })));
    const consumers = ["orchestrator", "persistence-writer"];
    let letters = await lettersOf(subject);
    while (!consumers.every((name) => letters.some(({ consumer }) => consumer === name))) {
      letters = await lettersOf(subject);
    }
    const letter = letters.find(({ consumer }) => consumer === "persistence-writer");
    assert.equal(letter.reason, "a record without a time");
    const shown = JSON.parse((await operate(installation(), "dead", "show", letter.sequence)).out);
    assert.equal(shown.payload.value.record.conversationId, "g_poison");
    const replayed = await operate(installation(), "dead", "replay", letter.sequence);
    assert.equal(replayed.out, `${letter.sequence}  given back to LOG/persistence-writer\n`);
    assert.equal(replayed.code, 0, replayed.errors);
    const before = letters.length;
    while (letters.length === before) letters = await lettersOf(subject);
    const more = letters.slice(before);
    assert.deepEqual(
      more.map(({ consumer, reason, deliveries }) => [consumer, reason, deliveries]),
      [["persistence-writer", "a record without a time", 2]],
      "it came to the writer once more, which gave it up again",
    );
  });

  it("has what was given up delivered after all, once it can be handled", async () => {
    const conversationId = await conversationOf(1);
    const nats = await connect({ servers: installation().mesh.endpoints.infra.nats.replace("nats://", "") });
    // A letter as the writer would write it for a record that it hadn't stored.
    const stored = await records.findOne({ conversationId, seq: 2 });
    assert.ok(stored !== null);
    await records.deleteOne({ _id: stored._id });

    const stream = streamOf(LogEntrySchema);
    const record = fromBinary(RecordSchema, new Uint8Array(stored.record.buffer));
    const entry = create(LogEntrySchema, {
      record,
      audience: { case: "groupId", value: conversationId.slice(2) },
    });
    const letter = create(DeadLetterSchema, {
      stream: stream.name,
      consumer: "persistence-writer",
      subject: stream.subjectOf("conversation", { id: conversationId }),
      sequence: BigInt(String(stored.streamSequence)),
      deliveries: 1,
      reason: "planted",
      payload: toBinary(LogEntrySchema, entry),
    });
    const { seq } = (await nats.request(`dead.${stream.name}`, toBinary(DeadLetterSchema, letter))).json<{
      seq: number;
    }>();
    await nats.close();
    assert.equal((await operate(installation(), "log", "verify", conversationId)).code, 1);
    assert.equal((await operate(installation(), "dead", "replay", String(seq))).code, 0);
    while ((await records.findOne({ _id: stored._id })) === null) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const verified = await operate(installation(), "log", "verify", conversationId);
    assert.equal(verified.code, 0, verified.out);
  });

  it("has old records archived", async () => {
    const run = await operate(installation(), "archive", "run", "--older-than", "90d");
    assert.equal(run.code, 0, run.errors);
    assert.match(run.out, /^0 records of \d+ conversations moved into 0 blocks/);
    const young = await operate(installation(), "archive", "run", "--older-than", "1d");
    assert.match(young.errors, /older_than|field/);
    assert.equal(young.code, 1);
  });
});
