import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isValidFor, selfSignedCertificate } from "./certificate.ts";

const DAYS = 397; // the longest that browsers accept
const RENEW_DAYS = 30;

/** Keeps tls.crt and tls.key in the folder, made anew when they run out. Returns the certificate's path. */
export async function certificateIn(folder: string): Promise<string> {
  const certificate = join(folder, "tls.crt");
  const key = join(folder, "tls.key");
  const now = new Date();
  if (existsSync(key) && existsSync(certificate) && isValidFor(await readFile(certificate, "utf8"), RENEW_DAYS, now)) {
    return certificate;
  }
  const made = selfSignedCertificate(DAYS, now);
  await writeFile(key, made.privateKey, { mode: 0o600 });
  await writeFile(certificate, made.certificate);
  return certificate;
}
