// Who imports whom, what of it is declared, and how long a file may be.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Manifest, undeclaredFindings } from "./declared-imports.ts";
import { importFindings } from "./import-rules.ts";
import { repositoryRoot } from "./layout.ts";
import { purityFindings } from "./purity.ts";
import { handWrittenSources } from "./sources.ts";

const MAX_LINES = 300;

const sources = handWrittenSources(repositoryRoot);
const lengths = sources.map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }));
const findings = [...importFindings(sources), ...purityFindings(sources), ...undeclaredFindings(sources, readManifest)];
const problems = [
  ...findings.map(({ path, line, problem }) => `${path}:${line}: ${problem}`),
  ...lengths
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ path, lines }) => `${path}: ${lines} lines, ${MAX_LINES} are the limit`),
];
for (const problem of problems) console.error(problem);
console.log(`sources: ${sources.length} files, ${problems.length} problems`);
if (problems.length > 0) process.exitCode = 1;

function readManifest(unit: string): Manifest | undefined {
  const file = join(repositoryRoot, unit, "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}
