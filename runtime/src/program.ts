import { type DestinationStream, type Logger, pino } from "pino";
import { ConfigError, describeConfig, type Env, type Keys, readConfig } from "./config.ts";
import { createHost, type RunningHost } from "./host.ts";
import { Neighbours } from "./neighbours.ts";
import { type ProcessConfig, readProcessConfig } from "./process-config.ts";
import { collectStartGarbage } from "./start-garbage.ts";
import { openTracing } from "./trace.ts";
import { createRequestValidator } from "./validate.ts";

/** What runs as a process of its own: one service, or several. */
export interface Program {
  /** The process is called `oceanchat-<name>`. */
  readonly name: string;
  /** Every key that is read from its environment: for `--help`, and checked before anything is opened. */
  readonly keys: Keys;
  /** Prepares what is to run; called once, opens nothing that stop() would have to close. */
  prepare(life: Life): Promise<Running>;
}

/** What a program is prepared from. */
export interface Life {
  readonly env: Env;
  /** Hosts of services of this process, which call each other without sockets. */
  host(service: string, env: Env): Promise<RunningHost>;
}

/** What can be started and stopped, once each; stop() may be called while start() still runs. */
export interface Running {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Runs a program until a signal or its own end: the only place that touches `process`. `--help` prints every key. The first SIGTERM
 * or SIGINT drains and stops, the second ends at once; what it can't go on after stops it with exit code 1.
 */
export async function runProgram({ name, keys, prepare }: Program): Promise<void> {
  const { env } = process;
  if (process.argv.includes("--help")) {
    process.stdout.write(`oceanchat-${name}\n\n${describeConfig(keys)}\n`);
    return;
  }
  const config = checkedConfig(keys, env);
  if (config === undefined) return;
  const lines = pino.destination(1);
  const log = openLog(name, config, lines);
  const ending = new Ending(log, config.stopMs);
  const shared = { neighbours: new Neighbours(), validate: createRequestValidator() };
  const host = async (service: string, own: Env) => {
    const ofService = readProcessConfig(own);
    const serviceLog = openLog(service, ofService, lines);
    const tracing = await openTracing(service, ofService);
    const onFatal = (error: unknown) => ending.fatal(error, serviceLog);
    const opened = createHost({ service, env: own, config: ofService, log: serviceLog, tracing, onFatal, ...shared });
    const stop = () => opened.stop().finally(() => tracing.close());
    return { ...opened, stop };
  };
  const running = await prepare({ env, host });
  ending.follow(running);
  try {
    await running.start();
    collectStartGarbage();
  } catch (error) {
    ending.fatal(error, log);
  }
}

/** Stops what runs, for whatever reason comes first, and then the process. */
class Ending {
  readonly #log: Logger;
  readonly #stopMs: number;
  #running: Running | undefined;
  #begun = false;

  constructor(log: Logger, stopMs: number) {
    this.#log = log;
    this.#stopMs = stopMs;
  }

  follow(running: Running): void {
    this.#running = running;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (this.#begun) process.exit(1);
        this.#log.info({ signal }, "stopping");
        this.#end(0);
      });
    }
    const fatal = (error: unknown) => this.fatal(error, this.#log);
    process.on("uncaughtException", fatal);
    process.on("unhandledRejection", fatal);
  }

  fatal(error: unknown, log: Logger): void {
    log.fatal({ err: error }, "can't go on");
    this.#end(1);
  }

  #end(code: number): void {
    if (this.#begun) return;
    this.#begun = true;
    process.exitCode = code;
    const deadline = setTimeout(() => {
      this.#log.error("stopping took too long");
      process.exit(1);
    }, this.#stopMs);
    deadline.unref();
    (this.#running?.stop() ?? Promise.resolve()).then(
      () => {
        this.#log.info("stopped");
        process.exit(code);
      },
      (error) => {
        this.#log.error({ err: error }, "stopping failed");
        process.exit(1);
      },
    );
  }
}

function openLog(service: string, { logLevel, instance }: ProcessConfig, lines: DestinationStream): Logger {
  return pino({ level: logLevel, base: { service, instance }, timestamp: pino.stdTimeFunctions.isoTime }, lines);
}

/** Everything that is wrong with the configuration is said at once, before anything is opened. */
function checkedConfig(keys: Keys, env: Env): ProcessConfig | undefined {
  try {
    readConfig(keys, env);
    return readProcessConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 78; // EX_CONFIG of sysexits.h
    return undefined;
  }
}
