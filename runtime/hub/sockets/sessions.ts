// Cluster id -> live sessions. The newest one serves; older ones finish what they have.

import type { Clock } from "#std/clock.ts";
import type { Metrics } from "#std/metrics.ts";
import type { Session } from "#tunnel/session.ts";

export interface Sessions {
  /** Returns how to take it out again. Above the limit the oldest session of the cluster is closed. */
  add(clusterId: string, session: Session): () => void;
  /** The newest session that takes requests. */
  find(clusterId: string): Session | undefined;
  /** Milliseconds since the epoch at which this hub last had a session of the cluster; undefined: never. */
  lastSeenAtMs(clusterId: string): number | undefined;
  readonly size: number;
  /** Tells every agent to go elsewhere, also those that come later; resolves when those of now ended or the signal aborts. Once. */
  drain(message: string, signal: AbortSignal): Promise<void>;
}

export interface SessionsOptions {
  readonly perClusterMax: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Clusters whose last sight is remembered; the longest unseen is forgotten first. */
const LAST_SEEN_MAX = 20_000;

export function createSessions({ perClusterMax, clock, metrics }: SessionsOptions): Sessions {
  /** Newest last. */
  const live = new Map<string, Session[]>();
  const lastSeen = new Map<string, number>();
  let leaving: { readonly message: string; readonly signal: AbortSignal } | undefined;
  const all = (): Session[] => [...live.values()].flat();
  metrics.gauge({ name: "clusternet_hub_tunnels", help: "Open tunnels", collect: () => all().length });
  metrics.gauge({ name: "clusternet_hub_tunnel_clusters", help: "Clusters with at least one tunnel", collect: () => live.size });
  metrics.gauge({
    name: "clusternet_hub_tunnel_streams",
    help: "Requests in all tunnels",
    collect: () => all().reduce((sum, session) => sum + session.stats.openStreams, 0),
  });

  const remove = (clusterId: string, session: Session): void => {
    const rest = (live.get(clusterId) ?? []).filter((other) => other !== session);
    if (rest.length === 0) live.delete(clusterId);
    else live.set(clusterId, rest);
    lastSeen.delete(clusterId);
    for (const oldest of lastSeen.keys()) {
      if (lastSeen.size < LAST_SEEN_MAX) break;
      lastSeen.delete(oldest);
    }
    lastSeen.set(clusterId, clock.now());
  };

  return {
    add: (clusterId, session) => {
      const sessions = [...(live.get(clusterId) ?? []), session];
      live.set(clusterId, sessions);
      // Its agent was let in just before the hub began to leave.
      if (leaving !== undefined) void session.drain(leaving.message, leaving.signal);
      for (const old of sessions.slice(0, Math.max(0, sessions.length - perClusterMax))) {
        old.close(`This cluster has ${String(perClusterMax)} newer tunnels (--max-sessions-per-cluster)`);
      }
      return () => {
        remove(clusterId, session);
      };
    },
    find: (clusterId) => live.get(clusterId)?.findLast(({ state }) => state === "open"),
    lastSeenAtMs: (clusterId) => (live.has(clusterId) ? clock.now() : lastSeen.get(clusterId)),
    get size() {
      return all().length;
    },
    drain: async (message, signal) => {
      leaving = { message, signal };
      await Promise.allSettled(all().map((session) => session.drain(message, signal)));
    },
  };
}
