import type {
  AppendConversationRecordRequest,
  AppendUserRecordRequest,
} from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type {
  ConfirmRequest,
  EditMessageRequest,
  MarkReadRequest,
  ReactRequest,
  RecallMessageRequest,
  SendMessageRequest,
  SetTypingRequest,
  UpdateConversationSettingsRequest,
} from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { type Appended, Appender } from "./core/append.ts";
import { editDraft, recallDraft } from "./core/changes.ts";
import { Delivered, type DeliveredNeeds } from "./core/delivered.ts";
import { userLog, uuidOf } from "./core/log.ts";
import { messageDraft } from "./core/message.ts";
import { Moderation } from "./core/moderation.ts";
import { Permissions } from "./core/permissions.ts";
import { Reactions } from "./core/reactions.ts";
import { ReadCursors } from "./core/read-cursors.ts";
import { Reading } from "./core/reading.ts";
import { namedConversation, serviceDraft } from "./core/service-record.ts";
import { settingsDraft } from "./core/settings.ts";
import { Signals } from "./core/signals.ts";
import { Targets } from "./core/targets.ts";
import type { MessageSender } from "./core/writing.ts";
import type { Clock, DeliveredStore, Journal, LogStream, PermissionPeers, RecordStore, SignalOutlet } from "./ports.ts";

/** What the core needs. */
export interface MessagePorts {
  readonly stream: LogStream;
  readonly store: RecordStore;
  readonly peers: PermissionPeers;
  readonly signals: SignalOutlet;
  readonly delivered: DeliveredStore;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Makes a UUIDv7. */
  newId(): string;
}

/** What an installation may set. */
export interface MessageSettings {
  /** How long an append may take in all, in milliseconds. */
  readonly appendMs: number;
  /** The largest record, in bytes. */
  readonly recordBytes: number;
  /** How long a message may be edited, in milliseconds. */
  readonly editWindowMs: number;
  /** How long a message may be recalled by its sender, in milliseconds. */
  readonly recallWindowMs: number;
  /** The longest text, in bytes of UTF-8. */
  readonly textBytes: number;
  /** How many different users a message may mention. */
  readonly mentions: number;
  /** How many kinds of reactions a message may have. */
  readonly reactionKinds: number;
}

/** The rules of writing to logs. */
export interface MessageCore {
  /** Says something in a conversation. */
  send(sender: MessageSender, request: SendMessageRequest, traceparent: string): Promise<Appended>;
  /** Replaces a message's content. */
  edit(sender: MessageSender, request: EditMessageRequest, traceparent: string): Promise<Appended>;
  /** Takes a message back. */
  recall(sender: MessageSender, request: RecallMessageRequest, traceparent: string): Promise<Appended>;
  /** Adds a reaction or withdraws it. */
  react(sender: MessageSender, request: Omit<ReactRequest, "$typeName">, traceparent: string): Promise<Appended>;
  /** Moves a read cursor. */
  markRead(sender: MessageSender, request: MarkReadRequest, traceparent: string): Promise<void>;
  /** Tells the others that a user is typing. */
  setTyping(sender: MessageSender, request: SetTypingRequest, traceparent: string): Promise<void>;
  /** Notes how far a device has received a conversation. */
  confirm(sender: MessageSender, request: ConfirmRequest, traceparent: string): Promise<void>;
  /** Writes what devices have confirmed; to be called every second and at the end. Never rejects. */
  flushDelivered(): Promise<void>;
  /** Asks again for permissions that are in use, before they have to be waited for; to be called every 200 ms. */
  renewPermissions(): void;
  /** Asks whether remembered permissions of direct conversations still hold; to be called every 400 ms, never twice at once. */
  confirmPermissions(): Promise<void>;
  /** Changes a user's settings for a conversation. */
  updateSettings(
    sender: MessageSender,
    request: UpdateConversationSettingsRequest,
    traceparent: string,
  ): Promise<Appended>;
  /** Appends another service's record to a conversation. */
  appendToConversation(request: AppendConversationRecordRequest, traceparent: string): Promise<Appended>;
  /** Appends another service's record to a user's own log. */
  appendToUser(request: AppendUserRecordRequest, traceparent: string): Promise<Appended>;
  /** Replaces the list of sensitive words; returns how many rules it has. Throws when it can't be read: the old one stays. */
  useWordList(text: string): number;
  /** What is accepted, for clients to know. */
  readonly limits: Omit<MessageSettings, "appendMs">;
}

