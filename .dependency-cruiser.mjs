// Which folder may import which: the layers of ARCHITECTURE.md as rules. `npm run check` runs them.

const component = "^(runtime/(hub|agent|scheduler|controller-manager|cli)|cluster-api-integration)/";

/** A folder and the only other folders of ours that it may import. */
const layers = [
  ["^runtime/std/", []],
  ["^runtime/api/", []],
  ["^runtime/tunnel/", ["std"]],
  ["^runtime/kube/", ["api", "std"]],
  ["^runtime/delivery/", ["kube", "api", "std"]],
  ["^runtime/install/", ["api", "std"]],
  ["^runtime/hub/", ["tunnel", "kube", "api", "std"]],
  ["^runtime/agent/", ["tunnel", "delivery", "kube", "api", "std"]],
  ["^runtime/scheduler/", ["kube", "api", "std"]],
  ["^runtime/controller-manager/", ["delivery", "kube", "api", "std"]],
  ["^runtime/cli/", ["delivery", "kube", "api", "std", "scheduler"]],
  ["^cluster-api-integration/", ["install", "kube", "api", "std"]],
  ["^pulumi/", ["delivery", "install", "kube", "api", "std", "scheduler"]],
];

const layerRules = layers.map(([from, allowed]) => {
  const self = from.slice(1);
  const permissions = from === "^runtime/install/" ? `|(${component.slice(1)}permissions\\.ts)` : "";
  const allowedPaths = allowed.map((folder) => `runtime/${folder}/`);
  return {
    name: `layer of ${self}`,
    comment: `${self} may import only itself and: ${allowed.join(", ") || "nothing of ours"}`,
    severity: "error",
    from: { path: from, pathNot: "\\.test\\.ts$" },
    to: {
      path: "^(runtime|pulumi|cluster-api-integration|test|tools)/",
      pathNot: `^(${[self, ...allowedPaths].join("|")}${permissions})`,
    },
  };
});

const oneHome = (packages, homes, why) => ({
  name: `one home of ${packages}`,
  comment: why,
  severity: "error",
  from: { path: "^(runtime|pulumi|cluster-api-integration)/", pathNot: `(\\.test\\.ts$|${homes})` },
  to: { path: `^node_modules/(${packages})/`, dependencyTypesNot: ["type-only"] },
});

export default {
  forbidden: [
    { name: "no cycles", severity: "error", from: {}, to: { circular: true } },
    ...layerRules,
    {
      name: "the cli and programs decide, and schedule nothing",
      comment: "They ask the scheduler's pure files what they would decide; only the scheduler acts",
      severity: "error",
      from: { path: "^(runtime/cli|pulumi)/" },
      to: { path: "^runtime/scheduler/(main|scheduler|options|permissions|cycle|queue|bind|wake)\\.ts$" },
    },
    {
      name: "main.ts is an entry",
      comment: "A process entry is started, never imported; only runtime/main.ts chooses among them",
      severity: "error",
      from: { pathNot: "^runtime/main\\.ts$" },
      to: { path: "/main\\.ts$" },
    },
    {
      name: "pure files stay pure",
      comment: "They are told the time and given the world: no I/O, no clock, no Kubernetes client",
      severity: "error",
      from: {
        path: "/(plan|schedule|score|snapshot|decision|scheduled-condition|explain-placement|placement-text|profile|profiles|default-plugins|frame|flow-control|handshake|render|overrides|apply-patch|json-patch|merge-patch|field-patch|field-text-yaml|helm-values|patch-value|override-report|explain|explain-text|summarize|selector|crd|openapi|request-info|proxy-target|access-policy|cluster-status|contract|identity)\\.ts$",
      },
      to: {
        path: "^(node:|net$|fs$|http$|https$|child_process$|runtime/std/(clock|log|metrics|health-server)\\.ts|runtime/kube/(client|connection|informer)\\.ts)",
        dependencyTypesNot: ["type-only"],
      },
    },
    oneHome("@pulumi/[^/]+", "^pulumi/", "Pulumi is known in pulumi/ only"),
    oneHome("commander", "^runtime/(std/options|cli/)", "Flags are parsed by #std/options.ts"),
    oneHome("pino", "^runtime/std/log", "Logs go through #std/log.ts"),
    oneHome("prom-client", "^runtime/std/metrics", "Metrics go through #std/metrics.ts"),
    oneHome("@peculiar/x509", "^runtime/std/certificates", "Certificates are made by #std/certificates.ts"),
    oneHome("ws", "^runtime/tunnel/websocket-transport", "WebSockets are the tunnel's transport"),
    oneHome("express", "^runtime/hub/", "Only the hub serves an API"),
    oneHome("@kubernetes/client-node", "^runtime/kube/", "Kubeconfig and its credentials are read in runtime/kube"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|node_modules/\\.)" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
