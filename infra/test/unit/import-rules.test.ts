import assert from "node:assert/strict";
import { importFindings, importsOf } from "@oceanchat/infra/import-rules";
import { purityFindings } from "@oceanchat/infra/purity";

function problems(path: string, text: string, ...others: [string, string][]): string[] {
  const sources = [{ path, text }, ...others.map(([p, t]) => ({ path: p, text: t }))];
  return [...importFindings(sources), ...purityFindings(sources)].map(({ problem }) => problem);
}

describe("importsOf", () => {
  it("finds every form, with its line", () => {
    const text = [
      'import { a } from "./a.ts";',
      'import type { B } from "./b.ts";',
      "import {\n  c,\n  d,\n} from './c.ts';",
      'import "./e.ts";',
      'export { f } from "./f.ts";',
      'const g = await import("./g.ts");',
      'import * as h from "h";',
      'import i, { type J } from "i";',
    ].join("\n");
    assert.deepEqual(
      importsOf(text)
        .sort((a, b) => a.line - b.line)
        .map(({ from, type, line }) => `${line} ${type ? "type " : ""}${from}`),
      ["1 ./a.ts", "2 type ./b.ts", "3 ./c.ts", "7 ./e.ts", "8 ./f.ts", "9 ./g.ts", "10 h", "11 i"],
    );
  });
});

describe("importFindings", () => {
  it("keeps services apart", () => {
    const file = "services/auth/src/store.ts";
    assert.deepEqual(problems(file, 'import { x } from "../../user/src/store.ts";').length, 1);
    assert.deepEqual(problems(file, 'import type { X } from "@oceanchat/user/core";').length, 1);
    assert.deepEqual(problems(file, 'import { x } from "@oceanchat/infra/ports";').length, 1);
    assert.deepEqual(problems("services/auth/test/a.test.ts", 'import { x } from "@oceanchat/infra/ports";'), []);
    assert.deepEqual(problems(file, 'import { x } from "@oceanchat/runtime/fail";\nimport { y } from "mongodb";'), []);
    assert.deepEqual(problems("runtime/src/peers.ts", 'import { x } from "@oceanchat/auth/core";').length, 1);
  });

  it("lets nobody import a main", () => {
    assert.deepEqual(problems("services/auth/src/core.ts", 'import "./main.ts";'), ["nobody imports a main"]);
    assert.deepEqual(problems("services/auth/test/a.test.ts", 'import { x } from "@oceanchat/auth/main";').length, 1);
    assert.deepEqual(problems("services/auth/test/a.test.ts", 'import { start } from "../src/main.ts";'), []);
    assert.deepEqual(problems("services/auth/src/main.ts", 'import { start } from "./start.ts";'), []);
  });

  it("lets only the single process start services, and take nothing else of them", () => {
    const start = 'import { start } from "@oceanchat/auth/main";\nimport { authKeys } from "@oceanchat/auth/config";';
    assert.deepEqual(problems("standalone/src/services.ts", start), []);
    for (const path of ["services/user/src/main.ts", "tests/e2e/a.test.ts", "bench/src/a.ts", "infra/src/up.ts"]) {
      assert.equal(problems(path, start).length, 2, path);
    }
    const other = 'import { x } from "@oceanchat/auth/core";';
    assert.equal(problems("standalone/src/services.ts", other).length, 1);
    assert.equal(problems("standalone/src/main.ts", 'import { x } from "@oceanchat/infra/ports";').length, 1);
  });

  it("holds a service's files to the table", () => {
    const core = 'import { connectStore } from "./store.ts";';
    assert.equal(problems("services/auth/src/core.ts", core).length, 1);
    assert.equal(problems("services/auth/src/service.ts", core).length, 1);
    assert.equal(problems("services/auth/src/store.ts", 'import { x } from "./core.ts";').length, 1);
    assert.deepEqual(problems("services/auth/src/core.ts", 'import type { Store } from "./store.ts";'), []);
    assert.deepEqual(problems("services/auth/src/main.ts", core), []);
    assert.equal(problems("services/auth/src/service.ts", 'import { MongoClient } from "mongodb";').length, 1);
  });

  it("keeps core pure, and what core runs", () => {
    const path = "services/auth/src/core.ts";
    assert.equal(problems(path, "const now = Date.now();").length, 1);
    assert.equal(problems(path, 'import { readFile } from "node:fs/promises";').length, 1);
    assert.equal(problems(path, 'import { MongoClient } from "mongodb";').length, 1);
    const runtime: [string, string] = [
      "runtime/src/bus-publish.ts",
      'import { connect } from "@nats-io/transport-node";',
    ];
    assert.deepEqual(problems(path, 'import { publish } from "@oceanchat/runtime/bus-publish";', runtime), [
      `must be pure because ${path} runs it: it may not import @nats-io/transport-node`,
    ]);
    assert.deepEqual(problems(path, 'import type { Bus } from "@oceanchat/runtime/bus-publish";', runtime), []);
    assert.deepEqual(problems(path, "// Date.now() is what a clock port is for"), []);
    assert.deepEqual(problems(path, 'import { createHash } from "node:crypto";'), []);
    const helper: [string, string] = ["services/auth/src/core/password.ts", "setTimeout(() => 1, 1);"];
    assert.equal(problems(path, 'import { x } from "./core/password.ts";', helper).length, 1);
    const named: [string, string] = ["services/auth/src/password.ts", "process.exit();"];
    assert.equal(problems(path, 'import { x } from "./password.ts";', named).length, 1);
    assert.deepEqual(problems("services/auth/src/main.ts", 'import { x } from "./password.ts";', named), []);
  });
});
