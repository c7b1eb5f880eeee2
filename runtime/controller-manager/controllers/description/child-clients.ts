// Clients of children for pushing: requests go through the hub, as our own account; the agent decides as whom they are carried out.
// The parent holds no credential of any child.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { socketProxyPath } from "#api/proxies/v1alpha1/socket.ts";
import { createClient, type Client } from "#kube/client.ts";
import type { Connection } from "#kube/connection.ts";
import { createDiscovery, type Discovery } from "#kube/discovery.ts";
import type { Clock } from "#std/clock.ts";

export interface Child {
  readonly client: Client;
  readonly discovery: Discovery;
}

export interface ChildClients {
  of(cluster: ManagedCluster): Child;
}

/** More children than this and the one that was asked for longest ago is forgotten; its discovery is read again. */
const CHILDREN_MAX = 10_000;

export interface ChildClientsOptions {
  readonly connection: Connection;
  readonly component: string;
  readonly clock: Clock;
}

export function createChildClients({ connection, component, clock }: ChildClientsOptions): ChildClients {
  const children = new Map<string, Child>();
  return {
    of: ({ spec: { clusterId } }) => {
      const known = children.get(clusterId);
      if (known !== undefined) return known;
      const client = createClient(throughHub(connection, clusterId), { component });
      const child: Child = { client, discovery: createDiscovery({ client, clock }) };
      const [oldest] = children.size >= CHILDREN_MAX ? children.keys() : [];
      if (oldest !== undefined) children.delete(oldest);
      children.set(clusterId, child);
      return child;
    },
  };
}

/** The same server, pool and credentials under a longer path. */
function throughHub(connection: Connection, clusterId: string): Connection {
  return {
    server: `${connection.server}${socketProxyPath(clusterId)}`,
    get dispatcher() {
      return connection.dispatcher;
    },
    ...(connection.caPem === undefined ? {} : { caPem: connection.caPem }),
    authorization: (signal) => connection.authorization(signal),
    forgetCredentials: () => {
      connection.forgetCredentials();
    },
    // The pool is the parent connection's.
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
