// gen/ holds exactly what `make generate` writes.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateInto } from "./buf.ts";
import { layoutOf } from "./layout.ts";

const WRITTEN = ["src", "descriptors.binpb"];

const layout = layoutOf();
const copy = mkdtempSync(join(tmpdir(), "oceanchat-gen-"));
try {
  if (!(await generateInto(layout, copy))) throw new Error("buf generate failed");
  const [kept, fresh] = [contents(join(layout.root, "gen")), contents(join(copy, "gen"))];
  const names = [...new Set([...kept.keys(), ...fresh.keys()])];
  const different = names.filter((name) => {
    const [a, b] = [kept.get(name), fresh.get(name)];
    return a === undefined || b === undefined || !a.equals(b);
  });
  for (const name of different) console.error(`gen/${name} is not what "make generate" writes`);
  console.log(`gen: ${names.length} files, ${different.length} out of date`);
  if (different.length > 0) process.exitCode = 1;
} finally {
  rmSync(copy, { recursive: true });
}

function contents(gen: string): Map<string, Buffer> {
  const names = WRITTEN.flatMap((part) => {
    const stat = statSync(join(gen, part), { throwIfNoEntry: false });
    if (!stat?.isDirectory()) return stat === undefined ? [] : [part];
    return readdirSync(join(gen, part), { recursive: true, encoding: "utf8" }).map((name) => join(part, name));
  });
  const files = names.filter((name) => statSync(join(gen, name)).isFile());
  return new Map(files.map((name) => [name, readFileSync(join(gen, name))]));
}
