import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificate, makeCertificate } from "./certificate.ts";

/** The folder in which a provider keeps its keys; a temporary one goes when the provider is closed. */
export interface KeyFolder {
  readonly path: string;
  /** The content of a file that is made once and found again by the next start. */
  kept(name: string, make: () => string): string;
  pathOf(name: string): string;
  remove(): void;
}

/** Opens the folder (creating it), or a temporary one if none is named. */
export function openKeyFolder(folder: string | undefined): KeyFolder {
  const path = folder ?? mkdtempSync(join(tmpdir(), "push-provider-"));
  mkdirSync(path, { recursive: true });
  return {
    path,
    pathOf: (name) => join(path, name),
    kept(name, make) {
      const file = join(path, name);
      if (existsSync(file)) return readFileSync(file, "utf8");
      const content = make();
      writeFileSync(file, content, { mode: 0o600 });
      return content;
    },
    remove() {
      if (folder === undefined) rmSync(path, { recursive: true, force: true });
    },
  };
}

/** The provider's TLS key pair, kept in `tls-key.pem` and `tls-cert.pem`. */
export function keptCertificate(folder: KeyFolder, names: readonly string[]): Certificate {
  const made = makeCertificate(names);
  const key = folder.kept("tls-key.pem", () => made.key);
  const cert = folder.kept("tls-cert.pem", () => made.cert);
  return { key, cert };
}
