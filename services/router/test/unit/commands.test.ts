import assert from "node:assert/strict";
import { create, type DescMessage } from "@bufbuild/protobuf";
import { ClientPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { CommandSchema } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { CommandSchema as PresenceCommandSchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { CommandSchema as QueryCommandSchema } from "@oceanchat/gen/oceanchat/query/v1/query_mesh_service_pb";
import { conversationOf, isForMessage, routes } from "../../src/core/commands.ts";
import { ALICE, BOB, GROUP, type Packet } from "../support/packets.ts";

const namesOf = (schema: DescMessage) =>
  schema.oneofs.flatMap(({ fields }) => fields.map(({ localName }) => localName)).sort();

describe("routes", () => {
  it("has a row for every command of the contract and no other", () => {
    assert.deepEqual(Object.keys(routes).sort(), namesOf(ClientPacketSchema));
  });

  for (const [service, schema] of [
    ["message", CommandSchema],
    ["query", QueryCommandSchema],
    ["presence", PresenceCommandSchema],
  ] as const) {
    it(`brings to ${service} exactly what ${service} takes`, () => {
      const there = Object.entries(routes).flatMap(([name, { target }]) => (target === service ? name : []));
      assert.deepEqual(there.sort(), namesOf(schema));
    });
  }
});

describe("conversationOf", () => {
  const of = (command: Packet["command"], sender = ALICE) => {
    const packet = create(ClientPacketSchema, command === undefined ? {} : { command });
    assert.ok(packet.command.case !== undefined && isForMessage(packet.command));
    return conversationOf(packet.command, sender);
  };
  const toUser = (userId: string): Packet["command"] => ({
    case: "sendMessage",
    value: { target: { case: "userId", value: userId } },
  });

  it("is the same for both users of a direct conversation", () => {
    assert.equal(of(toUser(BOB), ALICE), `d_${ALICE}_${BOB}`);
    assert.equal(of(toUser(ALICE), BOB), `d_${ALICE}_${BOB}`);
  });

  it("is the same however the id is written", () => {
    assert.equal(of(toUser(BOB.toUpperCase())), `d_${ALICE}_${BOB}`);
    const upper = GROUP.toUpperCase();
    assert.equal(of({ case: "sendMessage", value: { target: { case: "groupId", value: upper } } }), `g_${GROUP}`);
  });

  it("is the conversation named by any other command", () => {
    const conversationId = `g_${GROUP}`;
    assert.equal(
      of({ case: "sendMessage", value: { target: { case: "conversationId", value: conversationId } } }),
      conversationId,
    );
    for (const name of ["editMessage", "recallMessage", "react", "markRead", "typing", "confirm"] as const) {
      assert.equal(of({ case: name, value: { conversationId } }), conversationId);
    }
  });
});
