// Looks like a service from outside: healthy doors, SIGTERM drains. SIGUSR2 makes it crash with something to say.
import { createServer as createHttpServer } from "node:http";
import { createServer, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcpServer } from "node:net";

const SERVING = Buffer.from([0, 0, 0, 0, 2, 8, 1]); // a gRPC frame: HealthCheckResponse { status: SERVING }

function answer(stream: ServerHttp2Stream): void {
  stream.on("error", (error) => console.error(error.message));
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.end(SERVING);
}

function open(door: string, listen: (port: number) => void): void {
  const port = process.env[`OCEANCHAT_${door}_PORT`];
  if (port !== undefined) listen(Number(port));
}

const grpc = (port: number): void => void createServer().on("stream", answer).listen(port, "127.0.0.1");
open("MESH", grpc);
open("PUBLIC", grpc);
open("WS", (port) => createHttpServer((_, response) => response.end("ok")).listen(port, "127.0.0.1"));
open("TCP", (port) => createTcpServer((socket) => socket.destroy()).listen(port, "127.0.0.1"));

process.on("SIGTERM", () => {
  console.log(`${process.env.OCEANCHAT_INSTANCE} drained`);
  process.exit(0);
});
process.on("SIGUSR2", () => {
  for (let line = 1; line <= 12; line++) console.error(`last words ${line}`);
  process.exit(3);
});
