import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import {
  type ArchiveRecordsRequest,
  PersistenceMeshService,
} from "@oceanchat/gen/oceanchat/persistence/v1/persistence_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { implement } from "@oceanchat/runtime/handlers";
import type { MeshDoor } from "@oceanchat/runtime/mesh-door";
import { openTestDoor } from "@oceanchat/runtime/testing";
import { runCli } from "../support/run-cli.ts";

describe("oceanchat archive", function () {
  this.timeout(120_000);
  const asked: ArchiveRecordsRequest[] = [];
  let rounds = 0;
  let door: MeshDoor;
  let env: Record<string, string>;

  before(async () => {
    const writer = implement(PersistenceMeshService, {
      archiveRecords(request) {
        asked.push(request);
        if (request.olderThan?.seconds === 86_400n) {
          throw shared.invalidFields([{ field: "older_than", description: "must be 8 days at least" }]);
        }
        const moved = { conversations: 1, blocks: 2, records: 2000n, bytesBefore: 500_000n, bytesAfter: 50_000n };
        return { ...moved, hasMore: --rounds > 0 };
      },
    });
    door = await openTestDoor([writer]);
    env = { OCEANCHAT_PERSISTENCE_WRITER_ADDRESSES: `127.0.0.1:${door.port}` };
  });

  beforeEach(() => {
    asked.length = 0;
  });

  after(() => door.close(0));

  it("asks until there is no more to move, and says how much it was", async () => {
    rounds = 3;
    const conversation = `g_${randomUUID()}`;
    const run = await runCli(env, "archive", "run", "--older-than", "90d", "--conversation", conversation);
    assert.equal(run.out, "6000 records of 3 conversations moved into 6 blocks: 1500000 bytes before, 150000 after\n");
    assert.equal(run.code, 0, run.errors);
    assert.equal(asked.length, 3);
    assert.ok(
      asked.every(
        ({ olderThan, conversationId }) => olderThan?.seconds === 7_776_000n && conversationId === conversation,
      ),
    );
  });

  it("leaves the age to the service when none is said", async () => {
    rounds = 1;
    const run = await runCli(env, "archive", "run", "--json");
    assert.deepEqual(JSON.parse(run.out), {
      conversations: 1,
      blocks: 2,
      records: "2000",
      bytesBefore: "500000",
      bytesAfter: "50000",
    });
    assert.equal(run.errors, "");
    assert.deepEqual(
      asked.map(({ olderThan, conversationId }) => [olderThan, conversationId]),
      [[undefined, ""]],
    );
  });

  it("ends with 1 and says why when the service refuses or can't be reached", async () => {
    const refused = await runCli(env, "archive", "run", "--older-than", "1d");
    assert.equal(refused.errors, "oceanchat: older_than: must be 8 days at least\n");
    assert.equal(refused.code, 1);
    const away = await runCli({ OCEANCHAT_PERSISTENCE_WRITER_ADDRESSES: "127.0.0.1:9" }, "archive", "run");
    assert.match(away.errors, /PersistenceMeshService can be reached/);
    assert.equal(away.code, 1);
  });
});
