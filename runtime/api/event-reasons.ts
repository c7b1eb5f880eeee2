// Reasons of our Events.

/** Spelled as upstream spells them, oddities included. */
export const normalEventReasons = {
  aggregateStatus: "AggregateStatus",
  baseCreated: "BaseCreated",
  baseUpdated: "BaseUpdated",
  descriptionCreated: "DescriptionCreated",
  descriptionUpdated: "DescriptionUpdated",
  /** Ours. */
  driftCorrected: "DriftCorrected",
  /** Ours. */
  failover: "Failover",
  feedInventorySynced: "FeedInventorySynced",
  finalizerInjected: "FinalizerInjected",
  helmReleaseUpdated: "HelmReleaseUpdated",
  helmReleasesCreated: "HelmReleasesCreated",
  /** Ours. */
  rebalancePlanned: "RebalancePlanned",
  /** Ours. */
  rebalanced: "Rebalanced",
  successfullyDeployed: "SuccessfullyDeployed",
  successfullyPruningFeed: "SuccessfullyPruningFeed",
  synced: "Synced",
  scheduled: "Scheduled",
  /** Ours. */
  preempting: "Preempting",
} as const;

export const warningEventReasons = {
  badSchedulingResult: "BadSchedulingResult",
  chartLocateFailure: "ChartLocateFailure",
  /** Ours. */
  deletionBlocked: "DeletionBlocked",
  /** Ours. */
  dependenciesMissing: "DependenciesMissing",
  /** Ours. */
  drifted: "Drifted",
  /** Ours. */
  failoverHeld: "FailoverHeld",
  /** Ours. */
  failoverStarted: "FailoverStarted",
  failedAggregateStatus: "FailedAggregateStatus",
  failedApplyingOverrides: "FailedApplyingOverrides",
  failedDeletingDescription: "FailedDeletingDescription",
  failedInjectingFinalizer: "FailedInjectingFinalizer",
  failedMarshalingResource: "FailedMarshalingResource",
  failedRetrievingObjects: "FailedRetrievingObjects",
  failedScheduling: "FailedScheduling",
  failedSynced: "FailedSynced",
  failedSyncingBase: "FailedSyncingBase",
  failedSyncingDescription: "FailedSyncingDescription",
  failedSyncingLocalization: "FailedSyncingLocalization",
  /** Ours. */
  invalidInterpreter: "InvalidInterpreter",
  failedUpdatingClusterStatus: "FailedUpdatingClusterStatus",
  feedInventoryNotSynced: "FeedInventoryNotSynced",
  helmChartNotFound: "HelmChartNotFound",
  helmReleaseFailure: "HelmReleaseFailure",
  invalidOverridePolicy: "InvalidOverridePolicy",
  managedClusterNotFound: "ManagedClusterNotFound",
  multipleBases: "MultipleBases",
  multipleLocalizations: "MultipleLocalizations",
  /** Ours. */
  rebalanceStopped: "RebalanceStopped",
  /** Ours. */
  preempted: "Preempted",
  replicaJsonPathUnset: "ReplicaJsonPathUnset",
  unParseableFeeds: "UnParseableFeeds",
  unSuccessfullyDeployed: "UnSuccessfullyDeployed",
  unequalLengths: "UnequalLengths",
  unsuccessfullyPruningFeed: "UnsuccessfullyPruningFeed",
  verifyingHelmChart: "VerifyingHelmChart",
} as const;

/** A feed of this kind does not exist. */
export function nonexistentEventReason(kind: string): string {
  return `Nonexistent${kind}`;
}
