import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "@oceanchat/runtime/config";
import { readCliConfig } from "../../src/config.ts";
import { CommandError } from "../../src/errors.ts";

describe("where the tool finds the servers", () => {
  let folder: string;
  let file: string;
  const endpoints = {
    edge: "http://127.0.0.1:8080",
    services: { "persistence-writer": [{ instance: "a", pid: 1, mesh: "127.0.0.1:1001" }, { mesh: "127.0.0.1:1002" }] },
    infra: { nats: "nats://127.0.0.1:1003", redis: "", mongodb: "mongodb://127.0.0.1:1004" },
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "oceanchat-cli-"));
    file = join(folder, "endpoints.json");
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("is what a running mesh says", async () => {
    await writeFile(file, JSON.stringify(endpoints));
    const config = readCliConfig({ OCEANCHAT_ENDPOINTS_FILE: file });
    assert.equal(config.natsUrl, "nats://127.0.0.1:1003");
    assert.equal(config.mongodbUrl, "mongodb://127.0.0.1:1004");
    assert.equal(config.mongodbDatabase, "oceanchat");
    const addresses = ["127.0.0.1:1001", "127.0.0.1:1002"];
    assert.deepEqual(config.persistenceWriter, { kind: "static", addresses });
  });

  it("is what the environment says, before that", async () => {
    await writeFile(file, JSON.stringify(endpoints));
    const config = readCliConfig({
      OCEANCHAT_ENDPOINTS_FILE: file,
      OCEANCHAT_NATS_URL: "nats://nats:4222",
      OCEANCHAT_MONGODB_URL: "",
      OCEANCHAT_MONGODB_DATABASE: "other",
    });
    assert.equal(config.natsUrl, "nats://nats:4222");
    assert.equal(config.mongodbUrl, "mongodb://127.0.0.1:1004", "an empty variable says nothing");
    assert.equal(config.mongodbDatabase, "other");
  });

  it("is the default when nobody says anything", () => {
    const config = readCliConfig({ OCEANCHAT_ENDPOINTS_FILE: file });
    assert.equal(config.natsUrl, "nats://127.0.0.1:4222");
    assert.equal(config.persistenceWriter.kind, "dns");
  });

  it("is refused when it can't be right", async () => {
    assert.throws(() => readCliConfig({ OCEANCHAT_ENDPOINTS_FILE: file, OCEANCHAT_NATS_URL: "x" }), ConfigError);
    await writeFile(file, "{");
    assert.throws(() => readCliConfig({ OCEANCHAT_ENDPOINTS_FILE: file }), CommandError);
  });
});
