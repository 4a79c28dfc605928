import { setTimeout as sleep } from "node:timers/promises";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { OfflineTaskSchema, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { readConfig } from "@oceanchat/runtime/config";
import type { Host } from "@oceanchat/runtime/host";
import { runProcess } from "@oceanchat/runtime/process";
import type { Patience } from "./bus/keep-trying.ts";
import { openSignals } from "./bus/signals.ts";
import { openLog, openPush } from "./bus.ts";
import { orchestratorKeys } from "./config.ts";
import { hearSignals } from "./consumer/signals.ts";
import { consumeLog } from "./consumer.ts";
import { Locator } from "./core/locator.ts";
import { SignalFanOut, type SignalLosses } from "./core/signals.ts";
import { createOrchestratorCore } from "./core.ts";
import { openPeers } from "./peers.ts";

/** How often lost signals are told of at most, in milliseconds. */
const LOSSES_MS = 1000;

/** Starts orchestrator. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(orchestratorKeys, host.env);
  const bus = await host.bus(config.natsUrl);
  for (const schema of [DeadLetterSchema, LogEntrySchema, OnlineTaskSchema, OfflineTaskSchema]) {
    await bus.ensureStream(schema);
  }
  const { groups, presence } = await openPeers(host, config);
  const locator = new Locator({ presence, now: host.now, after });
  const stopping = new AbortController();
  const core = createOrchestratorCore({
    groups,
    locator,
    log: openLog(bus, host.log),
    push: openPush(bus, patienceOf(host, stopping.signal)),
    now: host.now,
    maxIds: config.memberIds,
  });
  // After the consumer has stopped.
  host.defer("publishing", () => stopping.abort());
  const consumption = await consumeLog(bus, core, host);
  host.defer("consumer", () => consumption.stop());
  const signals = new SignalFanOut({ groups, locator, outlet: openSignals(bus), now: host.now });
  const endHearing = hearSignals(bus, signals);
  host.defer("signals", () => {
    endHearing();
    return signals.stop();
  });
  host.every("signal losses", LOSSES_MS, async () => tellLosses(host.log, signals.losses()));
  await host.serve({});
}

function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

function patienceOf({ log, now }: Host, signal: AbortSignal): Patience {
  return {
    now,
    pause: (ms) => sleep(ms, undefined, { signal }),
    onTrouble: (error, attempts) => log.warn({ err: error, attempts }, "a task is not stored yet"),
  };
}

function tellLosses(log: Host["log"], { dropped, failed, error }: SignalLosses): void {
  if (dropped > 0) log.warn({ dropped }, "signals were dropped: too many at once");
  if (failed > 0) log.warn({ failed, err: error }, "signals were not handed over");
}

if (import.meta.main) await runProcess("orchestrator", orchestratorKeys, start);
