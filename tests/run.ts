import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

// Runs every test of the project, one mocha per package and kind, so that a package's leak or crash is its own. The last line is
// "N passed, N failed"; what failed is said once more before it, because a long log is often cut. Words on the command line choose
// suites by name: node tests/run.ts unit query

interface Suite {
  readonly name: string;
  readonly spec: string;
  /** How long the whole suite may take, in milliseconds. */
  readonly limitMs: number;
}

const root = resolve(import.meta.dirname, "..");
const mocha = join(root, "node_modules/mocha/bin/mocha.js");

function suites(): Suite[] {
  const services = readdirSync(join(root, "services")).map((name) => `services/${name}`);
  const packages = ["infra", "runtime", "cli", "bench", "standalone", ...services];
  const unit = [...packages.map((folder) => `${folder}/test/unit/**/*.test.ts`), "tests/unit/**/*.test.ts"];
  return [
    { name: "unit", spec: unit.join(","), limitMs: 240_000 },
    { name: "push-providers", spec: "tests/push-providers/test/**/*.test.ts", limitMs: 120_000 },
    ...packages
      .filter((folder) => existsSync(join(root, folder, "test/integration")))
      .map((folder) => ({
        name: `integration ${folder}`,
        spec: `${folder}/test/integration/**/*.test.ts`,
        limitMs: 420_000,
      })),
    { name: "message log", spec: "tests/log/**/*.test.ts", limitMs: 420_000 },
    { name: "presence", spec: "tests/presence/**/*.test.ts", limitMs: 420_000 },
    { name: "standalone", spec: "tests/standalone/**/*.test.ts", limitMs: 180_000 },
    { name: "end to end", spec: "tests/e2e/**/*.test.ts", limitMs: 600_000 },
  ];
}

interface Result {
  readonly passed: number;
  readonly failed: number;
  /** What mocha said of the failures, or why there is nothing it said; empty if none failed. */
  readonly failures: string;
}

/** Runs one suite; one that dies or takes too long without a word of mocha's has one failure. */
async function run({ name, spec, limitMs }: Suite): Promise<Result> {
  process.stdout.write(`\n── ${name}\n`);
  const started = performance.now();
  const specs = spec.split(",").flatMap((each) => ["--spec", each]);
  const child = spawn(process.execPath, [mocha, ...specs], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  const late = setTimeout(() => {
    process.stdout.write(`${name}: not done after ${limitMs} ms\n`);
    child.kill("SIGKILL");
  }, limitMs);
  const code = await new Promise<number | null>((done) => child.once("close", done));
  clearTimeout(late);
  const passed = count(output, "passing");
  const failed = count(output, "failing");
  process.stdout.write(`── ${name}: ${Math.round((performance.now() - started) / 100) / 10} s\n`);
  if (failed > 0) return { passed, failed, failures: output.slice(output.search(/^ +\d+ failing/m)) };
  if (code !== 0) return { passed, failed: 1, failures: `  ended with ${code ?? "a signal"}\n` };
  return { passed, failed, failures: "" };
}

function count(output: string, word: string): number {
  return Number(new RegExp(`^ +(\\d+) ${word}`, "m").exec(output)?.[1] ?? 0);
}

const words = process.argv.slice(2);
const chosen = suites().filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
let passed = 0;
let failed = chosen.length === 0 ? 1 : 0;
let failures = "";
for (const suite of chosen) {
  const result = await run(suite);
  passed += result.passed;
  failed += result.failed;
  if (result.failed > 0) failures += `\n── failed in ${suite.name}\n${result.failures}`;
}
process.stdout.write(failures);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
