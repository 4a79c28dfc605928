import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  EditMessageRequestSchema,
  MarkReadRequestSchema,
  ReactRequestSchema,
  RecallMessageRequestSchema,
  type SendMessageRequestSchema,
} from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { createMessageCore } from "../../src/core.ts";
import { fakeSignals } from "./fake-signals.ts";
import { FakeClock, FakePeers, FakeStore, SETTINGS, saying, uuid } from "./fakes.ts";
import { ModelStream } from "./model-stream.ts";

export const [alice, bob, carol, team] = [uuid(1), uuid(2), uuid(3), uuid(9)];
/** The conversation of everything here. */
export const conversationId = `g_${team}`;
export const phoneOf = (userId: string) => ({ userId, deviceId: "phone" });

let ids = 7000;

/** An instance of the core over a log, with the commands about messages in short. */
export function instance(stream = new ModelStream()) {
  const store = new FakeStore();
  const peers = new FakePeers();
  const clock = new FakeClock();
  const passing = fakeSignals();
  const core = createMessageCore({ stream, store, peers, clock, newId: () => uuid(++ids), ...passing }, SETTINGS);
  const say = async (userId: string, text = "hi") => {
    const request = saying(text, { target: { case: "groupId", value: team }, clientMessageId: uuid(++ids) });
    return (await core.send(phoneOf(userId), request, "")).record;
  };
  /** Says something that refers to other messages. */
  const refer = async (
    userId: string,
    references: Pick<MessageInitShape<typeof SendMessageRequestSchema>, "replyToSeq" | "forwardedFrom">,
    rest: { readonly clientMessageId?: string; readonly attempt?: number } = {},
  ) => {
    const target = { case: "groupId", value: team } as const;
    const request = saying("see there", { target, clientMessageId: uuid(++ids), ...references, ...rest });
    return core.send(phoneOf(userId), request, "");
  };
  const edit = (userId: string, recordId: string, text: string, clientMessageId = uuid(++ids), attempt = 1) => {
    const content = { kind: { case: "text" as const, value: { text } } };
    const request = create(EditMessageRequestSchema, { conversationId, recordId, clientMessageId, content, attempt });
    return core.edit(phoneOf(userId), request, "");
  };
  const recall = (userId: string, recordId: string) =>
    core.recall(phoneOf(userId), create(RecallMessageRequestSchema, { conversationId, recordId }), "");
  const react = (userId: string, recordId: string, emoji: string, removed = false) =>
    core.react(phoneOf(userId), create(ReactRequestSchema, { conversationId, recordId, emoji, removed }), "");
  const markRead = (userId: string, seq: bigint, where = conversationId) =>
    core.markRead(phoneOf(userId), create(MarkReadRequestSchema, { conversationId: where, seq }), "");
  return { stream, store, peers, clock, ...passing, core, say, refer, edit, recall, react, markRead };
}
