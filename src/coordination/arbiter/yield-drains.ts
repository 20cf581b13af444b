// Drains that give way, as it is done: first the permit ends where everybody can read it, then the node takes pods again. Whoever takes over in
// between finds in the ledger which cordons are still to go.
import type { Clock } from '#kube/clock.ts'
import type { EmittedEvent } from '#kube/events/event-object.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { formatTime } from '#kube/time/time.ts'
import type { EffectContext } from '../effects/effect-context.ts'
import { uncordon } from '../effects/uncordon.ts'
import type { ClusterView } from '../facts/cluster-view.ts'
import type { Target } from '../intent.ts'
import { clockSkewMs, cordonedUnder, type SignedCordon } from '../observed/cordon.ts'
import type { UnschedulablePod } from '../observed/unschedulable-pods.ts'
import { recordKey } from '../permits/ledger-index.ts'
import { isActive, type PermitRecord } from '../permits/permit-record.ts'
import type { ArbiterPolicy } from '../policy/arbiter-policy.ts'
import { takesNodes } from '../policy/locks/node-lock.ts'
import type { Arbiter } from './arbiter.ts'
import { type Contest, contestOf, drainsThatGiveWay, type GivingWay } from './giving-way.ts'

interface YieldOptions {
  readonly arbiter: Pick<Arbiter, 'endThose' | 'records'>
  readonly view: Pick<ClusterView, 'state' | 'staleness'>
  /** Pods that the scheduler finds no node for. */
  readonly waiting: () => readonly UnschedulablePod[]
  readonly policy: () => ArbiterPolicy
  readonly effects: EffectContext
  readonly events: { emit(event: EmittedEvent): void }
  /** Told of each drain that gave way, once. */
  readonly counted?: ((record: PermitRecord) => void) | undefined
  readonly clock: Clock
  readonly log: Log
}

const everyMs = 10_000
/** The same pods and drains are worked out anew after this, in milliseconds: that takes a model of the whole cluster. */
const workedOutMs = 60_000
/** Cordons of drains that gave way longer ago are left to people, in milliseconds. */
const resumedMs = 3_600_000

/** Looks every ten seconds until `signal` is aborted. To be begun once a term, after the arbiter took over. */
export async function yieldDrains(options: YieldOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options
  const drains = new YieldingDrains(options)
  while (!signal.aborted) {
    try {
      await clock.after(everyMs, signal)
      await drains.endThoseInTheWay(signal)
    } catch (error) {
      if (signal.aborted) return
      log.warn({ why: messageOf(error) }, 'drains that should give way did not yet, tried again')
    }
    try {
      await drains.openNodes(signal)
    } catch (error) {
      if (signal.aborted) return
      log.warn({ why: messageOf(error) }, 'a node whose drain gave way is still cordoned, tried again')
    }
  }
}

class YieldingDrains {
  readonly #options: YieldOptions
  /** The cordons that each drain had set when it gave way, by node. */
  readonly #cordons = new Map<string, ReadonlyMap<string, SignedCordon>>()
  /** Permits whose nodes take pods again, or are not ours to open. */
  readonly #settled = new Set<string>()
  /** What nobody had to give way in, and until when that counts, as `elapsed` has it. */
  #fruitless: { readonly key: string; readonly untilMs: number } | undefined

  constructor(options: YieldOptions) {
    this.#options = options
  }

  async endThoseInTheWay(signal: AbortSignal): Promise<void> {
    const { arbiter, view } = this.#options
    if (view.staleness() !== undefined) return
    let found: readonly GivingWay[] = []
    await arbiter.endThose(permits => {
      found = this.#found(permits)
      return found.map(one => ({ record: one.permit, end: { ending: 'yielded', reason: whyOf(one) } }))
    }, signal)
    for (const one of found) this.#tell(one)
  }

