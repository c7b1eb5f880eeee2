// What the scheduler knows predictors by that it asks straight, and what it shows them: files, read again when they may have been replaced.

import { cachedSource, type CredentialSource } from "#kube/credentials.ts";
import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import type { Logger } from "#std/log.ts";
import { readAuthorities, readCertificateWithKey } from "#std/tls-files.ts";
import type { SchedulerOptions } from "./options.ts";

export type StraightOptions = Pick<SchedulerOptions, "predictorCaFile" | "predictorClientCertFile" | "predictorClientKeyFile">;

/** undefined: nobody is asked straight. Files that are bad now are an error; when they become bad later, what they held stays in use. */
export async function readStraightCredentials(
  { predictorCaFile, predictorClientCertFile, predictorClientKeyFile }: StraightOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<CredentialSource | undefined> {
  if (predictorCaFile === "") return undefined;
  const ca = { option: "--predictor-ca-file", path: predictorCaFile };
  const pair = {
    certificate: { option: "--predictor-client-cert-file", path: predictorClientCertFile },
    key: { option: "--predictor-client-key-file", path: predictorClientKeyFile },
  };
  const source = cachedSource(clock, async () => {
    try {
      const [caPem, clientCertificate] = await Promise.all([
        readAuthorities(ca),
        predictorClientCertFile === "" ? undefined : readCertificateWithKey(pair),
      ]);
      return { headers: {}, caPem, clientCertificate };
    } catch (error) {
      log.warn("predictor.files-not-read", { error: errorChain(error) });
      throw error;
    }
  });
  await source.read(new AbortController().signal);
  return source;
}
