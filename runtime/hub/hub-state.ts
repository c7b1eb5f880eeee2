// What changes while the hub runs: trust, certificate, server, readiness.

import type { CertificateWithKey } from "#std/certificates.ts";
import type { HealthCheck } from "#std/health-server.ts";
import { noTrust, type ClientTrust } from "./client-trust.ts";
import type { HubServer } from "./server.ts";

export interface HubState {
  readonly readiness: Readonly<Record<string, HealthCheck>>;
  readonly trust: () => ClientTrust;
  readonly setTrust: (trust: ClientTrust) => void;
  readonly setCertificate: (certificate: CertificateWithKey) => void;
  readonly setServer: (server: HubServer) => void;
  /** Not ready any more; requests are served on. */
  readonly leave: () => void;
  /** From now on new requests are refused. */
  readonly refuse: () => void;
  readonly isRefusing: () => boolean;
  /** Resolves when there are a certificate and somebody to trust. */
  readonly whenReady: () => Promise<CertificateWithKey>;
}

export function createState(): HubState {
  let trust = noTrust;
  let certificate: CertificateWithKey | undefined;
  let server: HubServer | undefined;
  let isLeaving = false;
  let isRefusing = false;
  const ready = Promise.withResolvers<CertificateWithKey>();
  const changed = (): void => {
    if (certificate === undefined || trust === noTrust) return;
    ready.resolve(certificate);
    server?.setCertificates(certificate, trust.caPems);
  };
  return {
    readiness: {
      "client-trust": () =>
        trust === noTrust ? "ConfigMap kube-system/extension-apiserver-authentication was not read yet" : undefined,
      "serving-certificate": () => (certificate === undefined ? "there is no serving certificate yet" : undefined),
      listening: () => (server === undefined ? "the HTTPS listener has not started" : undefined),
      shutdown: () => (isLeaving ? "the hub is shutting down" : undefined),
    },
    trust: () => trust,
    setTrust: (next) => {
      trust = next;
      changed();
    },
    setCertificate: (next) => {
      certificate = next;
      changed();
    },
    setServer: (next) => {
      server = next;
      // Something may have changed while it began to listen.
      changed();
    },
    leave: () => {
      isLeaving = true;
    },
    refuse: () => {
      isRefusing = true;
    },
    isRefusing: () => isRefusing,
    whenReady: () => ready.promise,
  };
}
