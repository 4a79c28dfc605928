import { dirname, join, normalize } from "node:path";
import { DRIVERS, type Finding, importsOf, roleOf, type Source } from "./import-rules.ts";

const PURE_NODE = new Set(["node:assert", "node:assert/strict", "node:buffer", "node:crypto", "node:util"]);
const IMPURE_CODE = [
  [/\bprocess\.\w/, "process"],
  [/\bDate\.now\(|\bnew Date\(\)/, "the clock"],
  [/\bMath\.random\(/, "Math.random"],
  [/\b(setTimeout|setInterval|setImmediate)\(/, "timers"],
  [/\bfetch\(/, "the network"],
] as const;

/** What makes a core impure: in itself, in the files without a role that it runs, and in what it takes of the runtime. */
export function purityFindings(sources: readonly Source[]): Finding[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  return [...reachedFromCores(byPath)].flatMap(([path, importer]) => {
    const why = importer === undefined ? "core is pure" : `must be pure because ${importer} runs it`;
    return impurities(byPath.get(path) ?? { path, text: "" }, why);
  });
}

/** Every file that must be pure, with the first one that imports it (none for a core). */
function reachedFromCores(sources: ReadonlyMap<string, Source>): Map<string, string | undefined> {
  const queue = [...sources.keys()].filter((path) => roleOf(path) === "core");
  const reached = new Map<string, string | undefined>(queue.map((path) => [path, undefined]));
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    for (const { from, type } of importsOf(sources.get(path)?.text ?? "")) {
      const target = targetOf(path, from);
      if (type || target === undefined || !sources.has(target) || reached.has(target)) continue;
      if (roleOf(target) !== undefined) continue; // the table of roles decides about those
      reached.set(target, path);
      queue.push(target);
    }
  }
  return reached;
}

function targetOf(path: string, from: string): string | undefined {
  if (from.startsWith(".")) return normalize(join(dirname(path), from));
  const name = /^@oceanchat\/runtime\/(.+)/.exec(from)?.[1];
  return name === undefined ? undefined : `runtime/src/${name}.ts`;
}

function impurities({ path, text }: Source, why: string): Finding[] {
  const findings: Finding[] = [];
  for (const { from, type, line } of importsOf(text)) {
    const impure = DRIVERS.test(from) || (from.startsWith("node:") && !PURE_NODE.has(from));
    if (impure && !type) findings.push({ path, line, problem: `${why}: it may not import ${from}` });
  }
  text.split("\n").forEach((content, index) => {
    const code = content.replace(/^\s*(\*|\/\*|\/\/).*|\s\/\/ .*$/, "");
    for (const [pattern, what] of IMPURE_CODE) {
      if (pattern.test(code))
        findings.push({ path, line: index + 1, problem: `${why}: ${what} comes in through a port` });
    }
  });
  return findings;
}
