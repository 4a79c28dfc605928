// make bench: runs scenarios against a mesh and says what came out.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { basename, join } from "node:path";
import { type Arguments, parseArguments, USAGE } from "./arguments.ts";
import { HopReceiver } from "./hops.ts";
import { failures, table } from "./report.ts";
import type { RunResult } from "./result.ts";
import { runScenario } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { parseScenario } from "./scenario-file.ts";
import { runningTarget, startTarget, type Target } from "./target.ts";

const FOLDER = join(import.meta.dirname, "..");

let stop: Target["stop"] | undefined;
let signals = 0;

function onSignal(signal: NodeJS.Signals): void {
  signals += 1;
  if (signals === 1) process.stderr.write(`\n${signal}: stopping; once more forces it\n`);
  const stopped = stop?.(signals > 1) ?? Promise.resolve();
  stopped.then(
    () => process.exit(130),
    (error: unknown) => fail(error),
  );
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}

async function readScenarios(names: readonly string[]): Promise<Scenario[]> {
  const folder = join(FOLDER, "scenarios");
  const all = (await readdir(folder)).filter((file) => file.endsWith(".json")).sort();
  const wanted = names.length > 0 ? names : all;
  return Promise.all(
    wanted.map(async (name) => {
      const own = [name, `${name}.json`].find((file) => all.includes(file));
      const text = await readFile(own === undefined ? name : join(folder, own), "utf8");
      return parseScenario(basename(name, ".json"), text);
    }),
  );
}

async function runAll(
  target: Target,
  hops: HopReceiver | undefined,
  scenarios: readonly Scenario[],
  asked: Arguments,
): Promise<boolean> {
  let good = true;
  for (const scenario of scenarios) {
    const runs: RunResult[] = [];
    for (let number = 1; number <= asked.runs; number++) {
      const say = (line: string): void => {
        process.stderr.write(`${scenario.name} ${number}/${asked.runs}: ${line}\n`);
      };
      runs.push(await runScenario({ target, hops, scenario, direct: asked.direct, threads: asked.threads, say }));
    }
    process.stdout.write(
      `${table(scenario, runs, { direct: asked.direct, store: target.store, threads: asked.threads })}\n`,
    );
    process.stdout.write(`figures: ${await keep(target, scenario, runs, asked)}\n`);
    good &&= runs.every((run) => failures(run).length === 0);
  }
  return good;
}

/** Writes the figures and returns where. */
async function keep(target: Target, scenario: Scenario, runs: readonly RunResult[], asked: Arguments): Promise<string> {
  const folder = asked.results ?? join(FOLDER, "results");
  await mkdir(folder, { recursive: true });
  const time = new Date().toISOString();
  const file = join(folder, `${time.replaceAll(":", "").slice(0, 17)}-${scenario.name}.json`);
  const [cpu] = cpus();
  const machine = {
    cpu: cpu?.model ?? "unknown",
    cpus: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
  };
  const how = { direct: asked.direct, store: target.store };
  await writeFile(file, `${JSON.stringify({ time, machine, ...how, scenario, runs }, null, 2)}\n`);
  return file;
}

async function main(): Promise<number> {
  const asked = parseArguments(process.argv.slice(2));
  if (asked.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const scenarios = await readScenarios(asked.scenarios);
  process.stderr.write(asked.endpoints === undefined ? "starting a mesh\n" : `using ${asked.endpoints}\n`);
  const hops = asked.hops ? await HopReceiver.open() : undefined;
  const target =
    asked.endpoints === undefined
      ? await startTarget(hops?.url, (given) => {
          stop = given;
        })
      : await runningTarget(asked.endpoints);
  try {
    return (await runAll(target, hops, scenarios, asked)) ? 0 : 1;
  } finally {
    if (signals === 0) await target.stop();
    hops?.close();
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
main().then(
  (code) => {
    if (signals === 0) process.exit(code);
  },
  (error: unknown) => {
    if (signals === 0) fail(error); // else the handler above is stopping everything and ends the process
  },
);
