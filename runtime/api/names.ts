// Every string that other parties see: API groups, label and annotation keys, finalizers, taints, conditions, and the names of
// namespaces, Secrets, Leases and roles. "Ours" marks what upstream Clusternet does not have. No other file spells one of these.

export const groups = {
  apps: "apps.clusternet.io",
  clusters: "clusters.clusternet.io",
  proxies: "proxies.clusternet.io",
  /** The shadow API has no dot in its group: discovery of `shadow/v1alpha1`. */
  shadow: "shadow",
} as const;

export const versions = {
  apps: "v1alpha1",
  clusters: "v1beta1",
  proxies: "v1alpha1",
  shadow: "v1alpha1",
} as const;

/** Names of the APIService objects; they are static, the hub only writes their caBundle. */
export const apiServices = {
  proxies: "v1alpha1.proxies.clusternet.io",
  shadow: "v1alpha1.shadow",
} as const;

/** `kubectl get clusternet` lists every kind of ours; shadow kinds are in a category of their own. */
export const categories = {
  clusternet: "clusternet",
  shadow: "clusternet.shadow",
} as const;

// --- Labels -----------------------------------------------------------------------------------------------------------------------

export const labels = {
  /** `clusternet-agent`, on a ClusterRegistrationRequest. For people. */
  registeredBy: "clusters.clusternet.io/registered-by",
  /** Child's uid: on requests, namespaces, ManagedClusters, accounts, per-child RBAC, Bases, Descriptions, HelmReleases, Secrets. */
  clusterId: "clusters.clusternet.io/cluster-id",
  /** Name of the ManagedCluster, on the same objects as `clusterId`. */
  clusterName: "clusters.clusternet.io/cluster-name",
  /** See `bootstrappingValues`. For people. */
  bootstrapping: "clusters.clusternet.io/bootstrapping",
  /** See `createdByValues`: which component made the object, not which process. */
  createdBy: "clusternet.io/created-by",

  /** Where a Manifest's template comes from; for HelmChart its own; Base: Subscription; Description: Base; HelmRelease: Description. */
  configGroup: "apps.clusternet.io/config.group",
  configVersion: "apps.clusternet.io/config.version",
  configKind: "apps.clusternet.io/config.kind",
  configName: "apps.clusternet.io/config.name",
  configNamespace: "apps.clusternet.io/config.namespace",
  /** Uid of the object that this one was made for (Subscription, Base or Description). */
  configUid: "apps.clusternet.io/config.uid",
  /** The Subscription that an object was made for. */
  subscriptionUid: "apps.clusternet.io/subs.uid",
  subscriptionName: "apps.clusternet.io/subs.name",
  subscriptionNamespace: "apps.clusternet.io/subs.namespace",

  /** The original Service of a parent EndpointSlice or ServiceImport. */
  multiClusterServiceName: "services.clusternet.io/multi-cluster-service-name",
  multiClusterServiceNamespace: "services.clusternet.io/multi-cluster-service-namespace",

  /** Ours. "true" on the ConfigMap that lets one child join. */
  joinGrant: "clusters.clusternet.io/join-grant",
  /** Ours. "true" on the ConfigMap with the Cluster API integration's settings. */
  clusterApiSettings: "clusters.clusternet.io/cluster-api-settings",
} as const;

export const createdByValues = {
  /** Objects that belong to a child: its namespace, ManagedCluster, account, Secrets, EndpointSlices. */
  agent: "clusternet-agent",
  /** Templates written through the shadow API or by a program; also on what they become in a child. */
  hub: "clusternet-hub",
  /** Bases, Descriptions, HelmReleases, FeedInventories, generated Localizations, RBAC. */
  controllerManager: "clusternet-controller-manager",
} as const;

export const bootstrappingValues = {
  credentials: "credentials-auto",
  rbac: "rbac-defaults",
} as const;

/** Labels of child nodes with this prefix are copied to the ManagedCluster (the prefix is an option). */
export const nodeLabelPrefix = "node.clusternet.io/";

