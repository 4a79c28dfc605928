import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { Delivered } from "@oceanchat/runtime/bus-types";
import { noTracing } from "@oceanchat/runtime/trace";
import { handleBatch } from "../../src/consumer.ts";
import { unpackTargets } from "../../src/core/packed-targets.ts";
import type { PushTask } from "../../src/core.ts";
import { message, target } from "../support/records.ts";

const CONNECTION = "c_AAECAwQFBgcICQoLDA0ODw";
const USER = "10111213-1415-1617-1819-1a1b1c1d1e1f";
const BYTES = Uint8Array.from({ length: 32 }, (_, index) => index);

describe("unpackTargets", () => {
  it("gives the ids that were packed", () => {
    // Not at the beginning of its memory, as in a task.
    const within = Uint8Array.of(7, 7, 7, ...BYTES, ...BYTES.toReversed()).subarray(3);
    const targets = unpackTargets(within).map(({ connectionId, userId, codec }) => [connectionId, userId, codec]);
    const reversed = ["c_Hx4dHBsaGRgXFhUUExIREA", "0f0e0d0c-0b0a-0908-0706-050403020100", Codec.BINARY];
    assert.deepEqual(targets, [[CONNECTION, USER, Codec.BINARY], reversed]);
    assert.deepEqual(unpackTargets(new Uint8Array(0)), []);
  });

  it("takes no half targets", () => {
    assert.throws(() => unpackTargets(new Uint8Array(33)), /no whole targets/);
  });
});

describe("handleBatch", () => {
  const delivered = (packedTargets: Uint8Array): Delivered => {
    const records = [{ record: message(1), targets: [target("bob/1/json")], packedTargets, notify: true }];
    const data = toBinary(OnlineTaskSchema, create(OnlineTaskSchema, { gatewayAddress: "gw1:1", records }));
    return { data, traceparent: "" } as Delivered;
  };

  it("pushes to packed connections as to others, and sends to the dead what it can't read", async () => {
    const pushed: PushTask[] = [];
    const core = {
      push: async (tasks: readonly PushTask[]) => {
        pushed.push(...tasks);
      },
    };
    const outcomes = await handleBatch(core, { tracing: noTracing }, [delivered(BYTES), delivered(BYTES.subarray(1))]);
    assert.deepEqual(outcomes, ["ack", { dead: "31 bytes are no whole targets" }]);
    assert.deepEqual(
      pushed.map(({ records }) => records.map(({ targets }) => targets.map(({ connectionId }) => connectionId))),
      [[["bob/1/json", CONNECTION]]],
    );
  });
});
