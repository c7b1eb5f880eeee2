// ClusterIP:port -> the processes behind the Service: what kube-proxy does, with listeners in this process instead of kernel rules.
//
// Everything in the cluster that dials a ClusterIP, kube-aggregator above all, arrives here. An address is listened on while the
// Service has ready endpoints and refuses connections otherwise, as with kube-proxy.

import type { Service } from "kubernetes-types/core/v1.js";
import type { EndpointSlice } from "kubernetes-types/discovery/v1.js";
import { realClock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import { connectApiClient } from "#test/framework/api-client.ts";
import type { ControlPlaneAccess } from "#test/framework/control-plane.ts";
import { reflect } from "#test/framework/process-node/reflector.ts";
import { routesOf, type Route } from "#test/framework/service-proxy/service-table.ts";
import { startTcpRelay, type TcpRelay } from "#test/framework/service-proxy/tcp-relay.ts";

export interface ServiceProxy extends AsyncDisposable {
  /** Why an address cannot be listened on, by `namespace/name:port`: usually a port below 1024 as an ordinary user. */
  readonly problems: ReadonlyMap<string, string>;
}

/** Changes come in bursts: a rollout touches a Service's slices several times. */
const SETTLE_MS = 20;

export async function startServiceProxy(controlPlane: Pick<ControlPlaneAccess, "adminKubeconfig">): Promise<ServiceProxy> {
  const client = await connectApiClient(controlPlane.adminKubeconfig);
  const stopping = new AbortController();
  const { signal } = stopping;
  const table = new RelayTable();
  let dirty: Promise<void> | undefined;
  const changed = (): void => {
    dirty ??= realClock.sleep(SETTLE_MS, signal).then(async () => {
      dirty = undefined;
      if (!signal.aborted) await table.update(routesOf(services.list(), slices.list()));
    });
  };
  const services = reflect<Service>({ client, path: "/api/v1/services", changed }, signal);
  const slices = reflect<EndpointSlice>({ client, path: "/apis/discovery.k8s.io/v1/endpointslices", changed }, signal);
  await Promise.all([services.synced, slices.synced]);
  return {
    problems: table.problems,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await Promise.all([services.ended, slices.ended, dirty]);
      await table.update(new Map());
      await client[Symbol.asyncDispose]();
    },
  };
}

/** The listeners, changed one wanted state after the other. */
class RelayTable {
  readonly #relays = new Map<string, TcpRelay>();
  readonly problems = new Map<string, string>();
  #last: Promise<void> = Promise.resolve();

  update(routes: ReadonlyMap<string, Route>): Promise<void> {
    this.#last = this.#last.then(() => this.#apply(routes));
    return this.#last;
  }

  async #apply(routes: ReadonlyMap<string, Route>): Promise<void> {
    for (const [address, relay] of [...this.#relays]) {
      if (routes.has(address)) continue;
      this.#relays.delete(address);
      await relay[Symbol.asyncDispose]();
    }
    for (const [address, route] of routes) {
      const relay = this.#relays.get(address);
      if (relay !== undefined) relay.setBackends(route.backends);
      else await this.#listen(address, route);
    }
  }

  async #listen(address: string, route: Route): Promise<void> {
    try {
      this.#relays.set(address, await startTcpRelay(route, route.backends));
      this.problems.delete(route.service);
    } catch (error) {
      // Tried again with the next change; a test that needs the address sees the connection refused and finds the reason here.
      this.problems.set(route.service, errorChain(error));
    }
  }
}
