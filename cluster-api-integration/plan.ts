// One Cluster API Cluster and what we made for it -> wait, install, update or remove, with the reason. Pure.

import { compareText } from "#std/compare-text.ts";
import { isBeingDeleted, isControlPlaneReady, isPaused, meaningfulLabels, type CapiCluster } from "./contract.ts";

/**
 * What the integration's settings say. Only `uninstalling` is an instruction to remove anything; settings that are missing, cannot be read
 * (`invalid`) or are not held by our finalizer yet (`pending`) are none, neither to remove nor to install.
 */
export type SettingsState = "missing" | "invalid" | "pending" | "ready" | "uninstalling";

export interface ClusterFacts {
  readonly cluster: CapiCluster;
  readonly settings: SettingsState;
  /** Our finalizer is on the Cluster: there may be something of ours to remove. */
  readonly isOurs: boolean;
  /** Hash of what was last installed, and when its token expires; absent: never installed. */
  readonly installed?: { readonly hash: string; readonly labelsText: string; readonly tokenExpiresAtMs: number };
  /** Hash of what would be installed now, its token aside. */
  readonly wantedHash: string;
  /** The child has joined: its agent renews its own credentials and the first token is history. */
  readonly isRegistered: boolean;
  readonly nowMs: number;
}

export type ClusterPlan =
  | { readonly type: "wait"; readonly reason: string }
  | { readonly type: "ignore"; readonly reason: string }
  | { readonly type: "install"; readonly reason: string }
  | { readonly type: "relabel"; readonly reason: string }
  | { readonly type: "settled"; readonly checkAgainInMs: number }
  | { readonly type: "remove"; readonly reason: string };

/** A token is replaced this long before it expires. */
const TOKEN_RENEWAL_MARGIN_MS = 60 * 60 * 1000;
const CHECK_AGAIN_MS = 10 * 60 * 1000;

export function planCluster(facts: ClusterFacts): ClusterPlan {
  const { cluster, settings, isOurs, installed, wantedHash, isRegistered, nowMs } = facts;
  if (settings === "uninstalling") {
    // The settings wait for every grant, also for that of a Cluster off which somebody took our finalizer.
    return isOurs || installed !== undefined
      ? { type: "remove", reason: "the integration is being uninstalled" }
      : { type: "ignore", reason: "the integration is being uninstalled, and nothing of ours is here" };
  }
  if (isPaused(cluster)) return { type: "wait", reason: "the Cluster is paused" };
  if (isBeingDeleted(cluster)) {
    return isOurs
      ? { type: "remove", reason: "the Cluster is being deleted" }
      : { type: "ignore", reason: "the Cluster is being deleted, and nothing of ours is here" };
  }
  if (settings !== "ready") return { type: "wait", reason: `the integration's settings are ${settings}` };
  if (!isControlPlaneReady(cluster)) return { type: "wait", reason: "the control plane is not ready" };
  if (installed === undefined) return { type: "install", reason: "the control plane is ready" };
  if (installed.hash !== wantedHash) return { type: "install", reason: "what we install has changed" };
  if (!isRegistered && installed.tokenExpiresAtMs - nowMs < TOKEN_RENEWAL_MARGIN_MS) {
    return { type: "install", reason: "its token runs out before it has joined" };
  }
  if (installed.labelsText !== labelsTextOf(cluster)) return { type: "relabel", reason: "the Cluster's labels have changed" };
  return { type: "settled", checkAgainInMs: CHECK_AGAIN_MS };
}

/** The labels a Cluster hands to its ManagedCluster, as the join grant holds them. */
export function labelsTextOf(cluster: CapiCluster): string {
  const labels = Object.entries(meaningfulLabels(cluster)).sort(([a], [b]) => compareText(a, b));
  return JSON.stringify(Object.fromEntries(labels));
}
