import assert from "node:assert/strict";
import { once } from "node:events";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Client } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { Health, HealthCheckRequestSchema } from "@oceanchat/gen/grpc/health/v1/health_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { CallContext, Handlers } from "@oceanchat/runtime/handlers";
import { openMeshDoor } from "@oceanchat/runtime/mesh-door";
import { silentLog } from "@oceanchat/runtime/testing";
import { decodeStatus } from "@oceanchat/runtime/wire-error";
import { pino } from "pino";
import { EchoService, ReadRequestSchema, SayRequestSchema } from "../support/echo_pb.ts";
import { bareCall, bareClient } from "../support/echo-client.ts";
import { type EchoDoor, latch, openEcho } from "../support/echo-door.ts";

const { say, read, missing } = EchoService.method;
const sayBytes = (text: string, tag?: string) =>
  toBinary(SayRequestSchema, create(SayRequestSchema, { text, tags: tag === undefined ? [] : [{ name: tag }] }));
const readBytes = toBinary(ReadRequestSchema, create(ReadRequestSchema, {}));

/** The status, and the error inside it. */
async function failureOf(call: Promise<unknown>) {
  const error = await call.then(
    () => assert.fail("the call succeeded"),
    (thrown) => thrown,
  );
  const [details] = error.metadata.get("grpc-status-details-bin");
  return { code: error.code, details: error.details, inside: details && decodeStatus(details) };
}

