// The processes beside the controller that `ballast up` runs inside of its own: parts of capabilities that serve APIs or stand in the way of
// requests. Each holds the token of its own ServiceAccount.
import { Registry } from 'prom-client'
import type { KubeletAccess } from '#coordination/capability.ts'
import { gatewayDoorPort } from '#coordination/ports/gateway-door.ts'
import { accountToken, installServices } from '#deployment/install-ballast.ts'
import type { Api } from '#kube/client/api.ts'
import type { Dial } from '#kube/client/dispatcher.ts'
import type { Clock } from '#kube/clock.ts'
import { tokenConfig } from '#kube/credentials/cluster-config.ts'
import type { Log } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { runApiserver } from '#process/apiserver/apiserver.ts'
import { SharedApis } from '#process/apiserver/shared-apis.ts'
import type { SettingsFeed } from '#process/configuration/controller-settings.ts'
import { runGateway } from '#process/gateway/gateway.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { apiserverAccount, gatewayAccount } from '#process/own-names.ts'
import type { FaultSource } from '#process/parts/fault-source.ts'
import type { PortBook } from '#process/parts/port-book.ts'
import type { Twin } from '#twin/twin.ts'

interface ProcessOptions {
  readonly twin: Twin
  readonly admin: Api
  /** Those that are enabled, and their sections. */
  readonly installed: Omit<Parameters<typeof installServices>[1], 'service' | 'endpoint' | 'signal'>
  readonly settings: SettingsFeed
  /** Which of the two have parts. */
  readonly processes: ReadonlySet<'apiserver' | 'gateway'>
  /** Whether the twin listens: only then it calls APIs behind it. */
  readonly listens: boolean
  readonly clock: Clock
  readonly leaseClock: Clock
  readonly seed: number
  readonly tokenSeconds: number
  readonly log: Log
  readonly faults?: FaultSource | undefined
  /** Doors between parts, through which the page sees what is measured. */
  readonly ports: PortBook
  readonly signal: AbortSignal
}

/** How often it is looked whether APIs are served. */
const lookMs = 100

/** Runs them until `signal` is aborted. @throws what the first of them fails with */
export async function runEmbeddedProcesses(options: ProcessOptions): Promise<void> {
  const { admin, installed, settings, processes, clock, leaseClock, seed, log, faults, signal } = options
  const around = async (account: string, number: number) => {
    const token = await accountToken(admin, account, { ...installed, seconds: options.tokenSeconds, signal })
    return {
      token,
      transport: options.twin.transport({ token }),
      clock,
      random: seededRandom(seed + number),
      log,
      identity: { name: 'ballast-up', namespace: installed.namespace },
      capabilities: installed.capabilities,
      settings,
      health: new ControllerHealth(),
      ...(faults === undefined ? {} : { faults }),
      signal,
    }
  }
  // Tokens first: nothing runs yet that nobody awaits, should one be refused.
  const served = processes.has('apiserver') ? await around(apiserverAccount, 3) : undefined
  const passed = processes.has('gateway') ? await around(gatewayAccount, 4) : undefined
  const running: Promise<void>[] = []
  const sources: Dial = async (host, port) => {
    const door = options.ports.take(gatewayDoorPort)
    const isGateway =
      host === `${gatewayAccount}.${installed.namespace}` || host.startsWith(`${gatewayAccount}.${installed.namespace}.svc`)
    return isGateway && door !== undefined ? { host: '127.0.0.1', port: door.scalerPort } : await options.twin.sources(host, port)
  }
  if (served !== undefined) {
    const metrics = new Registry()
    const service = apiserverAccount
    const apis = options.listens
      ? new SharedApis({ service, port: 0, bind: '127.0.0.1', clock: leaseClock, log, metrics, version: programVersion })
      : undefined
    const reached = apis === undefined ? {} : { apis, kubelets: await kubeletsOf(options.twin, served.token) }
    running.push(runApiserver({ ...served, leaseClock, metrics, ports: options.ports, sources, ...reached }))
    if (apis !== undefined) running.push(announce(apis))
  }
  if (passed !== undefined) running.push(runGateway({ ...passed, ports: options.ports, beside: { dial: options.twin.pods } }))
  await Promise.all(running)

  /** Tells the API server where the APIs are, once they are: the Service leads to this process. */
  async function announce(apis: SharedApis): Promise<void> {
    try {
      while (apis.port === undefined) await leaseClock.after(lookMs, signal)
      await installServices(admin, {
        ...installed,
        service: apiserverAccount,
        endpoint: `https://127.0.0.1:${apis.port}`,
        signal,
      })
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

/** The way to the twin's kubelets: as the account of the process, over TLS of the twin's authority, at the ports where they really are. */
async function kubeletsOf({ kubelets, url }: Twin, token: string): Promise<KubeletAccess> {
  const { certificate } = await kubelets.authority()
  return {
    config: tokenConfig({ server: url ?? 'https://127.0.0.1', token, authority: certificate, source: 'the twin' }),
    environment: {},
    dial: kubelets.dial,
  }
}
