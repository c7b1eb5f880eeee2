// What an installation makes on parent and child for the data path, and what tests ask of them.

import { HubPermissions } from "#hub/permissions.ts";
import { ProxyPermissions } from "#agent/permissions.ts";
import { apiServices } from "#api/names.ts";
import { accountObjects } from "#install/rbac.ts";
import type { ApiClient } from "#test/framework/api-client.ts";
import type { ControlPlane } from "#test/framework/control-plane.ts";

export const SYSTEM_NAMESPACE = "clusternet-system";
export const HUB_PORT = 8443;

/** The objects that an installation makes, with an EndpointSlice by hand: there are no pods here. Returns the hub's ClusterIP. */
export async function installHub({ admin }: Pick<ControlPlane, "admin">): Promise<string> {
  await ensure(admin, "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: SYSTEM_NAMESPACE } });
  await grant(admin, "clusternet-hub", HubPermissions);
  await ensure(admin, "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: { name: "clusternet-hub-authentication-reader" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "extension-apiserver-authentication-reader" },
    subjects: [{ kind: "ServiceAccount", name: "clusternet-hub", namespace: SYSTEM_NAMESPACE }],
  });
  const services = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/services`;
  await ensure(admin, services, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "clusternet-hub" },
    spec: { ports: [{ name: "https", port: HUB_PORT, targetPort: HUB_PORT }] },
  });
  await ensure(admin, `/apis/discovery.k8s.io/v1/namespaces/${SYSTEM_NAMESPACE}/endpointslices`, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "clusternet-hub-1", labels: { "kubernetes.io/service-name": "clusternet-hub" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.244.0.1"], conditions: { ready: true } }],
    ports: [{ name: "https", port: HUB_PORT, protocol: "TCP" }],
  });
  await ensure(admin, "/apis/apiregistration.k8s.io/v1/apiservices", {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: apiServices.proxies },
    spec: {
      group: "proxies.clusternet.io",
      version: "v1alpha1",
      groupPriorityMinimum: 1000,
      versionPriority: 100,
      service: { name: "clusternet-hub", namespace: SYSTEM_NAMESPACE, port: HUB_PORT },
    },
  });
  const service = await admin.get<{ spec: { clusterIP: string } }>(`${services}/clusternet-hub`);
  if (service === undefined) throw new Error("The hub's Service is gone");
  return service.spec.clusterIP;
}

/** The child's identity at the parent, and the account in the child that may impersonate. */
export async function installAgentAccounts(
  parent: Pick<ControlPlane, "admin">,
  child: Pick<ControlPlane, "admin">,
  clusterId: string,
): Promise<void> {
  await attachRole(parent.admin, clusterId);
  await ensure(child.admin, "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: SYSTEM_NAMESPACE } });
  await grant(child.admin, "clusternet-proxy", ProxyPermissions);
}

export async function attachRole(admin: ApiClient, clusterId: string): Promise<void> {
  const name = `clusternet-${clusterId}`;
  await ensure(admin, `/api/v1/namespaces/${SYSTEM_NAMESPACE}/serviceaccounts`, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "clusternet-agent" },
  });
  await ensure(admin, "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name },
    rules: [
      {
        apiGroups: ["proxies.clusternet.io"],
        resources: ["sockets/attach"],
        resourceNames: [clusterId],
        verbs: ["get", "create"],
      },
    ],
  });
  await ensure(admin, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "ServiceAccount", name: "clusternet-agent", namespace: SYSTEM_NAMESPACE }],
  });
}

/** Lets a user or group use `verbs` on `resources` of a cluster. */
export async function allow(
  admin: ApiClient,
  { name, subject, rules }: { readonly name: string; readonly subject: object; readonly rules: readonly object[] },
): Promise<void> {
  await ensure(admin, "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name },
    rules,
  });
  await ensure(admin, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [subject],
  });
}

/** Let callers through to the children; what they may do there, the child decides. */
export const socketsProxyRules = [{ apiGroups: ["proxies.clusternet.io"], resources: ["sockets/proxy"], verbs: ["*"] }] as const;

export async function tokenOf(admin: ApiClient, account: string, namespace = SYSTEM_NAMESPACE): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3600 } };
  const { status } = await admin.create<{ status: { token: string } }>(path, body);
  return status.token;
}

export async function isAvailable(admin: ApiClient): Promise<boolean> {
  const service = await admin.get<{ status?: { conditions?: { type: string; status: string; message: string }[] } }>(
    `/apis/apiregistration.k8s.io/v1/apiservices/${apiServices.proxies}`,
  );
  const condition = service?.status?.conditions?.find(({ type }) => type === "Available");
  if (condition?.status === "True") return true;
  throw new Error(condition?.message ?? "no condition yet");
}

/** What clients of the hub's own address trust. */
export async function hubAuthority(admin: ApiClient): Promise<string> {
  const secret = await admin.get<{ data: Record<string, string> }>(
    `/api/v1/namespaces/${SYSTEM_NAMESPACE}/secrets/clusternet-hub-serving`,
  );
  return Buffer.from(secret?.data["ca.crt"] ?? "", "base64").toString();
}

/** An account with these rights, as installed. */
export async function grant(admin: ApiClient, name: string, permissions: Parameters<typeof accountObjects>[1]): Promise<void> {
  for (const object of accountObjects({ name, namespace: SYSTEM_NAMESPACE, labels: {} }, permissions)) {
    await ensure(admin, collectionOf(object), object);
  }
}

function collectionOf({
  apiVersion,
  kind,
  metadata,
}: {
  apiVersion: string;
  kind: string;
  metadata: { namespace?: string };
}): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const namespace = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `${root}${namespace}/${kind.toLowerCase()}s`;
}

async function ensure(admin: ApiClient, collection: string, object: object): Promise<void> {
  const { status, text } = await admin.request({ method: "POST", path: collection, body: object });
  if (status >= 300 && status !== 409) throw new Error(`POST ${collection}: ${String(status)} ${text}`);
}

export async function uidOf(admin: ApiClient, path: string): Promise<string> {
  const object = await admin.get<{ metadata: { uid: string } }>(path);
  if (object === undefined) throw new Error(`${path} is not there`);
  return object.metadata.uid;
}
