// Why a Subscription is not divided, or not as asked.

/** Reasons of condition `Scheduled` of a Subscription that is divided. */
export type DividingReason =
  | "InventoryMissing" // waits: the FeedInventory that says how many replicas to divide is not there yet
  | "InventoryStale" // waits: the FeedInventory is about other feeds than the Subscription
  | "NoWeights" // refused: Static, and no subscriber has a weight above 0
  | "NoDynamicDividing" // refused: Dynamic without dynamicDividing
  | "NoClusterAllowed" // refused: maxClusters below 1, which would unbind all
  | "CapacityUnknown" // waits: Dynamic, and no cluster has said yet what it could take, or too few have
  | "Preempted" // bound, but a higher priority took room, and not all of that fits elsewhere; tried again as ReplicasNotPlaced is
  | "AwaitingPreemption" // bound as far as there is room; lower priorities give room for the rest, and it is placed as soon as that is free
  | "ReplicasNotPlaced" // bound, but not all replicas are placed; tried again when clusters or their room change
  | "SpreadNotMet"; // all replicas are placed, but on fewer clusters or less evenly than asked for
