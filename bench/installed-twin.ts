// A listening twin, of the example unless told otherwise, in a process of its own, with Ballast's kinds and roles in it and a kubeconfig for its controller.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type RebalancePlan, type RebalancePolicy, rebalancePlans, rebalancePolicies } from '#coordination/api.ts'
import { planNowAnnotation } from '#coordination/plans/names.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { controllerToken, installBallast } from '../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { ballastNamespace } from '../src/process/own-names.ts'
import { tokenKubeconfig } from '../test/controller-process.ts'
import { startTwinProcess, type TwinProcessOptions } from './twin-process.ts'

export interface InstalledTwin extends AsyncDisposable {
  readonly admin: Api
  /** Path of a kubeconfig that holds the ServiceAccount's token and nothing more. */
  readonly kubeconfig: string
  /** Asks the policy for a plan. */
  ask(): Promise<void>
  /** The plans so far. */
  plans(): Promise<readonly RebalancePlan[]>
}

interface InstalledOptions extends TwinProcessOptions {
  /** Flags of `ballast twin`. */
  readonly flags: readonly string[]
  /** The policy that is asked for plans. */
  readonly policy: string
}

const example: InstalledOptions = {
  flags: ['--cluster', join(import.meta.dirname, '..', 'examples', 'talos-homelab')],
  policy: 'talos',
}
const tokenSeconds = 86_400

/** @throws Error where the twin does not answer */
export async function startInstalledTwin({ flags, policy, ...process }: InstalledOptions = example): Promise<InstalledTwin> {
  await using resources = new AsyncDisposableStack()
  const twin = await startTwinProcess(flags, process)
  resources.defer(() => twin.stop())
  const config = await loadConfig({ environment: {}, homeDirectory: homedir(), kubeconfig: twin.kubeconfig, context: undefined })
  const around = { clock: systemClock, random: systemRandom, log: silentLog }
  const transport = openHttpTransport(config, { ...around, environment: {}, isTerminal: false })
  resources.defer(() => transport.close())
  const admin = openApi(transport, { ...around, userAgent: 'ballast-bench' })
  const { signal } = new AbortController()
  const namespace = ballastNamespace
  await installBallast(admin, { capabilities: enabledCapabilities, namespace, signal })
  const token = await controllerToken(admin, { namespace, seconds: tokenSeconds, signal })
  const kubeconfig = resources.use(tokenKubeconfig(readFileSync(twin.kubeconfig, 'utf8'), token))
  const owned = resources.move()
  return {
    admin,
    kubeconfig: kubeconfig.file,
    async ask() {
      const body = { metadata: { annotations: { [planNowAnnotation]: 'now' } } }
      await admin.resource<RebalancePolicy>(rebalancePolicies).patch(policy, { type: 'merge', body }, { signal })
    },
    async plans() {
      return (await admin.resource<RebalancePlan>(rebalancePlans).list({ signal })).items
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  }
}
