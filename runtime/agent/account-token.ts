// Tokens of another account of the child (the proxy, the deployer): requested when needed, kept until half of their life is over.

import type { Client } from "#kube/client.ts";
import type { Clock } from "#std/clock.ts";
import type { TokenSource } from "./targets.ts";

export interface AccountTokenOptions {
  /** The child, as the agent's own account. */
  readonly child: Client;
  readonly account: { readonly namespace: string; readonly name: string };
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const LIFETIME_SECONDS = 3_600;
const RENEW_AFTER_MS = (LIFETIME_SECONDS * 1_000) / 2;
/** After a failed renewal the old token is used while it surely works; the next try waits this long. */
const RETRY_AFTER_MS = 5_000;
const USABLE_MS = LIFETIME_SECONDS * 1_000 * 0.9;

/** Answers at once from the second call on; a renewal happens beside the requests, not before them. */
export function createAccountToken({ child, account, clock, signal }: AccountTokenOptions): TokenSource {
  let held: { readonly token: string; readonly obtainedAtMs: number } | undefined;
  let pending: Promise<string> | undefined;
  let failedAtMs = -Infinity;
  const request = (): Promise<string> => {
    const askedAtMs = clock.monotonic();
    pending ??= child
      .createToken(account, { expirationSeconds: LIFETIME_SECONDS }, signal)
      .then(
        ({ token }) => {
          held = { token, obtainedAtMs: askedAtMs };
          return token;
        },
        (error: unknown) => {
          failedAtMs = clock.monotonic();
          throw error;
        },
      )
      .finally(() => {
        pending = undefined;
      });
    return pending;
  };
  return () => {
    const now = clock.monotonic();
    if (held === undefined || now - held.obtainedAtMs > USABLE_MS) return request();
    if (now - held.obtainedAtMs > RENEW_AFTER_MS && now - failedAtMs > RETRY_AFTER_MS) {
      // The token at hand still works; whoever comes after the new one gets that.
      request().catch(() => undefined);
    }
    return held.token;
  };
}
