// Who imports whom, and how long a file may be.
import { importFindings } from "./import-rules.ts";
import { repositoryRoot } from "./layout.ts";
import { purityFindings } from "./purity.ts";
import { handWrittenSources } from "./sources.ts";

const MAX_LINES = 300;

const sources = handWrittenSources(repositoryRoot);
const lengths = sources.map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }));
const problems = [
  ...[...importFindings(sources), ...purityFindings(sources)].map(
    ({ path, line, problem }) => `${path}:${line}: ${problem}`,
  ),
  ...lengths
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ path, lines }) => `${path}: ${lines} lines, ${MAX_LINES} are the limit`),
];
for (const problem of problems) console.error(problem);
console.log(`sources: ${sources.length} files, ${problems.length} problems`);
if (problems.length > 0) process.exitCode = 1;
