import { setTimeout as sleep } from "node:timers/promises";
import { type Backlog, logBacklog } from "./backlog.ts";
import { Connection } from "./connection.ts";
import type { Hop, HopReceiver } from "./hops.ts";
import { Ledger, type LedgerSummary } from "./ledger.ts";
import { startLoad } from "./load.ts";
import { paced } from "./paced.ts";
import { type Conversations, countOf, membersOf, type Scenario, socketsOf } from "./scenario.ts";
import type { Target } from "./target.ts";
import { type NamedConversation, Traffic, type TrafficSummary } from "./traffic.ts";
import { sampleUsage, type Usage, type UsageSample, usageBetween } from "./usage.ts";
import { createGroups, directId, registerUsers, type User } from "./users.ts";

/** The figures of one run. */
export interface RunResult {
  readonly startedAt: string;
  /** The measured time as it came out. */
  readonly seconds: number;
  /** In the measured time. */
  readonly acked: number;
  readonly delivered: number;
  readonly traffic: TrafficSummary;
  readonly ledger: LedgerSummary;
  /** Sockets by gateway. */
  readonly gateways: Readonly<Record<string, number>>;
  /** Conversations with members on more than one gateway. */
  readonly acrossGateways: number;
  /** The way of the messages that were traced; empty when none was. */
  readonly hops: readonly Hop[];
  /** With the sockets open and nothing sent. */
  readonly idle: Usage;
  /** In the measured time. */
  readonly usage: Usage;
  /** What the log's consumers had before them when the measured time ended. */
  readonly backlog: readonly Backlog[];
  /** How long after that all was stored; undefined when it was not within the drain time. */
  readonly storedAfterSeconds: number | undefined;
}

export interface RunOptions {
  readonly target: Target;
  /** Gets the services' spans. */
  readonly hops: HopReceiver | undefined;
  readonly scenario: Scenario;
  readonly direct: boolean;
  /** Says what is going on. */
  readonly say: (line: string) => void;
}

const IDLE_MS = 2_000;
/** How long services may keep spans before they send them (OTEL_BSP_SCHEDULE_DELAY), and a little. */
const SPANS_MS = 6_000;
/** After everything has arrived, for what arrives twice. */
const QUIET_MS = 1_000;
const HEARTBEAT_MS = 30_000;
/** The edge takes 100 calls a second from one address, upgrades included. */
const UPGRADES = { perSecond: 80, atOnce: 8 };
const DIRECT_UPGRADES = { perSecond: 1_000, atOnce: 16 };

/** Runs a scenario once: users, sockets, warm-up, the measured time, the rest of the answers. */
export async function runScenario(options: RunOptions): Promise<RunResult> {
  const { target, scenario, say } = options;
  const users = await registerUsers(target.edge, socketsOf(scenario.conversations), (done) => {
    if (done % 50 === 0) say(`${done} users registered`);
  });
  const conversations = await converse(target.edge, scenario.conversations, users);
  const ledger = new Ledger(conversations);
  const traffic = new Traffic(conversations, ledger, scenario.textBytes);
  say(`opening ${users.length} sockets`);
  const connections = await connectAll(options, users, traffic);
  const heartbeats = setInterval(() => {
    for (const connection of connections) connection.heartbeat();
  }, HEARTBEAT_MS);
  try {
    return await measure(options, { conversations, ledger, traffic, connections });
  } finally {
    clearInterval(heartbeats);
    for (const connection of connections) connection.close();
  }
}

interface Stage {
  readonly conversations: readonly NamedConversation[];
  readonly ledger: Ledger;
  readonly traffic: Traffic;
  readonly connections: readonly Connection[];
}