/** Kubernetes' limits, which decide whether a name may be a label value. */
export const labelValueLengthMax = 63;

// --- Annotations ------------------------------------------------------------------------------------------------------------------

export const annotations = {
  /** Exactly "true": an existing object may be overwritten by the component that ensures it. */
  autoUpdate: "clusternet.io/autoupdate",
  /** Text on a Manifest or HelmChart that is being deleted while in use: why it is still there. */
  feedProtection: "apps.clusternet.io/feed-protection",
  /** "true" on objects written through the shadow API: no dry run. */
  skipValidating: "apps.clusternet.io/skip-validating",
  /** `<namespace>.<name>` of the Description that owns an object of a child. */
  ownedByDescription: "apps.clusternet.io/owned-by-description",
  /** JSON that was last applied to an object of a child: base of a three-way merge (upstream agents). */
  lastApplied: "clusternet.io/last-applied-configuration",
  /** "true" on a Subscription or Base: what every new cluster starts with. */
  defaultClusterInit: "apps.clusternet.io/is-default-cluster-init",
  /** Name of a Base, on a ManagedCluster: what this cluster starts with. */
  clusterInitBase: "apps.clusternet.io/cluster-init-base",
  /** Exactly "true" on a ManagedCluster: no initial workload. */
  skipClusterInit: "clusters.clusternet.io/skip-cluster-init",
  /** On the agent's Lease: the cluster id of agents before 0.15. */
  legacyClusterId: "legacy-cluster-id",
  /** Kubernetes': marks the bookmark that ends the initial events of a watch. */
  initialEventsEnd: "k8s.io/initial-events-end",

  /** Ours. On a ClusterRegistrationRequest: equals `request.userInfo.username`, enforced by an admission policy. */
  requestedBy: "clusters.clusternet.io/requested-by",
  /** Ours. "true" on a ClusterRegistrationRequest: an administrator approves it by hand; an admission policy decides who may. */
  approved: "clusters.clusternet.io/approved",
  /** Ours. On a ManagedCluster or request whose name was too long: the name that was asked for. */
  originalName: "clusters.clusternet.io/original-name",
  /** Ours. Cluster name, on a namespace made by a program: the approver may adopt it for this cluster only. */
  reservedFor: "clusters.clusternet.io/reserved-for",
  /** Ours. On a ManagedCluster: fingerprint of the agent's key that was approved; another key needs an administrator. */
  agentKey: "clusters.clusternet.io/agent-key",
  /** Ours. On a ManagedCluster: JSON of the labels that the approver set, so that it removes only those. */
  grantedLabels: "clusters.clusternet.io/granted-labels",
  /** Ours. On a ManagedCluster: name of the join grant that let it in. */
  joinGrant: "clusters.clusternet.io/join-grant",
  /** Ours. `<namespace>/<name>` of the Cluster API Cluster that a join grant was made for. */
  clusterApiCluster: "clusters.clusternet.io/cluster-api-cluster",
  /** Ours. On such a grant: hash of what was installed into the workload cluster. */
  installedHash: "clusters.clusternet.io/installed-hash",
  /** Ours. On such a grant: when the token expires that the agent asks to join with; RFC 3339. */
  joinTokenExpires: "clusters.clusternet.io/join-token-expires",
  /** Ours. On pods of ours: changes with what a component reads only at its start. */
  configurationChecksum: "clusternet.io/configuration-checksum",
  /** Ours. On a Subscription: "Show" asks the scheduler for a plan, the hash of a plan has it carried out; a blank and anything may follow. */
  rebalance: "apps.clusternet.io/rebalance",
  /** Ours. "ns1,ns2" or "*" on a Manifest or HelmChart: namespaces whose Subscriptions may use it as a feed. */
  allowSubscriptionsFrom: "apps.clusternet.io/allow-subscriptions-from",
  /** Ours. On a Subscription: name of the deletion that condition DeletionBlocked asks about, to let it go on. */
  confirmDeletion: "apps.clusternet.io/confirm-deletion",
  /** Ours. On a Base: the confirmation that its deletion is part of. */
  deletionConfirmed: "apps.clusternet.io/deletion-confirmed",
  /** Ours. Exactly "true" on a Subscription or Description that is being deleted: it does not wait for the clusters any more. */
  forceDeletion: "apps.clusternet.io/force-deletion",
  /** Ours. "ns1,ns2" or "*" on a Secret: namespaces whose HelmCharts may be pulled with it. */
  allowChartsFrom: "apps.clusternet.io/allow-charts-from",
  /** Ours. On a Description: hash of the templates and ApplyNow overrides that it was rendered from. */
  renderedFrom: "apps.clusternet.io/rendered-from",
  /** Ours. On a further Description of a Base that is too large for one: name of the first one, whose mark its objects carry. */
  partOf: "apps.clusternet.io/part-of",
} as const;

