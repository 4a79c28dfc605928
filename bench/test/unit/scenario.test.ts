import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { countOf, membersOf, parseScenario, ScenarioError, socketsOf } from "../../src/scenario.ts";

const FOLDER = join(import.meta.dirname, "../../scenarios");

const good = {
  description: "ten pairs",
  conversations: { kind: "direct", pairs: 10, writers: 1 },
  load: { kind: "open", perSecond: 50 },
  seconds: 5,
};

/** The problems of a file, one per line. */
function problemsOf(file: unknown): string[] {
  let text = "";
  assert.throws(
    () => parseScenario("x", JSON.stringify(file)),
    (error) => {
      assert.ok(error instanceof ScenarioError);
      text = error.message;
      return true;
    },
  );
  const [head, ...lines] = text.split("\n");
  assert.equal(head, "scenario x:");
  return lines.map((line) => line.trim());
}

describe("a scenario file", () => {
  it("gets defaults for what it does not say", () => {
    assert.deepEqual(parseScenario("pairs", JSON.stringify(good)), {
      name: "pairs",
      ...good,
      textBytes: 100,
      warmUpSeconds: 3,
      drainSeconds: 15,
    });
  });

  it("counts members, conversations and sockets", () => {
    const direct = { kind: "direct", pairs: 50, writers: 2 } as const;
    const group = { kind: "group", groups: 3, members: 200, writers: 5 } as const;
    assert.deepEqual([membersOf(direct), countOf(direct), socketsOf(direct)], [2, 50, 100]);
    assert.deepEqual([membersOf(group), countOf(group), socketsOf(group)], [200, 3, 600]);
  });

  it("says everything that is wrong at once", () => {
    const file = {
      conversations: { kind: "direct", pairs: "ten", writers: 3 },
      load: { kind: "sometimes" },
      textBytes: 10_000,
      warmUpSeconds: 0.5,
      seconds: 0,
      second: 5,
    };
    assert.deepEqual(problemsOf(file), [
      "description: expected a text",
      "conversations.pairs: expected a number from 1 to 10000",
      "conversations.writers: expected a number from 1 to 2",
      "load.kind: expected closed or open",
      "textBytes: expected a number from 1 to 8192",
      "warmUpSeconds: expected a whole number",
      "seconds: expected a number from 1 to 3600",
      "second: is not known",
    ]);
  });

  it("refuses fields of another kind", () => {
    assert.deepEqual(problemsOf({ ...good, load: { kind: "open", perSecond: 1, inFlight: 1 } }), [
      "load.inFlight: is not known",
    ]);
  });

  it("refuses what is too much together", () => {
    const group = { kind: "group", groups: 300, members: 100, writers: 101 };
    assert.deepEqual(problemsOf({ ...good, conversations: group }), [
      "needs 30000 sockets, 20000 are the limit",
      "conversations.writers: 101, but a group has 100 members",
    ]);
    assert.deepEqual(problemsOf({ ...good, load: { kind: "open", perSecond: 100_000 }, seconds: 60 }), [
      "sends 6300000 messages, 2000000 are the limit",
    ]);
  });

  it("refuses what is no object, and no JSON", () => {
    for (const file of [null, [], "text", 7]) assert.ok(problemsOf(file).includes("the file: expected an object"));
    assert.throws(() => parseScenario("x", "{"), ScenarioError);
  });

  for (const file of readdirSync(FOLDER)) {
    it(`${file} is one`, () => {
      parseScenario(basename(file, ".json"), readFileSync(join(FOLDER, file), "utf8"));
    });
  }
});
