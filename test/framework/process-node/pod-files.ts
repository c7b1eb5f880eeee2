// What a node reads for its pods: Secrets, ConfigMaps and ServiceAccount tokens.

import type { ConfigMap, Pod, Secret } from "kubernetes-types/core/v1.js";
import type { ApiClient } from "#test/framework/api-client.ts";

export interface PodFiles {
  /** undefined when there is no such object. */
  data(
    kind: "Secret" | "ConfigMap",
    key: { readonly namespace: string; readonly name: string },
    signal: AbortSignal,
  ): Promise<Map<string, Buffer> | undefined>;
  /** A token of the pod's ServiceAccount that is valid as long as the pod exists. */
  requestToken(
    request: { readonly pod: Pod; readonly expirationSeconds: number; readonly audience?: string },
    signal: AbortSignal,
  ): Promise<{ token: string; expiresAt: number }>;
}

interface TokenRequest {
  readonly status: { readonly token: string; readonly expirationTimestamp: string };
}

export function createPodFiles(client: ApiClient): PodFiles {
  return {
    data: async (kind, { namespace, name }, signal) => {
      const plural = kind === "Secret" ? "secrets" : "configmaps";
      const object = await client.get<Secret & ConfigMap>(`/api/v1/namespaces/${namespace}/${plural}/${name}`, signal);
      return object === undefined ? undefined : contentOf(kind, object);
    },
    requestToken: async ({ pod: { metadata, spec }, expirationSeconds, audience }, signal) => {
      const account = spec?.serviceAccountName ?? "default";
      const path = `/api/v1/namespaces/${metadata?.namespace ?? ""}/serviceaccounts/${account}/token`;
      const request = {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: {
          audiences: audience === undefined ? [] : [audience],
          expirationSeconds,
          boundObjectRef: { apiVersion: "v1", kind: "Pod", name: metadata?.name, uid: metadata?.uid },
        },
      };
      const { status } = await client.create<TokenRequest>(path, request, signal);
      return { token: status.token, expiresAt: Date.parse(status.expirationTimestamp) };
    },
  };
}

function contentOf(kind: "Secret" | "ConfigMap", { data, binaryData }: Secret & ConfigMap): Map<string, Buffer> {
  const encoding = kind === "Secret" ? "base64" : "utf8";
  return new Map([
    ...Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, encoding)] as const),
    ...Object.entries(binaryData ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")] as const),
  ]);
}
