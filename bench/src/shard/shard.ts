import { setTimeout as sleep } from "node:timers/promises";
import type { Error as ErrorPacket } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import type { SyncResponse } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { createClock } from "../clock.ts";
import { ReadBuffer } from "../connection.ts";
import { PacketReader } from "../incoming.ts";
import { Latencies } from "../latency.ts";
import { Ledger } from "../ledger.ts";
import { type Road, type RunningLoad, startLoad } from "../load.ts";
import { MessageIds } from "../message-ids.ts";
import { type Pace, paced } from "../paced.ts";
import { Rows } from "../rows.ts";
import { Tally } from "../tally.ts";
import { Client, type ClientEvents } from "./client.ts";
import type { ShardPlan, ShardResult, ShardTimes } from "./plan.ts";
import { Resume } from "./resume.ts";
import { Traffic } from "./traffic.ts";

const CONNECT_TRIES = 5;
/** How long a client's first \`sync\` may hold up the next client. */
const SYNC_WAIT_MS = 5_000;

/** A thread's share of the load: its clients and what they send. */
export class Shard implements ClientEvents {
  readonly #plan: ShardPlan;
  readonly #clock = createClock();
  readonly #rows: Rows;
  readonly #ledger: Ledger;
  readonly #clients: ReadonlyMap<number, Client>;
  readonly #traffic: Traffic;
  readonly #resume: Resume;
  readonly #closes = new Tally();
  readonly #syncErrors = new Tally();
  readonly #connecting = new Latencies();
  #hints = 0;
  #ending = false;
  #heartbeats: NodeJS.Timeout | undefined;
  #churning: NodeJS.Timeout | undefined;

