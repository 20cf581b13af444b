// Which parts of which capabilities are to run here and now, by presence and settings; and what each of them is given.
import { isDeepStrictEqual } from 'node:util'
import {
  type Capability,
  type ControllerContext,
  type Identity,
  type Need,
  needsOf,
  type Part,
  type Running,
  standardAgentNamespace,
} from '#coordination/capability.ts'
import { viewNeedsOf } from '#coordination/facts/view-needs.ts'
import type { Clock } from '#kube/clock.ts'
import type { WatchNeed } from '#kube/informers/watch-pool.ts'
import type { ControllerSettings } from '../configuration/controller-settings.ts'
import type { PortBook } from '../controller/controller-ports.ts'
import { GuardLeases } from '../controller/guard-lease.ts'
import type { PartHost } from './part-host.ts'
import { type Owner, ownedClock, ownedWebhooks } from './part-owner.ts'
import { type PartObserver, PartRecord } from './part-record.ts'
import type { HostedPart } from './supervised-part.ts'

type ControllerPart = Extract<Part<unknown>, { process: 'controller' }>

interface Entry {
  readonly capability: Capability
  readonly part: ControllerPart
  readonly record: PartRecord
}

/** What all parts of a host share; clock, webhooks and ports are made each part's own. */
type SharedContext = Omit<ControllerContext, 'ports'>

interface Target {
  readonly presence: ControllerPart['presence']
  readonly settings: () => ControllerSettings
  readonly context: SharedContext
  /** Only where something leads. */
  readonly guards?: GuardLeases
}

export class PartRoster {
  readonly #entries: readonly Entry[]
  readonly #ports: PortBook
  #applying: Promise<unknown> = Promise.resolve()

  constructor(
    capabilities: readonly Capability[],
    around: { readonly clock: Clock; readonly ports: PortBook; readonly observer?: PartObserver | undefined },
  ) {
    this.#ports = around.ports
    this.#entries = capabilities.flatMap(capability =>
      capability.parts.filter(isControllerPart).map(part => {
        const name = [
          part.process,
          ...(part.role === undefined ? [] : [part.role]),
          ...(part.presence === 'always' ? ['always'] : []),
        ].join('-')
        const state = part.presence === 'leading' ? 'standby' : 'stopped'
        return { capability, part, record: new PartRecord({ capability: capability.name, part: name, state }, around) }
      }),
    )
  }

  get records(): readonly PartRecord[] {
    return this.#entries.map(({ record }) => record)
  }

  has(presence: ControllerPart['presence']): boolean {
    return this.#entries.some(({ part }) => part.presence === presence)
  }

  /** Capabilities that have a part of this presence. */
  capabilities(presence: ControllerPart['presence']): readonly Capability[] {
    return this.#entries.filter(({ part }) => part.presence === presence).map(({ capability }) => capability)
  }

  /** What the enabled parts of a presence watch. */
  needs(presence: ControllerPart['presence'], settings: ControllerSettings): readonly Need[] {
    return this.#entries.flatMap(({ capability, part }) => {
      const section = settings.capabilities[capability.name]
      return part.presence === presence && section?.isEnabled === true ? needsOf(part, section.config) : []
    })
  }

  /** What the arbiter watches for those of the enabled capabilities that may ask it. */
  viewNeeds(settings: ControllerSettings): readonly Need[] {
    const askers = this.capabilities('leading').filter(
      ({ name, disrupts }) => disrupts.length > 0 && settings.capabilities[name]?.isEnabled === true,
    )
    return viewNeedsOf(askers, settings.arbiter.modes)
  }

  /** Has `host` run what the settings want: new parts are begun, others ended or given what changed. One call after the other. */
  apply(host: PartHost, to: Target): Promise<void> {
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

  #hosted({ capability, part, record }: Entry, to: Target): HostedPart {
    return {
      record,
      // What it watches is set up before it starts.
      isOther: (from, to) => !isDeepStrictEqual(needsOf(part, from), needsOf(part, to)),
      start: async ({ owner, config, signal, again }) => {
        await using held = new AsyncDisposableStack()
        await this.#guarded({ capability, part, record }, to, { held, signal, again })
        await this.#portsOf(part, record, signal)
        const ports = held.use(this.#ports.forPart())
        const needs = needsOf(part, config).map(need => watchNeed(need, to.context.identity))
        const informers = held.use(to.context.informers.share({ needs }))
        record.set('starting')
        const running = await part.start({ ...ownContext(to.context, owner), ports, informers }, config, signal)
        const whole = held.move()
        return withEnd(running, () => whole.disposeAsync())
      },
    }
  }

  /** Holds the upstream's Leases before the part that replaces it acts; the part ends when one is lost, and waits for it again. */
  async #guarded(
    { capability, part, record }: Entry,
    { guards, settings }: Target,
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

  async #portsOf(part: ControllerPart, record: PartRecord, signal: AbortSignal): Promise<void> {
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

function isControllerPart(part: Part<unknown>): part is ControllerPart {
  return part.process === 'controller'
}

function ownContext(context: SharedContext, owner: Owner): SharedContext {
  const { webhooks } = context
  return {
    ...context,
    clock: ownedClock(context.clock, owner),
    webhooks: webhooks === undefined ? undefined : ownedWebhooks(webhooks, owner),
  }
}

function withEnd(running: Running<unknown>, end: () => Promise<void>): Running<unknown> {
  return {
    health: () => running.health(),
    reconfigure: config => running.reconfigure(config),
    async [Symbol.asyncDispose]() {
      try {
        await running[Symbol.asyncDispose]()
      } finally {
        await end()
      }
    },
  }
}
