// The process `ballast controller`: one Lease, one watch a kind, and the parts of the enabled capabilities while it leads.
// Knows neither flags nor environment; `ballast up` runs it beside its twin.

import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import { Arbiter } from '#coordination/arbiter.ts'
import type {
  Capability,
  Check,
  ControllerContext,
  Identity,
  Leading,
  Part,
  Running,
  WebhookEndpoint,
} from '#coordination/capability.ts'
import { ClusterView } from '#coordination/cluster-view.ts'
import { Ledger } from '#coordination/ledger.ts'
import { type ArbiterPolicy, arbitrationModes, defaultPolicy } from '#coordination/policy.ts'
import { type Api, openApi } from '#kube/api.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events.ts'
import { Informers } from '#kube/informer.ts'
import { type Leader, LeaseElection } from '#kube/lease.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import { builtIn } from '#kube/resource.ts'
import { isAlreadyExists, isForbidden, isNotFound } from '#kube/status.ts'
import type { Transport } from '#kube/transport.ts'
import { ownerLabel } from '#planning/policy.ts'
import { type Solve, solveInChild } from '#planning/solve.ts'

interface ControllerOptions {
  /** Closed when the controller ends. */
  readonly transport: Transport
  readonly clock: Clock
  /** Of the Lease, where the cluster's clock runs faster than ours: a deadline of 10 s of the cluster may be less than one request takes. */
  readonly leaseClock?: Clock
  readonly random: Random
  readonly log: Log
  /** Name of pod or host, and our own namespace. */
  readonly identity: Omit<Identity, 'instance'>
  readonly capabilities: readonly Capability[]
  /** By name of capability; what is absent has the defaults of its schema. */
  readonly configurations?: Readonly<Record<string, unknown>>
  readonly arbiter?: Partial<ArbiterPolicy> & { readonly ownerLabel?: string }
  /** Kinds of ours that are absent are applied, and our namespace, where we may. Default: no. */
  readonly installDefinitions?: boolean
  readonly webhooks?: WebhookEndpoint
  readonly solve?: Solve
  readonly health?: ControllerHealth
  readonly version?: string
  /** Ends the process in order: parts clean up, the Lease is given back. */
  readonly signal: AbortSignal
}

/** What `/readyz` and `/readyz/<capability>` say; filled by the controller, read by whoever serves it. */
export class ControllerHealth {
  readonly #sources = new Map<string, () => readonly Check[]>()

  /** All checks, those of each part under its name. */
  checks(): readonly Check[] {
    return Array.from(this.#sources).flatMap(([name, source]) =>
      source().map(check => ({ ...check, name: `${name}/${check.name}` })),
    )
  }

  add(name: string, source: () => readonly Check[]): Disposable {
    this.#sources.set(name, source)
    return { [Symbol.dispose]: () => this.#sources.delete(name) }
  }
}

const leaseName = 'ballast-controller'
const firstRetryMs = 1_000
const longestRetryMs = 30_000

/**
 * Runs until `signal` is aborted, then stops in order and resolves. A term that ends by a fault is told, and another is stood for after
 * a while. @throws InputError of a configuration; Error when what leads does not stop.
 */
export async function runController(options: ControllerOptions): Promise<void> {
  const { clock, random, log, signal } = options
  const health = options.health ?? new ControllerHealth()
  const identity: Identity = { ...options.identity, instance: `${options.identity.name}_${randomUuid(random)}` }
  const api = openApi(options.transport, { clock, userAgent: `ballast/${options.version ?? '0.1.0'} controller`, log })
  const events = new EventRecorder(api, {
    clock,
    random,
    controller: 'ballast.dev/controller',
    instance: `ballast-controller-${identity.name}`,
    log,
  })
  const terms = new Terms({ ...options, identity, api, events, health })
  try {
    if (options.installDefinitions === true) await install(api, options, signal)
    for (let failures = 0; !signal.aborted; ) {
      const election = new LeaseElection({
        api,
        namespace: identity.namespace,
        name: leaseName,
        identity: identity.instance,
        clock: options.leaseClock ?? clock,
        random,
        log,
        events,
      })
      // While we lead, the end is begun by the term itself: parts first, the Lease last.
      const candidacy = new AbortController()
      const onAbort = () => (terms.isLeading ? undefined : candidacy.abort(signal.reason))
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) candidacy.abort(signal.reason)
      try {
        await election.run(leader => terms.lead(leader), candidacy.signal)
        failures = 0
      } catch (error) {
        if (signal.aborted) throw error
        const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures++)
        log.error({ delayMs, why: messageOf(error) }, 'term ended by a fault, tried again')
        await clock.after(delayMs, signal).catch(ignoreAbort(signal))
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error
  } finally {
    await events.flush()
    await api.close()
  }
}

interface TermOptions extends ControllerOptions {
  readonly identity: Identity
  readonly api: Api
  readonly events: EventRecorder
  readonly health: ControllerHealth
}

/** What happens between winning the Lease and giving it back. */
class Terms {
  readonly #options: TermOptions
  #isLeading = false

