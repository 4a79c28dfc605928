import { setTimeout as sleep } from "node:timers/promises";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { OfflineTaskSchema, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { readConfig } from "@oceanchat/runtime/config";
import type { Host } from "@oceanchat/runtime/host";
import { runProcess } from "@oceanchat/runtime/process";
import { openOffline } from "./bus.ts";
import { pusherKeys } from "./config.ts";
import { hearSignals } from "./consumer/signals.ts";
import { consumeTasks } from "./consumer.ts";
import { type SignalLosses, SignalPusher } from "./core/signals.ts";
import { createPusherCore } from "./core.ts";
import { openPeers } from "./peers.ts";
import type { Journal } from "./ports.ts";

/** How often lost signals are told of at most, in milliseconds. */
const LOSSES_MS = 1000;

/** Starts pusher-realtime. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(pusherKeys, host.env);
  const bus = await host.bus(config.natsUrl);
  for (const schema of [DeadLetterSchema, OnlineTaskSchema, OfflineTaskSchema]) {
    await bus.ensureStream(schema);
  }
  const { gateways, presence } = await openPeers(host, config);
  const core = createPusherCore({
    gateways,
    presence,
    offline: openOffline(bus),
    clock: { now: () => performance.now(), pause: (ms) => sleep(ms) },
    journal: journalOf(host.log),
  });
  const consumption = await consumeTasks(bus, core, host);
  host.defer("consumer", () => consumption.stop());
  const signals = new SignalPusher(gateways);
  const endHearing = hearSignals(bus, signals);
  host.defer("signals", () => {
    endHearing();
    return signals.stop();
  });
  host.every("signal losses", LOSSES_MS, async () => tellLosses(host.log, signals.losses()));
  await host.serve({});
}

function tellLosses(log: Host["log"], { dropped, failed }: SignalLosses): void {
  if (dropped > 0) log.warn({ dropped }, "signals were dropped: too many at once");
  if (failed > 0) log.warn({ failed }, "signals were not taken by their gateways");
}

function journalOf(log: Host["log"]): Journal {
  return {
    refused: (address, error) => log.error({ err: error, address }, "a gateway refused a packet"),
    presenceAway: (error) =>
      log.warn({ err: error }, "presence can't be asked where users are whose connection is gone"),
    offlineFull: (notices) => log.error({ notices }, "the stream of offline tasks is full: users are not told"),
  };
}

if (import.meta.main) await runProcess("pusher-realtime", pusherKeys, start);
