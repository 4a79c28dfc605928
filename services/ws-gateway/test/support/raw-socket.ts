import type { Socket } from "node:net";
import * as raw from "@oceanchat/tests/raw-clients/raw-websocket";
import { HOST } from "./mesh.ts";
import { accessToken } from "./tokens.ts";

/** An upgrade as a client writes it. */
export const upgradeRequest = (protocol = "oceanchat.v1", token = accessToken()): string =>
  raw.upgradeRequest(token, protocol);

export const openSocket = (port: number): Promise<Socket> => raw.openSocket({ host: HOST, port });

/** A WebSocket client that writes what none should, upgraded. */
export const openRawWebSocket = (port: number): Promise<raw.RawWebSocket> =>
  raw.RawWebSocket.open({ host: HOST, port }, upgradeRequest());