  /** Takes the cordons off that drains left which gave way. A node that somebody else empties by now stays closed. */
  async openNodes(signal: AbortSignal): Promise<void> {
    const records = this.#options.arbiter.records()
    const yielded = records.filter(({ ending }) => ending === 'yielded')
    const keys = new Set(yielded.map(recordKey))
    for (const key of this.#settled) if (!keys.has(key)) this.#settled.delete(key)
    const taken = records
      .filter(one => isActive(one) && takesNodes(one))
      .flatMap(({ targets }) => targets.map(({ name }) => name))
    for (const record of yielded) {
      const key = recordKey(record)
      if (this.#settled.has(key)) continue
      for (const [node, cordon] of this.#cordons.get(key) ?? this.#cordonsLeft(record))
        if (!taken.includes(node)) await this.#open({ record, node, cordon }, signal)
      this.#settled.add(key)
      this.#cordons.delete(key)
    }
  }

  #found(permits: readonly PermitRecord[]): readonly GivingWay[] {
    const { view, waiting, policy, clock } = this.#options
    const state = view.state()
    const contest = contestOf({ state, permits, waiting: waiting(), policy: policy(), nowMs: clock.now() })
    if (contest === undefined) return []
    const key = keyOf(contest)
    if (key === this.#fruitless?.key && clock.elapsed() < this.#fruitless.untilMs) return []
    const found = drainsThatGiveWay({ state, permits }, contest)
    this.#fruitless = found.length > 0 ? undefined : { key, untilMs: clock.elapsed() + workedOutMs }
    for (const { permit } of found) this.#cordons.set(recordKey(permit), this.#cordonsOf(permit))
    return found
  }

  #cordonsOf(record: PermitRecord): ReadonlyMap<string, SignedCordon> {
    const { nodes } = this.#options.view.state()
    const cordons = record.targets.flatMap(({ name }) => {
      const node = nodes.get(name)?.object
      const cordon = node === undefined ? undefined : cordonedUnder(node, record)
      return cordon === undefined ? [] : [[name, cordon] as const]
    })
    return new Map(cordons)
  }

  /** After a take-over: a cordon that came after the drain had given way is somebody else's. */
  #cordonsLeft(record: PermitRecord): ReadonlyMap<string, SignedCordon> {
    const { releasedAtMs = 0 } = record
    if (this.#options.clock.now() - releasedAtMs > resumedMs) return new Map()
    return new Map([...this.#cordonsOf(record)].filter(([, { atMs }]) => atMs <= releasedAtMs + clockSkewMs))
  }

  async #open(
    { record, node, cordon }: { readonly record: PermitRecord; readonly node: string; readonly cordon: SignedCordon },
    signal: AbortSignal,
  ): Promise<void> {
    const { effects, log, events } = this.#options
    const target = record.targets.find(({ name }) => name === node)
    const outcome = await uncordon(effects, { node, uid: target?.uid, cordon }, signal)
    const permit = recordKey(record)
    if (outcome.kind === 'uncordoned') log.info({ permit, node }, 'the node of a drain that gave way takes pods again')
    if (outcome.kind !== 'refused') return
    log.warn({ permit, node, why: outcome.message }, 'the node of a drain that gave way stays cordoned')
    if (target === undefined) return
    events.emit({
      type: 'Warning',
      reason: 'CordonLeft',
      action: 'Uncordon',
      regarding: target,
      note: `the drain of ${record.requester} gave way, but the cordon could not be taken off: ${outcome.message}; kubectl uncordon ${node}`,
    })
  }

  #tell(one: GivingWay): void {
    const { log, events, counted } = this.#options
    const { permit, pod, node } = one
    const why = whyOf(one)
    log.info({ permit: recordKey(permit), requester: permit.requester, node, pod: pod.key, why }, 'a drain gave way to a pod')
    counted?.(permit)
    const target: Target | undefined = permit.targets.find(({ name }) => name === node)
    if (target === undefined) return
    events.emit({
      type: 'Normal',
      reason: 'DrainGaveWay',
      action: 'GiveWay',
      regarding: target,
      related: { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid },
      note: `the drain of ${permit.requester} (class ${permit.class}, permit ${recordKey(permit)}) ended: ${why}`,
      controller: `ballast.dev/${permit.requester}`,
    })
  }
}

/** For people: it ends the permit. */
function whyOf({ pod, node, sinceMs }: GivingWay): string {
  return `pod ${pod.key} waits for a node since ${formatTime(sinceMs)} and fits only on ${node}`
}

function keyOf({ drains, waiting }: Contest): string {
  return JSON.stringify([drains.map(({ permit }) => recordKey(permit)), waiting.map(({ pod }) => pod.uid)])
}
