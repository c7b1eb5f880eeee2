// Questions for capacity that do not take the tunnel: the agent's port for them, and what the scheduler shows there. Pure.

import type { ComponentDeployment } from "./deployment.ts";

export interface PredictorPort {
  /** `https://host:port` at which schedulers reach the port; the certificate has that name. */
  readonly url: string;
  /** Default 8080. */
  readonly port?: number;
  /**
   * Secret in the agent's namespace: `tls.crt` and `tls.key` are the port's certificate, `ca.crt` is who signs the callers' certificates. A
   * Secret that is replaced counts within two minutes, without a restart.
   */
  readonly secretName: string;
  /** Common names of certificates whose bearers may ask. Default: `clusternet-scheduler`. */
  readonly clientNames?: readonly string[];
}

type Parts = Required<Pick<ComponentDeployment, "args" | "volumes" | "ports">>;

const PORT_DEFAULT = 8080;
const MOUNT_PATH = "/etc/clusternet/predictor";
const NOTHING: Parts = { args: [], volumes: [], ports: {} };

/** Of the agent. */
export function predictorPortParts(port: PredictorPort | undefined): Parts {
  if (port === undefined) return NOTHING;
  const { url, secretName, clientNames = [] } = port;
  const number = port.port ?? PORT_DEFAULT;
  const args = [
    "--predictor-direct-access",
    `--predictor-direct-url=${url}`,
    `--predictor-port=${String(number)}`,
    `--predictor-cert-file=${MOUNT_PATH}/tls.crt`,
    `--predictor-key-file=${MOUNT_PATH}/tls.key`,
    `--predictor-client-ca-file=${MOUNT_PATH}/ca.crt`,
    ...(clientNames.length === 0 ? [] : [`--predictor-client-names=${clientNames.join(",")}`]),
  ];
  return { args, volumes: [volumeOf(secretName)], ports: { predictor: number } };
}

/** Of the scheduler. The Secret has its certificate (`tls.crt`, `tls.key`) and who signs those of the agents' ports (`ca.crt`). */
export function predictorCallerParts(secretName: string | undefined): Parts {
  if (secretName === undefined) return NOTHING;
  const args = [
    `--predictor-ca-file=${MOUNT_PATH}/ca.crt`,
    `--predictor-client-cert-file=${MOUNT_PATH}/tls.crt`,
    `--predictor-client-key-file=${MOUNT_PATH}/tls.key`,
  ];
  return { args, volumes: [volumeOf(secretName)], ports: {} };
}

function volumeOf(secretName: string): Parts["volumes"][number] {
  return { name: "predictor", mountPath: MOUNT_PATH, secretName };
}
