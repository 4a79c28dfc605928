import { create } from "@bufbuild/protobuf";
import type { Signal } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { ReceiptSignalSchema, SignalSchema, TypingSignalSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import type { SetTypingRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { type ConversationSignal, ConversationSignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import { DirectAudienceSchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { RecentMap } from "@oceanchat/runtime/recent-map";
import type { Clock, SignalOutlet } from "../ports.ts";
import { type DirectLog, type GroupLog, targetLog, uuidOf } from "./log.ts";
import type { Permissions } from "./permissions.ts";
import type { MessageSender } from "./writing.ts";

/** How far somebody has come; 0: unchanged. */
export interface Progress {
  readonly readSeq: bigint;
  readonly deliveredSeq: bigint;
}

/** That somebody is typing, or has stopped, is told once in this time, in milliseconds. */
const TYPING_MS = 1000;

/** Tells the others of a conversation what passes. Nothing of it is stored, and nobody waits for it. */
export class Signals {
  readonly #permissions: Permissions;
  readonly #clock: Clock;
  readonly #outlet: SignalOutlet;
  /** When it was last told, by conversation, user and state. */
  readonly #told: RecentMap<number>;

  constructor(permissions: Permissions, clock: Clock, outlet: SignalOutlet, remembered: number) {
    this.#permissions = permissions;
    this.#clock = clock;
    this.#outlet = outlet;
    this.#told = new RecentMap(remembered);
  }

  /** Tells the others that he is typing, or has stopped. Rejects when he may not write there. */
  async typing(sender: MessageSender, request: SetTypingRequest, traceparent: string): Promise<void> {
    const { conversationId, active } = request;
    const userId = uuidOf("sender.user_id", sender.userId);
    const log = targetLog({ case: "conversationId", value: conversationId }, userId);
    await this.#permissions.check(log, userId, false, traceparent);
    const key = `${log.id}:${userId}:${active}`;
    const nowMs = this.#clock.steady();
    const toldMs = this.#told.get(key);
    if (toldMs !== undefined && nowMs - toldMs < TYPING_MS) return;
    this.#told.set(key, nowMs);
    const value = create(TypingSignalSchema, { conversationId: log.id, userId, active });
    this.#send(log, userId, { case: "typing", value });
  }

  /** Tells the others how far somebody has come. */
  receipt(log: GroupLog | DirectLog, userId: string, progress: Progress): void {
    const value = create(ReceiptSignalSchema, { conversationId: log.id, userId, ...progress });
    this.#send(log, userId, { case: "receipt", value });
  }

  #send(log: GroupLog | DirectLog, fromUserId: string, kind: Signal["kind"]): void {
    const signal = create(SignalSchema, { kind });
    this.#outlet.send(
      create(ConversationSignalSchema, { conversationId: log.id, audience: audienceOf(log), fromUserId, signal }),
    );
  }
}

function audienceOf(log: GroupLog | DirectLog): ConversationSignal["audience"] {
  if (log.kind === "group") return { case: "groupId", value: log.groupId };
  return { case: "direct", value: create(DirectAudienceSchema, { userIds: [...log.userIds] }) };
}
