import { create } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { Appender, type AppendLimits, type Draft } from "../../src/core/append.ts";
import { groupLog, type Log } from "../../src/core/log.ts";
import { FakeClock, FakeStore, uuid } from "./fakes.ts";
import { ModelStream } from "./model-stream.ts";

/** Who sends all drafts. */
export const alice = uuid(1);
/** Where drafts go unless they say otherwise. */
export const log = groupLog(uuid(9));

/** What a service runs with. */
export const LIMITS: AppendLimits = {
  deadlineMs: 5000,
  answerMs: 2000,
  conflicts: 20,
  perLog: 256,
  total: 10_000,
  heads: 100,
  recordBytes: 32_768,
};

/** An appender over fakes. */
export function setUp(limits: Partial<AppendLimits> = {}, stream = new ModelStream()) {
  const store = new FakeStore();
  const clock = new FakeClock();
  return { stream, store, clock, appender: new Appender(stream, store, clock, { ...LIMITS, ...limits }) };
}

let ids = 1000;
/** A draft of a text message; its text is its key too unless it gives another. */
export function draft(text: string, extra: Partial<Draft> & { to?: Log; key?: string } = {}): Draft {
  const { to = log, key = text, ...rest } = extra;
  const content = { kind: { case: "text" as const, value: { text } } };
  const record = create(RecordSchema, {
    conversationId: to.id,
    recordId: uuid(ids++),
    senderUserId: alice,
    body: { case: "message", value: { clientMessageId: key, content } },
  });
  return { log: to, messageId: `${alice}:${key}`, record, ready: undefined, traceparent: "", ...rest };
}
