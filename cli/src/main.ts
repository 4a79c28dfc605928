#!/usr/bin/env node
import { PersistenceMeshService } from "@oceanchat/gen/oceanchat/persistence/v1/persistence_mesh_service_pb";
import { openAddresses } from "@oceanchat/runtime/addresses";
import { connectBus } from "@oceanchat/runtime/bus";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { ConfigError, type Env } from "@oceanchat/runtime/config";
import { connectPeers } from "@oceanchat/runtime/peers";
import { pino } from "pino";
import { type Command, parseCommand } from "./arguments.ts";
import { runArchive } from "./commands/archive.ts";
import { listDead, replayDead, showDead } from "./commands/dead.ts";
import { readLog, tailLog, verifyLogs } from "./commands/log.ts";
import { type CliConfig, readCliConfig } from "./config.ts";
import { deadLetters } from "./dead-letters.ts";
import { UsageError } from "./errors.ts";
import { helpOf } from "./help.ts";
import { createOutput, type Streams } from "./output.ts";
import type { Output, Tiers } from "./ports.ts";
import { openStore } from "./store.ts";
import { logStream } from "./stream.ts";

const CONNECT_MS = 10_000;
/** One call moves records for some seconds. */
const ARCHIVE_MS = 120_000;

type Of<N extends string> = Extract<Command, { name: `${N} ${string}` }>;

/** What a run is given of its process. */
interface Surroundings extends Streams {
  readonly env: Env;
  /** Ends what goes on until somebody ends it. */
  readonly signal: AbortSignal;
}

/** Runs one command; gives the exit code. */
async function run(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const { out, error: errors } = surroundings;
  try {
    const command = parseCommand(argv);
    if (command.name === "help") {
      out.write(helpOf(command.topic));
      return 0;
    }
    const output = createOutput(surroundings, command.json);
    return (await perform(command, readCliConfig(surroundings.env), output, surroundings)) ? 0 : 1;
  } catch (error) {
    const usage = error instanceof UsageError || error instanceof ConfigError;
    const hint = error instanceof UsageError ? "\nsee oceanchat --help" : "";
    errors.write(`oceanchat: ${reasonOf(error)}${hint}\n`);
    return usage ? 2 : 1;
  }
}

/** Whether all is well. */
async function perform(
  command: Exclude<Command, { name: "help" }>,
  config: CliConfig,
  output: Output,
  surroundings: Surroundings,
): Promise<boolean> {
  switch (command.name) {
    case "log tail":
    case "log read":
    case "log verify":
      return withTiers(config, surroundings, (tiers) => performLog(command, tiers, output, surroundings.signal));
    case "dead list":
    case "dead show":
    case "dead replay":
      return withBus(config, surroundings, (bus) => performDead(command, bus, output));
    case "archive run":
      return performArchive(command, config, output, surroundings);
  }
}

async function performLog(command: Of<"log">, tiers: Tiers, output: Output, signal: AbortSignal): Promise<boolean> {
  if (command.name === "log read") return readLog(tiers, command, output);
  if (command.name === "log verify") return verifyLogs(tiers, command, output);
  await tailLog(tiers, command, output, signal);
  return true;
}

async function performDead(command: Of<"dead">, bus: Bus, output: Output): Promise<boolean> {
  const letters = deadLetters(bus);
  if (command.name === "dead replay") return replayDead(letters, command, output);
  if (command.name === "dead list") await listDead(letters, command, output);
  else await showDead(letters, command, output);
  return true;
}

async function performArchive(
  command: Of<"archive">,
  { persistenceWriter }: CliConfig,
  output: Output,
  surroundings: Surroundings,
): Promise<boolean> {
  const log = warnings(surroundings);
  const addresses = await openAddresses(persistenceWriter, log);
  const peers = connectPeers({ service: PersistenceMeshService, addresses, log, timeoutMs: ARCHIVE_MS });
  try {
    await runArchive(peers, command, output, surroundings.signal);
    return true;
  } finally {
    peers.close();
    addresses.close();
  }
}

async function withTiers<T>(
  config: CliConfig,
  surroundings: Surroundings,
  use: (tiers: Tiers) => Promise<T>,
): Promise<T> {
  const { mongodbUrl: url, mongodbDatabase: database } = config;
  const opened = await openStore({ url, database, name: "oceanchat-cli", log: warnings(surroundings) });
  try {
    return await withBus(config, surroundings, (bus) =>
      use({ store: opened.store, archive: opened.archive, stream: logStream(bus) }),
    );
  } finally {
    await opened.close();
  }
}

async function withBus<T>(
  { natsUrl: url }: CliConfig,
  surroundings: Surroundings,
  use: (bus: Bus) => Promise<T>,
): Promise<T> {
  const { promise: gone, reject } = Promise.withResolvers<never>();
  const log = warnings(surroundings);
  const name = "oceanchat-cli";
  const bus = await connectBus({ url, name, log, onClosed: reject, connectTimeoutMs: CONNECT_MS });
  try {
    return await Promise.race([use(bus), gone]);
  } finally {
    await bus.close();
  }
}

/** Warnings of the connections, as plain lines. */
function warnings({ error }: Streams) {
  const write = (line: string) => {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    error.write(`oceanchat: ${[msg, err?.message].filter((each) => each !== undefined).join(": ")}\n`);
  };
  return pino({ level: "warn" }, { write });
}

/** The message, and what is underneath unless it says the same. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : reasonOf(error.cause);
  return cause === "" || cause.includes(error.message) ? error.message : `${error.message}: ${cause}`;
}

if (import.meta.main) {
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());
  // Whoever reads the output may have gone, such as `head`.
  process.stdout.on("error", () => process.exit(1));
  const { stdout: out, stderr: error, env } = process;
  process.exitCode = await run(process.argv.slice(2), { out, error, env, signal: ended.signal });
}
