import assert from "node:assert/strict";
import { undeclaredFindings } from "@oceanchat/infra/declared-imports";

const auth = {
  name: "@oceanchat/auth",
  dependencies: { pino: "1.0.0", "@scope/used": "1.0.0" },
  devDependencies: { mocha: "1.0.0" },
};
const manifestOf = (unit: string) => (unit === "services/auth" ? auth : undefined);
const problems = (path: string, text: string) =>
  undeclaredFindings([{ path, text }], manifestOf).map(({ line, problem }) => `${line} ${problem}`);

describe("undeclaredFindings", () => {
  it("finds what the package doesn't declare, types too", () => {
    const text = 'import { pino } from "pino";\nimport type { Db } from "mongodb";\nimport "@scope/used/deep/file";';
    assert.deepEqual(problems("services/auth/src/store.ts", text), [
      "2 mongodb is not in the dependencies of @oceanchat/auth",
    ]);
    // In two parts: this file is searched too.
    assert.equal(problems("services/auth/src/store.ts", `await ${"import"}("@scope/other/file");`).length, 1);
  });

  it("lets only tests use what is there for development", () => {
    assert.deepEqual(problems("services/auth/test/unit/a.test.ts", 'import "mocha";'), []);
    assert.equal(problems("services/auth/src/main.ts", 'import "mocha";').length, 1);
  });

  it("leaves files, Node, the package itself and unknown packages alone", () => {
    const text = 'import "./a.ts";\nimport "node:fs";\nimport "fs/promises";\nimport "@oceanchat/auth/core";';
    assert.deepEqual(problems("services/auth/src/main.ts", text), []);
    assert.deepEqual(problems("elsewhere/src/main.ts", 'import "mongodb";'), []);
  });
});
