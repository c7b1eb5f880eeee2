// The RBAC rules the hub needs, as data. It never acts for a caller with its own rights: it asks what the caller may do.

import { apiServices, groups } from "#api/names.ts";
import type { ComponentPermissions } from "#api/rbac.ts";
import { SERVING_SECRET_NAME } from "./serving-authority.ts";

export const HubPermissions: ComponentPermissions = {
  clusterRules: [
    { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
    { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
    // To say whether an id is unknown or its agent is away, and since when.
    { apiGroups: [groups.clusters], resources: ["managedclusters"], verbs: ["get", "list", "watch"] },
    // `spec.caBundle` is the hub's; the rest of the object is the program's.
    {
      apiGroups: ["apiregistration.k8s.io"],
      resources: ["apiservices"],
      verbs: ["get", "list", "watch", "patch"],
      resourceNames: [apiServices.proxies],
    },
  ],
  namespaceRules: [
    {
      apiGroups: [""],
      resources: ["secrets"],
      verbs: ["get", "list", "watch", "update"],
      resourceNames: [SERVING_SECRET_NAME],
    },
    // A create cannot be limited by name.
    { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
  ],
  // The ConfigMap with the front proxy's authority is granted by the cluster's own role extension-apiserver-authentication-reader.
};
