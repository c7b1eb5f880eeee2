// What `import * as clusternet from "pulumi-clusternet"` gives: the components, and every kind as a typed resource.

export { Agent, type AgentArgs } from "#pulumi/components/agent.ts";
export { ChartPullSecret, type ChartPullSecretArgs } from "#pulumi/components/chart-pull-secret.ts";
export { ChildCluster, type ChildClusterArgs } from "#pulumi/components/child-cluster.ts";
export type { ClusterAccess } from "#pulumi/components/cluster.ts";
export { ClusterApiIntegration, type ClusterApiIntegrationArgs } from "#pulumi/components/cluster-api-integration.ts";
export {
  ClusternetFleet,
  type ClusternetFleetArgs,
  type FleetChildArgs,
  type FleetParentArgs,
} from "#pulumi/components/clusternet-fleet.ts";
export type { ComponentArgs } from "#pulumi/components/component-args.ts";
export { ControlPlane, type ControlPlaneArgs } from "#pulumi/components/control-plane.ts";
export { ControllerManager, type ControllerManagerArgs } from "#pulumi/components/controller-manager.ts";
export { Crds, type CrdsArgs } from "#pulumi/components/crds.ts";
export type {
  FleetChartPullSecretArgs,
  FleetGlobalizationArgs,
  FleetLocalizationArgs,
  FleetSubscriptionArgs,
} from "#pulumi/components/fleet-delivery.ts";
export type { FleetQuestion } from "#pulumi/components/fleet-explanation.ts";
export { Hub, type HubArgs } from "#pulumi/components/hub.ts";
export {
  Base,
  ClusterRegistrationRequest,
  conditionOf,
  Description,
  FeedInventory,
  Globalization,
  HelmChart,
  HelmRelease,
  Localization,
  ManagedCluster,
  Manifest,
  Subscription,
  type GlobalizationArgs,
  type LocalizationArgs,
  type ResourceCondition,
  type SubscriptionArgs,
} from "#pulumi/components/kinds.ts";
export { showProgress, type ProgressOptions } from "#pulumi/components/progress.ts";
export type { PredictorPort } from "#install/predictor.ts";
export { Scheduler, type SchedulerArgs } from "#pulumi/components/scheduler.ts";
export type { Template, TemplateArgs } from "#pulumi/components/templates.ts";
export {
  divideByCapacity,
  divideByWeight,
  type DivideByCapacityArgs,
  type DivideByWeightArgs,
  type PreferredClusters,
  type SpreadEvenly,
} from "#pulumi/dividing.ts";
export { explainValue, type ExplainedValue, type ExplainValueArgs } from "#pulumi/explain-value.ts";
export {
  helmChart,
  helmValues,
  jsonPatch,
  mergePatch,
  pointer,
  textJsonPatch,
  textMergePatch,
  type Patch,
  type PatchOperation,
  type PatchOptions,
  type PatchTable,
  type TextField,
} from "#pulumi/overrides.ts";
