// Keeps the agent's token for the parent young: a TokenRequest on its own account at half of its life, stored in the Secret.

import { serviceAccounts } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { backoffMs } from "#std/backoff.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import type { CredentialStore, ParentIdentity } from "./credentials.ts";
import { IdentityLostError, identityLoss } from "./heartbeat.ts";
import { renewInMs, tokenLifetimeMs } from "./token-lifetime.ts";

export interface ParentToken {
  /** The newest; for every request and every dial. */
  current(): string;
  /** Renews until the signal aborts. */
  run(client: Client, signal: AbortSignal): Promise<void>;
}

export interface ParentTokenDeps {
  readonly identity: ParentIdentity;
  readonly store: CredentialStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

const RETRY = { firstMs: 2_000, maxMs: 60_000 } as const;
/** Timers end at 24 days. */
const SLEEP_MS_MAX = 24 * 3_600_000;
/** kube-apiserver refuses shorter ones. */
const LIFETIME_SECONDS_MIN = 600;

export function createParentToken({ identity: given, store, clock, log, metrics }: ParentTokenDeps): ParentToken {
  let identity = given;
  /** How old it was when we began, and since then on the clock that never jumps. */
  let age = { initialMs: clock.now() - given.obtainedAtMs, sinceMs: clock.monotonic() };
  const ageMs = (): number => age.initialMs + clock.monotonic() - age.sinceMs;
  metrics.gauge({
    name: "clusternet_agent_parent_token_age_seconds",
    help: "Age of the token for the parent",
    collect: () => Math.round(ageMs() / 1_000),
  });
  const renew = async (client: Client, signal: AbortSignal): Promise<void> => {
    const account = { namespace: identity.namespace, name: serviceAccounts.agent };
    const expirationSeconds = Math.max(LIFETIME_SECONDS_MIN, Math.round(tokenLifetimeMs(identity.token) / 1_000));
    const askedAtMs = clock.monotonic();
    const { token } = await client.createToken(account, { expirationSeconds }, signal);
    identity = { ...identity, token, obtainedAtMs: clock.now() };
    age = { initialMs: 0, sinceMs: askedAtMs };
    log.info("parent-token.renewed", { lifetimeSeconds: Math.round(tokenLifetimeMs(token) / 1_000) });
    await store.save(identity, signal);
  };
  return {
    current: () => identity.token,
    run: async (client, signal) => {
      const isOver = (): boolean => signal.aborted;
      for (let attempt = 0; !isOver();) {
        const waitMs = attempt === 0 ? renewInMs(identity.token, { ageMs: ageMs() }) : backoffMs(attempt - 1, RETRY);
        await clock.sleep(Math.min(waitMs, SLEEP_MS_MAX), signal);
        if (isOver()) return;
        if (waitMs > SLEEP_MS_MAX) continue;
        try {
          await renew(client, signal);
          attempt = 0;
        } catch (error) {
          if (isOver()) return;
          const lost = identityLoss(error, { namespace: identity.namespace, name: identity.clusterName });
          if (lost instanceof IdentityLostError) throw lost;
          log.warn("parent-token.renewal-failed", { error });
          attempt += 1;
        }
      }
    },
  };
}
