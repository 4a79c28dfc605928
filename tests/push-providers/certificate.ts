import { createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { isIPv4 } from "node:net";

/** A key pair and its self-signed certificate, both PEM. The certificate is its own CA. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;

/**
 * Makes a self-signed P-256 certificate for the given DNS names and IPv4 addresses.
 * Written out by hand (X.509 is a few nested lists), so that the tests need neither openssl nor another package.
 */
export function makeCertificate(names: readonly string[], validDays = 3650): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(oid("1.2.840.10045.4.3.2")); // ecdsa-with-SHA256
  const subject = sequence(
    set(sequence(oid("2.5.4.3"), element(0x0c, Buffer.from(names[0] ?? "localhost", "utf8")))), // CN
  );
  const now = Date.now();
  const toBeSigned = sequence(
    element(0xa0, element(0x02, Buffer.from([2]))), // version 3
    element(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])), // serial: positive, because it starts with 1
    algorithm,
    subject,
    sequence(utcTime(now - DAY_MS), utcTime(now + validDays * DAY_MS)),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    element(0xa3, sequence(basicConstraints(), alternativeNames(names))),
  );
  const signature = createSign("sha256").update(toBeSigned).sign(privateKey);
  const certificate = sequence(toBeSigned, algorithm, element(0x03, Buffer.concat([Buffer.from([0]), signature])));
  return { cert: pem(certificate), key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

function basicConstraints(): Buffer {
  const isAuthority = element(0x01, Buffer.from([0xff]));
  return sequence(oid("2.5.29.19"), isAuthority, element(0x04, sequence(isAuthority)));
}

function alternativeNames(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    isIPv4(name) ? element(0x87, Buffer.from(name.split(".").map(Number))) : element(0x82, Buffer.from(name, "ascii")),
  );
  return sequence(oid("2.5.29.17"), element(0x04, sequence(...entries)));
}

function element(tag: number, content: Buffer): Buffer {
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const sequence = (...parts: Buffer[]): Buffer => element(0x30, Buffer.concat(parts));
const set = (...parts: Buffer[]): Buffer => element(0x31, Buffer.concat(parts));

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return element(0x06, Buffer.from(bytes));
}

/** `YYMMDDHHMMSSZ`: good until 2049, which is longer than any certificate made here lives. */
function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return element(0x17, Buffer.from(`${digits}Z`, "ascii"));
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
