// Every kind that we define as a CustomResourceDefinition.

import { Base } from "./apps/v1alpha1/base.ts";
import { Description } from "./apps/v1alpha1/description.ts";
import { FeedInventory } from "./apps/v1alpha1/feed-inventory.ts";
import { Globalization } from "./apps/v1alpha1/globalization.ts";
import { HelmChart } from "./apps/v1alpha1/helm-chart.ts";
import { HelmRelease } from "./apps/v1alpha1/helm-release.ts";
import { Localization } from "./apps/v1alpha1/localization.ts";
import { Manifest } from "./apps/v1alpha1/manifest.ts";
import { Subscription } from "./apps/v1alpha1/subscription.ts";
import { ClusterRegistrationRequest } from "./clusters/v1beta1/cluster-registration-request.ts";
import { ManagedCluster } from "./clusters/v1beta1/managed-cluster.ts";
import type { Kind } from "./define-kind.ts";

export const kinds: readonly Kind[] = [
  Base,
  Description,
  FeedInventory,
  Globalization,
  HelmChart,
  HelmRelease,
  Localization,
  Manifest,
  Subscription,
  ClusterRegistrationRequest,
  ManagedCluster,
];