describe("mesh door", () => {
  const opened: { close(graceMs: number): Promise<void> }[] = [];
  const clients: Client[] = [];

  async function open(handlers: Handlers<typeof EchoService>, options = {}): Promise<[EchoDoor, Client]> {
    const door = await openEcho(handlers, options);
    const client = bareClient(door.address);
    opened.push(door);
    clients.push(client);
    return [door, client];
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(opened.splice(0).map((door) => door.close(0)));
  });

  it("answers a unary call and hands over what came with it", async () => {
    let seen: CallContext | undefined;
    const [, client] = await open({
      say: ({ text }, context) => {
        seen = context;
        return { text: `${text}!` };
      },
    });
    const answer = await bareCall(client, say, sayBytes("hi"), { traceparent: "00-1-2-01", "x-request-id": "r1" });
    assert.equal(answer.text, "hi!");
    assert.equal(seen?.traceparent, "00-1-2-01");
    assert.equal(seen?.requestId, "r1");
    assert.equal(seen?.caller, undefined);
  });

  it("refuses a request that breaks a rule, naming the field, before the handler sees it", async () => {
    const [, client] = await open({ say: () => assert.fail("was called") });
    const { code, inside } = await failureOf(bareCall(client, say, sayBytes("hi", "")));
    assert.equal(code, status.INVALID_ARGUMENT);
    assert.equal(inside.reason, "ERROR_REASON_INVALID_FIELD");
    assert.equal(inside.violations[0]?.field, "tags[0].name");
  });

  it("answers MALFORMED to bytes that are no request", async () => {
    const [, client] = await open({ say: () => ({}) });
    const { code, inside } = await failureOf(bareCall(client, say, Buffer.from([0x0a, 0x7f])));
    assert.equal(code, status.INVALID_ARGUMENT);
    assert.equal(inside.reason, "ERROR_REASON_MALFORMED");
  });

  it("answers UNIMPLEMENTED with its reason where there is no handler", async () => {
    const [, client] = await open({});
    for (const call of [bareCall(client, missing, Buffer.alloc(0)), bareCall(client, say, sayBytes("hi"))]) {
      const { code, inside } = await failureOf(call);
      assert.equal(code, status.UNIMPLEMENTED);
      assert.equal(inside.reason, "ERROR_REASON_UNIMPLEMENTED");
    }
  });

  it("sends the error that a handler throws, with its details", async () => {
    const [, client] = await open({
      say: () => {
        throw shared.rateLimited(250);
      },
    });
    const { code, details, inside } = await failureOf(bareCall(client, say, sayBytes("hi")));
    assert.equal(code, status.RESOURCE_EXHAUSTED);
    assert.equal(details, "too many calls");
    assert.equal(inside.retryAfterMs, 250);
  });

  it("logs a defect and tells the caller nothing of it", async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    const [, client] = await open({ say: () => Promise.reject(new Error("the password is 1234")) }, { log });
    const { code, details, inside } = await failureOf(bareCall(client, say, sayBytes("hi"), { "x-request-id": "r7" }));
    assert.equal(code, status.INTERNAL);
    assert.equal(details, "internal error");
    assert.equal(inside.reason, "ERROR_REASON_INTERNAL");
    const line = JSON.parse(lines.join(""));
    assert.equal(line.requestId, "r7");
    assert.match(line.err.message, /1234/);
  });

  it("answers INTERNAL when a handler's answer does not fit the contract", async () => {
    const [, client] = await open({ say: () => ({ text: Object.create(null) as string }) });
    const { code } = await failureOf(bareCall(client, say, sayBytes("hi")));
    assert.equal(code, status.INTERNAL);
  });

  it("tells the handler that its deadline has passed", async () => {
    const aborted = latch();
    const [, client] = await open({
      say: async (_request, { signal }) => {
        await once(signal, "abort");
        aborted.open();
        return {};
      },
      read: () => ({}),
    });
    await bareCall(client, read, readBytes); // connected: the time is the handler's
    const { code } = await failureOf(bareCall(client, say, sayBytes("hi"), {}, 500));
    assert.equal(code, status.DEADLINE_EXCEEDED);
    await aborted.promise;
  });

  it("refuses what is above its limit of calls and frees the places again", async () => {
    const [started, go] = [latch(), latch()];
    const [, client] = await open(
      {
        say: async () => {
          started.open();
          await go.promise;
          return {};
        },
        read: () => ({ text: "free" }),
      },
      { maxCallsInFlight: 1 },
    );
    const first = bareCall(client, say, sayBytes("hi"));
    await started.promise;
    const { code, inside } = await failureOf(bareCall(client, read, readBytes));
    assert.equal(code, status.RESOURCE_EXHAUSTED);
    assert.equal(inside.reason, "ERROR_REASON_OVERLOADED");
    go.open();
    await first;
    assert.equal((await bareCall(client, read, readBytes)).text, "free");
  });

  it("refuses to open on a port that is taken", async () => {
    const [door] = await open({});
    await assert.rejects(openMeshDoor({ host: "127.0.0.1", port: door.port, registrations: [], log: silentLog }));
  });

  describe("health", () => {
    const check = (client: Client, service: string) =>
      bareCall(
        client,
        Health.method.check,
        toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service })),
      );

    it("is what setServing was last told, for the server and for each service", async () => {
      const [door, client] = await open({});
      for (const [serving, expected] of [
        [true, 1],
        [false, 2],
        [true, 1],
      ] as const) {
        door.setServing(serving);
        assert.equal((await check(client, "")).status, expected);
        assert.equal((await check(client, EchoService.typeName)).status, expected);
      }
    });

    it("is not serving before it was told so", async () => {
      const door = await openMeshDoor({ host: "127.0.0.1", port: 0, registrations: [], log: silentLog });
      opened.push(door);
      const client = bareClient(`127.0.0.1:${door.port}`);
      clients.push(client);
      assert.equal((await check(client, "")).status, 2);
    });

    it("does not know other services", async () => {
      const [, client] = await open({});
      assert.equal((await failureOf(check(client, "oceanchat.other.v1.OtherService"))).code, status.NOT_FOUND);
    });
  });

  describe("close", () => {
    it("lets calls that run be answered and takes no new ones", async () => {
      const [started, go] = [latch(), latch()];
      const [door, client] = await open({
        say: async ({ text }) => {
          started.open();
          await go.promise;
          return { text };
        },
      });
      const running = bareCall(client, say, sayBytes("last"));
      await started.promise;
      const closed = door.close(60_000);
      assert.equal(
        (await failureOf(bareCall(bareClient(door.address), say, sayBytes("late")))).code,
        status.UNAVAILABLE,
      );
      go.open();
      assert.equal((await running).text, "last");
      await closed;
    });

    it("cuts calls that run longer than the grace, and tells their handlers", async () => {
      const [started, aborted] = [latch(), latch()];
      const [door, client] = await open({
        say: async (_request, { signal }) => {
          started.open();
          await once(signal, "abort");
          aborted.open();
          return {};
        },
      });
      const running = failureOf(bareCall(client, say, sayBytes("slow")));
      await started.promise;
      await door.close(20);
      assert.ok([status.UNAVAILABLE, status.CANCELLED].includes((await running).code));
      await aborted.promise;
    });

    it("is the same close when it is asked for twice", async () => {
      const [door] = await open({});
      await Promise.all([door.close(0), door.close(0)]);
    });
  });
});
