// Why a chart could not be had, as one of a closed set of reasons. The message is for people and never holds a credential.

export type ChartReason =
  | "ChartMissing"
  | "VersionMissing"
  | "RepositoryUnreachable"
  | "RepositoryInvalid"
  | "CredentialsRefused"
  | "CertificateNotTrusted"
  | "DigestMismatch"
  | "ChartTooLarge"
  | "PullSecretRefused";

/** What a person can do about it; each ends the message. */
const ADVICE: Readonly<Record<ChartReason, string | undefined>> = {
  ChartMissing: "check spec.chart and spec.repo",
  VersionMissing: "check spec.version",
  RepositoryUnreachable: "check spec.repo, and that the repository works; it is asked again",
  RepositoryInvalid: "check spec.repo",
  CredentialsRefused: "check username and password in the Secret of spec.chartPullSecret",
  CertificateNotTrusted: "put its authority into the Secret of spec.chartPullSecret as ca.crt",
  DigestMismatch: "publish the chart or its index again",
  ChartTooLarge: undefined,
  PullSecretRefused: undefined,
};

export class ChartError extends Error {
  override readonly name = "ChartError";
  readonly reason: ChartReason;

  constructor(reason: ChartReason, message: string, options?: ErrorOptions) {
    const advice = ADVICE[reason];
    super(advice === undefined ? message : `${message}; ${advice}`, options);
    this.reason = reason;
  }
}
