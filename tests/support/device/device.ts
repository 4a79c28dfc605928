import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerPacket } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import type { SyncResponse } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { rest } from "../rest.ts";
import type { Event, TestSocket } from "../socket.ts";
import { type TestUser, textTo } from "../user.ts";
import { Diary } from "./diary.ts";
import { type Seen, Timeline } from "./timeline.ts";

/** How long an answer is waited for, in milliseconds. */
const ANSWER_MS = 10_000;
/** How long a gap may close by itself before it is fetched, in milliseconds. */
const GAP_MS = 500;
/** How often it is confirmed what has come, in milliseconds. */
const CONFIRM_MS = 1_000;
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 60_000;
/** After so long a connection counts as good, in milliseconds. */
const GOOD_MS = 60_000;

interface Page {
  readonly records: readonly { readonly seq: string; readonly recordId: string }[];
  readonly hasMore: boolean;
}

export interface DeviceOptions {
  /** Pushes of these seqs never come, as if they had been lost. */
  readonly misses?: (seq: number) => boolean;
}

/** An app on one device that does what docs/api.md asks of it under "Resuming", and keeps a diary. */
export class Device {
  readonly user: TestUser;
  readonly #options: DeviceOptions;
  readonly diary = new Diary();
  readonly timelines = new Map<string, Timeline>();
  #cursor = "";
  #socket: TestSocket | undefined;
  #connected = Promise.withResolvers<TestSocket>();
  #pauseMs = FIRST_PAUSE_MS;
  #ended = false;
  #avoid: string | undefined;
  /** Conversations that are being fetched, and up to where at least. */
  readonly #fetching = new Map<string, { atLeast: number; done: Promise<void> }>();
  readonly #gaps = new Map<string, NodeJS.Timeout>();
  readonly #confirmed = new Map<string, number>();
  #confirming: NodeJS.Timeout | undefined;

  constructor(user: TestUser, options: DeviceOptions = {}) {
    this.user = user;
    this.#options = options;
  }

  /** The gateway that it is connected to. */
  get gatewayId(): string | undefined {
    return this.#socket?.hello.gatewayId;
  }

  /** Connects, to another gateway than that if one is given, and again and again until it is ended. Resolves when it has synced. */
  async start(avoid?: string): Promise<void> {
    this.#ended = false;
    this.#avoid = avoid;
    this.#confirming = setInterval(() => this.#confirm(), CONFIRM_MS);
    await this.#connect();
  }

