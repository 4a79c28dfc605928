import { generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";

export type Certificate = { readonly certificate: string; readonly privateKey: string };

const DAY_MS = 86_400_000;

/** A self-signed P-256 certificate for this machine's own names, as PEM. For laptops and tests only. */
export function selfSignedCertificate(days: number, now: Date): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = sequence(
    tagged(0x31, sequence(oid(2, 5, 4, 3), tagged(0x0c, Buffer.from("OceanChat on this machine")))),
  );
  const body = sequence(
    tagged(0xa0, integer(Buffer.of(2))), // X.509 version 3
    integer(randomBytes(15)),
    SIGNATURE,
    name,
    sequence(time(new Date(now.getTime() - DAY_MS)), time(new Date(now.getTime() + days * DAY_MS))),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, sequence(...extensions())),
  );
  const der = sequence(body, SIGNATURE, bitString(sign("sha256", body, privateKey)));
  return {
    certificate: pem(der),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** True when the certificate can be read and is valid for another `days`. */
export function isValidFor(certificate: string, days: number, now: Date): boolean {
  return new X509Certificate(certificate).validToDate.getTime() > now.getTime() + days * DAY_MS;
}

// DER, as far as it is needed here: tag, length, content.
function tagged(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), body]);
}

const sequence = (...content: Uint8Array[]): Buffer => tagged(0x30, ...content);
const bitString = (content: Uint8Array): Buffer => tagged(0x03, Buffer.of(0), content);

// A leading zero keeps the number positive.
const integer = (bytes: Buffer): Buffer =>
  tagged(0x02, (bytes[0] ?? 0) > 127 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);

function oid(first: number, second: number, ...rest: number[]): Buffer {
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tagged(0x06, Buffer.from(bytes));
}

const SIGNATURE = sequence(oid(1, 2, 840, 10045, 4, 3, 2)); // ecdsa-with-SHA256

const time = (date: Date): Buffer =>
  tagged(0x18, Buffer.from(`${date.toISOString().replaceAll(/[-:T]|\.\d+/g, "")}`, "latin1"));

function extensions(): Buffer[] {
  const names = sequence(
    tagged(0x82, Buffer.from("localhost")), // dNSName
    tagged(0x87, Buffer.of(127, 0, 0, 1)), // iPAddress
    tagged(0x87, Buffer.concat([Buffer.alloc(15), Buffer.of(1)])), // ::1
  );
  const serverAuth = sequence(oid(1, 3, 6, 1, 5, 5, 7, 3, 1));
  const extension = (id: Buffer, value: Buffer): Buffer => sequence(id, tagged(0x04, value));
  const list = [
    extension(oid(2, 5, 29, 17), names),
    extension(oid(2, 5, 29, 37), serverAuth),
    extension(oid(2, 5, 29, 19), sequence(tagged(0x01, Buffer.of(0xff)))), // CA, so that it can be trusted as a root
  ];
  return [Buffer.concat(list)];
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
