// Why a Subscription is not divided, or not as asked: reasons of its condition Scheduled.

export type DividingReason =
  /** Waits: the FeedInventory that says how many replicas to divide is not there yet. */
  | "InventoryMissing"
  /** Waits: the FeedInventory is about other feeds than the Subscription. */
  | "InventoryStale"
  /** Refused: Static, and no subscriber has a weight above 0. */
  | "NoWeights"
  /** Refused: Dynamic without dynamicDividing. */
  | "NoDynamicDividing"
  /** Waits: Dynamic, and no cluster has said yet what it could take. */
  | "CapacityUnknown"
  /** Bound, but not all replicas are placed. */
  | "ReplicasNotPlaced"
  /** All replicas are placed, but on fewer clusters or less evenly than asked for. */
  | "SpreadNotMet";
