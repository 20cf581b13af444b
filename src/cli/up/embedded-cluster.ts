// A twin with Ballast installed and its controller running inside this process, each on its own side of the API: the controller holds
// nothing but its ServiceAccount's token.

import type { Capability, Part } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { controllerToken, installBallast } from '#deployment/install-ballast.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { type ControllerSettings, fixedSettings, type SettingsFeed } from '#process/configuration/controller-settings.ts'
import { runController } from '#process/controller/controller.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import type { FaultSource } from '#process/parts/fault-source.ts'
import { PortBook } from '#process/parts/port-book.ts'
import { openOwnWebhooks } from '#process/webhooks/own-webhooks.ts'
import { withClock } from '#twin/own-kinds/clock-spec.ts'
import type { TwinState } from '#twin/state/twin-state.ts'
import { troubleLog } from '#twin/trouble.ts'
import { startTwin, type Twin } from '#twin/twin.ts'

interface EmbeddedOptions {
  readonly objects: readonly KubeObject[]
  readonly clock: Clock
  /** Clock of the controller's Lease, where `clock` runs faster than real time. */
  readonly leaseClock?: Clock
  readonly seed: number
  readonly kubernetesVersion?: string
  /** Where the cluster is kept; one that was filled before takes the place of `objects`. */
  readonly kept?: TwinState
  /** Default: all that this program has. */
  readonly capabilities?: readonly Capability[]
  /** Default: every capability, as its schema has it. */
  readonly settings?: ControllerSettings
  /** The same as long as nobody changes them; default: they stay. */
  readonly feed?: SettingsFeed
  /** HTTPS as well; without it the cluster is reached in memory only. */
  readonly listen?: { readonly port: number; readonly bind: string }
  /** Landings are held by a webhook on loopback instead of a taint. */
  readonly hold?: boolean
  /** Provisioners that are there: the twin leaves their volumes to them. */
  readonly provisioners?: ReadonlySet<string>
  readonly log: Log
  /** Tells of faults that no part of the controller owns. */
  readonly faults?: FaultSource
  readonly signal: AbortSignal
}

export interface EmbeddedCluster extends AsyncDisposable {
  readonly twin: Twin
  /** The user's side: administrator. */
  readonly admin: Api
  /** What parts of the processes offer each other. */
  readonly ports: PortBook
  /** Rejects when the controller, or a process beside it, ends by a fault; resolves when all were stopped. */
  readonly controller: Promise<void>
}

/** How long the tokens of our processes live, in seconds of the cluster. */
export const tokenSeconds = 7 * 24 * 3600

/** Starts both. Disposing stops the controller first, so that it leaves nothing behind, then the twin. */
export async function startEmbeddedCluster(options: EmbeddedOptions): Promise<EmbeddedCluster> {
  const { clock, seed, log, signal, capabilities = enabledCapabilities } = options
  await using started = new AsyncDisposableStack()
  const twin = started.use(
    await startTwin({
      clock,
      seed,
      onTrouble: troubleLog(log),
      objects: options.listen === undefined ? options.objects : withClock(options.objects),
      ...(options.kept === undefined ? {} : { state: options.kept }),
      ...(options.kubernetesVersion === undefined ? {} : { kubernetesVersion: options.kubernetesVersion }),
      ...(options.listen === undefined ? {} : { listen: options.listen, ownKinds: true }),
      ...(options.provisioners === undefined ? {} : { components: { provisioner: { leaves: options.provisioners } } }),
    }),
  )
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: `ballast/${programVersion} up`, log })
  started.defer(() => admin.close())
  const installed = { ...installedWith(capabilities, options.settings), namespace: ballastNamespace }
  await installBallast(admin, { ...installed, signal })
  const token = await controllerToken(admin, { namespace: ballastNamespace, seconds: tokenSeconds, signal })
  const webhooks =
    options.hold === true
      ? started.use(await openOwnWebhooks({ host: '127.0.0.1', bind: '127.0.0.1', port: 0, clock, log }))
      : undefined
  const feed = options.feed ?? (options.settings === undefined ? undefined : unchanging(options.settings))
  const ports = new PortBook()
  const stop = new AbortController()
  const ending = AbortSignal.any([signal, stop.signal])
  const controller = runController({
    transport: twin.transport({ token }),
    clock,
    ...(options.leaseClock === undefined ? {} : { leaseClock: options.leaseClock }),
    random: seededRandom(seed + 1),
    log,
    identity: { name: 'ballast-up', namespace: ballastNamespace },
    capabilities,
    installDefinitions: false,
    ...(feed === undefined ? {} : { settings: feed }),
    ...(webhooks === undefined ? {} : { webhooks }),
    ...(options.faults === undefined ? {} : { faults: options.faults }),
    signal: ending,
  })
  const processes = new Set(
    (['apiserver', 'gateway'] as const).filter(name =>
      installed.capabilities.some(one => partsIn(name, one).some(part => isReached(part, options.listen !== undefined))),
    ),
  )
  const beside = async () => {
    if (processes.size === 0) return
    const { runEmbeddedProcesses } = await embeddedProcesses(clock)
    const { leaseClock = clock } = options
    const listens = options.listen !== undefined
    await runEmbeddedProcesses({
      ...options,
      twin,
      admin,
      installed,
      settings: feed ?? fixedSettings(installed),
      processes,
      listens,
      leaseClock,
      tokenSeconds,
      ports,
      signal: ending,
    })
  }
  const all = Promise.all([controller, beside()]).then(() => undefined)
  started.defer(async () => {
    stop.abort(new DOMException('the cluster is stopped', 'AbortError'))
    await all.catch(() => undefined) // its fault is told to whoever awaits `controller`
  })
  const whole = started.move()
  return { twin, admin, ports, controller: all, [Symbol.asyncDispose]: () => whole.disposeAsync() }
}

function unchanging(current: ControllerSettings): SettingsFeed {
  return { current, onReload: () => new DisposableStack() }
}

/** Whether a part has anything to do: what serves an API has not where the twin does not listen, and so calls nobody. */
function isReached({ listeners }: Part<unknown>, listens: boolean): boolean {
  return listens || !listeners.some(({ kind }) => kind === 'api-service')
}

/** Reading files takes the host's time, not the cluster's. */
async function embeddedProcesses(clock: Clock): Promise<typeof import('./embedded-processes.ts')> {
  using _held = clock.hold()
  return await import('./embedded-processes.ts')
}

/** What is enabled, and the sections that rights follow from. */
function installedWith(all: readonly Capability[], settings: ControllerSettings | undefined) {
  if (settings === undefined) return { capabilities: all }
  const capabilities = all.filter(({ name }) => settings.capabilities[name]?.isEnabled === true)
  const configurations = Object.fromEntries(capabilities.map(({ name }) => [name, settings.capabilities[name]?.config]))
  return { capabilities, configurations }
}
