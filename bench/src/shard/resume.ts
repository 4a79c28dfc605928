import { request } from "node:http";
import type { SyncResponse } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { Latencies } from "../latency.ts";
import type { Ledger } from "../ledger.ts";
import type { MessageIds } from "../message-ids.ts";
import { Tally } from "../tally.ts";
import type { Client } from "./client.ts";
import type { ShardPlan } from "./plan.ts";
import type { Traffic } from "./traffic.ts";

const MAX_TRIES = 100;
const TRY_AGAIN_MS = 500;
const PAGE = 200;
const MAX_PAGES = 1_000;
const ANSWER_MS = 15_000;
/** After this time a `sync` that nothing answers is sent again. */
const SYNC_AGAIN_MS = 10_000;
/** The longest pause between tries, but for what the server asks for. */
const MAX_PAUSE_MS = 8_000;
/** Pages that are fetched at the same time. */
const AT_ONCE = 16;

/** What a resuming client works with. */
export interface ResumeTools {
  readonly ledger: Ledger;
  readonly traffic: Traffic;
  readonly ids: MessageIds;
  readonly clock: () => number;
}

/**
 * What clients do when they have lost something: come back, repeat what wasn't answered, ask by one `sync` what they have missed, and
 * fetch the records of the conversations that have moved.
 */
export class Resume {
  /** From the end of a connection to the next `hello`, and until everything that was missed is there. */
  readonly connected = new Latencies();
  readonly caughtUp = new Latencies();
  /** Connections that could not be made and pages that could not be fetched; they were tried again. */
  readonly failures = new Tally();
  readonly #plan: ShardPlan;
  readonly #tools: ResumeTools;
  readonly #conversationOf: ReadonlyMap<number, string>;
  /** Clients that are not connected, or have not got yet what they missed. */
  readonly #behind = new Set<Client>();
  /** By client: when its `sync` is sent again; who waits for it to have everything. */
  readonly #timers = new Map<Client, NodeJS.Timeout>();
  readonly #told = new Map<Client, () => void>();
  readonly #waiting: (() => void)[] = [];
  #fetching = 0;

  constructor(plan: ShardPlan, tools: ResumeTools) {
    this.#plan = plan;
    this.#tools = tools;
    this.#conversationOf = new Map(plan.conversations.flatMap(({ id, members }) => members.map((one) => [one, id])));
  }

  /** Clients that are still behind. */
  get behind(): number {
    return this.#behind.size;
  }

  isBehind(client: Client): boolean {
    return this.#behind.has(client);
  }

