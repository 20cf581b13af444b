// The API server as processes on nodes reach it. A program that rarely has something to say loads this when it has.

import { homedir } from 'node:os'
import { type Api, openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import type { Log } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import type { ProcessSurroundings } from '../surroundings.ts'

export interface Where {
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
  /** The user in whose name it is asked. */
  readonly as?: string
}

export interface From {
  readonly log: Log
  readonly surroundings: Pick<ProcessSurroundings, 'environment'>
}

/** The API server of this node's cluster; whoever asks closes it. @throws InputError where nothing says where it is */
export async function connect(where: Where, { log, surroundings }: From): Promise<Api> {
  const { environment } = surroundings
  const config = await configOf(where, environment)
  for (const warning of config.warnings) log.warn({}, warning)
  const transport = openHttpTransport(config, {
    clock: systemClock,
    random: systemRandom,
    log,
    environment,
    isTerminal: false,
  })
  return openApi(transport, { clock: systemClock, userAgent: `ballast/${programVersion} agent`, log })
}

/** @throws InputError where nothing says where the API server is, or what says it cannot be read */
export function configOf({ kubeconfig, context, as }: Where, environment: ProcessSurroundings['environment']) {
  const overrides = as === undefined ? {} : { overrides: { as } }
  return loadConfig({ environment, homeDirectory: homedir(), kubeconfig, context, ...overrides })
}
