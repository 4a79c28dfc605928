#!/usr/bin/env node
// make bench: runs scenarios against a mesh and says what came out.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Arguments, parseArguments, USAGE } from "./arguments.ts";
import { allMet, type BudgetRow, budgetRows, budgetTable, inOrder, type Ran } from "./budgets.ts";
import { EXTRA_ROWS } from "./extra-rows.ts";
import { htmlPage } from "./html/page.ts";
import { machine } from "./machine.ts";
import { failures } from "./report.ts";
import type { Scenario } from "./scenario.ts";
import { parseScenario } from "./scenario-file.ts";
import { Session } from "./session.ts";
import { modeOf } from "./target.ts";

const FOLDER = join(import.meta.dirname, "..");

/** What was asked for: scenarios, and rows that need none. */
interface Wanted {
  readonly scenarios: readonly Scenario[];
  readonly extra: readonly string[];
}

let session: Session | undefined;
/** A row without a scenario that is being measured; it has servers of its own to end. */
let extraRow: Promise<unknown> = Promise.resolve();
let signals = 0;
const stopping = new AbortController();

function onSignal(signal: NodeJS.Signals): void {
  signals += 1;
  if (signals === 1) process.stderr.write(`\n${signal}: stopping; once more forces it\n`);
  stopping.abort();
  const stops = [session?.stop(signals > 1), signals > 1 ? undefined : extraRow.catch(() => undefined)];
  Promise.all(stops).then(
    () => process.exit(130),
    (error: unknown) => fail(error),
  );
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}

/** By name or file; without names all, or with --budgets those that have some. */
async function wantedOf({ scenarios: names, budgets }: Arguments): Promise<Wanted> {
  const folder = join(FOLDER, "scenarios");
  const files = (await readdir(folder)).filter((file) => file.endsWith(".json")).sort();
  const read = async (name: string): Promise<Scenario> => {
    const own = [name, `${name}.json`].find((file) => files.includes(file));
    const text = await readFile(own === undefined ? name : join(folder, own), "utf8");
    return parseScenario(basename(name, ".json"), text);
  };
  const extraNames = Object.keys(EXTRA_ROWS);
  if (names.length > 0) {
    const scenarios = await Promise.all(names.filter((name) => !extraNames.includes(name)).map(read));
    return { scenarios, extra: names.filter((name) => extraNames.includes(name)) };
  }
  const all = inOrder(await Promise.all(files.map(read)));
  if (!budgets) return { scenarios: all, extra: [] };
  const compared = new Set(all.flatMap((one) => one.budgets.flatMap(({ timesOf }) => timesOf ?? [])));
  return { scenarios: all.filter(({ name, budgets: own }) => own.length > 0 || compared.has(name)), extra: extraNames };
}

/** Scenarios of which this is the same can run on one mesh. */
const meshOf = ({ natsSyncInterval, environment, freshMesh, name }: Scenario): string =>
  `${natsSyncInterval} ${JSON.stringify(environment)} ${freshMesh ? name : ""}`;

/** Runs everything, those that need the same mesh together. */
async function runAll({ scenarios, extra }: Wanted, asked: Arguments): Promise<{ all: Ran[]; rows: BudgetRow[] }> {
  const all: Ran[] = [];
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  for (const mesh of new Set(scenarios.map(meshOf))) {
    const together = scenarios.filter((scenario) => meshOf(scenario) === mesh);
    const { natsSyncInterval = "", environment = {} } = together[0] ?? {};
    session = await Session.open(asked, { natsSyncInterval, environment }, (opened) => {
      session = opened;
    });
    for (const scenario of together) {
      const ran = await session.run(scenario, say);
      all.push(ran);
      const file = await keep(
        asked,
        scenario.name,
        "json",
        `${JSON.stringify({ machine, ...session.how, ...ran }, null, 1)}\n`,
      );
      process.stdout.write(`${session.table(ran)}\nfigures: ${file}\n`);
    }
    await session.stop(false);
    session = undefined;
  }
  const rows: BudgetRow[] = [];
  for (const name of extra) {
    const measuring = EXTRA_ROWS[name]?.(asked.runs, say, stopping.signal) ?? Promise.resolve([]);
    extraRow = measuring;
    rows.push(...(await measuring));
  }
  return { all, rows };
}

/** A storm kills one gateway, and its clients come back at another one. */
async function checkMode({ scenarios }: Wanted, asked: Arguments): Promise<void> {
  const storms = scenarios.filter(({ storm }) => storm !== undefined).map(({ name }) => name);
  if (storms.length === 0 || (await modeOf(asked)) === "mesh") return;
  throw new Error(
    `${storms.join(", ")}: kills one of two gateways, so it needs the mesh: --mode mesh, or name other scenarios`,
  );
}

/** Writes a result and returns where. */
async function keep(asked: Arguments, name: string, kind: string, text: string): Promise<string> {
  const folder = asked.results ?? join(FOLDER, "results");
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${new Date().toISOString().replaceAll(":", "").slice(0, 17)}-${name}.${kind}`);
  await writeFile(file, text);
  return file;
}

async function main(): Promise<number> {
  const asked = parseArguments(process.argv.slice(2));
  if (asked.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const wanted = await wantedOf(asked);
  await checkMode(wanted, asked);
  const { all, rows: extra } = await runAll(wanted, asked);
  const ordered = inOrder(all.map((ran) => ({ ...ran, name: ran.scenario.name })));
  const rows = [...budgetRows(ordered), ...extra];
  if (asked.budgets || extra.length > 0) process.stdout.write(`${budgetTable(rows)}\n`);
  const facts = [
    `${machine.cpus} × ${machine.cpu}, kernel ${machine.kernel}, Node ${machine.node}`,
    `${asked.runs} runs each`,
  ];
  const page = htmlPage(ordered, extra, { time: new Date().toISOString(), facts });
  process.stdout.write(`report: ${await keep(asked, "report", "html", page)}\n`);
  if (!all.every(({ runs }) => runs.every((run) => failures(run).length === 0))) return 1;
  return asked.budgets && !allMet(rows) ? 2 : 0;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
main().then(
  (code) => {
    if (signals === 0) process.exit(code);
  },
  async (error: unknown) => {
    if (signals > 0) return; // the handler above is stopping everything and ends the process
    await session?.stop(false);
    fail(error);
  },
);
