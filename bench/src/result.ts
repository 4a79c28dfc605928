import { type AttackResults, attackResults } from "./attacks/result.ts";
import type { Backlog } from "./backlog.ts";
import type { Hop } from "./hops.ts";
import { Latencies, type LatencySummary } from "./latency.ts";
import type { LedgerSummary } from "./ledger.ts";
import type { Measured } from "./measure.ts";
import type { Series } from "./monitor.ts";
import type { Prepared } from "./prepare.ts";
import { membersOf } from "./scenario.ts";
import type { ShardResult } from "./shard/plan.ts";
import type { Stage } from "./stage.ts";
import type { StormResult } from "./storm.ts";
import { type Usage, type UsageSample, usageBetween } from "./usage.ts";

/** Points of a distribution: at so many per cent, so many milliseconds. */
export type Curve = readonly (readonly [number, number])[];

/** A distribution and its figures. */
export interface Timed extends LatencySummary {
  readonly curve: Curve;
}

/** One part of the traffic in the measured time. */
export interface PartResult {
  readonly name: string;
  readonly acked: number;
  readonly delivered: number;
  readonly ack: Timed;
  readonly delivery: Timed;
}

/** The figures of one run. */
export interface RunResult {
  readonly startedAt: string;
  /** The measured time as it came out. */
  readonly seconds: number;
  /** In the measured time. */
  readonly acked: number;
  readonly delivered: number;
  /** Accepted messages times the members that each was for, with a socket or without. */
  readonly recipients: number;
  readonly parts: readonly PartResult[];
  /** Of all parts together. */
  readonly ack: Timed;
  readonly delivery: Timed;
  /** Deliveries before readers became slow. */
  readonly baseline: Timed;
  /** How late messages left: the generator's own share of the latencies of an open loop. */
  readonly lag: Timed;
  /** From the first byte to `hello`; from the end of a connection to the next `hello`, and until all that was missed is there. */
  readonly connect: Timed;
  readonly reconnect: Timed;
  readonly resume: Timed;
  readonly storm: StormResult | undefined;
  readonly attacks: AttackResults | undefined;
  /** Refusals by reason. */
  readonly errors: Readonly<Record<string, number>>;
  /** The same of `sync`, which is sent again. */
  readonly syncErrors: Readonly<Record<string, number>>;
  /** Messages that were sent once more because nothing had answered them. */
  readonly repeats: number;
  /** How often a gateway withheld records from a connection that reads too slowly. */
  readonly hints: number;
  /** Connections that ended by themselves, by why. */
  readonly closes: Readonly<Record<string, number>>;
  readonly ledger: LedgerSummary;
  readonly sockets: number;
  readonly connectSeconds: number;
  /** Sockets by gateway. */
  readonly gateways: Readonly<Record<string, number>>;
  /** Conversations with members on more than one gateway. */
  readonly acrossGateways: number;
  /** What the gateways' and the edge's memory grew by while the sockets were opened. */
  readonly gatewayGrowthBytes: number;
  readonly edgeGrowthBytes: number;
  /** The way of the messages that were traced; empty when none was. */
  readonly hops: readonly Hop[];
  /** With the sockets open and nothing sent. */
  readonly idle: Usage;
  /** In the measured time. */
  readonly usage: Usage;
  readonly series: Series;
  /** What the log's consumers had before them when the measured time ended. */
  readonly backlog: readonly Backlog[];
  /** How long after that all was stored; undefined when it was not within the drain time. */
  readonly storedAfterSeconds: number | undefined;
}

/** All that was seen of a run. */
export interface Seen extends Measured {
  readonly stage: Stage;
  /** Before the first socket. */
  readonly bare: UsageSample;
  readonly connectSeconds: number;
  readonly prepared: Prepared;
  readonly results: readonly ShardResult[];
  readonly series: Series;
}