  constructor(options: TermOptions) {
    this.#options = options
  }

  get isLeading(): boolean {
    return this.#isLeading
  }

  /** Starts all leading parts, waits for the end, and stops them in reverse. Nothing is granted before the ledger was taken over. */
  async lead(leader: Leader): Promise<void> {
    const { signal: outer } = this.#options
    if (outer.aborted) return
    this.#isLeading = true
    try {
      await using stack = new AsyncDisposableStack()
      const ended = Promise.withResolvers<void>()
      const onEnd = () => ended.resolve()
      for (const signal of [outer, leader.signal]) signal.addEventListener('abort', onEnd, { once: true })
      const starting = AbortSignal.any([outer, leader.signal])
      try {
        await this.#start(leader, stack, starting)
        await ended.promise
      } catch (error) {
        if (!starting.aborted) throw error
      }
    } finally {
      this.#isLeading = false
    }
  }

  async #start(leader: Leader, stack: AsyncDisposableStack, signal: AbortSignal): Promise<void> {
    const { api, clock, random, log, health, identity, events } = this.#options
    const informers = stack.use(new Informers(api, { clock, random, log, signal: leader.signal }))
    const view = stack.use(new ClusterView(informers, clock))
    const permits = informers.of<DisruptionPermit>(disruptionPermits)
    stack.use(
      health.add('informers', () =>
        informers.all().map(informer => ({
          name: informer.resource.resource,
          ok: informer.isSynced,
          ...(informer.problem === undefined ? {} : { message: informer.problem }),
        })),
      ),
    )
    await informers.allSynced(signal)
    const label = this.#options.arbiter?.ownerLabel ?? ownerLabel
    const ledger = new Ledger({ api, permits, leadership: leader, clock, log, namespace: identity.namespace })
    const policy = this.#arbiterPolicy()
    const arbiter = new Arbiter({
      ledger,
      state: () => view.state(),
      policy: () => policy,
      ownerLabel: label,
      ownNamespace: identity.namespace,
      events,
      clock,
      log,
    })
    await arbiter.takeOver(signal)
    const settings = settingsForServer(await serverVersion(api, signal))
    const leading: Leading = {
      arbiter,
      effects: { api, clock, leadership: leader },
      view,
      solve: this.#options.solve ?? solveInChild,
      settings,
      ownerLabel: label,
    }
    const ports = new PortBook()
    const context: ControllerContext = {
      clock,
      random,
      log,
      identity,
      ports,
      api,
      informers,
      events,
      leading,
      webhooks: this.#options.webhooks,
    }
    for (const { capability, part, config } of this.#parts()) {
      const running: Running<unknown> = stack.use(await part.start(context, config, leader.signal))
      stack.use(health.add(capability.name, () => running.health()))
      log.info({ capability: capability.name }, 'part started')
    }
  }

