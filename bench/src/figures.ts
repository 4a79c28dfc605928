import { type AttackResults, mostGrowth, slowdown } from "./attacks/result.ts";
import type { LatencySummary } from "./latency.ts";
import type { RunResult } from "./result.ts";
import type { Usage } from "./usage.ts";

/** One figure of a run. */
export interface Figure {
  /** What budgets call it. */
  readonly name: string;
  /** What people read. */
  readonly label: string;
  readonly unit: string;
  readonly digits: number;
  readonly value: number;
}

const MIB = 1024 * 1024;
const KIB = 1024;

type Percentile = "p50" | "p90" | "p99" | "p999" | "max";
const LABELS: Readonly<Record<Percentile, string>> = { p50: "p50", p90: "p90", p99: "p99", p999: "p99.9", max: "max" };
const ALL: readonly Percentile[] = ["p50", "p90", "p99", "p999", "max"];

/** Every figure of a run, in the order of the table. */
export function figuresOf(run: RunResult): Figure[] {
  const { attacks } = run;
  return [
    ...trafficFigures(run),
    ...partFigures(run),
    ...connectionFigures(run),
    ...(attacks === undefined ? [] : attackFigures(attacks)),
    ...usageFigures(run),
  ];
}

function figure(name: string, label: string, unit: string, digits: number, value: number): Figure {
  return { name, label, unit, digits, value };
}

function latency(name: string, label: string, of: LatencySummary, keys: readonly Percentile[]): Figure[] {
  if (of.count === 0) return [];
  return keys.map((key) => figure(`${name}.${key}`, `${label} ${LABELS[key]}`, "ms", 2, of[key]));
}

function trafficFigures(run: RunResult): Figure[] {
  if (run.ledger.sent === 0) return [figure("violations", "violations", "", 0, run.ledger.violations.total)];
  return [
    figure("accepted", "accepted", "msg/s", 0, run.acked / run.seconds),
    figure("delivered", "delivered", "/s", 0, run.delivered / run.seconds),
    ...latency("ack", "ack", run.ack, ALL),
    ...latency("delivery", "delivery", run.delivery, ALL),
    ...latency("baseline", "delivery before", run.baseline, ["p50", "p99"]),
    ...(run.baseline.count === 0
      ? []
      : [figure("slow.ratio", "delivery p99, times", "", 2, run.delivery.p99 / run.baseline.p99)]),
    ...latency("lag", "sent late by", run.lag, ["p50", "p99"]),
    figure("storedAfter", "stored after", "s", 2, run.storedAfterSeconds ?? Number.NaN),
    figure("violations", "violations", "", 0, run.ledger.violations.total),
  ];
}

function partFigures({ parts, seconds }: RunResult): Figure[] {
  if (parts.length < 2) return [];
  return parts.flatMap(({ name, acked, delivered, ack, delivery }) => [
    figure(`${name}.accepted`, `${name}: accepted`, "msg/s", 0, acked / seconds),
    figure(`${name}.delivered`, `${name}: delivered`, "/s", 0, delivered / seconds),
    ...latency(`${name}.ack`, `${name}: ack`, ack, ["p50", "p99"]),
    ...latency(`${name}.delivery`, `${name}: delivery`, delivery, ["p50", "p99"]),
  ]);
}