/** Puts together what the threads and the main thread have seen. */
export function resultOf(seen: Seen): RunResult {
  const { stage, results, began, ended, prepared } = seen;
  const gatewayOf = new Map(results.flatMap((result) => result.gatewayOf));
  return {
    ...{ startedAt: seen.startedAt, storm: seen.storm, hops: seen.hops, series: seen.series },
    ...{ backlog: seen.backlog, storedAfterSeconds: seen.storedAfterSeconds, connectSeconds: seen.connectSeconds },
    seconds: (ended.atMs - began.atMs) / 1000,
    acked: ended.acked - began.acked,
    delivered: ended.deliveries - began.deliveries,
    recipients: stage.options.scenario.traffic.reduce(
      (sum, { conversations }, part) => sum + ackedOf(seen, part) * (membersOf(conversations) - 1),
      0,
    ),
    ...latenciesOf(seen),
    attacks: attackResults(seen.attacked, phaseTimes(results)),
    errors: summed(results.map(({ errors }) => errors)),
    syncErrors: summed(results.map(({ syncErrors }) => syncErrors)),
    repeats: results.reduce((sum, { repeats }) => sum + repeats, 0),
    hints: results.reduce((sum, { hints }) => sum + hints, 0),
    closes: summed(results.map(({ closes }) => closes)),
    ledger: stage.audit.close(results.map(({ violations }) => violations)),
    sockets: gatewayOf.size,
    gateways: summed(results.map(({ gateways }) => gateways)),
    acrossGateways: prepared.conversations.filter(
      ({ members }) => new Set(members.map((member) => gatewayOf.get(member))).size > 1,
    ).length,
    gatewayGrowthBytes: bytesOf(seen.rested, HOLDS_SOCKETS) - bytesOf(seen.bare, HOLDS_SOCKETS),
    edgeGrowthBytes: bytesOf(seen.rested, EDGE) - bytesOf(seen.bare, EDGE),
    idle: usageBetween(seen.atRest, seen.rested, stage.monitor.peaks(seen.atRest, seen.rested)),
    usage: usageBetween(seen.before, seen.after, stage.monitor.peaks(seen.before, seen.after)),
  };
}

const ackedOf = ({ began, ended }: Seen, part: number): number =>
  (ended.parts[part]?.acked ?? 0) - (began.parts[part]?.acked ?? 0);

/** Latencies by phase, of all threads. */
function phaseTimes(results: readonly ShardResult[]) {
  const phases = results.map(({ latencies }) => latencies.phases);
  const of = (key: "ack" | "delivery", phase: number) => merged(phases.flatMap((one) => one[phase]?.[key] ?? []));
  return (phases[0] ?? []).map((_, phase) => ({ ack: of("ack", phase), delivery: of("delivery", phase) }));
}

function merged(texts: readonly string[]): Timed {
  const all = new Latencies();
  for (const text of texts) all.addEncoded(text);
  return { ...all.summary(), curve: all.curve() };
}

function latenciesOf(seen: Seen) {
  const { stage, results, began, ended } = seen;
  const of = (key: "lag" | "baseline" | "connect" | "reconnect" | "resume") =>
    merged(results.map(({ latencies }) => latencies[key]));
  const partsOf = (key: "ack" | "delivery", part?: number) =>
    merged(
      results.flatMap(({ latencies }) =>
        latencies.parts.filter((_, index) => part === undefined || index === part).map((one) => one[key]),
      ),
    );
  return {
    ...{ ack: partsOf("ack"), delivery: partsOf("delivery"), lag: of("lag"), baseline: of("baseline") },
    ...{ connect: of("connect"), reconnect: of("reconnect"), resume: of("resume") },
    parts: stage.options.scenario.traffic.map(({ name }, part) => ({
      name,
      acked: ackedOf(seen, part),
      delivered: (ended.parts[part]?.deliveries ?? 0) - (began.parts[part]?.deliveries ?? 0),
      ack: partsOf("ack", part),
      delivery: partsOf("delivery", part),
    })),
  };
}

/** Where all services are one process, that one. */
const HOLDS_SOCKETS = /^(ws-gateway-\d+|standalone)$/;
const EDGE = /^envoy$/;

const bytesOf = ({ processes }: UsageSample, which: RegExp): number =>
  processes.filter(({ name }) => which.test(name)).reduce((sum, { rssBytes }) => sum + rssBytes, 0);

function summed(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const one of counts) for (const [key, count] of Object.entries(one)) sums[key] = (sums[key] ?? 0) + count;
  return sums;
}
