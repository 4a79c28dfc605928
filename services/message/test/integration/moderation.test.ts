import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { answers } from "@oceanchat/runtime/testing-public";
import { v4, v7 } from "uuid";
import { type FakeMeshPeers, openFakePeers } from "../support/fake-peers.ts";
import { saying } from "../support/fakes.ts";
import { type RunningMessage, startMessage } from "../support/running.ts";

describe("message with a list of words and limits of its own", () => {
  let servers: TestServers;
  let peers: FakeMeshPeers;
  let message: RunningMessage;
  let folder = "";
  const alice = v7();

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    peers = await openFakePeers();
    folder = await mkdtemp(join(tmpdir(), "words-"));
    await writeFile(join(folder, "words"), "reject worst\nmask worse\n");
    message = await startMessage(servers, peers, {
      OCEANCHAT_SENSITIVE_WORDS_FILE: join(folder, "words"),
      OCEANCHAT_SENSITIVE_WORDS_RELOAD_MS: "100",
      OCEANCHAT_MAX_TEXT_BYTES: "100",
      OCEANCHAT_MAX_MENTIONS: "3",
    });
  });
  after(async () => {
    await message?.stop();
    await peers?.close();
    await servers?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const say = async (text: string) => {
    const target = { case: "groupId", value: v7() } as const;
    const { record } = await message.as(alice).sendMessage(saying(text, { target, clientMessageId: v4() }));
    assert.ok(record?.body.case === "message" && record.body.value.content?.kind.case === "text");
    return { text: record.body.value.content.kind.value.text, flags: record.body.value.flags };
  };

  it("refuses and masks what is listed, and takes a new list without a restart", async () => {
    await answers(say("the worst"), Code.InvalidArgument, "SENSITIVE", "message.oceanchat");
    assert.deepEqual(await say("worse"), { text: "*****", flags: ["sensitive", "masked"] });
    await writeFile(join(folder, "words"), "reject worse\n");
    for (;;) {
      const masked = await say("worse").then(
        () => true,
        () => false,
      );
      if (!masked) break;
    }
    assert.deepEqual(await say("the worst"), { text: "the worst", flags: [] });
  });

  it("refuses longer texts, and says what it accepts", async () => {
    assert.deepEqual(await answers(say("x".repeat(101)), Code.InvalidArgument, "INVALID_FIELD"), ["content.text.text"]);
    const { maxTextBytes, maxMentions, maxRecordBytes, editWindow } = await message.mesh.getLimits({});
    assert.deepEqual([maxTextBytes, maxMentions, maxRecordBytes, editWindow?.seconds], [100, 3, 32_768, 86_400n]);
  });
});
