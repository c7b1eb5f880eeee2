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

export class ChartError extends Error {
  override readonly name = "ChartError";
  readonly reason: ChartReason;

  constructor(reason: ChartReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