// --- Finalizers, taints, conditions -----------------------------------------------------------------------------------------------

export const finalizers = {
  /** On Subscription, Base, Description, HelmRelease, HelmChart, Manifest, Localization, Globalization, join grants, … */
  apps: "apps.clusternet.io/finalizer",
  /** Ours. On a Cluster API Cluster and on the integration's settings: something of ours is still in a workload cluster. */
  clusterApi: "clusters.clusternet.io/cluster-api-integration",
  /** On a Manifest or HelmChart: held while a Subscription or Base uses it. */
  feedProtection: "apps.clusternet.io/feed-protection",
} as const;

/** Taints of a ManagedCluster; value = reason of the condition that caused it. */
export const taints = {
  /** NoSchedule as upstream, and ours: NoExecute, with the time since when. */
  unschedulable: "clusters.clusternet.io/unschedulable",
  initialization: "clusters.clusternet.io/initialization",
} as const;

export const conditionTypes = {
  /** ManagedCluster, FeedInventory and others: it works. */
  ready: "Ready",
  /** ManagedCluster: the initial workload was deployed or is not wanted. */
  clusterInit: "ClusterInit",
  /** Ours. Description: the child's objects are as described. Globalization, Localization: part of what the clusters get. */
  applied: "Applied",
  /** Ours. Description, Subscription: something in the cluster changed what was delivered. Absent until that happens. */
  drifted: "Drifted",
  /** Ours. Subscription: a change would delete so much that it waits for a confirmation. Absent until that happens. */
  deletionBlocked: "DeletionBlocked",
  /** Ours. Subscription: work left, or is leaving, a cluster that does not work. Absent until there is something to say about it. */
  failover: "Failover",
  /** Ours. Subscription: nothing would be placed better by now. Absent until somebody asks for that. */
  balanced: "Balanced",
  /** Ours. Subscription: pods of a feed need objects that nobody delivers. Absent until that happens. */
  dependenciesMissing: "DependenciesMissing",
  /** Ours. Subscription: a deletion completed without a cluster, and these objects are still there. A record: nothing takes it back. */
  objectsLeft: "ObjectsLeft",
  /** Ours. Description being deleted: the child's objects are gone, the finalizer may go. */
  removed: "Removed",
  /** Ours. Subscription: bound to clusters. */
  scheduled: "Scheduled",
  /** Ours. Subscription, Base: every feed was found and may be used. */
  feedsResolved: "FeedsResolved",
  /** Ours. Base: every feed was rendered with its overrides. */
  rendered: "Rendered",
  /** Ours. Subscription: what the newest spec, templates and overrides say is in every bound cluster. */
  delivered: "Delivered",
  /** Ours. Subscription: every feed works in every bound cluster. */
  available: "Available",
  /** Ours. ClusterRegistrationRequest. */
  approved: "Approved",
} as const;

export const conditionReasons = {
  managedClusterReady: "ManagedClusterReady",
  managedClusterNotReady: "ManagedClusterNotReady",
  clusterStatusNeverUpdated: "ClusterStatusNeverUpdated",
  clusterStatusUnknown: "ClusterStatusUnknown",
  clusterInitWaiting: "ClusterInitWaiting",
  clusterInitDisabled: "ClusterInitDisabled",
  clusterInitDone: "ClusterInitDone",
} as const;

