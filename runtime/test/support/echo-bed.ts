import { once } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Addresses } from "@oceanchat/runtime/addresses";
import { type Calls, type CallsOptions, connectCalls } from "@oceanchat/runtime/calls";
import type { Handlers } from "@oceanchat/runtime/handlers";
import type { MeshDoorOptions } from "@oceanchat/runtime/mesh-door";
import { Neighbours } from "@oceanchat/runtime/neighbours";
import { connectPeers, type Peers } from "@oceanchat/runtime/peers";
import { silentLog } from "@oceanchat/runtime/testing";
import { EchoService } from "./echo_pb.ts";
import { type EchoChild, forkEcho } from "./echo-child.ts";
import { addressesOf, type EchoDoor, openEcho } from "./echo-door.ts";

export type Exchange = NonNullable<Handlers<typeof EchoService>["exchange"]>;
type EchoCalls = Calls<typeof EchoService.method.exchange>;
type EchoCallsOptions = Partial<CallsOptions<typeof EchoService.method.exchange>>;

/** For tests that are busy or start processes: on a machine with much to do they take long. */
export const ALARM_MS = 60_000;

export type EchoBed = ReturnType<typeof echoBed>;

/** The same cases for doors that are called over sockets and for doors of the same process. */
export function bothWays(title: string, cases: (bed: EchoBed) => void): void {
  describe(`${title} over sockets`, function () {
    this.timeout(ALARM_MS);
    cases(echoBed());
  });
  describe(`${title} within a process`, function () {
    this.timeout(ALARM_MS);
    cases(echoBed(new Neighbours()));
  });
}

/**
 * Callers and echo services for the tests of one `describe`; whatever a test has opened is closed behind it. With neighbours they share
 * a process as services do; those that are forked are called over sockets in any case.
 */
export function echoBed(neighbours?: Neighbours) {
  const near = neighbours === undefined ? {} : { neighbours };
  const callers: { close(): void }[] = [];
  const children: EchoChild[] = [];
  const doors: EchoDoor[] = [];
  const servers: Server[] = [];
  const sockets: Socket[] = [];
  const closeCallers = () => {
    for (const caller of callers.splice(0)) caller.close();
  };

  afterEach(async () => {
    closeCallers();
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) server.close();
    await Promise.all(children.splice(0).map((child) => child.kill()));
    await Promise.all(doors.splice(0).map((door) => door.close(0)));
  });

  async function serve(
    handlers: Handlers<typeof EchoService>,
    port = 0,
    options: Partial<MeshDoorOptions> = {},
  ): Promise<EchoDoor> {
    const door = await openEcho(handlers, { port, ...near, ...options });
    doors.push(door);
    return door;
  }

  async function forkOne(): Promise<EchoChild> {
    const child = await forkEcho();
    children.push(child);
    return child;
  }

  function followPeers(addresses: Addresses, timeoutMs = 20_000): Peers<typeof EchoService> {
    const peers = connectPeers({ service: EchoService, addresses, log: silentLog, timeoutMs, ...near });
    callers.push(peers);
    return peers;
  }

  return {
    serve,
    closeCallers,
    /** Doors whose `say` answers with their number. */
    serveNumbered: (count: number) =>
      Promise.all(Array.from({ length: count }, (_, n) => serve({ say: () => ({ text: String(n) }) }))),
    fork: (count: number): Promise<EchoChild[]> => Promise.all(Array.from({ length: count }, forkOne)),
    forkOne,
    /** Opens a peer that is none, and gives its address. */
    async listen(server: Server): Promise<string> {
      server.on("connection", (socket) => void sockets.push(socket));
      servers.push(server.listen(0, "127.0.0.1"));
      await once(server, "listening");
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    followPeers,
    connectPeers: (...addresses: string[]) => followPeers(addressesOf(...addresses)),
    connectCalls(addresses: Addresses | undefined, options: EchoCallsOptions = {}): EchoCalls {
      const { exchange: method } = EchoService.method;
      const calls = connectCalls({ method, addresses, log: silentLog, timeoutMs: 20_000, ...near, ...options });
      callers.push(calls);
      return calls;
    },
  };
}

/** Gives the text back. */
export const echo: Exchange = ({ text }) => ({ text });

/** Asks again until the answer is yes; the test's own timeout ends it. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

export const NEVER = new Promise<never>(() => undefined);