  constructor(plan: ShardPlan) {
    this.#plan = plan;
    this.#rows = new Rows(plan.rows);
    this.#ledger = new Ledger(plan.conversations, this.#rows);
    const ids = new MessageIds(plan.run);
    const reader = new PacketReader(ids.prefix);
    const buffer = new ReadBuffer();
    this.#clients = new Map(plan.clients.map((one) => [one.number, new Client(one, this, reader, buffer)]));
    this.#traffic = new Traffic(plan, this.#rows, this.#ledger, this.#clients, { clock: this.#clock, ids });
    const tools = { ledger: this.#ledger, traffic: this.#traffic, ids, clock: this.#clock };
    this.#resume = new Resume(plan, tools);
  }

  /** Opens all sockets. */
  async connect(pace: Pace, told: (open: number) => void): Promise<void> {
    const talking = this.#talking();
    // From the beginning: opening all of them may take longer than one may be silent.
    this.#heartbeats = setInterval(() => {
      for (const client of this.#clients.values()) client.heartbeat();
    }, this.#plan.heartbeatMs);
    let open = 0;
    await paced([...this.#clients.values()], pace, async (client) => {
      await this.#open(client);
      told(++open);
      // Who resumes has asked before: what came until now is not missed later.
      if (!this.#plan.resumes || !talking.has(client.plan.number)) return;
      await Promise.race([this.#resume.catchUp(client), sleep(SYNC_WAIT_MS)]);
    });
    this.#resume.forget();
  }

  /** Begins with the load and resolves when it ends. */
  async load(times: ShardTimes): Promise<void> {
    this.#traffic.measure(times);
    const partOf = new Map<number, number>();
    const loads: RunningLoad[] = [];
    this.#traffic.onAnswer = (conversation, pauseMs) =>
      loads[partOf.get(conversation) ?? -1]?.answered(conversation, pauseMs);
    for (const [part, { load, conversations }] of this.#plan.parts.entries()) {
      for (const conversation of conversations) partOf.set(conversation, part);
      if (conversations.length > 0) loads[part] = startLoad(load, this.#road(conversations), times.start, times.to);
    }
    await Promise.all(loads.map((load) => load?.ended));
  }

  /** Begins or ends that slow readers read slowly. */
  readSlowly(slowly: boolean): void {
    for (const client of this.#clients.values()) {
      if (client.plan.slowBytesPerSecond !== undefined) client.readSlowly(slowly);
    }
  }

  /** Has clients that miss something ask for it. */
  catchUp(): void {
    for (const client of this.#clients.values()) {
      if (client.isOpen && client.missingAfter !== undefined && !this.#resume.isBehind(client)) {
        void this.#resume.catchUp(client);
      }
    }
  }

  /** Has idle clients go and come back, so many a second, until it is told 0. */
  churn(perSecond: number): void {
    clearInterval(this.#churning);
    const talking = this.#talking();
    const idle = [...this.#clients.values()].filter(({ plan }) => !talking.has(plan.number));
    if (perSecond === 0 || idle.length === 0) return;
    let next = 0;
    this.#churning = setInterval(() => {
      const client = idle[next++ % idle.length];
      if (client === undefined || !client.isOpen) return;
      client.close();
      this.#open(client).catch((error: unknown) => this.#ledger.lost(client.plan.number, String(error)));
    }, 1000 / perSecond);
  }

  result(): ShardResult {
    const gatewayOf = [...this.#clients.values()].map(({ plan, gatewayId }) => [plan.number, gatewayId] as const);
    const gateways = new Tally();
    for (const [, gatewayId] of gatewayOf) gateways.add(gatewayId);
    return {
      latencies: {
        parts: this.#traffic.parts.map(({ ack, delivery }) => ({ ack: ack.encode(), delivery: delivery.encode() })),
        phases: this.#traffic.phases.latencies.map(({ ack, delivery }) => ({
          ack: ack.encode(),
          delivery: delivery.encode(),
        })),
        lag: this.#traffic.lag.encode(),
        baseline: this.#traffic.baseline.encode(),
        connect: this.#connecting.encode(),
        reconnect: this.#resume.connected.encode(),
        resume: this.#resume.caughtUp.encode(),
      },
      violations: this.#ledger.violations(),
      errors: this.#traffic.errors.counts(),
      syncErrors: { ...this.#syncErrors.counts(), ...this.#resume.failures.counts() },
      repeats: this.#traffic.repeats,
      hints: this.#hints,
      closes: this.#closes.counts(),
      gateways: gateways.counts(),
      gatewayOf,
    };
  }

  /** From now on messages count for this phase, or for none. */
  phase(phase: number | undefined): void {
    this.#traffic.phases.begin(phase, this.#clock());
  }

  /** Clients that are not connected, or have not got yet what they missed. */
  get behind(): number {
    return this.#resume.behind;
  }

  /** Ends all connections. */
  close(): void {
    this.#ending = true;
    clearInterval(this.#heartbeats);
    clearInterval(this.#churning);
    this.#resume.close();
    for (const client of this.#clients.values()) client.close();
  }

  tick(): void {
    this.#traffic.tick();
  }

  message(number: number, seq: number, conversationTail: number, connection: number): void {
    this.#traffic.message(number, seq, conversationTail, connection);
  }

  stranger(id: string, seq: number, connection: number): void {
    this.#traffic.stranger(id, seq, connection);
  }

  accepted(requestId: number, seq: number, connection: number): void {
    this.#traffic.accepted(requestId, seq, connection);
  }

  failed(error: ErrorPacket, connection: number): void {
    this.#traffic.failed(error, connection);
  }

  syncFailed(client: Client, { reason, retryAfter }: ErrorPacket): void {
    this.#syncErrors.add(reason);
    this.#resume.refused(client, Number(retryAfter?.seconds ?? 0) * 1000);
  }

  opened(client: Client): void {
    this.#resume.opened(client);
  }

  hinted(client: Client): void {
    this.#hints += 1;
    this.#resume.missed(client);
  }

  synced(client: Client, page: SyncResponse): void {
    this.#resume.synced(client, page);
  }

  closed(client: Client, why: string): void {
    if (this.#ending) return;
    this.#closes.add(why);
    if (this.#plan.resumes) this.#resume.closed(client);
    else this.#ledger.lost(client.plan.number, why);
  }

  /** Those who are in a conversation. */
  #talking(): ReadonlySet<number> {
    return new Set(this.#plan.conversations.flatMap(({ members }) => members));
  }

  #road(conversations: readonly number[]): Road {
    return {
      conversations,
      now: this.#clock,
      send: (conversation, intended) => this.#traffic.send(conversation, intended),
      unanswered: () => this.#rows.unanswered,
    };
  }

  /** Connecting may be refused for a while by what limits it. */
  async #open(client: Client): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const began = this.#clock();
      try {
        await client.open();
        this.#connecting.add(this.#clock() - began);
        return;
      } catch (error) {
        if (attempt === CONNECT_TRIES) throw error;
        await sleep(500 * attempt * (0.5 + Math.random()));
      }
    }
  }
}
