import { pino } from "pino";
import { ConfigError, describeConfig, type Keys, readConfig } from "./config.ts";
import { createHost, type Start } from "./host.ts";
import { type ProcessConfig, processKeys, readProcessConfig } from "./process-config.ts";
import { openTracing } from "./trace.ts";

/**
 * Runs a service as a process of its own: the only place that touches `process`. `--help` prints every key. The first SIGTERM or
 * SIGINT drains and stops, the second ends at once.
 */
export async function runProcess(service: string, keys: Keys, start: Start): Promise<void> {
  if (process.argv.includes("--help")) {
    process.stdout.write(`oceanchat-${service}\n\n${describeConfig({ ...processKeys, ...keys })}\n`);
    return;
  }
  const config = checkedConfig(keys);
  if (config === undefined) return;
  const log = pino({
    level: config.logLevel,
    base: { service, instance: config.instance },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
  const tracing = await openTracing(service, config);
  const end = (code: number) => {
    if (ending) return;
    ending = true;
    process.exitCode = code;
    const deadline = setTimeout(() => {
      log.error("stopping took too long");
      process.exit(1);
    }, config.stopMs);
    deadline.unref();
    host.stop().then(
      async () => {
        await tracing.close();
        log.info("stopped");
        process.exit(code);
      },
      (error) => {
        log.error({ err: error }, "stopping failed");
        process.exit(1);
      },
    );
  };
  let ending = false;
  const fatal = (error: unknown) => {
    log.fatal({ err: error }, "can't go on");
    end(1);
  };
  const host = createHost({ service, env: process.env, config, log, tracing, onFatal: fatal });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (ending) process.exit(1);
      log.info({ signal }, "stopping");
      end(0);
    });
  }
  process.on("uncaughtException", fatal);
  process.on("unhandledRejection", fatal);
  try {
    await start(host);
  } catch (error) {
    fatal(error);
  }
}

/** Everything that is wrong with the configuration is said at once, before anything is opened. */
function checkedConfig(keys: Keys): ProcessConfig | undefined {
  try {
    readConfig({ ...processKeys, ...keys }, process.env);
    return readProcessConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 78; // EX_CONFIG of sysexits.h
    return undefined;
  }
}
