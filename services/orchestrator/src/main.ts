import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { OfflineTaskSchema, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { readConfig } from "@oceanchat/runtime/config";
import type { Host } from "@oceanchat/runtime/host";
import { runProcess } from "@oceanchat/runtime/process";
import { openLog, openPush } from "./bus.ts";
import { orchestratorKeys } from "./config.ts";
import { consumeLog } from "./consumer.ts";
import { createOrchestratorCore } from "./core.ts";
import { openPeers } from "./peers.ts";

/** Starts orchestrator. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(orchestratorKeys, host.env);
  const bus = await host.bus(config.natsUrl);
  for (const schema of [DeadLetterSchema, LogEntrySchema, OnlineTaskSchema, OfflineTaskSchema]) {
    await bus.ensureStream(schema);
  }
  const { groups, presence } = await openPeers(host, config);
  const core = createOrchestratorCore({
    groups,
    presence,
    log: openLog(bus, host.log),
    push: openPush(bus),
    now: host.now,
    maxIds: config.memberIds,
  });
  const consumption = await consumeLog(bus, core, host);
  host.defer("consumer", () => consumption.stop());
  await host.serve({});
}

if (import.meta.main) await runProcess("orchestrator", orchestratorKeys, start);
