import { connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
} from "@oceanchat/gen/grpc/health/v1/health_pb";
import { HOST, type Probe } from "./probe.ts";

/** `grpc.health.v1.Health/Check` of the whole process answers SERVING. */
export const grpcHealthProbe =
  (port: number, host = HOST): Probe =>
  async (signal) => {
    const body = await unary(`http://${host}:${port}`, "/grpc.health.v1.Health/Check", request(), signal);
    const { status } = fromBinary(HealthCheckResponseSchema, body);
    if (status !== HealthCheckResponse_ServingStatus.SERVING) throw new Error(`health: status ${status}, not SERVING`);
  };

function request(): Uint8Array {
  const message = toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema));
  const frame = Buffer.alloc(5 + message.length); // flag, length, message
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

function unary(origin: string, path: string, frame: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const session = connect(origin);
    const settle = (result: Uint8Array | Error): void => {
      signal.removeEventListener("abort", abort);
      session.destroy();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    const abort = (): void => settle(new Error(`${origin}: no answer in time`));
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    session.on("error", settle);
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    stream.on("error", settle);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => settle(messageOf(Buffer.concat(chunks)) ?? new Error(`${origin}: empty answer`)));
    stream.end(frame);
  });
}

function messageOf(data: Buffer): Uint8Array | undefined {
  if (data.length < 5) return undefined;
  const length = data.readUInt32BE(1);
  return data.length < 5 + length ? undefined : data.subarray(5, 5 + length);
}
