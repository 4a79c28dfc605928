import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Code } from "@connectrpc/connect";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus, ConsumeOptions } from "@oceanchat/runtime/bus-types";
import { ServiceError } from "@oceanchat/runtime/fail";
import {
  bytesText,
  consumerSpec,
  failureOf,
  freezeNats,
  openBus,
  prepare,
  publishNumbers,
  roomStream,
  textBytes,
  waitFor,
} from "../support/bus.ts";

describe("bus: faults", function () {
  this.timeout(30_000);
  let servers: TestServers;
  let bus: Bus;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true });
    bus = await openBus(servers.natsUrl);
  });

  after(async () => {
    await bus.close();
    await servers.stop();
  });

  const untilConnected = async (one: Bus) => {
    while (!one.connected()) await new Promise((resolve) => setImmediate(resolve));
  };
  const freeze = () => freezeNats(servers, bus);
  const thaw = () => servers.kill("nats", "SIGCONT");
  const consume = (stream: string, options: Partial<ConsumeOptions> & Pick<ConsumeOptions, "handle">, on = bus) =>
    on.consume({
      stream,
      consumer: consumerSpec.name,
      lanes: 4,
      laneOf: ({ subject }) => subject,
      maxBatch: 10,
      maxInFlight: 100,
      ...options,
    });

  it("calls a publish to a frozen server unknown, and it is stored once the server goes on", async () => {
    const stream = await prepare(bus, roomStream("FROZEN"));
    const subject = stream.subjectOf("room", { id: "a" });
    const options = { expectStream: "FROZEN", messageId: "alice:1", expectLastSubjectSequence: 0 };
    await freeze();
    try {
      assert.equal(await failureOf(bus.publish(subject, textBytes("1"), { ...options, timeoutMs: 300 })), "unknown");
    } finally {
      await thaw();
    }
    const waiting = waitFor("the message to be stored");
    const look = async () => {
      const found = await bus.lastBySubject("FROZEN", subject);
      if (found === undefined) setTimeout(look, 10);
      else waiting.reached();
    };
    await look();
    await waiting.promise;
    const head = (await bus.lastBySubject("FROZEN", subject))?.sequence ?? 0;
    const again = await bus.publish(subject, textBytes("1"), { ...options, expectLastSubjectSequence: head });
    assert.deepEqual(again, { sequence: head, duplicate: true });
  });

  it("keeps every acknowledged message and its consumers when the server is killed under load", async () => {
    const stream = await prepare(bus, roomStream("KILLED"));
    const acked = new Set<string>();
    const handled = new Map<string, number>();
    const kinds = new Set<string>();
    const all = waitFor("every acknowledged message", 20_000);
    let publishing = true;
    const check = () => {
      if (!publishing && [...acked].every((text) => handled.has(text))) all.reached();
    };
    const consumption = await consume("KILLED", {
      handle: async (batch) => {
        for (const { data } of batch) handled.set(bytesText(data), (handled.get(bytesText(data)) ?? 0) + 1);
        check();
      },
    });
    let n = 0;
    const publisher = async (room: string) => {
      while (publishing) {
        const text = `${room} ${n++}`;
        const subject = stream.subjectOf("room", { id: room });
        const kind = await failureOf(bus.publish(subject, textBytes(text), { expectStream: "KILLED", timeoutMs: 500 }));
        if (kind === "stored") acked.add(text);
        else kinds.add(kind);
      }
    };
    const publishers = ["a", "b", "c", "d", "e", "f", "g", "h"].map(publisher);
    while (handled.size < 500) await new Promise((resolve) => setImmediate(resolve));
    const before = acked.size;
    await servers.kill("nats");
    await servers.untilReady("nats");
    await untilConnected(bus);
    while (acked.size < before + 500) await new Promise((resolve) => setImmediate(resolve));
    publishing = false;
    await Promise.all(publishers);
    check();
    await all.promise;
    for (const kind of kinds)
      assert.ok(["unknown", "unavailable"].includes(kind), `${kind} is not how an outage looks`);
    assert.ok(kinds.has("unknown"), "what was under way is unknown");
    await consumption.stop();
  });

  it("handles nothing twice when acknowledgements are lost with the server", async () => {
    const stream = await prepare(bus, roomStream("LOST"), { ...consumerSpec, ackWaitMs: 2000 });
    await publishNumbers(bus, stream, ["a"], 20);
    const handled: string[] = [];
    const begun = waitFor("the first batch");
    const all = waitFor("20 messages", 20_000);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const consumption = await consume("LOST", {
      handle: async (batch) => {
        begun.reached();
        await gate;
        handled.push(...batch.map(({ data }) => bytesText(data)));
        if (handled.length === 20) all.reached();
      },
    });
    await begun.promise;
    while (consumption.held().messages < 20) await new Promise((resolve) => setImmediate(resolve));
    // What it answers from now on stays in the frozen server's socket and dies with it.
    await freeze();
    open();
    await all.promise;
    await servers.kill("nats");
    await servers.untilReady("nats");
    await untilConnected(bus);
    const settled = waitFor("the acknowledgements", 20_000);
    const look = async () => {
      const held = consumption.held().messages;
      if (held === 0 && (await unacknowledged("LOST")) === 0) settled.reached();
      else setTimeout(look, 50);
    };
    await look();
    await settled.promise;
    assert.deepEqual(
      handled,
      Array.from({ length: 20 }, (_, index) => `a ${index}`),
    );
    await consumption.stop();
  });

  it("sends nothing while there is no connection: publishes wait, then say unavailable", async () => {
    const stream = await prepare(bus, roomStream("OFF"));
    const other = await openBus(servers.natsUrl, { pingIntervalMs: 100 });
    const subject = stream.subjectOf("room", { id: "a" });
    await freeze();
    try {
      while (other.connected()) await new Promise((resolve) => setImmediate(resolve));
      const options = { expectStream: "OFF", timeoutMs: 200 };
      assert.equal(await failureOf(other.publish(subject, textBytes("never"), options)), "unavailable");
      assert.equal(other.signal("any.signal", textBytes("x")), false);
      const patient = other.publish(subject, textBytes("later"), { expectStream: "OFF", timeoutMs: 20_000 });
      await thaw();
      await patient;
    } finally {
      await thaw();
    }
    await untilConnected(bus);
    const stored = await bus.bySubjectFrom("OFF", subject, 1, 10);
    assert.deepEqual(
      stored.map(({ data }) => bytesText(data)),
      ["later"],
    );
    await other.close();
  });

  it("makes a stream although the server was killed while it was asked", async () => {
    const killed = servers.kill("nats");
    await bus.ensureStream(roomStream("PATIENT"));
    await killed;
    await servers.untilReady("nats");
    await untilConnected(bus);
    assert.equal(await bus.lastBySubject("PATIENT", "PATIENT.0.a"), undefined);
  });

  it("gives up after the time allowed without a connection", async () => {
    const closed = waitFor("onClosed");
    let reason: Error | undefined;
    const other = await openBus(servers.natsUrl, {
      pingIntervalMs: 100,
      maxDisconnectedMs: 300,
      onClosed: (error) => {
        reason = error;
        closed.reached();
      },
    });
    await freeze();
    try {
      await closed.promise;
    } finally {
      await thaw();
    }
    assert.match(reason?.message ?? "", /no connection for 300 ms/);
    assert.equal(other.connected(), false);
    assert.equal(
      await failureOf(other.publish("x", textBytes("x"), { expectStream: "X", timeoutMs: 50 })),
      "unavailable",
    );
    await other.close();
    await untilConnected(bus);
  });

  it("waits for a server that is not there yet, but not for ever", async () => {
    await freeze();
    const late = openBus(servers.natsUrl, { connectTimeoutMs: 10_000 });
    await assert.rejects(
      openBus(servers.natsUrl, { connectTimeoutMs: 600 }),
      (error) => error instanceof ServiceError && error.code === Code.Unavailable,
    );
    await thaw();
    await (await late).close();
    await assert.rejects(openBus("nats://127.0.0.1:1", { connectTimeoutMs: 300 }), ServiceError);
    await untilConnected(bus);
  });

  /** A process takes the first 10 of 15 messages and is killed. */
  const dieHolding = async (name: string, ackWaitMs: number) => {
    const stream = await prepare(bus, roomStream(name), { ...consumerSpec, ackWaitMs });
    await publishNumbers(bus, stream, ["a"], 15);
    const script = fileURLToPath(new URL("../support/hanging-consumer.ts", import.meta.url));
    const args = [script, servers.natsUrl, name, String(ackWaitMs)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(child.stdout, "data");
    } finally {
      child.kill("SIGKILL");
    }
    await once(child, "exit");
  };

  /** What comes to a process that consumes after it. */
  const takeOver = async (name: string, options: Partial<ConsumeOptions>) => {
    const seen: { number: number; deliveries: number }[] = [];
    const { promise, reached } = waitFor("15 messages");
    const consumption = await consume(name, {
      maxBatch: 1,
      ...options,
      handle: async (batch) => {
        for (const { data, deliveries } of batch) seen.push({ number: Number(bytesText(data).slice(2)), deliveries });
        if (seen.length === 15) reached();
      },
    });
    await promise;
    await consumption.stop();
    return seen;
  };

  it("gives another process what a dead one held, after ack_wait and in order", async () => {
    await dieHolding("DIED", 1500);
    const seen = await takeOver("DIED", {});
    const numbers = seen.map(({ number }) => number);
    assert.deepEqual(numbers.slice(0, 5), [10, 11, 12, 13, 14], "what nobody held comes first");
    assert.deepEqual(numbers.slice(5), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(
      seen.map(({ deliveries }) => deliveries),
      [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2],
    );
  });

  it("gives the next process what a dead one held at once and before newer messages when it is the only one", async () => {
    await dieHolding("HEIR", 30_000);
    const seen = await takeOver("HEIR", { exclusive: true });
    assert.deepEqual(
      seen.map(({ number }) => number),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
    );
  });

  const unacknowledged = async (stream: string): Promise<number> => {
    const nc = await connect({ servers: servers.natsUrl });
    const info = await (await jetstreamManager(nc)).consumers.info(stream, consumerSpec.name);
    await nc.close();
    return info.num_ack_pending + info.num_pending;
  };
});