function connectionFigures(run: RunResult): Figure[] {
  const { storm, sockets, gatewayGrowthBytes, edgeGrowthBytes, connectSeconds } = run;
  return [
    figure("connectRate", "sockets opened", "/s", 0, sockets / connectSeconds),
    ...latency("connect", "connect", run.connect, ["p50", "p99"]),
    figure("gatewayKiBPerSocket", "gateway, RSS per socket", "KiB", 1, gatewayGrowthBytes / KIB / sockets),
    figure("edgeKiBPerSocket", "Envoy, RSS per socket", "KiB", 1, edgeGrowthBytes / KIB / sockets),
    ...(storm === undefined
      ? []
      : [
          figure("storm.clients", "clients cut off", "", 0, storm.clients),
          figure("storm.over", "all back, caught up", "s", 1, storm.overAfterSeconds ?? Number.NaN),
        ]),
    ...latency("reconnect", "reconnect", run.reconnect, ["p50", "p99", "max"]),
    ...(run.reconnect.count === 0
      ? []
      : [figure("reconnectedAfter", "last one reconnected", "s", 1, run.reconnect.max / 1000)]),
    ...latency("resume", "caught up", run.resume, ["p50", "p99", "max"]),
    ...(run.ledger.resumed > 0 ? [figure("resumed", "deliveries fetched", "", 0, run.ledger.resumed)] : []),
    ...(run.hints > 0 ? [figure("hints", "hints", "", 0, run.hints)] : []),
  ];
}

/** The worst of all attacks. */
function attackFigures(results: AttackResults): Figure[] {
  const { attacks } = results;
  const worst = Math.max(...attacks.map((one) => slowdown(results, one)));
  const most = mostGrowth(attacks.flatMap(({ memory }) => memory));
  const untold = attacks.reduce((sum, { unexpected }) => sum + unexpected, 0);
  return [
    figure("attacks.slowdown", "delivery p99 under attack", "times", 2, worst),
    ...(Number.isNaN(most) ? [] : [figure("attacks.growth", "live memory after an attack", "times", 2, most)]),
    figure("attacks.untold", "offenders refused untyped", "", 0, untold),
  ];
}

/** CPU per accepted message, per delivery, and memory of each process, the one that costs most first. */
function usageFigures(run: RunResult): Figure[] {
  const { usage, idle, acked, delivered, recipients } = run;
  const processes = usage.processes.toSorted((a, b) => b.cpuSeconds - a.cpuSeconds);
  const total = processes.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const micros = (seconds: number, count: number): number => (count === 0 ? Number.NaN : (seconds * 1e6) / count);
  return [
    ...(acked === 0
      ? []
      : [
          figure("cpu.message", "CPU in all", "µs/msg", 0, micros(total, acked)),
          figure("cpu.delivery", "CPU in all", "µs/delivery", 1, micros(total, delivered)),
          figure("cpu.recipient", "CPU in all", "µs/recipient", 1, micros(total, recipients)),
          ...processes.map(({ name, cpuSeconds }) =>
            figure(`cpu.message.${name}`, `CPU ${name}`, "µs/msg", 0, micros(cpuSeconds, acked)),
          ),
          ...processes.map(({ name, cpuSeconds }) =>
            figure(`cpu.delivery.${name}`, `CPU ${name}`, "µs/delivery", 2, micros(cpuSeconds, delivered)),
          ),
        ]),
    figure("cpus", "CPUs used", "CPUs", 2, cpus(usage)),
    figure("cpus.idle", "CPUs used idle", "CPUs", 2, cpus(idle)),
    figure("gatewayGrowth", "gateways, RSS at most", "MiB more", 0, gatewayGrowth(usage)),
    figure("cpus.others", "CPUs used by others", "CPUs", 2, usage.otherCpuSeconds / usage.seconds),
    ...processes.flatMap(({ name, rssStartBytes, rssPeakBytes, rssBytes }) => [
      figure(`rss.start.${name}`, `RSS ${name}, start`, "MiB", 0, rssStartBytes / MIB),
      figure(`rss.peak.${name}`, `RSS ${name}, peak`, "MiB", 0, rssPeakBytes / MIB),
      figure(`rss.${name}`, `RSS ${name}, end`, "MiB", 0, rssBytes / MIB),
    ]),
  ];
}

/** How much more memory the gateways had at most than when the measured time began. */
const gatewayGrowth = ({ processes }: Usage): number =>
  processes
    .filter(({ name }) => name.startsWith("ws-gateway"))
    .reduce((sum, { rssStartBytes, rssPeakBytes }) => sum + rssPeakBytes - rssStartBytes, 0) / MIB;

const cpus = ({ processes, seconds }: Usage): number =>
  processes.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / seconds;
