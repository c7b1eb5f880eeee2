// How many replicas a node may attach the volumes of: CSINode says how many volumes of each driver it takes. Pure.
//
// (VOL-1) Never more than kube-scheduler allows: a claim whose driver is not known counts against every driver of the node, one that runs
//         there too, once for each node.

import { leastOf, wholes, type Room } from "./amounts.ts";

/** What a replica mounts. */
export interface VolumeNeed {
  /** Claims of its own, by the driver of their class; undefined: not known. */
  readonly own: ReadonlyMap<string | undefined, bigint>;
  /** Claims that all replicas share, as `namespace/name`. */
  readonly shared: readonly string[];
}

export interface VolumeNode {
  /** Driver -> most volumes; who is not in it takes any number. */
  readonly attachable: ReadonlyMap<string, bigint>;
  /** `namespace/name` of the claims that its pods mount. */
  readonly claims: ReadonlySet<string>;
}

const SCARCE = "volumes";

export function volumeRoom({ own, shared }: VolumeNeed, { attachable, claims }: VolumeNode): Room {
  const unknown = own.get(undefined) ?? 0n;
  const once = BigInt(new Set(shared.filter((claim) => !claims.has(claim))).size);
  return leastOf(
    [...attachable].flatMap(([driver, most]) => {
      const left = most - BigInt(claims.size) - once;
      const each = unknown + (own.get(driver) ?? 0n);
      if (each > 0n) return [{ replicas: wholes(left, each), scarce: SCARCE }];
      // Shared only: attached once for all of them.
      return once > 0n && left < 0n ? [{ replicas: 0n, scarce: SCARCE }] : [];
    }),
  );
}

export interface StorageClassFact {
  readonly name: string;
  readonly provisioner: string;
  readonly isDefault: boolean;
}

/** The driver of a class; undefined: there is no such class here. */
export function driverOf(storageClassName: string | undefined, classes: readonly StorageClassFact[]): string | undefined {
  const found = classes.find(({ name, isDefault }) => (storageClassName === undefined ? isDefault : name === storageClassName));
  return found?.provisioner;
}
