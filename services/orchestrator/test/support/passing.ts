import { create } from "@bufbuild/protobuf";
import { type Signal, SignalSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import type { GatewaySignal } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import type { Passing } from "../../src/core/signals.ts";
import type { Audience, SignalOutlet } from "../../src/ports.ts";
import { ALICE, BOB, DIRECT, GROUP, GROUP_ID } from "./entries.ts";

/** Everybody of the group. */
export const inGroup: Audience = { kind: "group", groupId: GROUP_ID };
/** Alice and Bob. */
export const between: Audience = { kind: "users", userIds: [ALICE, BOB] };

const conversationOf = ({ kind }: Audience) => (kind === "group" ? GROUP : DIRECT);

export function typingSignal(userId: string, conversationId: string): Signal {
  return create(SignalSchema, { kind: { case: "typing", value: { conversationId, userId, active: true } } });
}

/** Somebody is typing. */
export function typing(audience: Audience, fromUserId = ALICE): Passing {
  return { audience, fromUserId, signal: typingSignal(fromUserId, conversationOf(audience)) };
}

/** Somebody has read. */
export function receipt(audience: Audience, fromUserId = ALICE): Passing {
  const value = { conversationId: conversationOf(audience), userId: fromUserId, readSeq: 4n };
  return { audience, fromUserId, signal: create(SignalSchema, { kind: { case: "receipt", value } }) };
}

/** Keeps what goes to gateways. */
export class FakeOutlet implements SignalOutlet {
  readonly sent: GatewaySignal[] = [];

  send(signal: GatewaySignal): void {
    this.sent.push(signal);
  }

  /** Who was told of what at which gateway. */
  lines(): string[] {
    return this.sent.flatMap(({ gatewayId, targets, signal }) =>
      targets.map(({ userId }) => `${gatewayId} ${signal?.kind.case} ${userId}`),
    );
  }
}
