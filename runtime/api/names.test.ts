// Every string that upstream's parts, manifests and users know must be spelled here exactly so; written by hand from the facts.

import { expect, test } from "@jest/globals";

import * as eventReasons from "./event-reasons.ts";
import * as names from "./names.ts";

const known = [
  "apps.clusternet.io",
  "clusters.clusternet.io",
  "proxies.clusternet.io",
  "v1alpha1.proxies.clusternet.io",
  "v1alpha1.shadow",
  "clusternet.shadow",
  // labels
  "clusters.clusternet.io/registered-by",
  "clusters.clusternet.io/cluster-id",
  "clusters.clusternet.io/cluster-name",
  "clusters.clusternet.io/bootstrapping",
  "credentials-auto",
  "rbac-defaults",
  "clusternet.io/created-by",
  "clusternet-agent",
  "clusternet-hub",
  "clusternet-controller-manager",
  "apps.clusternet.io/config.group",
  "apps.clusternet.io/config.version",
  "apps.clusternet.io/config.kind",
  "apps.clusternet.io/config.name",
  "apps.clusternet.io/config.namespace",
  "apps.clusternet.io/config.uid",
  "apps.clusternet.io/subs.uid",
  "apps.clusternet.io/subs.name",
  "apps.clusternet.io/subs.namespace",
  "services.clusternet.io/multi-cluster-service-name",
  "services.clusternet.io/multi-cluster-service-namespace",
  "node.clusternet.io/",
  // annotations
  "clusternet.io/autoupdate",
  "apps.clusternet.io/feed-protection",
  "apps.clusternet.io/skip-validating",
  "apps.clusternet.io/owned-by-description",
  "clusternet.io/last-applied-configuration",
  "apps.clusternet.io/is-default-cluster-init",
  "apps.clusternet.io/cluster-init-base",
  "clusters.clusternet.io/skip-cluster-init",
  "legacy-cluster-id",
  "k8s.io/initial-events-end",
  // finalizers, taints, conditions
  "apps.clusternet.io/finalizer",
  "clusters.clusternet.io/unschedulable",
  "clusters.clusternet.io/initialization",
  "Ready",
  "ClusterInit",
  "ManagedClusterReady",
  "ManagedClusterNotReady",
  "ClusterStatusNeverUpdated",
  "ClusterStatusUnknown",
  "ClusterInitWaiting",
  "ClusterInitDisabled",
  "ClusterInitDone",
  // namespaces, Secrets, accounts, Leases
  "clusternet-system",
  "clusternet-reserved",
  "clusternet-mcs",
  "capi-system",
  "clusternet-",
  "clusternet-agent-cluster-registration",
  "parentURL",
  "regToken",
  "parent-cluster",
  "ca.crt",
  "token",
  "namespace",
  "apiserver-advertise-url",
  "service-account.name",
  "service-account.uid",
  "clusternet-app-deployer",
  "child-cluster-deployer",
  "clusternet-hub-proxy",
  "clusternet-cluster-api",
  "cluster-bootstrap-use",
  "system:bootstrappers:clusternet:register-cluster-token",
  "clusternet-scheduler",
  "clusternet-hub-peer-",
  // roles
  "clusternet:system:bootstrapping",
  "clusternet:system:bootstrapping:sa",
  "clusternet:system:socketsproxy",
  "clusternet:hub",
  "clusternet:controller-manager",
  "clusternet:scheduler",
  "clusternet:scheduler:predictor",
  "clusternet:agent:admin",
  "clusternet:app:deployer",
  // headers
  "clusternet-token",
  "clusternet-certificate",
  "clusternet-privatekey",
  "x-api-tunnel-id",
  "x-api-tunnel-token",
  "cluster-id",
  // events, with upstream's spelling
  "clusternet-predictor",
  ...["AggregateStatus", "BaseCreated", "BaseUpdated", "DescriptionCreated", "DescriptionUpdated", "FeedInventorySynced"],
  ...["FinalizerInjected", "HelmReleaseUpdated", "HelmReleasesCreated", "SuccessfullyDeployed", "SuccessfullyPruningFeed"],
  ...["Synced", "Scheduled", "BadSchedulingResult", "ChartLocateFailure", "FailedAggregateStatus", "FailedApplyingOverrides"],
  ...["FailedDeletingDescription", "FailedInjectingFinalizer", "FailedMarshalingResource", "FailedRetrievingObjects"],
  ...["FailedScheduling", "FailedSynced", "FailedSyncingBase", "FailedSyncingDescription", "FailedSyncingLocalization"],
  ...[
    "FailedUpdatingClusterStatus",
    "FeedInventoryNotSynced",
    "HelmChartNotFound",
    "HelmReleaseFailure",
    "InvalidOverridePolicy",
  ],
  ...["ManagedClusterNotFound", "MultipleBases", "MultipleLocalizations", "ReplicaJsonPathUnset", "UnParseableFeeds"],
  ...["UnSuccessfullyDeployed", "UnequalLengths", "UnsuccessfullyPruningFeed", "VerifyingHelmChart"],
  // kubeconfigs
  "clusternet",
  "clusternet-cluster",
];

test.each(known)("%s", (text) => {
  const all = [...Object.values(names), ...Object.values(eventReasons)]
    .flatMap((group): unknown[] => (typeof group === "object" ? Object.values(group) : [group]))
    .flat();
  expect(all).toContain(text);
});

test("events about feeds that do not exist", () => {
  expect(eventReasons.nonexistentEventReason("HelmChart")).toBe("NonexistentHelmChart");
});
