// What clusters could take beside what they run: asked before a decision, which only reads the answers. Pure.

export type CapacityAnswer =
  | {
      readonly type: "fits";
      readonly replicas: number;
      /** By topology key, then by its value: `{zone: {a: 3, b: 2}}`. */
      readonly byTopology?: Readonly<Record<string, Readonly<Record<string, number>>>>;
      /** Why nodes take no replica, and how many for each reason. For people. */
      readonly unfit?: Readonly<Record<string, number>>;
    }
  /** Nobody knows: the cluster did not answer. Never counted as zero. */
  | { readonly type: "silent"; readonly reason: string };

/** What each cluster could take of each feed, beside what it runs of it already. */
export interface Capacities {
  /** undefined: nobody was asked. */
  of(cluster: string, feed: string): CapacityAnswer | undefined;
}

export const noCapacities: Capacities = { of: () => undefined };