async function measure({ target, hops, scenario, say }: RunOptions, stage: Stage): Promise<RunResult> {
  const { ledger, traffic } = stage;
  const startedAt = new Date().toISOString();
  const atRest = await sample(target);
  await sleep(IDLE_MS);
  const idle = usageBetween(atRest, await sample(target));

  say(`load for ${scenario.warmUpSeconds} + ${scenario.seconds} s`);
  const start = performance.now() + 5;
  const from = start + scenario.warmUpSeconds * 1000;
  traffic.measure(from, from + scenario.seconds * 1000);
  const road = {
    conversations: stage.conversations.length,
    send: (conversation: number, intended: number) => traffic.send(conversation, intended),
    unanswered: () => ledger.unanswered,
  };
  const load = startLoad(scenario.load, road, start, scenario.warmUpSeconds + scenario.seconds);
  traffic.onAnswer = ({ conversation, pauseMs }) => load.answered(conversation, pauseMs);

  await sleep(from - performance.now());
  const began = countsOf(ledger);
  const before = await sample(target);
  await load.ended;
  const ended = countsOf(ledger);
  const after = await sample(target);
  const backlog = await logBacklog(target.nats);

  say("waiting for what is under way");
  const deadline = performance.now() + scenario.drainSeconds * 1000;
  const storedAfterSeconds = await untilStored(target.nats, deadline);
  while ((ledger.unanswered > 0 || ledger.undelivered > 0) && performance.now() < deadline) await sleep(50);
  await sleep(hops === undefined ? QUIET_MS : SPANS_MS);
  return {
    ...{ startedAt, idle, backlog, storedAfterSeconds },
    seconds: (ended.atMs - began.atMs) / 1000,
    acked: ended.acked - began.acked,
    delivered: ended.delivered - began.delivered,
    usage: usageBetween(before, after),
    traffic: traffic.summary(),
    ledger: ledger.close(),
    gateways: countGateways(stage.connections),
    acrossGateways: countAcross(stage),
    hops: hops?.take(performance.timeOrigin + began.atMs, performance.timeOrigin + ended.atMs) ?? [],
  };
}

function countsOf({ acked, deliveries }: Ledger): { atMs: number; acked: number; delivered: number } {
  return { atMs: performance.now(), acked, delivered: deliveries };
}

async function sample(target: Target): Promise<UsageSample> {
  return sampleUsage(await target.processes());
}

/** Seconds until the log's consumers have nothing left to do. */
async function untilStored(nats: string, deadline: number): Promise<number | undefined> {
  const began = performance.now();
  while (performance.now() < deadline) {
    const backlog = await logBacklog(nats);
    if (backlog.every(({ records }) => records === 0)) return (performance.now() - began) / 1000;
    await sleep(50);
  }
  return undefined;
}

async function converse(edge: string, wanted: Conversations, users: readonly User[]): Promise<NamedConversation[]> {
  const size = membersOf(wanted);
  const parties = Array.from({ length: countOf(wanted) }, (_, index) => users.slice(index * size, (index + 1) * size));
  const ids = wanted.kind === "group" ? await createGroups(edge, parties) : parties.map(pairId);
  return ids.map((id, index) => {
    const members = Array.from({ length: size }, (_, place) => index * size + place);
    return { id, members, writers: members.slice(0, wanted.writers) };
  });
}

function pairId(pair: readonly User[]): string {
  const [a, b] = pair;
  if (a === undefined || b === undefined) throw new RangeError("a pair of less than two");
  return directId(a.userId, b.userId);
}

function connectAll({ target, direct }: RunOptions, users: readonly User[], traffic: Traffic): Promise<Connection[]> {
  const urls = direct ? target.gateways : [target.ws];
  return paced(users, direct ? DIRECT_UPGRADES : UPGRADES, async ({ token }, number) => {
    const url = urls[number % urls.length] ?? target.ws;
    const connection = await Connection.open(url, token, traffic.receiver(number));
    traffic.attach(number, connection);
    return connection;
  });
}

function countGateways(connections: readonly Connection[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { gatewayId } of connections) counts[gatewayId] = (counts[gatewayId] ?? 0) + 1;
  return counts;
}

function countAcross({ conversations, connections }: Stage): number {
  const gatewaysOf = ({ members }: NamedConversation) =>
    new Set(members.map((member) => connections[member]?.gatewayId));
  return conversations.filter((conversation) => gatewaysOf(conversation).size > 1).length;
}
