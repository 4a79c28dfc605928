import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Conversation,
  ConversationSchema,
  GetReadReceiptsResponseSchema,
} from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { Redis } from "ioredis";
import { atRest, untilIndexed } from "./support/at-rest.ts";
import { createGroup, directOf, type LogUser, registerUser } from "./support/log-user.ts";
import { editing, Recorder, reacting, recalling, saying } from "./support/recorder.ts";
import { logMesh } from "./support/shared-mesh.ts";

const ROUNDS = Number(process.env.OCEANCHAT_TEST_ROUNDS ?? 3);
const MESSAGES = 120;

describe("query while Redis loses everything", () => {
  it("gives the same answers before, meanwhile and after", async function () {
    this.timeout(120_000);
    const mesh = logMesh();
    const users = await Promise.all(["ann", "bob"].map((name) => registerUser(mesh, name)));
    const [ann, bob] = users;
    assert.ok(ann !== undefined && bob !== undefined);
    const conversationIds = [await createGroup(users), directOf(ann, bob)];
    const recorder = new Recorder(mesh);
    for (const conversationId of conversationIds) await fill(recorder, ann, bob, conversationId);
    await atRest(mesh, users, conversationIds);
    await untilIndexed(mesh);
    const redis = new Redis(mesh.mesh.endpoints.infra.redis);
    try {
      const before = await everything(bob, conversationIds);
      assert.ok(before.length > 10);
      for (let round = 0; round < ROUNDS; round++) {
        const flushing = sleep(Math.random() * 50).then(() => redis.flushall());
        assert.deepEqual(await everything(bob, conversationIds), before, `meanwhile, round ${round}`);
        await flushing;
        assert.deepEqual(await everything(bob, conversationIds), before, `after, round ${round}`);
      }
      // What comes after a loss begins a tail that doesn't reach back.
      await recorder.resolve(recorder.begin(saying(ann, conversationIds[0] ?? "", "after the loss")));
      await atRest(mesh, users, conversationIds);
      await untilIndexed(mesh);
      const after = await everything(bob, conversationIds);
      await redis.flushall();
      assert.deepEqual(await everything(bob, conversationIds), after, "a tail that is only the end");
    } finally {
      redis.disconnect();
    }
  });
});

/** Messages, with edits, recalls, reactions and a read cursor. */
async function fill(recorder: Recorder, ann: LogUser, bob: LogUser, conversationId: string): Promise<void> {
  for (let number = 0; number < MESSAGES; number++) {
    const outcome = await recorder.resolve(recorder.begin(saying(ann, conversationId, `word${number} harbour`)));
    assert.equal(outcome.kind, "ok");
    if (outcome.kind !== "ok") continue;
    const target = { conversationId, seq: outcome.seq, recordId: outcome.recordId };
    if (number % 10 === 3)
      await recorder.resolve(recorder.begin(editing(ann.userId, target, `edited${number} harbour`)));
    if (number % 10 === 6) await recorder.resolve(recorder.begin(recalling(ann.userId, target)));
    if (number % 10 === 9) await recorder.resolve(recorder.begin(reacting(bob.userId, target, "🐋", false)));
  }
  await recorder.moveCursor(bob.userId, conversationId, MESSAGES / 2, 0);
}

/** The answers of every call that reads, in JSON. */
async function everything(user: LogUser, conversationIds: readonly string[]): Promise<unknown[]> {
  const { query } = user;
  const answers: unknown[] = [];
  for (const conversationId of conversationIds) {
    for (const raw of [true, false]) {
      answers.push(records(await query.listRecords({ conversationId, raw })));
      answers.push(records(await query.listRecords({ conversationId, raw, afterSeq: 20n, limit: 200 })));
      answers.push(records(await query.listRecords({ conversationId, raw, beforeSeq: 90n, limit: 30 })));
    }
    const receipts = await query.getReadReceipts({ conversationId, seq: 10n });
    answers.push(toJson(GetReadReceiptsResponseSchema, receipts));
  }
  answers.push((await query.listConversations({})).conversations.map(conversation));
  answers.push(await unlessUnimplemented(async () => (await query.sync({})).conversations.map(conversation)));
  answers.push(await unlessUnimplemented(async () => records(await query.search({ query: "harb" }))));
  return answers;
}

const records = (answer: { readonly records: readonly LogRecord[] }) =>
  answer.records.map((record) => toJson(RecordSchema, record));
const conversation = (each: Conversation) => toJson(ConversationSchema, each);

async function unlessUnimplemented(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.Unimplemented) return "unimplemented";
    throw error;
  }
}
