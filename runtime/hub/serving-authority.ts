// Which certificate authorities the hub has, and what to do next with them. Pure.
//
//   (nothing) ──create──▶ {current} ──stage, at 2/3 of its life──▶ {current, next} ──promote, after the overlap──▶ {current, previous}
//                                                                                     {current, previous} ──forget, at its end──▶ {current}
//
// (SRV-1) A certificate is signed only by an authority that was made a whole overlap ago and is in the caBundle (or is the first ever, or
//         the one before it has expired).
// (SRV-2) Every authority that may have signed a certificate still in use is in the caBundle.

export const SERVING_SECRET_NAME = "clusternet-hub-serving";

export interface Authority {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export interface Authorities {
  readonly current: Authority;
  readonly next?: Authority;
  /** Signs nothing any more. */
  readonly previousPem?: string;
  readonly previousExpiresAtMs?: number;
}

export type AuthorityStep =
  | { readonly type: "create"; readonly reason: string }
  | { readonly type: "stage"; readonly reason: string }
  | { readonly type: "promote"; readonly reason: string }
  | { readonly type: "forget"; readonly reason: string }
  /** Nothing to do before this time. */
  | { readonly type: "wait"; readonly untilMs: number };

/** An authority is replaced when this share of its life is over. */
const RENEW_AFTER_SHARE = 2 / 3;

export interface StepOptions {
  readonly nowMs: number;
  readonly overlapMs: number;
  /** Every authority is in the caBundle, or nobody reads one. */
  readonly isPublished: boolean;
}

export function nextAuthorityStep(
  authorities: Authorities | undefined,
  { nowMs, overlapMs, isPublished }: StepOptions,
): AuthorityStep {
  if (authorities === undefined) return { type: "create", reason: "there is no serving authority" };
  const { current, next, previousExpiresAtMs } = authorities;
  if (current.expiresAtMs <= nowMs && next === undefined) return { type: "create", reason: "the serving authority expired" };
  if (next !== undefined) {
    const promoteAtMs = Math.min(next.createdAtMs + overlapMs, current.expiresAtMs);
    if (promoteAtMs <= nowMs && !isPublished && current.expiresAtMs > nowMs) {
      return { type: "wait", untilMs: Math.min(nowMs + overlapMs, current.expiresAtMs) };
    }
    if (promoteAtMs <= nowMs) return { type: "promote", reason: "the new authority was in the caBundle for the whole overlap" };
    return { type: "wait", untilMs: promoteAtMs };
  }
  if (previousExpiresAtMs !== undefined && previousExpiresAtMs <= nowMs) {
    return { type: "forget", reason: "the previous authority expired" };
  }
  const stageAtMs = renewAtMs(current);
  if (stageAtMs <= nowMs) return { type: "stage", reason: "the serving authority is in the last third of its life" };
  return { type: "wait", untilMs: Math.min(stageAtMs, previousExpiresAtMs ?? stageAtMs) };
}

/** The PEM texts that a client of the hub must trust: oldest certificates verify, and the coming ones will. */
export function trustedPems({ current, next, previousPem }: Authorities): string {
  return [current.certificatePem, next?.certificatePem, previousPem]
    .filter((pem) => pem !== undefined)
    .map((pem) => `${pem.trim()}\n`)
    .join("");
}

export function renewAtMs({ createdAtMs, expiresAtMs }: Pick<Authority, "createdAtMs" | "expiresAtMs">): number {
  return createdAtMs + (expiresAtMs - createdAtMs) * RENEW_AFTER_SHARE;
}
