// Ports of a node that pods take: which a template asks for, and whether a node has them free. Pure.

import type { JsonObject } from "#delivery/json.ts";
import { hostPortsOf, type HostPort } from "#delivery/pod-place.ts";

const EVERY_ADDRESS = "0.0.0.0";

/** `TCP 8080 10.0.0.1`; an address that is not said is every one. */
export function portKeysOf(pod: JsonObject): readonly string[] {
  return hostPortsOf(pod).map(keyOf);
}

export function keyOf({ port, protocol = "TCP", hostIP = EVERY_ADDRESS }: HostPort): string {
  return `${protocol} ${String(port)} ${hostIP === "" ? EVERY_ADDRESS : hostIP}`;
}

/** As kube-scheduler: one port of one protocol is taken once for each address, and once for all of them together. */
export function areFree(wanted: readonly string[], taken: Iterable<string>): boolean {
  const held = [...taken].map(partsOf);
  return wanted
    .map(partsOf)
    .every(
      (want) =>
        !held.some(
          (each) =>
            each.port === want.port &&
            (each.address === want.address || each.address === EVERY_ADDRESS || want.address === EVERY_ADDRESS),
        ),
    );
}

function partsOf(key: string): { readonly port: string; readonly address: string } {
  const at = key.lastIndexOf(" ");
  return { port: key.slice(0, at), address: key.slice(at + 1) };
}
