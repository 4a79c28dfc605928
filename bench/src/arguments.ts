import { parseArgs } from "node:util";
import type { Mode } from "@oceanchat/infra/config";

/** What was asked for on the command line. */
export interface Arguments {
  /** Files, or names of files in scenarios/; none: all of them. */
  readonly scenarios: readonly string[];
  /** endpoints.json of a running mesh; none: start one. */
  readonly endpoints: string | undefined;
  /** How the services run that are started; undefined: as the environment says. */
  readonly mode: Mode | undefined;
  /** Threads of the generator. */
  readonly threads: number;
  /** Connect to the gateways themselves rather than through the edge. */
  readonly direct: boolean;
  /** Trace some messages and show when each step of their way began and ended. */
  readonly hops: boolean;
  /** Show every budget beside what was measured; without names, run what has budgets. */
  readonly budgets: boolean;
  /** How often each scenario is run. */
  readonly runs: number;
  /** Where results are written. */
  readonly results: string | undefined;
  readonly help: boolean;
}

export const USAGE = `Measures OceanChat: opens sockets, sends, checks that nothing is lost, doubled or out of order.

  oceanchat-bench [options] [scenario …]

A scenario is a file, or the name of one in bench/scenarios; without any, all of those are run. With --budgets: those that have
budgets, and "history" (pages out of a million records) and "services" (how soon each is ready, and its memory).

  --budgets           show every budget beside what was measured, met or missed

  --runs N            run each scenario N times and show min, median and max   (default 1)
  --endpoints FILE    use a running mesh: .oceanchat/endpoints.json is that of \`make up\`   (default: start one)
  --mode MODE         start a process per service (mesh), or one for all of them (standalone)   (default: OCEANCHAT_MODE, else mesh)
  --threads N         threads that the generator spreads its sockets over   (default 1)
  --direct            connect to the gateways themselves, not through the edge
  --hops              trace one message in twenty and show each step of their way; costs a little, needs its own mesh
  --results FOLDER    where the figures go, as JSON, and all of them as one HTML page   (default bench/results)

The exit code is 1 when an acked message was lost, doubled, out of order, or anything else was wrong, and 2 when a budget was missed
(with --budgets).
`;

/** Throws with a text for people when the command line is wrong. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runs: { type: "string", default: "1" },
      threads: { type: "string", default: "1" },
      endpoints: { type: "string" },
      mode: { type: "string" },
      direct: { type: "boolean", default: false },
      budgets: { type: "boolean", default: false },
      hops: { type: "boolean", default: false },
      results: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1 || runs > 100) throw new Error(`--runs ${values.runs}: expected 1 to 100`);
  const threads = Number(values.threads);
  if (!Number.isInteger(threads) || threads < 1 || threads > 16)
    throw new Error(`--threads ${values.threads}: expected 1 to 16`);
  const { endpoints, mode, direct, budgets, hops, results, help } = values;
  if (mode !== undefined && mode !== "mesh" && mode !== "standalone")
    throw new Error(`--mode ${mode}: expected mesh or standalone`);
  if (mode !== undefined && endpoints !== undefined)
    throw new Error("--mode is for what is started: leave --endpoints out");
  if (hops && endpoints !== undefined) throw new Error("--hops needs a mesh of its own: leave --endpoints out");
  return { scenarios: positionals, endpoints, mode, direct, budgets, hops, runs, threads, results, help };
}
