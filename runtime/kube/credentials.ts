// What proves who we are to a server, and a source that reads it again when it may have changed.

import type { Clock } from "#std/clock.ts";

export interface ClientCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** What is true of a connection now; files and plugins may say something else later. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly caPem?: string | undefined;
  readonly clientCertificate?: ClientCertificate | undefined;
}

export interface CredentialSource {
  read(signal: AbortSignal): Promise<Credentials>;
  /** Reads from its origin the next time, though it would not be due yet. */
  forget(): void;
}

export interface ServerAddress {
  readonly server: string;
  /** The name in the server's certificate when it differs from the address. */
  readonly serverName?: string | undefined;
  readonly proxyUrl?: string | undefined;
}

/** How stale a credential that lives in a file may be: kubelet replaces them well before they expire. */
const CREDENTIAL_FILES_MS_MAX = 60_000;

/** Reads again when the last reading is older than `CREDENTIAL_FILES_MS_MAX`; a reading that fails then leaves the last one in use. */
export function cachedSource(clock: Clock, read: (signal: AbortSignal) => Promise<Credentials>): CredentialSource {
  let cached: Credentials | undefined;
  let readAt = 0;
  let isForgotten = false;
  return {
    read: async (signal) => {
      const isFresh = !isForgotten && clock.monotonic() - readAt < CREDENTIAL_FILES_MS_MAX;
      if (cached !== undefined && isFresh) return cached;
      try {
        cached = await read(signal);
      } catch (error) {
        // A file that is being replaced may be missing for a moment; what we have is probably still good.
        if (cached === undefined) throw error;
      }
      readAt = clock.monotonic();
      isForgotten = false;
      return cached;
    },
    forget: () => {
      isForgotten = true;
    },
  };
}
