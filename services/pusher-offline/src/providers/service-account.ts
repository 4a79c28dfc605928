import { createPrivateKey, type KeyObject } from "node:crypto";

/** A Google service account, as far as sending needs it. */
export interface ServiceAccount {
  readonly projectId: string;
  readonly clientEmail: string;
  readonly privateKey: KeyObject;
}

/** Reads the JSON that Google hands out; throws an Error that names what is missing. */
export function parseServiceAccount(json: string): ServiceAccount {
  const value: unknown = JSON.parse(json);
  const fields: Readonly<Record<string, unknown>> = Object(value);
  const field = (name: string): string => {
    const text = fields[name];
    if (typeof text !== "string" || text === "") throw new Error(`the service account has no "${name}"`);
    return text;
  };
  const privateKey = createPrivateKey(field("private_key"));
  if (privateKey.asymmetricKeyType !== "rsa") throw new Error("the service account's key is not an RSA key");
  return { projectId: field("project_id"), clientEmail: field("client_email"), privateKey };
}