const APPENDS = { answerMs: 2000, conflicts: 20, perLog: 256, total: 10_000, heads: 50_000 } as const;
const QUESTIONS = { allowMs: 1000, confirmedMs: 60_000, remembered: 10_000, asking: 10_000 } as const;
/** Permissions in use are asked for again when they will count for less than this, in milliseconds. */
const RENEW_MS = 400;
/** How many messages, reactions and read cursors are remembered, each. */
const REMEMBERED = 20_000;
const DELIVERED = { batch: 1000, waiting: 50_000, remembered: 50_000 };

/** Makes the core. */
export function createMessageCore(ports: MessagePorts, settings: MessageSettings): MessageCore {
  const { stream, store, peers, clock, newId } = ports;
  const { appendMs, recordBytes, editWindowMs, recallWindowMs } = settings;
  const permissions = new Permissions(peers, clock, QUESTIONS);
  const reading = new Reading(peers, clock, QUESTIONS);
  const appender = new Appender(stream, store, clock, { ...APPENDS, deadlineMs: appendMs, recordBytes });
  const targets = new Targets({ stream, store }, REMEMBERED);
  const moderation = new Moderation();
  const { appendMs: _, ...limits } = settings;
  const context = { stream, store, clock, permissions, reading, targets, moderation, limits, newId };
  const reactions = new Reactions(context, REMEMBERED);
  const signals = new Signals(permissions, clock, ports.signals, REMEMBERED);
  const cursors = new ReadCursors(context, appender, REMEMBERED, (log, userId, readSeq) =>
    signals.receipt(log, userId, { readSeq, deliveredSeq: 0n }),
  );
  const delivered = deliveredCursors(ports, permissions, appender, signals);
  // Whatever is wrong with a request is a rejection, hence async; drafts join their queue before the first await.
  return {
    send: (sender, request, traceparent) => appender.draw(() => messageDraft(context, sender, request, traceparent)),
    edit: async (sender, request, traceparent) =>
      appender.append(editDraft(context, editWindowMs, sender, request, traceparent)),
    recall: async (sender, request, traceparent) =>
      appender.append(recallDraft(context, recallWindowMs, sender, request, traceparent)),
    react: async (sender, request, traceparent) => appender.append(reactions.draft(sender, request, traceparent)),
    markRead: async (sender, request, traceparent) => cursors.move(sender, request, traceparent),
    setTyping: async (sender, request, traceparent) => signals.typing(sender, request, traceparent),
    confirm: async (sender, request, traceparent) => delivered.confirm(sender, request, traceparent),
    flushDelivered: () => delivered.flush(),
    renewPermissions: () => permissions.renew(RENEW_MS),
    confirmPermissions: () => permissions.confirm(),
    updateSettings: async (sender, request, traceparent) =>
      appender.append(settingsDraft(context, sender, request, traceparent)),
    appendToConversation: async (request, traceparent) =>
      appender.append(serviceDraft(context, namedConversation(request.conversationId), request, traceparent)),
    appendToUser: async (request, traceparent) =>
      appender.append(serviceDraft(context, userLog(uuidOf("user_id", request.userId)), request, traceparent)),
    useWordList: (text) => moderation.useList(text),
    limits,
  };
}

function deliveredCursors(
  { delivered: store, clock, journal }: MessagePorts,
  permissions: Permissions,
  appender: Appender,
  signals: Signals,
): Delivered {
  const moved: DeliveredNeeds["moved"] = (log, userId, deliveredSeq) =>
    signals.receipt(log, userId, { readSeq: 0n, deliveredSeq });
  return new Delivered({ permissions, appender, clock, store, journal, moved }, DELIVERED);
}