  #parts() {
    const { capabilities, configurations = {} } = this.#options
    return capabilities.flatMap(capability => {
      const config = capability.config.parse(configurations[capability.name] ?? {})
      return capability.parts.filter(isLeadingPart).map(part => ({ capability, part, config }))
    })
  }

  #arbiterPolicy(): ArbiterPolicy {
    const { capabilities, configurations = {}, arbiter = {} } = this.#options
    const modes = capabilities.flatMap(({ name, config }) => {
      const parsed = config.parse(configurations[name] ?? {})
      const mode =
        typeof parsed === 'object' && parsed !== null && 'arbitration' in parsed
          ? arbitrationModes.find(one => one === parsed.arbitration)
          : undefined
      return mode === undefined ? [] : [[name, mode] as const]
    })
    return { ...defaultPolicy, ...arbiter, modes: { ...Object.fromEntries(modes), ...arbiter.modes } }
  }
}

type LeadingPart = Extract<Part<unknown>, { process: 'controller' }>

function isLeadingPart(part: Part<unknown>): part is LeadingPart {
  return part.process === 'controller' && part.presence === 'leading'
}

class PortBook {
  readonly #faces = new Map<string, unknown>()

  take<Face>(port: { readonly name: string }): Face | undefined {
    // A port is offered with a face of its own type only: `offer` sees to it.
    return this.#faces.get(port.name) as Face | undefined
  }

  offer(port: { readonly name: string }, face: unknown): void {
    this.#faces.set(port.name, face)
  }
}

async function serverVersion(api: Api, signal: AbortSignal): Promise<string> {
  const version = await api.getPath('/version', { signal })
  return typeof version === 'object' && version !== null && 'gitVersion' in version && typeof version.gitVersion === 'string'
    ? version.gitVersion
    : ''
}

/** Kinds and namespace, tried until the server answers: it may be on its way up, as we are. */
async function install(api: Api, options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options
  for (let failures = 0; !signal.aborted; ) {
    try {
      await installDefinitions(api, options, signal)
      await ensureNamespace(api, options, signal)
      return
    } catch (error) {
      if (signal.aborted) return
      const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures++)
      log.error({ delayMs, why: messageOf(error) }, 'cluster not prepared yet, tried again')
      await clock.after(delayMs, signal).catch(ignoreAbort(signal))
    }
  }
}

/** Applies kinds of ours that the server does not know. Where we may not, the chart or an administrator has to: it is said, and the watches wait. */
async function installDefinitions(api: Api, { capabilities, log }: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { resources } = await api.discover(signal)
  for (const { group, plural, definition, owner } of capabilities.flatMap(capability => capability.kinds)) {
    const isServed = resources.some(resource => resource.group === group && resource.resource === plural)
    if (isServed || definition === undefined || owner !== 'ours') continue
    try {
      await api
        .resource<KubeObject>(builtIn.customresourcedefinitions)
        .apply(definition, { signal, fieldManager: 'ballast-install', force: true })
      log.info({ kind: definition.metadata.name }, 'kind installed')
    } catch (error) {
      if (!isForbidden(error)) throw error
      log.error(
        { kind: definition.metadata.name, why: error.message },
        "kind is absent and may not be installed by us: run this once with an administrator's kubeconfig",
      )
    }
  }
}

/** Our own namespace, for the Lease and what steers nodes. Where we may not make it, it is said how somebody can; the election waits for it. */
async function ensureNamespace(api: Api, { identity, log }: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { namespace } = identity
  const namespaces = api.resource<KubeObject>(builtIn.namespaces)
  try {
    await namespaces.get(namespace, { signal })
    return
  } catch (error) {
    // Whoever may not read it may still work in it.
    if (isForbidden(error)) return
    if (!isNotFound(error)) throw error
  }
  try {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
    await namespaces.create(object, { signal, fieldManager: 'ballast-install' })
    log.info({ namespace }, 'namespace made')
  } catch (error) {
    if (isAlreadyExists(error)) return
    if (!isForbidden(error)) throw error
    log.error(
      { namespace, why: error.message },
      `namespace is absent and may not be made by us: kubectl create namespace ${namespace}`,
    )
  }
}

function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return error => {
    if (!signal.aborted) throw error
  }
}
