// The root stack program: `pulumi config set` describes the fleet, `pulumi up` makes it. pulumi/config.ts lists the settings.

import * as pulumi from "@pulumi/pulumi";
import { ClusternetFleet } from "#pulumi/components/clusternet-fleet.ts";
import { fleetFromConfig } from "#pulumi/config.ts";

const fleet = new ClusternetFleet("fleet", fleetFromConfig(new pulumi.Config()));

export const children = fleet.children.map(({ clusterName }) => clusterName);
