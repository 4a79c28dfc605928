import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Change, PlantedBug } from "./bugs.ts";

const LIMIT_MS = 240_000;

export interface Planted {
  readonly caught: boolean;
  /** What the test said, or why that counts for nothing. */
  readonly why: string;
  readonly seconds: number;
}

/** Plants a bug in a copy of the project and runs the test that must catch it. Throws when the bug can't be planted any more. */
export async function plantAndTest(root: string, { name, changes, test, says }: PlantedBug): Promise<Planted> {
  for (const change of changes) await plant(root, name, change);
  const began = performance.now();
  const { code, output } = await runTest(root, test.spec, test.name);
  const seconds = Math.round((performance.now() - began) / 1000);
  const answer = (caught: boolean, why: string): Planted => ({ caught, why, seconds });
  if (code === 0) return answer(false, / [1-9]\d* passing/.test(output) ? "the test passed" : "no test has that name");
  const line = output.split("\n").find((each) => says.test(each));
  if (line !== undefined && / [1-9]\d* failing/.test(output)) return answer(true, line.trim().slice(0, 300));
  return answer(false, `it failed, but doesn't say ${says}:\n${output.slice(-2000)}`);
}

async function plant(root: string, name: string, { file, find, replace }: Change): Promise<void> {
  const path = join(root, file);
  const text = await readFile(path, "utf8");
  const places = text.split(find).length - 1;
  if (places !== 1) {
    throw new Error(
      `${name} can't be planted: ${file} has its text ${places} times; adapt tests/planted/bugs.ts\n${find}`,
    );
  }
  await writeFile(
    path,
    text.replace(find, () => replace),
  );
}

async function runTest(root: string, spec: string, name: string): Promise<{ code: number | null; output: string }> {
  const mocha = join(root, "node_modules/mocha/bin/mocha.js");
  const args = [mocha, "--spec", spec, "--fgrep", name];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT_MS });
  let output = "";
  const add = (text: string) => {
    output += text;
  };
  child.stdout.setEncoding("utf8").on("data", add);
  child.stderr.setEncoding("utf8").on("data", add);
  const code = await new Promise<number | null>((done) => child.once("close", done));
  return { code, output };
}
