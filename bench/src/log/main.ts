// make bench-log: the pieces of the message log, one after another, in one table.
import { writeFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { type Figure, figureRow, figuresOf, HEAD, reached } from "./figures.ts";
import { PIECES, type Piece } from "./pieces.ts";
import { type Ran, runPiece } from "./run-piece.ts";

const USAGE = `Measures the message log, each figure beside its ceiling.

  node bench/src/log/main.ts [options]

  --only NAME,…   these pieces: ${PIECES.map(({ name }) => name).join(", ")}   (default: all)
  --quick         small sizes, to try whether everything works
  --json FILE     all that the pieces say, and the machine, as JSON

OCEANCHAT_STORE=fast takes the fast store, once \`make infra-fast\` has built it. The exit code is 1 when a piece failed, 2 when a
figure misses what is demanded of it.
`;

interface Result {
  readonly piece: Piece;
  readonly ran: Ran;
  readonly figures: readonly Figure[];
}

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

function chosen(): readonly Piece[] {
  const names = values.only?.split(",");
  const unknown = names?.find((name) => !PIECES.some((piece) => piece.name === name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such piece`);
  return PIECES.filter(({ name }) => names === undefined || names.includes(name));
}

const store = process.env.OCEANCHAT_STORE ?? "embedded";
const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cpus: cpus().length,
  memoryBytes: totalmem(),
  kernel: release(),
  node: process.version,
};

async function runOne(piece: Piece, abort: AbortSignal): Promise<Result> {
  const args = values.quick ? piece.quickArgs : piece.args;
  const ran = await runPiece(piece.script, args, piece.limitSeconds, abort);
  const figures = figuresOf(ran.line, piece.figures);
  const [before, after] = ran.load.map((load) => load.toFixed(1));
  const what = [piece.name, ...args].join(" ");
  const noise = `load ${before} to ${after}, CPUs used by others ${ran.otherCpus.toFixed(2)}`;
  process.stdout.write(`\n${what}: ${ran.seconds} s, ${noise}\n${HEAD}\n${figures.map(figureRow).join("\n")}\n`);
  return { piece, ran, figures };
}

async function keep(results: readonly Result[], file: string): Promise<void> {
  const pieces = results.map(({ piece: { name }, ran }) => ({ name, ...ran }));
  const all = { time: new Date().toISOString(), machine, store, quick: values.quick, pieces };
  await writeFile(file, `${JSON.stringify(all, null, 2)}\n`);
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stopping.abort());
  const { cpu, cpus: count, kernel, node } = machine;
  process.stdout.write(
    `${count} × ${cpu}, kernel ${kernel}, Node ${node}, store: ${store}${values.quick ? "; QUICK" : ""}\n`,
  );
  const results: Result[] = [];
  let failed = false;
  for (const piece of chosen()) {
    if (stopping.signal.aborted) break;
    try {
      results.push(await runOne(piece, stopping.signal));
    } catch (error) {
      failed = true;
      process.stdout.write(`\n${piece.name}: FAILED: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  if (values.json !== undefined) await keep(results, values.json);
  if (failed || stopping.signal.aborted) return 1;
  return results.every(({ figures }) => reached(figures)) ? 0 : 2;
}

process.exitCode = await main();
