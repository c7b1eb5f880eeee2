// One bootstrap token per child, derived from one secret and the child's name: installing twice gives the same token. Pure.

import { createHash, createHmac } from "node:crypto";

/** Kubernetes reads a bootstrap token as `<id>.<secret>`; the id is public (it is in the Secret's name and in the user's name). */
const ID_LENGTH = 6;
const SECRET_LENGTH = 16;
const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

/** The bootstrap secret is the root of every child's token: shorter ones could be guessed from one leaked token. */
export const BOOTSTRAP_SECRET_LENGTH_MIN = 16;

/** `fleet` keeps two fleets on one parent apart. */
export function bootstrapTokenId({ fleet, clusterName }: { readonly fleet: string; readonly clusterName: string }): string {
  return letters(createHash("sha256").update(`clusternet bootstrap token id\0${fleet}\0${clusterName}`).digest(), ID_LENGTH);
}

export function bootstrapTokenSecret(
  bootstrapSecret: string,
  { fleet, clusterName }: { readonly fleet: string; readonly clusterName: string },
): string {
  if (bootstrapSecret.length < BOOTSTRAP_SECRET_LENGTH_MIN) {
    throw new Error(
      `bootstrapSecret must have at least ${String(BOOTSTRAP_SECRET_LENGTH_MIN)} characters, got ${String(bootstrapSecret.length)}`,
    );
  }
  const digest = createHmac("sha256", bootstrapSecret).update(`clusternet bootstrap token\0${fleet}\0${clusterName}`).digest();
  return letters(digest, SECRET_LENGTH);
}

/** 36 does not divide 256: the bias of 4 in 256 costs less than a bit of 82. */
function letters(bytes: Uint8Array, length: number): string {
  return Array.from(bytes.subarray(0, length), (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}
