// A child's predictor on a port of its own, and a scheduler that asks there: certificates in files, and the flags that name them.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serviceAccounts } from "#api/names.ts";
import { createCertificateAuthority, issueCertificate } from "#std/certificates.ts";
import { freePort } from "#test/framework/address-slot.ts";

export interface DirectPredictor extends AsyncDisposable {
  readonly url: string;
  readonly agentFlags: readonly string[];
  /** Who signed the predictor's certificate, and the scheduler's own. */
  readonly schedulerFlags: readonly string[];
}

const HOST = "127.0.0.1";
const PORT = 18_080;

export async function prepareDirectPredictor(): Promise<DirectPredictor> {
  const directory = await mkdtemp(join(tmpdir(), "clusternet-direct-predictor-"));
  const file = async (name: string, pem: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, pem, { mode: 0o600 });
    return path;
  };
  const [predictors, callers] = await Promise.all(
    ["predictors", "callers"].map((commonName) => createCertificateAuthority({ commonName, validDays: 1 })),
  );
  const served = await issueCertificate(predictors!, {
    commonName: "predictor",
    ipAddresses: [HOST],
    usages: ["server"],
    validDays: 1,
  });
  const shown = await issueCertificate(callers!, { commonName: serviceAccounts.scheduler, usages: ["client"], validDays: 1 });
  const port = await freePort(HOST, PORT);
  const url = `https://${HOST}:${String(port)}`;
  return {
    url,
    agentFlags: [
      "--predictor-direct-access",
      `--predictor-direct-url=${url}`,
      `--predictor-port=${String(port)}`,
      `--predictor-cert-file=${await file("predictor.crt", served.certificatePem)}`,
      `--predictor-key-file=${await file("predictor.key", served.privateKeyPem)}`,
      `--predictor-client-ca-file=${await file("callers.crt", callers!.certificatePem)}`,
    ],
    schedulerFlags: [
      `--predictor-ca-file=${await file("predictors.crt", predictors!.certificatePem)}`,
      `--predictor-client-cert-file=${await file("scheduler.crt", shown.certificatePem)}`,
      `--predictor-client-key-file=${await file("scheduler.key", shown.privateKeyPem)}`,
    ],
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
