import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { DoneSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import type { Uplink } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import { type ServiceError, toServiceError } from "@oceanchat/runtime/fail";
import { Unanswered } from "@oceanchat/runtime/unanswered";
import type { RequestValidator } from "@oceanchat/runtime/validate";
import { errors } from "../errors.ts";
import type { CommandPort, Dispatch, Result } from "../ports.ts";
import type { Breaker, Outcome } from "./breaker.ts";
import {
  conversationOf,
  isForMessage,
  isForPresence,
  isForQuery,
  type MessageCommand,
  type PresenceCommand,
  type QueryCommand,
  routes,
} from "./commands.ts";
import { InFlight } from "./in-flight.ts";
import type { Limits } from "./limits.ts";
import {
  type ClientCommand,
  errorEvent,
  type Reading,
  readPacket,
  type ServerEvent,
  schemaOf,
  writePacket,
} from "./packets.ts";

/** A service that carries out commands, and whether it is left alone for a while. */
export interface Target<C extends ClientCommand> {
  readonly port: CommandPort<C>;
  readonly breaker: Breaker;
}

export interface ExchangeOptions {
  /** By their names in the table of routes. */
  readonly targets: {
    readonly message: Target<MessageCommand>;
    readonly query: Target<QueryCommand>;
    readonly presence: Target<PresenceCommand>;
  };
  readonly limits: Limits;
  /** Throws INVALID_FIELD for a command that breaks a rule of the contract; its fields are named as in a call's request. */
  readonly validate: RequestValidator;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told of defects; their causes don't leave. */
  readonly onDefect: (cause: unknown, uplink: Uplink) => void;
}

/** What goes back to the gateway. */
export interface Answer {
  /** An encoded packet; empty when the client is not to be answered. */
  readonly payload: Uint8Array;
  /** What the gateway is to keep for the connection. */
  readonly keep?: Uint8Array;
}

/** Carries one packet out. Never rejects. */
export type Exchange = (uplink: Uplink) => Promise<Answer>;

const NOTHING = new Uint8Array(0);
const done: ServerEvent = { case: "done", value: create(DoneSchema) };

/**
 * Makes the router's one operation. Up to the moment at which a command is handed to its port nothing is awaited, so the
 * packets of a connection reach message in the order in which they came.
 */
export function createExchange(options: ExchangeOptions): Exchange {
  const { targets, limits, validate, now, onDefect } = options;
  const inFlight = new InFlight<Answer>();

  async function carryOut(command: ClientCommand, uplink: Uplink): Promise<Result> {
    const { userId, sessionId, deviceId, connectionId, gatewayId, codec, traceparent } = uplink;
    const from = {
      sender: { userId, sessionId, deviceId },
      connection: { connectionId, gatewayId, codec },
      traceparent,
    };
    if (isForMessage(command)) {
      const key = conversationOf(command, userId);
      return dispatch("message", targets.message, { ...from, command, key }, now);
    }
    if (isForQuery(command)) return dispatch("query", targets.query, { ...from, command, key: userId }, now);
    if (isForPresence(command)) return dispatch("presence", targets.presence, { ...from, command, key: userId }, now);
    throw errors.alreadyConnected();
  }

  async function answer(reading: Reading, uplink: Uplink, waitMs: number): Promise<Answer> {
    const { codec } = uplink;
    const { requestId } = reading;
    try {
      if (waitMs > 0) throw errors.rateLimited(waitMs);
      if ("refusal" in reading) throw reading.refusal;
      validate(schemaOf(reading.command), reading.command.value);
      const { result, keep } = await carryOut(reading.command, uplink);
      const event = eventOf(reading.command.case, result);
      const payload = event === undefined ? NOTHING : writePacket(codec, requestId, event);
      return keep === undefined ? { payload } : { payload, keep };
    } catch (thrown) {
      const error = toServiceError(thrown);
      if (error.code === Code.Internal) onDefect(error.cause ?? error, uplink);
      return refusal(uplink, requestId, error);
    } finally {
      if (requestId !== 0) inFlight.end(keyOf(uplink, requestId));
    }
  }

  return (uplink) => {
    const { codec, payload } = uplink;
    const reading = readPacket(codec, payload);
    const { requestId } = reading;
    const waitMs = limits.take(uplink, now());
    if (requestId === 0) return answer(reading, uplink, waitMs);
    const key = keyOf(uplink, requestId);
    // Counted like any other, but its answer is on the way: it isn't refused for its rate.
    const running = inFlight.get(key, payload);
    if (running === "another") return Promise.resolve(refusal(uplink, requestId, errors.requestIdInUse()));
    return running ?? inFlight.run(key, payload, () => answer(reading, uplink, waitMs));
  };
}

const keyOf = ({ connectionId }: Uplink, requestId: number): string => `${connectionId}:${requestId}`;

function refusal({ codec }: Uplink, requestId: number, error: ServiceError): Answer {
  return { payload: writePacket(codec, requestId, { case: "error", value: errorEvent(requestId, error) }) };
}

async function dispatch<C extends ClientCommand>(
  name: string,
  { port, breaker }: Target<C>,
  command: Dispatch<C>,
  now: () => number,
): Promise<Result> {
  const entry = breaker.enter(now());
  if (entry.waitMs > 0) throw errors.leftAlone(name, entry.waitMs);
  let outcome: Outcome = "reached";
  try {
    return await port.dispatch(command);
  } catch (thrown) {
    outcome = outcomeOf(toServiceError(thrown));
    throw thrown;
  } finally {
    breaker.leave(entry, outcome, now());
  }
}

/** What the service has said itself, whatever it is, shows that it is there; so do its answers to others while it is slow. */
function outcomeOf({ code, cause }: ServiceError): Outcome {
  if (cause instanceof Unanswered && cause.why !== "busy") return "lost";
  return code === Code.ResourceExhausted ? "neither" : "reached";
}

function eventOf(name: ClientCommand["case"], result: Result["result"]): ServerEvent | undefined {
  const route = routes[name];
  const answer = "answer" in route ? route.answer : undefined;
  if (answer === "nothing") return undefined;
  if (answer === "accepted" && result.case === "accepted") return { case: "messageAccepted", value: result.value };
  if (answer === "syncPage" && result.case === "syncPage") return result;
  if (answer === "presence" && result.case === "presence") return result;
  if (answer === "done") return done;
  throw errors.wrongAnswer(name);
}
