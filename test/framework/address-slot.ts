// Leases a slot of loopback addresses, so that no two test beds on this machine ever use the same one.
//
// A lease is a listening socket in Linux's abstract namespace: the kernel gives a name to one process only, of whatever user, and takes
// it back when that process dies, however it dies. Nothing can go stale, and the names are as wide as the loopback interface itself
// (both belong to the network namespace).

import { createServer, type Server } from "node:net";
import { once } from "node:events";

/** Service addresses are 127.(20+slot).x.x; pods of a slot listen on 127.244.slot.x. */
const SLOT_COUNT = 200;
const FIRST_SERVICE_OCTET = 20;
/** The pair of a pod address: the API refuses loopback addresses in EndpointSlices, processes can only listen on them. */
const POD_API_PREFIX = "10.244";
const POD_LISTEN_PREFIX = "127.244";
/** Addresses a.b with b from 1 to 199 are for pods, from 200 to 254 for servers that a test runs itself. */
export const POD_HOST_MAX = 199;
export const TEST_HOST_FIRST = 200;
export const TEST_HOST_MAX = 253;

export interface PodAddress {
  /** What the API shows: 10.244.a.b. Never dial it. */
  readonly api: string;
  /** Where the process listens: 127.244.a.b. */
  readonly listen: string;
}

export interface AddressSlot extends AsyncDisposable {
  readonly slot: number;
  /** kube-apiserver, etcd and the other servers of the control plane listen here. */
  readonly host: string;
  readonly serviceRange: string;
  /** The ClusterIP of the `kubernetes` Service. */
  readonly kubernetesServiceAddress: string;
  podAddress(host: number): PodAddress;
}

export async function leaseAddressSlot(): Promise<AddressSlot> {
  // Starting at different places keeps a slot unused for a while after its owner was killed, until its processes are gone too.
  const start = process.pid % SLOT_COUNT;
  for (let offset = 0; offset < SLOT_COUNT; offset += 1) {
    const slot = (start + offset) % SLOT_COUNT;
    const lease = await tryListen({ path: `\0clusternet-testbed-slot-${String(slot)}` });
    if (lease === undefined) continue;
    if (await isQuiet(hostOf(slot))) return addressSlot(slot, lease);
    await close(lease);
  }
  throw new Error(`All ${String(SLOT_COUNT)} address slots of this machine are in use by test beds`);
}

/** The first of the ports from `preferred` on that nobody listens on at `host`, not even through a wildcard address. */
export async function freePort(host: string, preferred: number): Promise<number> {
  const server = (await tryListen({ host, port: preferred })) ?? (await tryListen({ host, port: 0 }));
  if (server === undefined) throw new Error(`No free port at ${host}`);
  const address = server.address();
  await close(server);
  return typeof address === "object" && address !== null ? address.port : preferred;
}

/** 10.244.a.b -> 127.244.a.b; undefined for an address that no process of a test bed can have. */
export function listenAddressOf(apiAddress: string): string | undefined {
  return apiAddress.startsWith(`${POD_API_PREFIX}.`) ? POD_LISTEN_PREFIX + apiAddress.slice(POD_API_PREFIX.length) : undefined;
}

function addressSlot(slot: number, lease: Server): AddressSlot {
  const octet = String(FIRST_SERVICE_OCTET + slot);
  return {
    slot,
    host: hostOf(slot),
    serviceRange: `127.${octet}.0.0/20`,
    kubernetesServiceAddress: `127.${octet}.0.1`,
    podAddress: (host) => {
      const tail = `${String(slot)}.${String(host)}`;
      return { api: `${POD_API_PREFIX}.${tail}`, listen: `${POD_LISTEN_PREFIX}.${tail}` };
    },
    [Symbol.asyncDispose]: () => close(lease),
  };
}

/** Outside the service range of the slot. */
function hostOf(slot: number): string {
  return `127.${String(FIRST_SERVICE_OCTET + slot)}.255.1`;
}

/** Processes of an owner that was killed a moment ago may still hold their ports. */
async function isQuiet(host: string): Promise<boolean> {
  for (const port of [2379, 6443]) {
    const server = await tryListen({ host, port });
    if (server !== undefined) await close(server);
    // A wildcard listener of somebody else holds the port for good; then freePort finds another one.
    else if (await tryListen({ host: "127.0.0.1", port }).then(closeIfOpen)) return false;
  }
  return true;
}

async function closeIfOpen(server: Server | undefined): Promise<boolean> {
  if (server !== undefined) await close(server);
  return server !== undefined;
}

async function tryListen(
  where: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen({ ...where, exclusive: true });
    await once(server, "listening");
  } catch {
    return undefined;
  }
  server.unref();
  return server;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