// --- Namespaces, Secrets, ConfigMaps, accounts, Leases ------------------------------------------------------------------------------

export const namespaces = {
  /** Components, Leases, credentials; on the parent and in each child. An option of every component. */
  system: "clusternet-system",
  /** Manifests: templates that are not meant for the parent itself. An option. */
  reserved: "clusternet-reserved",
  /** Made by upstream's manifests; nothing uses it. */
  multiClusterServices: "clusternet-mcs",
  /** Holds `secretNames.clusterApi` in a management cluster. */
  clusterApi: "capi-system",
  /** A child's dedicated namespace is this and a hash (upstream: five random characters), unless one was asked for. */
  dedicatedPrefix: "clusternet-",
} as const;

export const secretNames = {
  /** Child, system namespace: {parentURL, regToken, ca.crt}; how a child joins. */
  clusterRegistration: "clusternet-agent-cluster-registration",
  /** Child, system namespace: the agent's credentials for the parent. */
  parentCluster: "parent-cluster",
  /** Child, system namespace (upstream): token of the account `clusternet-app-deployer`. */
  appDeployer: "clusternet-app-deployer",
  /** Parent, dedicated namespace (upstream): credentials for the child. We store none. */
  childClusterDeployer: "child-cluster-deployer",
  /** Management cluster, `capi-system`: {image, parentURL, regToken}. */
  clusterApi: "clusternet-cluster-api",
} as const;

export const secretKeys = {
  parentUrl: "parentURL",
  registrationToken: "regToken",
  caCertificate: "ca.crt",
  token: "token",
  namespace: "namespace",
  apiserverAdvertiseUrl: "apiserver-advertise-url",
  serviceAccountName: "service-account.name",
  serviceAccountUid: "service-account.uid",
  username: "username",
  password: "password",
  image: "image",
  /** Ours. In a chartPullSecret: a further host that the password may be sent to, where a registry hands out its tokens. */
  tokenHost: "tokenHost",
  /** Ours. JWK with the private key that opens `status.sealedToken`. */
  privateKey: "private-key.jwk",
} as const;

/** Ours. ConfigMaps of the system namespace. */
export const configMaps = {
  /** What kinds of others mean: health, replicas, pod template. */
  interpreters: "clusternet-interpreters",
} as const;

/** Ours. Keys of the ConfigMap that lets one child join (label `labels.joinGrant`). */
export const joinGrantKeys = {
  username: "username",
  clusterName: "clusterName",
  clusterNamespace: "clusterNamespace",
  clusterLabels: "clusterLabels",
  syncModes: "syncModes",
  /** How long after its creation the grant lets a cluster join: `24h`. Absent: as long as it is there. */
  validFor: "validFor",
} as const;

export const bootstrapTokens = {
  /** Names of bootstrap token Secrets in kube-system are this and the token id. */
  secretPrefix: "bootstrap-token-",
  secretType: "bootstrap.kubernetes.io/token",
  group: "system:bootstrappers:clusternet:register-cluster-token",
  userPrefix: "system:bootstrap:",
} as const;

export const serviceAccounts = {
  hub: "clusternet-hub",
  scheduler: "clusternet-scheduler",
  controllerManager: "clusternet-controller-manager",
  clusterApiIntegration: "clusternet-cluster-api-integration",
  /** In a child: the agent itself. In a dedicated namespace of the parent: that child's identity. */
  agent: "clusternet-agent",
  /** In a child, ours: may impersonate, so that a caller keeps its own identity. */
  proxy: "clusternet-proxy",
  /** In a child: applies what Descriptions say. */
  appDeployer: "clusternet-app-deployer",
  /** Parent (upstream): used instead of anonymous. */
  hubProxy: "clusternet-hub-proxy",
  /** Parent (upstream): joins clusters by account token instead of bootstrap token. */
  clusterBootstrap: "cluster-bootstrap-use",
} as const;

