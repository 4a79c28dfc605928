import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { RecentMap } from "@oceanchat/runtime/recent-map";
import { errors } from "../errors.ts";
import { findById, findByPlace, type Sources } from "./earlier.ts";
import { RecentPlaces } from "./recent-places.ts";

/** What has to be known of a message that another record is about; it never changes. */
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
  readonly #sources: Sources;
  readonly #byId: RecentMap<Target>;
  readonly #byPlace: RecentPlaces<Target>;

  constructor(sources: Sources, remembered: number) {
    this.#sources = sources;
    this.#byId = new RecentMap(remembered);
    this.#byPlace = new RecentPlaces(remembered);
  }

  /** Remembers a durable record. */
  note(record: Record): Target | undefined {
    if (record.body.case !== "message") return undefined;
    const { conversationId, recordId, seq, senderUserId, acceptedTime } = record;
    const acceptedMs = acceptedTime === undefined ? 0 : timestampMs(acceptedTime);
    const target = { conversationId, recordId, seq, senderUserId, acceptedMs };
    this.#byId.set(recordId, target);
    this.#byPlace.set(conversationId, seq, target);
    return target;
  }

  /** The message of that id in that conversation, if it is remembered. */
  remembered(conversationId: string, recordId: string): Target | undefined {
    const target = this.#byId.get(recordId);
    return target?.conversationId === conversationId ? target : undefined;
  }

  /** The message of that id in that conversation. Rejects with UNAVAILABLE when it can't be told. */
  async named(conversationId: string, recordId: string): Promise<Target | undefined> {
    const target = this.#byId.get(recordId) ?? this.#noted(await findById(this.#sources, conversationId, recordId));
    return target?.conversationId === conversationId ? target : undefined;
  }

  /** Likewise; rejects with MESSAGE_NOT_FOUND when there is none. */
  async find(conversationId: string, recordId: string): Promise<Target> {
    const target = await this.named(conversationId, recordId);
    if (target === undefined) throw errors.messageNotFound();
    return target;
  }

  /** The message at that place of a conversation. Rejects with UNAVAILABLE when it can't be told. */
  async at(conversationId: string, seq: bigint): Promise<Target | undefined> {
    const known = this.#byPlace.get(conversationId, seq);
    return known ?? this.#noted(await findByPlace(this.#sources, conversationId, seq));
  }

  #noted(record: Record | undefined): Target | undefined {
    return record === undefined ? undefined : this.note(record);
  }
}
