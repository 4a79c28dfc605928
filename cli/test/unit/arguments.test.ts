import assert from "node:assert/strict";
import { parseCommand } from "../../src/arguments.ts";
import { UsageError } from "../../src/errors.ts";
import { helpOf } from "../../src/help.ts";
import { LOG_ID } from "../support/fakes.ts";

describe("the command line", () => {
  const good: readonly [string, object][] = [
    [`log tail ${LOG_ID}`, { name: "log tail", json: false, logId: LOG_ID, from: undefined }],
    [`log tail ${LOG_ID} --from 7 --json`, { name: "log tail", json: true, logId: LOG_ID, from: 7n }],
    [`log read ${LOG_ID}`, { name: "log read", json: false, logId: LOG_ID, from: 1n, to: undefined, limit: 100 }],
    [
      `log read ${LOG_ID} --from 2 --to 5 --limit 3`,
      { name: "log read", json: false, logId: LOG_ID, from: 2n, to: 5n, limit: 3 },
    ],
    [`log verify ${LOG_ID}`, { name: "log verify", json: false, logId: LOG_ID, sample: undefined }],
    ["log verify --all --sample 20", { name: "log verify", json: false, logId: undefined, sample: 20 }],
    ["dead list", { name: "dead list", json: false, stream: undefined, from: 1n, limit: 100 }],
    ["dead list --stream LOG --limit 5", { name: "dead list", json: false, stream: "LOG", from: 1n, limit: 5 }],
    ["dead show 12", { name: "dead show", json: false, sequence: 12n }],
    [
      "dead replay 1 2",
      { name: "dead replay", json: false, sequences: [1n, 2n], stream: undefined, consumer: undefined },
    ],
    [
      "dead replay --all --stream LOG --consumer orchestrator",
      { name: "dead replay", json: false, sequences: [], stream: "LOG", consumer: "orchestrator" },
    ],
    [
      `archive run --older-than 90d --conversation ${LOG_ID}`,
      { name: "archive run", json: false, olderThanSeconds: 90 * 86_400, logId: LOG_ID },
    ],
    ["archive run", { name: "archive run", json: false, olderThanSeconds: undefined, logId: "" }],
    ["", { name: "help", topic: "" }],
    ["--help", { name: "help", topic: "" }],
    ["log --help", { name: "help", topic: "log" }],
    ["log read --help", { name: "help", topic: "log read" }],
    ["help dead", { name: "help", topic: "dead" }],
  ];
  for (const [line, expected] of good) {
    it(`reads "${line.replaceAll(LOG_ID, "C")}"`, () => {
      assert.deepEqual(parseCommand(line.split(" ").filter((word) => word !== "")), expected);
    });
  }

  const bad = [
    "log",
    "log follow",
    "log read",
    "log read nonsense",
    "log read g_{$ne:null}",
    `log read ${LOG_ID} ${LOG_ID}`,
    `log read ${LOG_ID} --from 0`,
    `log read ${LOG_ID} --from -1`,
    `log read ${LOG_ID} --from 99999999999999999999`,
    `log read ${LOG_ID} --limit x`,
    `log read ${LOG_ID} --nope`,
    "log verify",
    `log verify ${LOG_ID} --all`,
    `log verify ${LOG_ID} --sample 3`,
    "dead show",
    "dead show x",
    "dead replay",
    "dead replay 3 --all",
    "dead replay 3 --consumer x",
    "dead list --stream a.>",
    "archive run --older-than 90",
    "archive run --older-than 1y",
    "archive run --conversation x",
  ];
  for (const line of bad) {
    it(`refuses "${line.replaceAll(LOG_ID, "C")}"`, () => {
      assert.throws(() => parseCommand(line.split(" ")), UsageError);
    });
  }

  it("explains one topic, or all of them", () => {
    assert.match(helpOf("log read"), /^oceanchat log:/);
    assert.doesNotMatch(helpOf("log"), /oceanchat dead:/);
    for (const each of ["oceanchat log:", "oceanchat dead:", "oceanchat archive:", "OCEANCHAT_NATS_URL"]) {
      assert.ok(helpOf("").includes(each), each);
    }
  });
});
