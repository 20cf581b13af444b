// Which parts of which capabilities are to run here and now, by presence and settings; and what each of them is given.
import { isDeepStrictEqual } from 'node:util'
import {
  type Capability,
  type Contexts,
  type Identity,
  needsOf,
  type Part,
  type PartOf,
  type Ports,
  type Process,
  type Running,
  standardAgentNamespace,
} from '#coordination/capability.ts'
import { isNeeded } from '#coordination/facts/cluster-view.ts'
import { viewNeedsOf } from '#coordination/facts/view-needs.ts'
import type { Need } from '#coordination/needs.ts'
import { assertHosted, partName, partsIn } from '#coordination/part-hosts.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { WatchNeed } from '#kube/informers/watch-pool.ts'
import type { ControllerSettings } from '../configuration/controller-settings.ts'
import { GuardLeases } from '../controller/guard-lease.ts'
import type { PartHost } from './part-host.ts'
import type { Owner } from './part-owner.ts'
import { type PartObserver, PartRecord } from './part-record.ts'
import type { PortBook } from './port-book.ts'
import type { HostedPart } from './supervised-part.ts'

type Presence = Part<unknown>['presence']

/** Processes that speak to the API server with watches that their parts share. Parts on nodes have each their own way there. */
export type ClusterProcess = Exclude<Process, 'node'>

interface Entry<P extends ClusterProcess> {
  readonly capability: Capability
  readonly part: PartOf<P, unknown>
  readonly record: PartRecord
}

/** What one life of a part has of its own. */
export interface OwnOfPart {
  readonly owner: Owner
  readonly ports: Ports
  readonly informers: Informers
}

interface Target<P extends ClusterProcess> {
  readonly presence: Presence
  readonly settings: () => ControllerSettings
  readonly identity: Identity
  readonly informers: Informers
  /** What a part of this process is given; what it begins by it is its own. */
  readonly contextOf: (own: OwnOfPart) => Contexts[P]
  /** Only where something leads. */
  readonly guards?: GuardLeases
}

export class PartRoster<P extends ClusterProcess> {
  readonly #entries: readonly Entry<P>[]
  readonly #ports: PortBook
  #applying: Promise<unknown> = Promise.resolve()