export const leases = {
  hub: "clusternet-hub",
  agent: "clusternet-agent",
  scheduler: "clusternet-scheduler",
  controllerManager: "clusternet-controller-manager",
  clusterApiIntegration: "clusternet-cluster-api-integration",
  /** Each hub replica holds one: this and a short id. */
  hubPeerPrefix: "clusternet-hub-peer-",
} as const;

// --- RBAC ---------------------------------------------------------------------------------------------------------------------------

/** Names of ClusterRoles, Roles and their bindings. */
export const roles = {
  hub: "clusternet:hub",
  scheduler: "clusternet:scheduler",
  schedulerPredictor: "clusternet:scheduler:predictor",
  controllerManager: "clusternet:controller-manager",
  clusterApiIntegration: "clusternet:cluster-api-integration",
  bootstrapping: "clusternet:system:bootstrapping",
  bootstrappingServiceAccount: "clusternet:system:bootstrapping:sa",
  socketsProxy: "clusternet:system:socketsproxy",
  /** In a child. */
  agentAdmin: "clusternet:agent:admin",
  appDeployer: "clusternet:app:deployer",
  /** Ours. In a child: what `serviceAccounts.proxy` may do. */
  proxy: "clusternet:proxy",
  /** Ours. For people: everything but manifests, bases and descriptions. */
  view: "clusternet:view",
  edit: "clusternet:edit",
  /** Ours. On the parent: reads Secrets; bound in the namespaces whose pull secrets charts may be pulled with. */
  chartPullSecrets: "clusternet:chart-pull-secrets",
  /** Ours. In such a namespace: Role and RoleBinding that let one child read one pull secret are this and a hash. */
  chartPullSecretPrefix: "clusternet-chart-",
  /** Ours. In such a namespace: Role and RoleBinding that let the parent read one pull secret are this and the secret's name. */
  chartSourcePrefix: "clusternet-charts-",
  /** Ours. On the parent, dedicated namespace: Role and RoleBinding of one child's identity. */
  child: "clusternet-agent",
  /** Ours. On the parent: ClusterRole and ClusterRoleBinding of one child's identity are this and the cluster id. */
  childClusterPrefix: "clusternet-",
} as const;

// --- HTTP headers --------------------------------------------------------------------------------------------------------------------

/** Lower case, as Node delivers them; header names ignore case. */
export const headers = {
  /** Ours. A caller's own credential for the child; the hub removes it from the request and passes it on separately. */
  childAuthorization: "clusternet-child-authorization",
  /** Upstream clients (option `--credential-extras`): arrive as X-Remote-Extra-…. */
  extraToken: "clusternet-token",
  extraCertificate: "clusternet-certificate",
  extraPrivateKey: "clusternet-privatekey",
  /** Upstream hubs among themselves. */
  peerTunnelId: "x-api-tunnel-id",
  peerTunnelToken: "x-api-tunnel-token",
  /** Scheduler to predictor. For people. */
  clusterId: "cluster-id",
} as const;

/** What upstream clients send to the parent to carry a child's credential: they impersonate one user, with extras. */
export const upstreamImpersonation = {
  user: "clusternet",
  extraPrefix: "impersonate-extra-",
  /** Extra keys as RBAC names them: `userextras/<key>` in `authentication.k8s.io`. */
  extras: [headers.extraToken, headers.extraCertificate, headers.extraPrivateKey],
} as const;

/** Names inside kubeconfigs that agents write. */
export const kubeconfigNames = {
  user: "clusternet",
  cluster: "clusternet-cluster",
} as const;

// --- Events --------------------------------------------------------------------------------------------------------------------------

/** `source.component` of our Events. */
export const eventComponents = {
  controllerManager: "clusternet-controller-manager",
  hub: "clusternet-hub",
  scheduler: "clusternet-scheduler",
  agent: "clusternet-agent",
  predictor: "clusternet-predictor",
} as const;
