import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import { SendMessageRequestSchema } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { ServiceError } from "@oceanchat/runtime/fail";
import type { MessageSettings } from "../../src/core.ts";
import type {
  Clock,
  DirectAnswer,
  PermissionPeers,
  ReadInterval,
  RecordStore,
  SendAnswer,
  StoredLogHead,
} from "../../src/ports.ts";

/** A UUID that is easy to recognise. */
export const uuid = (n: number): string => `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;

/** What an installation has set. */
export const SETTINGS: MessageSettings = {
  appendMs: 5000,
  recordBytes: 32_768,
  editWindowMs: 60_000,
  recallWindowMs: 120_000,
  textBytes: 40_000,
  mentions: 50,
  reactionKinds: 20,
};

/** A request to say that text. */
export function saying(text: string, rest: Omit<MessageInitShape<typeof SendMessageRequestSchema>, "$typeName">) {
  return create(SendMessageRequestSchema, { content: { kind: { case: "text", value: { text } } }, ...rest });
}

/** A clock that stands still but for pauses. */
export class FakeClock implements Clock {
  ms = 1_700_000_000_000;
  readonly pauses: number[] = [];
  /** Every pause waits for this. */
  turn: () => Promise<void> = async () => {};

  now(): number {
    return this.ms;
  }

  steady(): number {
    return this.ms;
  }

  async pause(ms: number): Promise<void> {
    this.pauses.push(ms);
    this.ms += ms;
    await this.turn();
  }
}

/** A message store in memory. */
export class FakeStore implements RecordStore {
  readonly heads = new Map<string, StoredLogHead>();
  readonly messages = new Map<string, Record>();
  readonly records = new Map<string, Record>();
  /** The kinds of reactions, by `<conversation id>:<seq>`. */
  readonly kinds = new Map<string, string[]>();
  /** Records that are no messages, by their `Nats-Msg-Id`. */
  readonly appends = new Map<string, Record>();
  /** Messages that were taken back: `<conversation id>:<seq>`. */
  readonly recalls = new Set<string>();
  /** Thrown by every read. */
  error: Error | undefined;
  reads = 0;

  async head(logId: string): Promise<StoredLogHead | undefined> {
    this.#read();
    return this.heads.get(logId);
  }

  async message(senderUserId: string, clientMessageId: string): Promise<Record | undefined> {
    this.#read();
    return this.messages.get(`${senderUserId}:${clientMessageId}`);
  }

  async record(_logId: string, recordId: string): Promise<Record | undefined> {
    this.#read();
    return this.records.get(recordId);
  }

  async at(logId: string, seq: bigint): Promise<Record | undefined> {
    this.#read();
    return [...this.records.values()].find((record) => record.conversationId === logId && record.seq === seq);
  }

  async appended(messageId: string): Promise<Record | undefined> {
    this.#read();
    return this.appends.get(messageId);
  }

  async recalled(conversationId: string, seq: bigint): Promise<boolean> {
    this.#read();
    return this.recalls.has(`${conversationId}:${seq}`);
  }

  async reactionKinds(conversationId: string, targetSeq: bigint): Promise<string[]> {
    this.#read();
    return this.kinds.get(`${conversationId}:${targetSeq}`) ?? [];
  }

  #read(): void {
    this.reads++;
    if (this.error !== undefined) throw this.error;
  }
}

/** Peers that allow everything until they are told otherwise. */
export class FakePeers implements PermissionPeers {
  readonly asked: string[] = [];
  send: SendVerdict = SendVerdict.ALLOWED;
  role: GroupRole = GroupRole.MEMBER;
  /** What is read of every group. */
  intervals: ReadInterval[] = [{ fromSeq: 1n, toSeq: 0n }];
  readonly askedToRead: string[] = [];
  direct: DirectVerdict = DirectVerdict.ALLOWED;
  /** The revisions of two slots; what is asked depends on the first. */
  revisions = [0, 0];
  askedForRevisions = 0;
  /** Thrown by every question. */
  error: Error | undefined;
  /** Every answer waits for this. */
  turn: () => Promise<void> = async () => {};

  async checkSend(groupId: string, userId: string, mentionsAll: boolean): Promise<SendAnswer> {
    this.asked.push(`${groupId} ${userId} ${mentionsAll}`);
    await this.turn();
    if (this.error !== undefined) throw this.error;
    return { verdict: this.send, role: this.role };
  }

  async checkRead(groupId: string, userId: string): Promise<ReadInterval[]> {
    this.askedToRead.push(`${groupId} ${userId}`);
    await this.turn();
    if (this.error !== undefined) throw this.error;
    return this.intervals;
  }

  async checkDirect(senderUserId: string, recipientUserId: string): Promise<DirectAnswer> {
    this.asked.push(`${senderUserId} ${recipientUserId}`);
    await this.turn();
    if (this.error !== undefined) throw this.error;
    return { verdict: this.direct, slot: 0, revision: this.revisions[0] ?? 0 };
  }

  async directRevisions(): Promise<readonly number[]> {
    this.askedForRevisions++;
    const revisions = [...this.revisions];
    await this.turn();
    if (this.error !== undefined) throw this.error;
    return revisions;
  }
}

/** For assert.rejects and assert.throws: a ServiceError of that reason. */
export const reason = (name: string) => (error: unknown) =>
  error instanceof ServiceError && error.reason === `ERROR_REASON_${name}`;

/** A promise and its end. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