  /** As when the app is put away: nothing is sent and nothing is heard until it is started again. What it has stays. */
  async end(): Promise<void> {
    this.#ended = true;
    for (const timer of this.#gaps.values()) clearTimeout(timer);
    this.#gaps.clear();
    await Promise.all([...this.#fetching.values()].map(({ done }) => done));
    clearInterval(this.#confirming);
    this.#confirm();
    const socket = this.#socket;
    this.#leave();
    await socket?.close();
  }

  /** What it is doing, for people. */
  get state(): string {
    const open = this.diary.messages.filter(({ accepted }) => accepted === undefined).length;
    const troubles = [...this.diary.troubles];
    return JSON.stringify({ at: this.gatewayId, socket: this.#socket?.raw.readyState, open, troubles });
  }

  timeline(conversationId: string): Timeline {
    const known = this.timelines.get(conversationId) ?? new Timeline();
    this.timelines.set(conversationId, known);
    return known;
  }

  /** Rule 1: repeats until the message is accepted, or refused for good. */
  async send(conversationId: string, text: string): Promise<void> {
    const clientMessageId = randomUUID();
    const message = this.diary.begin(this.user.userId, conversationId, clientMessageId, text);
    for (let attempt = 1; !this.#ended; attempt++) {
      const began = performance.now();
      const event = await this.#ask(textTo(conversationId, text, clientMessageId, attempt));
      const waitMs = message.answered(began, event);
      if (event instanceof Error || event.case !== "messageAccepted") {
        if (waitMs === "refused") return;
        await sleep(waitMs ?? Math.random() * Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)));
        continue;
      }
      // The sending device gets no record of it.
      this.#take(conversationId, { seq: Number(event.value.seq), recordId: event.value.recordId });
      return;
    }
  }

  /** Resolves when everything up to there is applied; rejects when that takes too long. */
  async untilHas(conversationId: string, seq: number, timeoutMs: number): Promise<void> {
    for (const began = performance.now(); this.timeline(conversationId).upTo < seq; await sleep(20)) {
      if (performance.now() - began < timeoutMs) continue;
      const { upTo, hasGap } = this.timeline(conversationId);
      throw new Error(`${this.user.username} has ${upTo} of ${seq}${hasGap ? ", a gap" : ""} after ${timeoutMs} ms`);
    }
  }

  async #ask(command: Parameters<TestSocket["request"]>[0]): Promise<Event | Error> {
    try {
      const socket = this.#socket ?? (await this.#connected.promise);
      return await socket.request(command, ANSWER_MS);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Rule 5. */
  async #connect(): Promise<void> {
    while (!this.#ended) {
      try {
        const options = { onPacket: (packet: ServerPacket) => this.#hear(packet) };
        const connecting =
          this.#avoid === undefined ? this.user.connect(options) : this.user.connectElsewhere(this.#avoid, options);
        const socket = await connecting;
        if (this.#socket !== undefined) this.diary.failed("connect", new Error("connected twice"));
        this.diary.connected(socket.hello.gatewayId);
        this.#socket = socket;
        void socket.closed.then(({ code, reason }) => this.#lost(socket, code, reason));
        const good = setTimeout(() => (this.#pauseMs = FIRST_PAUSE_MS), GOOD_MS);
        void socket.closed.then(() => clearTimeout(good));
        this.#connected.resolve(socket);
        await this.#sync();
        this.#confirmed.clear();
        return;
      } catch (error) {
        this.diary.failed("connect", error);
        await this.#pause();
      }
    }
  }

  async #pause(): Promise<void> {
    const pauseMs = Math.random() * this.#pauseMs;
    this.#pauseMs = Math.min(LAST_PAUSE_MS, this.#pauseMs * 2);
    await sleep(pauseMs);
  }

  #leave(): void {
    this.#socket = undefined;
    this.#connected = Promise.withResolvers();
    this.#connected.promise.catch(() => undefined);
  }

  #lost(socket: TestSocket, code: number, reason: string): void {
    if (socket !== this.#socket) return;
    this.diary.closed(code, reason);
    this.#leave();
    void this.#pause().then(() => this.#connect());
  }

  async #goAway(socket: TestSocket, afterMs: number): Promise<void> {
    this.diary.sentAway++;
    await sleep(afterMs);
    if (socket !== this.#socket || this.#ended) return;
    this.#leave();
    await socket.close();
    await this.#connect();
  }

  /** Rule 4: the pages of what was missed. The cursor counts once its page is taken. */
  async #sync(): Promise<void> {
    for (let more = true; more && !this.#ended; ) {
      const began = performance.now();
      const event = await this.#ask({ case: "sync", value: { cursor: this.#cursor } });
      if (event instanceof Error || event.case !== "syncPage") {
        this.diary.failed(
          "sync",
          event instanceof Error ? event : new Error(event.case === "error" ? event.value.reason : event.case),
        );
        await this.#pause();
        continue;
      }
      this.diary.pages++;
      this.#takePage(event.value, began);
      more = event.value.hasMore;
    }
  }

  #takePage({ conversations, cursor, startAfresh }: SyncResponse, began: number): void {
    if (startAfresh && this.#cursor !== "") this.diary.failed("sync", new Error("told to start afresh"));
    for (const { conversationId, headSeq, firstSeq } of conversations) {
      this.timeline(conversationId).beginAt(Number(firstSeq));
      if (Number(headSeq) > this.timeline(conversationId).upTo) this.#fetch(conversationId, Number(headSeq));
      this.diary.saw(this.user.userId, conversationId, began, Number(headSeq));
    }
    this.#cursor = cursor;
  }

  #hear({ requestId, event }: ServerPacket): void {
    const socket = this.#socket;
    if (event.case === "records") {
      for (const { conversationId, seq, recordId } of event.value.records) {
        if (this.#options.misses?.(Number(seq)) === true) continue;
        this.diary.pushed++;
        this.#take(conversationId, { seq: Number(seq), recordId });
      }
    } else if (event.case === "hint") {
      this.diary.hinted++;
      const { conversationId, headSeq } = event.value;
      if (Number(headSeq) > this.timeline(conversationId).upTo) this.#fetch(conversationId, Number(headSeq));
    } else if (event.case === "error" && requestId === 0) {
      this.diary.failed("unnamed", new Error(`${event.value.reason} ${event.value.message}`));
    } else if (event.case === "goAway" && socket !== undefined) {
      const { seconds = 0n, nanos = 0 } = event.value.reconnectAfter ?? {};
      void this.#goAway(socket, Number(seconds) * 1000 + nanos / 1e6);
    }
  }

  /** Rules 2 and 3: what is missing is fetched unless it comes by itself first. */
  #take(conversationId: string, record: Seen): void {
    const timeline = this.timeline(conversationId);
    timeline.take(record);
    if (!timeline.hasGap || this.#gaps.has(conversationId) || this.#ended) return;
    const look = () => {
      this.#gaps.delete(conversationId);
      if (!timeline.hasGap) return;
      this.diary.gaps++;
      this.#fetch(conversationId, 0);
    };
    this.#gaps.set(conversationId, setTimeout(look, GAP_MS));
  }

  #fetch(conversationId: string, atLeast: number): void {
    const running = this.#fetching.get(conversationId);
    if (running !== undefined) {
      running.atLeast = Math.max(running.atLeast, atLeast);
      return;
    }
    const fetching = { atLeast, done: Promise.resolve() };
    this.#fetching.set(conversationId, fetching);
    fetching.done = this.#fetchAll(conversationId, fetching).finally(() => this.#fetching.delete(conversationId));
  }

  async #fetchAll(conversationId: string, fetching: { readonly atLeast: number }): Promise<void> {
    const timeline = this.timeline(conversationId);
    for (let more = true; (more || timeline.upTo < fetching.atLeast) && !this.#ended; ) {
      const after = timeline.upTo;
      const page = await this.#page(conversationId, after);
      if (page === undefined) {
        await sleep(200 + Math.random() * 800);
        continue;
      }
      const seen = page.records.map(({ seq, recordId }) => ({ seq: Number(seq), recordId }));
      if (seen[0] !== undefined) timeline.beginAt(seen[0].seq);
      for (const record of seen) timeline.take(record);
      this.diary.fetched += seen.length;
      more = page.hasMore;
      if (seen.length === 0 && timeline.upTo < fetching.atLeast) await sleep(200);
    }
  }

  async #page(conversationId: string, after: number): Promise<Page | undefined> {
    const began = performance.now();
    try {
      const path = `/conversations/${conversationId}/records?afterSeq=${after}&limit=200&raw=true`;
      const { status, body } = await rest(this.user.at.edge, "GET", path, { token: this.user.token });
      if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
      const page = body as Page & { readonly headSeq: string };
      this.diary.saw(this.user.userId, conversationId, began, Number(page.headSeq), page.records);
      return page;
    } catch (error) {
      this.diary.failed("fetch", error);
      return undefined;
    }
  }

  /** What has arrived since the last time; after connecting, everything. */
  #confirm(): void {
    for (const [conversationId, { upTo }] of this.timelines) {
      if (this.#socket === undefined || upTo === (this.#confirmed.get(conversationId) ?? 0)) continue;
      this.#confirmed.set(conversationId, upTo);
      this.#socket.send({ case: "confirm", value: { conversationId, seq: BigInt(upTo) } });
    }
  }
}
