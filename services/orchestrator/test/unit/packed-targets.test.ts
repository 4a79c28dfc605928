import assert from "node:assert/strict";
import { create, fromBinary } from "@bufbuild/protobuf";
import { ConnectionSchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { locatedOf } from "../../src/core/known-users.ts";
import { packTarget } from "../../src/core/packed-targets.ts";
import { onlineTasks } from "../../src/core/tasks.ts";
import { directEntry } from "../support/entries.ts";

const CONNECTION = "c_AAECAwQFBgcICQoLDA0ODw";
const USER = "10111213-1415-1617-1819-1a1b1c1d1e1f";
const BYTES = Uint8Array.from({ length: 32 }, (_, index) => index);

describe("packTarget", () => {
  it("takes the 16 bytes of the connection and the 16 of its user", () => {
    assert.deepEqual(packTarget(CONNECTION, USER), BYTES);
  });

  it("leaves alone what would come back as something else", () => {
    for (const id of ["c_1", "d_AAECAwQFBgcICQoLDA0ODw", "c_AAECAwQFBgcICQoLDA0ODx", "c_AAECAwQFBgcICQoLDA0ODw="]) {
      assert.equal(packTarget(id, USER), undefined, id);
    }
    for (const id of ["alice", USER.toUpperCase(), USER.replaceAll("-", "")]) {
      assert.equal(packTarget(CONNECTION, id), undefined, id);
    }
  });
});

describe("onlineTasks", () => {
  it("packs the binary connections of a record and names the others one by one", () => {
    const connection = (connectionId: string, userId: string, codec: Codec) =>
      create(ConnectionSchema, { connectionId, userId, codec, gatewayId: "gw1" });
    const connections = [
      connection(CONNECTION, USER, Codec.BINARY),
      connection("c_json", USER, Codec.JSON),
      connection("c_AAAAAAAAAAAAAAAAAAAAAA", USER, Codec.BINARY),
      connection("c_AAECAwQFBgcICQoLDA0ODw", USER, Codec.JSON),
    ].flatMap((each) => locatedOf([each]));
    const entry = directEntry(1);
    const tasks = [
      ...onlineTasks("gw1", "gw1:1", [{ entry, record: entry.encoded, connections, notify: true }]),
      ...onlineTasks("gw1", "gw1:1", [
        { entry, record: entry.encoded, connections: connections.slice(1, 2), notify: true },
      ]),
    ];
    const [mixed, json] = tasks.map(({ data }) => fromBinary(OnlineTaskSchema, data).records[0]);
    assert.deepEqual(mixed?.packedTargets, Uint8Array.of(...BYTES, ...new Uint8Array(16), ...BYTES.subarray(16)));
    assert.deepEqual(
      mixed?.targets.map(({ connectionId, userId, codec }) => [connectionId, userId, codec]),
      [
        ["c_json", USER, Codec.JSON],
        [CONNECTION, USER, Codec.JSON],
      ],
    );
    assert.equal(mixed.notify, true);
    assert.equal(json?.packedTargets.length, 0);
    assert.equal(json?.targets.length, 1);
  });
});
