// The admission policies that registration rests on: what RBAC cannot say. Pure. (Rules and why: docs/contracts/registration.md.)

import { annotations, createdByValues, groups, labels, serviceAccounts, versions } from "#api/names.ts";
import { componentLabels, type InstallObject } from "./object.ts";

export function admissionObjects({ systemNamespace }: { readonly systemNamespace: string }): readonly InstallObject[] {
  return policies(systemNamespace).flatMap((policy) => [policyObject(policy), bindingObject(policy)]);
}

interface Policy {
  readonly name: string;
  readonly rules: readonly Rule[];
  /** All must hold, else the policy does not apply. */
  readonly conditions?: readonly { readonly name: string; readonly expression: string }[];
  readonly variables?: readonly { readonly name: string; readonly expression: string }[];
  readonly validations: readonly { readonly expression: string; readonly message: string }[];
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly ("CREATE" | "UPDATE" | "DELETE")[];
}

function policies(systemNamespace: string): readonly Policy[] {
  const controllerManager = {
    name: "is-the-controller-manager",
    expression: `request.userInfo.username == "system:serviceaccount:${systemNamespace}:${serviceAccounts.controllerManager}"`,
  };
  return [requestCreator, requestApproval, tokensOfChildrenOnly(controllerManager), namespacesOfChildrenOnly(controllerManager)];
}

const REQUESTS = {
  apiGroups: [groups.clusters],
  apiVersions: [versions.clusters],
  resources: ["clusterregistrationrequests"],
} as const;

/** `has` of an annotation, for objects that may have none at all. */
function annotation(object: "object" | "oldObject", key: string): string {
  return `(has(${object}.metadata.annotations) && '${key}' in ${object}.metadata.annotations ? ${object}.metadata.annotations['${key}'] : '')`;
}

/** (REG-1) A request says truly who made it, and goes on saying so. Upstream agents say nothing, and then need an administrator. */
const requestCreator: Policy = {
  name: "clusternet-registration-creator",
  rules: [{ ...REQUESTS, operations: ["CREATE", "UPDATE"] }],
  variables: [
    { name: "claimed", expression: annotation("object", annotations.requestedBy) },
    { name: "before", expression: `oldObject == null ? '' : ${annotation("oldObject", annotations.requestedBy)}` },
  ],
  validations: [
    {
      expression: "oldObject != null || variables.claimed == '' || variables.claimed == request.userInfo.username",
      message: `Annotation ${annotations.requestedBy} must be the name of the user who creates the request`,
    },
    {
      expression: "oldObject == null || variables.claimed == variables.before",
      message: `Annotation ${annotations.requestedBy} cannot be changed`,
    },
  ],
};

/** (REG-2) Only who may `approve` requests marks one as approved or refused. */
const requestApproval: Policy = {
  name: "clusternet-registration-approval",
  rules: [{ ...REQUESTS, operations: ["CREATE", "UPDATE"] }],
  variables: [
    { name: "wanted", expression: annotation("object", annotations.approved) },
    { name: "before", expression: `oldObject == null ? '' : ${annotation("oldObject", annotations.approved)}` },
  ],
  validations: [
    {
      expression:
        "variables.wanted == variables.before || " +
        `authorizer.group('${groups.clusters}').resource('clusterregistrationrequests').name(object.metadata.name).check('approve').allowed()`,
      message: `Annotation ${annotations.approved} may be set only by those who may "approve" clusterregistrationrequests`,
    },
  ],
};

/** Exists on namespaces made for a child, by a program or by the approver; the controller-manager cannot put it on another one. */
const IS_DEDICATED = `has(namespaceObject.metadata.annotations) && '${annotations.reservedFor}' in namespaceObject.metadata.annotations`;

/** (REG-3) Without this `serviceaccounts/token` would be every account of the parent. */
function tokensOfChildrenOnly(controllerManager: { readonly name: string; readonly expression: string }): Policy {
  return {
    name: "clusternet-tokens-of-children-only",
    rules: [
      { apiGroups: [""], apiVersions: ["v1"], resources: ["serviceaccounts/token"], operations: ["CREATE"] },
      // A Secret may be a token too (`--upstream-agents`).
      { apiGroups: [""], apiVersions: ["v1"], resources: ["secrets"], operations: ["CREATE", "UPDATE"] },
    ],
    conditions: [controllerManager],
    validations: [
      {
        expression: IS_DEDICATED,
        message: `The controller-manager may make tokens only in namespaces with the annotation ${annotations.reservedFor}`,
      },
    ],
  };
}

/** (REG-4) It deletes the namespaces that it made, and no other. */
function namespacesOfChildrenOnly(controllerManager: { readonly name: string; readonly expression: string }): Policy {
  return {
    name: "clusternet-namespaces-of-children-only",
    rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["namespaces"], operations: ["DELETE"] }],
    conditions: [controllerManager],
    validations: [
      {
        expression: `has(oldObject.metadata.labels) && '${labels.createdBy}' in oldObject.metadata.labels && oldObject.metadata.labels['${labels.createdBy}'] == '${createdByValues.agent}'`,
        message: `The controller-manager may delete only namespaces with the label ${labels.createdBy}=${createdByValues.agent}`,
      },
    ],
  };
}

const API_VERSION = "admissionregistration.k8s.io/v1";

function policyObject({ name, rules, conditions, variables, validations }: Policy): InstallObject {
  return {
    apiVersion: API_VERSION,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name, labels: componentLabels("controller-manager") },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: { resourceRules: rules },
      ...(conditions === undefined ? {} : { matchConditions: conditions }),
      ...(variables === undefined ? {} : { variables }),
      validations: validations.map((validation) => ({ ...validation, reason: "Forbidden" })),
    },
  };
}

function bindingObject({ name }: Policy): InstallObject {
  return {
    apiVersion: API_VERSION,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name, labels: componentLabels("controller-manager") },
    spec: { policyName: name, validationActions: ["Deny"] },
  };
}
