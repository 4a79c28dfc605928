import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { readConfig } from "@oceanchat/runtime/config";
import type { Host } from "@oceanchat/runtime/host";
import { type MongoOptions, mongoOptions } from "@oceanchat/runtime/mongo";
import { runProcess } from "@oceanchat/runtime/process";
import { writerKeys } from "./config.ts";
import { consumeLog, reportBacklog } from "./consumer.ts";
import { Progress } from "./core/progress.ts";
import { createWriterCore } from "./core.ts";
import { consumeForSearch } from "./search-consumer.ts";
import { openSearchIndex } from "./store/search.ts";
import { openStore } from "./store.ts";
import { openTail } from "./tail.ts";

const REPORT_MS = 30_000;

/** Starts persistence-writer. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(writerKeys, host.env);
  const store = await openStore(mongoOptions(host, config));
  host.defer("store", () => store.close());
  const tail = await openTail(config.redisUrl, host.log);
  host.defer("tail", () => tail.close());
  const bus = await host.bus(config.natsUrl);
  await bus.ensureStream(DeadLetterSchema);
  await bus.ensureStream(LogEntrySchema);
  const progress = new Progress();
  const consumption = await consumeLog(bus, createWriterCore(store, tail), progress, host.log);
  host.defer("consumer", () => consumption.stop());
  host.every("backlog report", REPORT_MS, () => reportBacklog(consumption, progress, host.log, host.now()));
  if (config.searchIndex === "on") await startSearchIndex(host, bus, mongoOptions(host, config));
  await host.serve({});
}

async function startSearchIndex(host: Host, bus: Bus, options: MongoOptions): Promise<void> {
  const index = await openSearchIndex(options);
  host.defer("search index", () => index.close());
  const consumption = await consumeForSearch(bus, index);
  host.defer("search consumer", () => consumption.stop());
}

if (import.meta.main) await runProcess("persistence-writer", writerKeys, start);
