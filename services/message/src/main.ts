import { setTimeout as sleep } from "node:timers/promises";
import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { MessageService } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { mongoOptions } from "@oceanchat/runtime/mongo";
import { runProcess } from "@oceanchat/runtime/process";
import { openSignals } from "./bus/signals.ts";
import { openLogStream } from "./bus.ts";
import { messageKeys } from "./config.ts";
import { createMessageCore } from "./core.ts";
import { openPeers } from "./peers.ts";
import type { Journal } from "./ports.ts";
import { openRecordIds } from "./record-ids.ts";
import { messageHandlers, messageMeshHandlers } from "./service.ts";
import { followWordList } from "./store/word-list.ts";
import { openStore } from "./store.ts";

/** How long what devices confirm waits for being written, in milliseconds. */
const DELIVERED_FLUSH_MS = 1000;
/** How often permissions in use are asked for again, in milliseconds. */
const RENEW_MS = 200;
/** How often user is asked whether remembered permissions still hold. */
const CONFIRM_MS = 400;

/** Starts message. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(messageKeys, host.env);
  const store = await openStore(mongoOptions(host, config));
  host.defer("store", () => store.close());
  const bus = await host.bus(config.natsUrl, { batch: config.batchRecords });
  await bus.ensureStream(LogEntrySchema);
  const peers = await openPeers(host, config);
  const clock = {
    now: host.now,
    steady: () => performance.now(),
    pause: (ms: number) => sleep((ms * (1 + Math.random())) / 2),
  };
  const core = createMessageCore(
    {
      stream: openLogStream(bus, host.log),
      signals: openSignals(bus),
      store,
      delivered: store,
      peers,
      clock,
      journal: journalOf(host.log),
      newId: openRecordIds(),
    },
    config,
  );
  host.defer("delivered cursors", () => core.flushDelivered());
  host.every("delivered cursors", DELIVERED_FLUSH_MS, () => core.flushDelivered());
  host.every("permissions", RENEW_MS, async () => core.renewPermissions());
  host.every("permissions of direct conversations", CONFIRM_MS, () => core.confirmPermissions());
  if (config.wordsFile !== "") {
    const file = { path: config.wordsFile, everyMs: config.wordsReloadMs, log: host.log, use: core.useWordList };
    host.defer("word list", await followWordList(file));
  }
  await host.serve({
    public: [implement(MessageService, messageHandlers(core))],
    mesh: [implement(MessageMeshService, messageMeshHandlers(core, host.tracing))],
    verify: host.tokenVerifier(peers.signingKeys),
  });
}

function journalOf(log: Host["log"]): Journal {
  return {
    deliveredWaits: (cursors, error) => log.warn({ err: error, cursors }, "delivered cursors wait for the store"),
    deliveredDropped: (cursors) => log.warn({ cursors }, "delivered cursors were given up: devices confirm again"),
  };
}

if (import.meta.main) await runProcess("message", messageKeys, start);
