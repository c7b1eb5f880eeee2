// A control plane with the nodes that a test asks for: pods as processes, fake nodes, and the service proxy.

import { TEST_HOST_FIRST, TEST_HOST_MAX, type PodAddress } from "#test/framework/address-slot.ts";
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from "#test/framework/control-plane.ts";
import { startFakeNodes, type FakeNodes, type FakeNodesOptions } from "#test/framework/fake-nodes.ts";
import { startProcessNode, type ProcessNode, type ProcessNodeOptions } from "#test/framework/process-node.ts";
import { startServiceProxy, type ServiceProxy } from "#test/framework/service-proxy.ts";

export interface ClusterOptions extends ControlPlaneOptions {
  /** Default: true. */
  readonly processNode?: boolean | ProcessNodeOptions;
  /** Default: none. */
  readonly fakeNodes?: FakeNodesOptions;
}

export interface Cluster extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  readonly processNode: ProcessNode | undefined;
  readonly fakeNodes: FakeNodes | undefined;
  readonly serviceProxy: ServiceProxy;
  /** An address pair for a server that the test itself runs and publishes in an EndpointSlice. */
  serverAddress(): PodAddress;
}

export async function startCluster(
  { processNode = true, fakeNodes, ...options }: ClusterOptions = {},
  signal?: AbortSignal,
): Promise<Cluster> {
  await using stack = new AsyncDisposableStack();
  const controlPlane = stack.use(await startControlPlane(options, signal));
  const serviceProxy = stack.use(await startServiceProxy(controlPlane));
  const fake = fakeNodes === undefined ? undefined : stack.use(await startFakeNodes(controlPlane, fakeNodes));
  const nodeOptions = typeof processNode === "boolean" ? {} : processNode;
  const bindPods = options.scheduler !== true;
  const node = processNode === false ? undefined : stack.use(await startProcessNode(controlPlane, { bindPods, ...nodeOptions }));
  signal?.throwIfAborted();
  let nextHost = TEST_HOST_FIRST;
  const owned = stack.move();
  return {
    controlPlane,
    serviceProxy,
    processNode: node,
    fakeNodes: fake,
    serverAddress: () => {
      if (nextHost > TEST_HOST_MAX)
        throw new Error(`A cluster has addresses for ${String(TEST_HOST_MAX - TEST_HOST_FIRST + 1)} test servers`);
      nextHost += 1;
      return controlPlane.addresses.podAddress(nextHost - 1);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
