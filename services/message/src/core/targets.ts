import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { errors } from "../errors.ts";
import type { LogStream, RecordStore } from "../ports.ts";
import { findById } from "./earlier.ts";
import { RecentMap } from "./recent-map.ts";

/** What has to be known of a message that is edited, recalled or reacted to; it never changes. */
export interface Target {
  readonly conversationId: string;
  readonly recordId: string;
  readonly seq: bigint;
  readonly senderUserId: string;
  /** When it was accepted, in milliseconds since the epoch. */
  readonly acceptedMs: number;
}

/** Finds messages: mostly they are new, and this instance has appended them. */
export class Targets {
  readonly #stream: LogStream;
  readonly #store: RecordStore;
  readonly #recent: RecentMap<Target>;

  constructor(stream: LogStream, store: RecordStore, remembered: number) {
    this.#stream = stream;
    this.#store = store;
    this.#recent = new RecentMap(remembered);
  }

  /** Remembers a durable record. */
  note(record: Record): Target | undefined {
    if (record.body.case !== "message") return undefined;
    const { conversationId, recordId, seq, senderUserId, acceptedTime } = record;
    const acceptedMs = acceptedTime === undefined ? 0 : timestampMs(acceptedTime);
    const target = { conversationId, recordId, seq, senderUserId, acceptedMs };
    this.#recent.set(recordId, target);
    return target;
  }

  /** The message of that id in that conversation. Rejects with MESSAGE_NOT_FOUND, or UNAVAILABLE when it can't be told. */
  async find(conversationId: string, recordId: string): Promise<Target> {
    const target = this.#recent.get(recordId) ?? (await this.#lookUp(conversationId, recordId));
    if (target?.conversationId !== conversationId) throw errors.messageNotFound();
    return target;
  }

  async #lookUp(conversationId: string, recordId: string): Promise<Target | undefined> {
    const record = await findById(this.#stream, this.#store, conversationId, recordId);
    return record === undefined ? undefined : this.note(record);
  }
}
