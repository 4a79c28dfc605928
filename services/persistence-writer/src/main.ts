import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { PersistenceMeshService } from "@oceanchat/gen/oceanchat/persistence/v1/persistence_mesh_service_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { type MongoOptions, mongoOptions, openMongo } from "@oceanchat/runtime/mongo";
import { runProcess } from "@oceanchat/runtime/process";
import { Archiver } from "./archiver.ts";
import { writerKeys } from "./config.ts";
import { consumeLog, reportBacklog } from "./consumer.ts";
import { Progress } from "./core/progress.ts";
import { createWriterCore } from "./core.ts";
import { consumeForSearch } from "./search-consumer.ts";
import { persistenceMeshHandlers } from "./service.ts";
import { openArchive } from "./store/archive.ts";
import { openSearchIndex } from "./store/search.ts";
import { openStore } from "./store.ts";
import { openTail } from "./tail.ts";

const REPORT_MS = 30_000;
const DAY_MS = 86_400_000;
const ARCHIVE_EVERY_MS = 3_600_000;
/** Where nothing is moved by itself, but somebody asks without saying how old. */
const ARCHIVE_WHEN_ASKED_DAYS = 90;
/** Younger records may be needed to recognise repeats, which are known for seven days. */
const ARCHIVE_MIN_DAYS = 8;

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
  const archiver = await startArchive(host, mongoOptions(host, config), config.archiveAfterDays);
  await host.serve({ mesh: [implement(PersistenceMeshService, persistenceMeshHandlers(archiver))] });
}

async function startArchive(host: Host, options: MongoOptions, afterDays: number): Promise<Archiver> {
  const store = await openMongo(options, openArchive);
  host.defer("archive", () => store.close());
  const ageMs = Math.max(afterDays || ARCHIVE_WHEN_ASKED_DAYS, ARCHIVE_MIN_DAYS) * DAY_MS;
  const archiver = new Archiver({ store, ageMs, now: host.now, log: host.log });
  host.defer("archiver", () => archiver.stop());
  if (afterDays > 0) host.every("archive", ARCHIVE_EVERY_MS, () => archiver.runAll());
  return archiver;
}

async function startSearchIndex(host: Host, bus: Bus, options: MongoOptions): Promise<void> {
  const index = await openSearchIndex(options);
  host.defer("search index", () => index.close());
  const consumption = await consumeForSearch(bus, index);
  host.defer("search consumer", () => consumption.stop());
}

if (import.meta.main) await runProcess("persistence-writer", writerKeys, start);