  /** A connection has ended by itself. */
  closed(client: Client): void {
    clearTimeout(this.#timers.get(client));
    client.downSince = this.#tools.clock();
    this.missed(client);
    this.#behind.add(client);
    setTimeout(() => this.#reopen(client, 1), Math.random() * this.#plan.spreadMs);
  }

  /** A client has a connection again: its `hello` has come. */
  opened(client: Client): void {
    if (this.#behind.has(client)) this.#tools.ledger.reopened(client.plan.number);
  }

  /** The client knows that it misses something after what it got last. */
  missed(client: Client): void {
    client.missingAfter ??= this.#tools.ledger.lastSeq(client.plan.number);
  }

  /** Has a client ask for what it missed; resolves when it has it, or will never have. */
  catchUp(client: Client): Promise<void> {
    this.#behind.add(client);
    if (client.downSince === 0) client.downSince = this.#tools.clock();
    this.#sync(client);
    return new Promise((resolve) => this.#told.set(client, resolve));
  }

  /** A `sync` was refused: it is sent again, later each time. */
  refused(client: Client, pauseMs: number): void {
    clearTimeout(this.#timers.get(client));
    client.refusals += 1;
    const pause = Math.max(pauseMs, Math.min(MAX_PAUSE_MS, TRY_AGAIN_MS * 2 ** client.refusals));
    const timer = setTimeout(() => this.#sync(client), pause * (0.5 + Math.random()));
    this.#timers.set(client, timer);
  }

  /** Forgets the times of before: setting up is not coming back. */
  forget(): void {
    this.caughtUp.reset();
  }

  /** Ends all waiting. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** An answer to `sync`. */
  synced(client: Client, page: SyncResponse): void {
    clearTimeout(this.#timers.get(client));
    client.cursor = page.cursor;
    client.refusals = 0;
    const mine = this.#conversationOf.get(client.plan.number);
    const after = client.missingAfter;
    client.missingAfter = undefined; // what is missed from now on is missed anew
    if (mine !== undefined && after !== undefined) this.#fetch(client, mine, after, page.hasMore);
    else if (page.hasMore) this.#sync(client);
    else this.#done(client);
  }

  #sync(client: Client): void {
    client.sync();
    clearTimeout(this.#timers.get(client));
    this.#timers.set(
      client,
      setTimeout(() => this.#sync(client), SYNC_AGAIN_MS),
    );
  }

  #reopen(client: Client, attempt: number): void {
    client.reopen().then(
      () => {
        this.connected.add(this.#tools.clock() - client.downSince);
        this.#tools.traffic.repeat(client);
        this.#sync(client);
      },
      (error: unknown) => {
        this.failures.add(`connect: ${kindOf(error)}`);
        if (attempt < MAX_TRIES) {
          setTimeout(() => this.#reopen(client, attempt + 1), TRY_AGAIN_MS * (0.5 + Math.random()));
        } else this.#tools.ledger.lost(client.plan.number, `can't come back: ${error}`);
      },
    );
  }

  #fetch(client: Client, conversationId: string, after: number, hasMore: boolean): void {
    this.#fetchAll(client, conversationId, after).then(
      () => {
        if (hasMore || client.missingAfter !== undefined) this.#sync(client);
        else this.#done(client);
      },
      (error: unknown) => {
        client.missingAfter = Math.min(after, client.missingAfter ?? after);
        this.failures.add(
          error instanceof Error ? error.message.replace(/^GET \S+/, "GET records").slice(0, 60) : "unknown",
        );
        this.refused(client, 0);
      },
    );
  }

  /** Page after page, to the head. */
  async #fetchAll(client: Client, conversationId: string, from: number): Promise<void> {
    let after = from;
    for (let page = 0; page < MAX_PAGES; page++) {
      await this.#turn();
      try {
        const { lastSeq, hasMore } = await this.#fetchPage(client, conversationId, after);
        if (!hasMore || lastSeq <= after) return;
        after = lastSeq;
      } finally {
        this.#fetching -= 1;
        this.#waiting.shift()?.();
      }
    }
  }

  async #fetchPage(client: Client, conversationId: string, after: number) {
    const { token, localAddress, number } = client.plan;
    const url = `${this.#plan.edge}/conversations/${conversationId}/records?raw=true&afterSeq=${after}&limit=${PAGE}`;
    const answer = await getJson(url, token, localAddress);
    for (const { id, seq } of recordsIn(answer)) {
      const message = id === "" ? undefined : this.#tools.ids.numberOf(id);
      if (message !== undefined) this.#tools.ledger.fetch(message, number, seq);
    }
    return { lastSeq: Number(fieldOf(answer, "lastSeq") ?? 0), hasMore: fieldOf(answer, "hasMore") === true };
  }

  async #turn(): Promise<void> {
    while (this.#fetching >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#fetching += 1;
  }

  #done(client: Client): void {
    if (client.downSince > 0) this.caughtUp.add(this.#tools.clock() - client.downSince);
    client.downSince = 0;
    this.#behind.delete(client);
    this.#told.get(client)?.();
    this.#told.delete(client);
  }
}

/** Why a connection failed, without where it went. */
function kindOf(error: unknown): string {
  const text = error instanceof Error ? error.message : "unknown";
  return text
    .replace(/\S*\d+\.\d+\.\d+\.\d+\S*/g, "")
    .trim()
    .slice(0, 60);
}

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined;

function recordsIn(answer: unknown): { id: string; seq: number }[] {
  const records = fieldOf(answer, "records");
  if (!Array.isArray(records)) return [];
  return records.map((record: unknown) => ({
    id: String(fieldOf(fieldOf(record, "message"), "clientMessageId") ?? ""),
    seq: Number(fieldOf(record, "seq")),
  }));
}

/** `fetch` can't choose the address that it comes from. */
function getJson(url: string, token: string, localAddress: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const headers = { authorization: `Bearer ${token}` };
  const call = request(url, { localAddress, headers, timeout: ANSWER_MS, agent: false }, (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (part: string) => {
      text += part;
    });
    response.on("error", reject);
    response.on("end", () => {
      if (response.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`GET ${url}: ${response.statusCode} ${text.slice(0, 300)}`));
    });
  });
  call.on("timeout", () => call.destroy(new Error(`GET ${url}: no answer`)));
  call.on("error", reject);
  call.end();
  return promise;
}
