// Seals a text to a public key, so that only the holder of the private key can read it: compact JWE, ECDH-ES on P-256 with A256GCM.
// The one home of jose.

import { createHash, type webcrypto } from "node:crypto";
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import * as z from "zod";
import { canonicalJson } from "#std/canonical-json.ts";

const ALGORITHM = "ECDH-ES";
const ENCRYPTION = "A256GCM";
/** A token is about one kilobyte; anything much larger is not ours. */
const SEALED_LENGTH_MAX = 64 * 1024;

export interface SealingKeys {
  /** JWK as JSON text; may be published. */
  readonly publicKey: string;
  /** JWK as JSON text. Secret. */
  readonly privateKey: string;
}

/** The text is not a key that can seal: the message says what is wrong with it and never repeats it. */
export class SealingKeyError extends Error {
  override readonly name = "SealingKeyError";
}

const PublicJwk = z.object({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  y: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});

const Label = z.record(z.string(), z.string());

export async function createSealingKeys(): Promise<SealingKeys> {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { crv: "P-256", extractable: true });
  return { publicKey: JSON.stringify(await exportJWK(publicKey)), privateKey: JSON.stringify(await exportJWK(privateKey)) };
}

/** `label` travels beside the text: readable by everyone, protected from changes. */
export async function sealText(
  text: string,
  { publicKey, label = {} }: { readonly publicKey: string; readonly label?: Readonly<Record<string, string>> },
): Promise<string> {
  const key = await importKey(parsePublicKey(publicKey));
  return new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: ALGORITHM, enc: ENCRYPTION, label })
    .encrypt(key);
}

/** The label of a sealed text; undefined for what we did not seal. Trust it only where the writer is trusted. */
export function sealedLabel(sealed: string): Readonly<Record<string, string>> | undefined {
  try {
    return Label.parse(decodeProtectedHeader(sealed)["label"]);
  } catch {
    return undefined;
  }
}

/** Rejects when the text was sealed to another key, or changed on the way. */
export async function openSealedText(sealed: string, privateKey: string): Promise<string> {
  if (sealed.length > SEALED_LENGTH_MAX)
    throw new SealingKeyError(`Sealed text is longer than ${String(SEALED_LENGTH_MAX)} characters`);
  const key = await importKey(parseJson(privateKey));
  const { plaintext } = await compactDecrypt(sealed, key, {
    keyManagementAlgorithms: [ALGORITHM],
    contentEncryptionAlgorithms: [ENCRYPTION],
  });
  return new TextDecoder().decode(plaintext);
}

/** The public half of a private key. */
export function publicKeyOf(privateKey: string): string {
  const { kty, crv, x, y } = parsePublicKey(privateKey);
  return JSON.stringify({ kty, crv, x, y });
}

/** Hexadecimal SHA-256 of the canonical form of RFC 7638: one key has one. Throws for what is not a P-256 public key. */
export function keyFingerprint(publicKey: string): string {
  return createHash("sha256")
    .update(canonicalJson(parsePublicKey(publicKey)))
    .digest("hex");
}

function parsePublicKey(text: string): z.output<typeof PublicJwk> {
  const parsed = PublicJwk.safeParse(parseJson(text));
  if (!parsed.success) throw new SealingKeyError(`Public key is not an EC P-256 JWK: ${parsed.error.issues[0]?.message ?? "?"}`);
  return parsed.data;
}

function parseJson(text: string): JWK {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch (error) {
    // The cause would repeat the text, which may be a private key.
    throw new SealingKeyError(`Key is not a JSON object (${error instanceof Error ? error.name : "?"})`);
  }
}

async function importKey(jwk: JWK): Promise<webcrypto.CryptoKey> {
  const key = await importJWK(jwk, ALGORITHM).catch(() => {
    throw new SealingKeyError("Key is not a point on P-256");
  });
  if (key instanceof Uint8Array) throw new SealingKeyError("Key is symmetric");
  return key;
}