  /** @throws PartRefusedError naming parts of any process that nobody would run */
  constructor(
    process: P,
    capabilities: readonly Capability[],
    around: { readonly clock: Clock; readonly ports: PortBook; readonly observer?: PartObserver | undefined },
  ) {
    assertHosted(capabilities)
    this.#ports = around.ports
    this.#entries = capabilities.flatMap(capability =>
      partsIn(process, capability).map(part => {
        const state = part.presence === 'leading' ? 'standby' : 'stopped'
        const name = partName(part)
        return { capability, part, record: new PartRecord({ capability: capability.name, part: name, state }, around) }
      }),
    )
  }

  get records(): readonly PartRecord[] {
    return this.#entries.map(({ record }) => record)
  }

  has(presence: Presence): boolean {
    return this.#entries.some(({ part }) => part.presence === presence)
  }

  /** Capabilities that have a part of this presence. */
  capabilities(presence: Presence): readonly Capability[] {
    return this.#entries.filter(({ part }) => part.presence === presence).map(({ capability }) => capability)
  }

  /** What the enabled parts of a presence watch. */
  needs(presence: Presence, settings: ControllerSettings): readonly Need[] {
    return this.#entries.flatMap(({ capability, part }) => {
      const section = settings.capabilities[capability.name]
      return part.presence === presence && section?.isEnabled === true ? needsOf(part, section.config) : []
    })
  }

  /** What the arbiter watches for those of the enabled capabilities that may ask it: who sees no pods with its configuration asks nothing. */
  viewNeeds(settings: ControllerSettings): readonly Need[] {
    const askers = this.#entries.flatMap(({ capability, part }) => {
      const section = settings.capabilities[capability.name]
      const mayAsk = part.presence === 'leading' && capability.disrupts.length > 0 && section?.isEnabled === true
      return mayAsk && isNeeded(needsOf(part, section.config), { apiVersion: 'v1', kind: 'Pod' }) ? [capability] : []
    })
    return viewNeedsOf(askers, settings.arbiter.modes)
  }

  /** Has `host` run what the settings want: new parts are begun, others ended or given what changed. One call after the other. */
  apply(host: PartHost, to: Target<P>): Promise<void> {
    const done = this.#applying.then(async () => {
      for (const { capability, part, record } of this.#entries) {
        if (part.presence !== to.presence) continue
        const section = to.settings().capabilities[capability.name]
        if (section?.isEnabled !== true) {
          await host.remove(record.name)
          record.set('stopped')
        } else if (host.has(record.name)) await host.configure(record.name, section.config)
        else host.add(this.#hosted({ capability, part, record }, to), section.config)
      }
    })
    this.#applying = done.catch(() => undefined) // whoever asked hears of it; the next only waits
    return done
  }

  /** Leading parts stand by from now on. */
  standBy(): void {
    for (const { part, record } of this.#entries)
      if (part.presence === 'leading' && record.state === 'stopped') record.set('standby')
  }

  #hosted({ capability, part, record }: Entry<P>, to: Target<P>): HostedPart {
    return {
      record,
      // What it watches is set up before it starts.
      isOther: (from, to) => !isDeepStrictEqual(needsOf(part, from), needsOf(part, to)),
      start: async ({ owner, config, signal, again }) => {
        await using held = new AsyncDisposableStack()
        await this.#guarded({ capability, part, record }, to, { held, signal, again })
        await this.#portsOf(part, record, signal)
        const ports = held.use(this.#ports.forPart())
        const needs = needsOf(part, config).map(need => watchNeed(need, to.identity))
        const informers = held.use(to.informers.share({ needs }))
        record.set('starting')
        const running = await part.start(to.contextOf({ owner, ports, informers }), config, signal)
        const whole = held.move()
        return withEnd(running, () => whole.disposeAsync())
      },
    }
  }

  /** Holds the upstream's Leases before the part that replaces it acts; the part ends when one is lost, and waits for it again. */
  async #guarded(
    { capability, part, record }: Entry<P>,
    { guards, settings }: Target<P>,
    life: { readonly held: AsyncDisposableStack; readonly signal: AbortSignal; readonly again: (reason: unknown) => void },
  ): Promise<void> {
    const section = settings().capabilities[capability.name]
    if (guards === undefined || section === undefined || part.presence !== 'leading') return
    const names = GuardLeases.of(capability, section)
    if (names.length === 0) return
    record.wait(() => `the Lease of ${capability.replaces.map(({ upstream }) => upstream).join(', ')} (${names.join(', ')})`)
    const { namespace } = section.guardLease
    const guard = life.held.use(await guards.hold(capability.name, { names, namespace }, life.signal))
    const onLost = () => life.again(guard.lost.reason)
    guard.lost.addEventListener('abort', onLost, { once: true })
    if (guard.lost.aborted) onLost()
    life.signal.throwIfAborted()
  }

  async #portsOf(part: Pick<Part<unknown>, 'takes'>, record: PartRecord, signal: AbortSignal): Promise<void> {
    const awaited = part.takes.filter(use => use.without === 'wait').map(use => use.port)
    if (this.#ports.missing(awaited) === undefined) return
    record.wait(() => `${this.#ports.missing(awaited)?.name ?? 'a port'}, which another part offers`)
    await this.#ports.whenOffered(awaited, signal)
  }
}

type Places = Pick<Identity, 'namespace' | 'agentNamespace'>

/** A need as informers take it. */
export function watchNeed(need: Need, { namespace, agentNamespace = standardAgentNamespace }: Places): WatchNeed {
  const { group, version, resource, mode, fields, labelSelector, fieldSelector } = need
  return {
    group,
    version,
    resource,
    mode,
    ...(fields === undefined ? {} : { fields }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(need.scope === 'own-namespace' ? { namespace } : {}),
    ...(need.scope === 'agent-namespace' ? { namespace: agentNamespace } : {}),
    ...(typeof need.scope === 'object' ? { namespaces: need.scope.namespaces } : {}),
  }
}

function withEnd(running: Running<unknown>, end: () => Promise<void>): Running<unknown> {
  return {
    health: () => running.health(),
    reconfigure: config => running.reconfigure(config),
    switchedOff: async signal => await running.switchedOff?.(signal),
    async [Symbol.asyncDispose]() {
      try {
        await running[Symbol.asyncDispose]()
      } finally {
        await end()
      }
    },
  }
}
