// Which tools there are: versions, where their official releases are, and how Go builds them. Data only.

export type ToolName =
  "etcd" | "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" | "kubectl" | "kwok" | "helm" | "pulumi";

/** A release site can be replaced by a mirror: the variable holds what stands before the path. */
export const releaseSites = {
  kubernetes: { variable: "CLUSTERNET_KUBERNETES_RELEASES", base: "https://dl.k8s.io/release" },
  github: { variable: "CLUSTERNET_GITHUB_RELEASES", base: "https://github.com" },
  helm: { variable: "CLUSTERNET_HELM_RELEASES", base: "https://get.helm.sh" },
} as const;

export interface Release {
  readonly site: keyof typeof releaseSites;
  /** After the site's base. */
  readonly path: string;
  /** The file that holds the checksum: the digest alone, or lines of digest and file name. */
  readonly checksumPath: string;
  readonly algorithm: "sha256" | "sha512";
  /** The directory inside the tar.gz whose files are kept beside each other; absent when the download is the executable itself. */
  readonly archiveDirectory?: string;
}

export interface GoBuild {
  /** tools/toolchain/<module>/go.mod pins everything. */
  readonly module: string;
  readonly package: string;
  /** After `-s -w`. */
  readonly linkerFlags: string;
  /** On two cores with an empty cache; shown until this machine has its own figure. */
  readonly usualSeconds: number;
}

export interface Tool {
  readonly version: string;
  readonly versionArguments: readonly string[];
  readonly release: (platform: ReleasePlatform) => Release;
  readonly build: GoBuild;
}

/** The words that release file names use. */
export interface ReleasePlatform {
  readonly os: string;
  /** amd64, arm64. */
  readonly goArch: string;
  /** x64, arm64. */
  readonly nodeArch: string;
}

const KUBERNETES_VERSION = "1.36.3";
const ETCD_VERSION = "3.6.8";
const KWOK_VERSION = "0.7.0";
const HELM_VERSION = "3.22.0";
const PULUMI_VERSION = "3.250.0";

const KUBERNETES_LINKER_FLAGS = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]
  .flatMap((where) => [`${where}.gitVersion=v${KUBERNETES_VERSION}`, `${where}.gitMajor=1`, `${where}.gitMinor=36`])
  .map((setting) => `-X ${setting}`)
  .join(" ");

export const tools: Readonly<Record<ToolName, Tool>> = {
  etcd: {
    version: ETCD_VERSION,
    versionArguments: ["--version"],
    release: ({ os, goArch }) => {
      const directory = `/etcd-io/etcd/releases/download/v${ETCD_VERSION}`;
      const name = `etcd-v${ETCD_VERSION}-${os}-${goArch}`;
      return {
        site: "github",
        path: `${directory}/${name}.tar.gz`,
        checksumPath: `${directory}/SHA256SUMS`,
        algorithm: "sha256",
        archiveDirectory: name,
      };
    },
    build: { module: "etcd", package: "go.etcd.io/etcd/server/v3", linkerFlags: "", usualSeconds: 23 },
  },
  "kube-apiserver": kubernetesTool("kube-apiserver", 184),
  "kube-controller-manager": kubernetesTool("kube-controller-manager", 48),
  "kube-scheduler": kubernetesTool("kube-scheduler", 6),
  kubectl: { ...kubernetesTool("kubectl", 25), versionArguments: ["version", "--client"] },
  kwok: {
    version: KWOK_VERSION,
    versionArguments: ["--version"],
    release: ({ os, goArch }) => {
      const path = `/kubernetes-sigs/kwok/releases/download/v${KWOK_VERSION}/kwok-${os}-${goArch}`;
      return { site: "github", path, checksumPath: `${path}.sha256`, algorithm: "sha256" };
    },
    build: {
      module: "kwok",
      package: "sigs.k8s.io/kwok/cmd/kwok",
      linkerFlags: `-X sigs.k8s.io/kwok/pkg/consts.Version=v${KWOK_VERSION}`,
      usualSeconds: 99,
    },
  },
  helm: {
    version: HELM_VERSION,
    versionArguments: ["version", "--short"],
    release: ({ os, goArch }) => {
      const path = `/helm-v${HELM_VERSION}-${os}-${goArch}.tar.gz`;
      return { site: "helm", path, checksumPath: `${path}.sha256sum`, algorithm: "sha256", archiveDirectory: `${os}-${goArch}` };
    },
    build: {
      module: "helm",
      package: "helm.sh/helm/v3/cmd/helm",
      linkerFlags: `-X helm.sh/helm/v3/internal/version.version=v${HELM_VERSION}`,
      usualSeconds: 81,
    },
  },
  pulumi: {
    version: PULUMI_VERSION,
    versionArguments: ["version"],
    release: ({ os, nodeArch }) => {
      const directory = `/pulumi/pulumi/releases/download/v${PULUMI_VERSION}`;
      return {
        site: "github",
        path: `${directory}/pulumi-v${PULUMI_VERSION}-${os}-${nodeArch}.tar.gz`,
        checksumPath: `${directory}/pulumi-${PULUMI_VERSION}-checksums.txt`,
        algorithm: "sha256",
        // The official language hosts are in it too.
        archiveDirectory: "pulumi",
      };
    },
    build: {
      module: "pulumi",
      package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
      linkerFlags: `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${PULUMI_VERSION}`,
      usualSeconds: 218,
    },
  },
};

function kubernetesTool(name: string, usualSeconds: number): Tool {
  return {
    version: KUBERNETES_VERSION,
    versionArguments: ["--version"],
    release: ({ os, goArch }) => {
      const path = `/v${KUBERNETES_VERSION}/bin/${os}/${goArch}/${name}`;
      return { site: "kubernetes", path, checksumPath: `${path}.sha256`, algorithm: "sha256" };
    },
    build: {
      module: "kubernetes",
      package: `k8s.io/kubernetes/cmd/${name}`,
      linkerFlags: KUBERNETES_LINKER_FLAGS,
      usualSeconds,
    },
  };
}
