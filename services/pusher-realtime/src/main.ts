import { setTimeout as sleep } from "node:timers/promises";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { OfflineTaskSchema, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { readConfig } from "@oceanchat/runtime/config";
import type { Host } from "@oceanchat/runtime/host";
import { runProcess } from "@oceanchat/runtime/process";
import { openOffline } from "./bus.ts";
import { pusherKeys } from "./config.ts";
import { consumeTasks } from "./consumer.ts";
import { createPusherCore } from "./core.ts";
import { openPeers } from "./peers.ts";
import type { Journal } from "./ports.ts";

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
  await host.serve({});
}

function journalOf(log: Host["log"]): Journal {
  return {
    refused: (address, error) => log.error({ err: error, address }, "a gateway refused a packet"),
    presenceAway: (error) =>
      log.warn({ err: error }, "presence can't be asked: users without connection are told offline"),
    offlineFull: (notices) => log.error({ notices }, "the stream of offline tasks is full: users are not told"),
  };
}

if (import.meta.main) await runProcess("pusher-realtime", pusherKeys, start);
