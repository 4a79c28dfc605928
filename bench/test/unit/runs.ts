import { Latencies } from "../../src/latency.ts";
import type { RunResult, Timed } from "../../src/result.ts";
import type { Budget, Scenario } from "../../src/scenario.ts";

/** A distribution of one value. */
export function timed(...values: readonly number[]): Timed {
  const latencies = new Latencies();
  for (const value of values) latencies.add(value);
  return { ...latencies.summary(), curve: latencies.curve() };
}

/** A run of ten seconds with so many messages, each delivered to ten, acked in so many milliseconds. */
export function run(acked: number, ackMs: number, wrong = false): RunResult {
  const violations = wrong
    ? { total: 2, kinds: [{ kind: "missing", count: 2, examples: ["message <1>"] }] }
    : { total: 0, kinds: [] };
  const process = {
    name: "message-1",
    rssStartBytes: 100 * 2 ** 20,
    rssPeakBytes: 120 * 2 ** 20,
    rssBytes: 110 * 2 ** 20,
  };
  const usage = {
    ...{ seconds: 10, restarted: [], otherCpuSeconds: 0, stolenCpuSeconds: 0 },
    processes: [{ ...process, cpuSeconds: 0.5 }],
  };
  return {
    ...{ startedAt: "2026-01-01T00:00:00Z", seconds: 10, acked, delivered: acked * 10, recipients: acked * 20 },
    parts: [{ name: "direct", acked, delivered: acked * 10, ack: timed(ackMs), delivery: timed(ackMs * 2) }],
    ...{ ack: timed(ackMs), delivery: timed(ackMs * 2), baseline: timed(), lag: timed(0.1) },
    ...{ connect: timed(5), reconnect: timed(), resume: timed(), storm: undefined },
    ...{ errors: {}, syncErrors: {}, repeats: 0, hints: 0, closes: {} },
    ledger: {
      sent: acked,
      acked,
      refused: 0,
      unknown: 0,
      unanswered: 0,
      deliveries: acked * 10,
      resumed: 0,
      violations,
    },
    ...{ sockets: 100, connectSeconds: 1, gateways: { g: 100 }, acrossGateways: 0, gatewayGrowthBytes: 512_000 },
    ...{ edgeGrowthBytes: 0, attacks: undefined },
    hops: [{ name: "gateway.uplink", began: timed(0.01), took: timed(4), ended: timed(4) }],
    ...{ idle: usage, usage, backlog: [], storedAfterSeconds: 0.1 },
    series: { at: [0, 1], processes: [{ name: "message-1", cpus: [0, 0.5], rssBytes: [1e8, 1.1e8] }] },
  };
}

/** A scenario with budgets. */
export function scenario(name: string, budgets: readonly Budget[]): Scenario {
  return {
    ...{
      name,
      description: `<${name}>`,
      idleSockets: 0,
      connect: "edge",
      natsSyncInterval: "",
      environment: {},
      heartbeatSeconds: 25,
      freshMesh: false,
      budgets,
    },
    traffic: [
      {
        name: "direct",
        conversations: { kind: "direct", pairs: 50, writers: 2 },
        load: { kind: "open", perSecond: 200 },
        textBytes: 100,
      },
    ],
    ...{
      slowReaders: undefined,
      churn: undefined,
      storm: undefined,
      attacks: undefined,
      warmUpSeconds: 1,
      seconds: 10,
      drainSeconds: 5,
    },
  };
}
