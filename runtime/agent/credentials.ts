// Keeps the agent's key pair and its identity on the parent in a Secret of the child, so that a restart neither loses nor repeats anything.

import { Secret } from "#kube/builtin-kinds.ts";
import { bootstrappingValues, labels, secretKeys, secretNames } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { createSealingKeys } from "#std/sealed-text.ts";

/** What the parent gave us. */
export interface ParentIdentity {
  /** Of the parent's API server: an identity is worth nothing anywhere else. */
  readonly server: string;
  readonly clusterId: string;
  readonly clusterName: string;
  /** The dedicated namespace. */
  readonly namespace: string;
  readonly token: string;
  /** When we got the token, by this child's own clock: only differences on that clock mean something. */
  readonly obtainedAtMs: number;
}

export interface StoredCredentials {
  /** JWK. Made once per child. */
  readonly privateKey: string;
  readonly identity?: ParentIdentity;
}

export interface CredentialStore {
  /** Makes and stores a key pair when there is none. */
  load(signal: AbortSignal): Promise<StoredCredentials>;
  save(identity: ParentIdentity, signal: AbortSignal): Promise<void>;
}

const OBTAINED_AT = "token-obtained-at";
const CLUSTER_ID = "cluster-id";
const CLUSTER_NAME = "cluster-name";

export function createCredentialStore(
  client: Client,
  { namespace, caPem }: { readonly namespace: string; readonly caPem?: string },
): CredentialStore {
  const key = { namespace, name: secretNames.parentCluster };
  const create = async (signal: AbortSignal): Promise<Secret> => {
    const { privateKey } = await createSealingKeys();
    const secret: Secret = {
      apiVersion: "v1",
      kind: "Secret",
      type: "Opaque",
      metadata: { ...key, labels: { [labels.bootstrapping]: bootstrappingValues.credentials } },
      data: encode({ [secretKeys.privateKey]: privateKey }),
    };
    return client.create(Secret, secret, signal);
  };
  return {
    load: async (signal) => {
      const secret = (await client.get(Secret, key, signal)) ?? (await create(signal));
      const data = decode(secret.data ?? {});
      const privateKey = data[secretKeys.privateKey];
      if (privateKey !== undefined) return { privateKey, ...identityOf(data) };
      // Made by an upstream agent: its token is readable on the parent, so we ask for one of our own.
      const { privateKey: made } = await createSealingKeys();
      await patch(client, { key, data: { [secretKeys.privateKey]: made } }, signal);
      return { privateKey: made };
    },
    save: async (identity, signal) => {
      const data = {
        [secretKeys.apiserverAdvertiseUrl]: identity.server,
        [secretKeys.namespace]: identity.namespace,
        [secretKeys.token]: identity.token,
        [OBTAINED_AT]: new Date(identity.obtainedAtMs).toISOString(),
        [CLUSTER_ID]: identity.clusterId,
        [CLUSTER_NAME]: identity.clusterName,
        ...(caPem === undefined ? {} : { [secretKeys.caCertificate]: caPem }),
      };
      const named = { [labels.clusterId]: identity.clusterId, [labels.clusterName]: identity.clusterName };
      await patch(client, { key, data, labels: named }, signal);
    },
  };
}

interface SecretChange {
  readonly key: { readonly namespace: string; readonly name: string };
  readonly data: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

function patch(client: Client, { key, data, labels: added }: SecretChange, signal: AbortSignal): Promise<Secret> {
  const body = { data: encode(data), ...(added === undefined ? {} : { metadata: { labels: added } }) };
  return client.patch(Secret, key, { type: "merge", body }, signal);
}

function identityOf(data: Readonly<Record<string, string>>): { readonly identity?: ParentIdentity } {
  const {
    [secretKeys.apiserverAdvertiseUrl]: server,
    [secretKeys.namespace]: namespace,
    [secretKeys.token]: token,
    [CLUSTER_ID]: clusterId,
    [CLUSTER_NAME]: clusterName,
    [OBTAINED_AT]: obtainedAt = "",
  } = data;
  if (server === undefined || namespace === undefined || token === undefined) return {};
  if (clusterId === undefined || clusterName === undefined) return {};
  return { identity: { server, namespace, token, clusterId, clusterName, obtainedAtMs: Date.parse(obtainedAt) || 0 } };
}

function encode(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]));
}

function decode(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]));
}
