// Gives an approved child its token: sealed to its key; or, for an upstream agent, in the open and long-lived.

import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { annotations, conditionTypes, serviceAccounts } from "#api/names.ts";
import { Secret, type ServiceAccount } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { isConditionTrue, rfc3339 } from "#kube/conditions.ts";
import { sealedLabel, sealText } from "#std/sealed-text.ts";
import { ChangedMeanwhileError } from "./ensure.ts";
import type { ApprovedChild } from "./plan.ts";

/** What is written into the sealed token's label. */
interface TokenLabel {
  readonly account: string;
  readonly key: string;
  /** RFC 3339. */
  readonly issued: string;
}

export type TokenNeed =
  | { readonly type: "fresh" }
  /** `lookAgainAtMs`: when a token that nobody has fetched must be replaced; absent: never, its owner renews it. */
  | { readonly type: "kept"; readonly lookAgainAtMs?: number };

/**
 * (REG-10) The way back: while a cluster is not Ready, the token in its request is kept young, so that its agent (and only the holder of
 * its private key) finds a valid one however long it was away. A Ready cluster renews its own, and its request is left alone.
 */
export function tokenNeed(
  {
    sealedToken,
    accountUid,
    fingerprint,
    cluster,
  }: {
    readonly sealedToken: string | undefined;
    readonly accountUid: string;
    readonly fingerprint: string;
    readonly cluster: ManagedCluster;
  },
  { now, lifetimeMs }: { readonly now: number; readonly lifetimeMs: number },
): TokenNeed {
  const label = sealedToken === undefined ? undefined : sealedLabel(sealedToken);
  if (label?.["account"] !== accountUid || label["key"] !== fingerprint) return { type: "fresh" };
  if (isConditionTrue(cluster.status?.conditions, conditionTypes.ready)) return { type: "kept" };
  const halfLifeAtMs = Date.parse(label["issued"] ?? "") + lifetimeMs / 2;
  if (Number.isNaN(halfLifeAtMs) || now >= halfLifeAtMs) return { type: "fresh" };
  return { type: "kept", lookAgainAtMs: halfLifeAtMs };
}

export async function issueSealedToken(
  client: Client,
  {
    child,
    account,
    publicKey,
    now,
    lifetimeMs,
  }: {
    readonly child: ApprovedChild;
    readonly account: ServiceAccount;
    readonly publicKey: string;
    readonly now: number;
    readonly lifetimeMs: number;
  },
  signal: AbortSignal,
): Promise<string> {
  await assertStillCurrent(client, child, signal);
  const key = { namespace: child.namespace, name: serviceAccounts.agent };
  const { token } = await client.createToken(key, { expirationSeconds: Math.round(lifetimeMs / 1_000) }, signal);
  const label: TokenLabel = { account: account.metadata.uid ?? "", key: child.keyFingerprint ?? "", issued: rfc3339(now) };
  return sealText(token, { publicKey, label: { ...label } });
}

/** A cache may be old; a token for a key that was replaced a moment ago would undo the replacement. */
async function assertStillCurrent(client: Client, child: ApprovedChild, signal: AbortSignal): Promise<void> {
  const live = await client.get(ManagedCluster, { namespace: child.namespace, name: child.clusterName }, signal);
  if (live === undefined || live.metadata.deletionTimestamp !== undefined || live.spec.clusterId !== child.clusterId) {
    throw new ChangedMeanwhileError(`ManagedCluster ${child.namespace}/${child.clusterName} is gone or being removed`);
  }
  if ((live.metadata.annotations?.[annotations.agentKey] ?? "") !== (child.keyFingerprint ?? "")) {
    throw new ChangedMeanwhileError(`ManagedCluster ${child.namespace}/${child.clusterName} has another key by now`);
  }
}

const UPSTREAM_SECRET = `${serviceAccounts.agent}-token`;

/** undefined: kube-controller-manager has not filled it in yet. */
export async function upstreamToken(
  client: Client,
  child: ApprovedChild,
  signal: AbortSignal,
): Promise<Pick<NonNullable<ClusterRegistrationRequest["status"]>, "token" | "caCertificate"> | undefined> {
  await assertStillCurrent(client, child, signal);
  const metadata = {
    name: UPSTREAM_SECRET,
    namespace: child.namespace,
    annotations: { "kubernetes.io/service-account.name": serviceAccounts.agent },
  };
  const secret =
    (await client.get(Secret, metadata, signal)) ??
    (await client.create(
      Secret,
      { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/service-account-token", metadata },
      signal,
    ));
  const { token, "ca.crt": caCertificate } = secret.data ?? {};
  return token === undefined || caCertificate === undefined ? undefined : { token, caCertificate };
}
