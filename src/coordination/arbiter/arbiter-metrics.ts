// What the arbiter decides, in figures: fed by its decisions, and by its ledger when somebody scrapes. Labels are bounded sets; what
// asks for permits by itself may name itself as it likes, so requesters beyond the first fifty are one.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Clock } from '#kube/clock.ts'
import { apiSlow } from '../gates/api-slow.ts'
import { foreignDrain } from '../gates/foreign-drain.ts'
import type { GateContext } from '../gates/gate-context.ts'
import { kubeletVersions, nodeNotReady } from '../gates/node-health.ts'
import { disruptionClasses } from '../intent.ts'
import { isActive, type PermitRecord } from '../permits/permit-record.ts'
import { type GateName, gateNames } from '../policy/arbiter-policy.ts'
import type { Verdict } from '../policy/question.ts'
import type { Arbiter } from './arbiter.ts'
import type { Decision } from './hearing.ts'
import { objectionReasons } from './sentences.ts'

/** What is asked of an arbiter when somebody scrapes. */
interface Watched {
  readonly arbiter: Pick<Arbiter, 'records' | 'onDecision'>
  /** What the gates are asked with at this moment. */
  readonly gates: () => GateContext
  /** Everything voluntary stands still. */
  readonly isFrozen: () => boolean
}

/** A gate that concerns only some wishes counts as red for so long after it held one. */
const heldMs = 60_000
const mostRequesters = 50
const mostRemembered = 10_000
const waitSeconds = [0.01, 0.1, 1, 5, 15, 60, 300, 900, 3_600, 6 * 3_600, 24 * 3_600]

export class ArbiterMetrics {
  readonly #requesters = new Set<string>()
  readonly #joined = new Set<string>()
  readonly #requests: Counter<'requester' | 'class' | 'decision' | 'reason'>
  readonly #waits: Histogram<'class'>
  readonly #coalesced: Counter
  readonly #yielded: Counter<'requester' | 'class'>
  readonly #clock: Clock
  readonly #heldMs = new Map<GateName, number>()
  #watched: Watched | undefined

  /** Once for each registry: its names are taken then. */
  constructor(registry: Registry, clock: Clock) {
    const registers = [registry]
    this.#clock = clock
    this.#requests = new Counter({
      name: 'ballast_arbiter_requests_total',
      help: 'Answers of the arbiter; reason is that of the rule that objected, or would have in mode enforce',
      labelNames: ['requester', 'class', 'decision', 'reason'],
      registers,
    })
    this.#waits = new Histogram({
      name: 'ballast_arbiter_wait_seconds',
      help: 'From the first asking for a disruption to its grant',
      labelNames: ['class'],
      buckets: waitSeconds,
      registers,
    })
    for (const name of disruptionClasses) this.#waits.zero({ class: name })
    this.#coalesced = new Counter({
      name: 'ballast_arbiter_coalesced_total',
      help: 'Wishes that went along with the disruption of another',
      registers,
    })
    this.#yielded = new Counter({
      name: 'ballast_arbiter_drains_yielded_total',
      help: 'Drains that ended early, because a pod that waited fits only on their node',
      labelNames: ['requester', 'class'],
      registers,
    })
    this.#gauges(registers)
  }

  /** A drain gave way to a pod. */
  yielded({ requester, class: name }: Pick<PermitRecord, 'requester' | 'class'>): void {
    this.#yielded.inc({ requester: this.#labelOf(requester), class: name })
  }

  /** Follows `watched` until disposed of. One at a time: the arbiter of the term. */
  watch(watched: Watched): Disposable {
    this.#watched = watched
    const end = watched.arbiter.onDecision(decision => this.#count(decision))
    return {
      [Symbol.dispose]: () => {
        end()
        if (this.#watched === watched) this.#watched = undefined
      },
    }
  }

  #count({ intent, verdict, waitedMs, atMs }: Decision): void {
    // Asked again while its permit is out: that was counted.
    if (verdict.kind === 'same') return
    const labels = { requester: this.#labelOf(intent.requester), class: intent.class }
    this.#requests.inc({ ...labels, decision: decisionWords[verdict.kind], reason: reasonOf(verdict) })
    if (verdict.kind === 'defer' && verdict.objection.rule === 'gate') this.#heldMs.set(verdict.objection.gate, atMs)
    if (verdict.kind === 'grant') this.#waits.observe({ class: intent.class }, waitedMs / 1_000)
    if (verdict.kind !== 'coalesced') return
    const key = JSON.stringify([intent.requester, intent.idempotencyKey, verdict.into.namespace, verdict.into.name])
    if (this.#joined.has(key)) return
    if (this.#joined.size >= mostRemembered) this.#joined.clear()
    this.#joined.add(key)
    this.#coalesced.inc()
  }

  #frozen(): ReadonlySet<GateName | 'freeze'> {
    const watched = this.#watched
    if (watched === undefined) return new Set()
    const context = watched.gates()
    const ofAll = [nodeNotReady(context), kubeletVersions(context), foreignDrain(context), apiSlow(context)]
    const nowMs = this.#clock.now()
    return new Set([
      ...(watched.isFrozen() ? (['freeze'] as const) : []),
      ...ofAll.flatMap(red => red?.gate ?? []),
      ...gateNames.filter(gate => nowMs - (this.#heldMs.get(gate) ?? Number.NEGATIVE_INFINITY) < heldMs),
    ])
  }

  #labelOf(requester: string): string {
    if (this.#requesters.has(requester)) return requester
    if (this.#requesters.size >= mostRequesters) return 'other'
    this.#requesters.add(requester)
    return requester
  }

  #gauges(registers: Registry[]): void {
    const clock = this.#clock
    const active = () => this.#watched?.arbiter.records().filter(isActive) ?? []
    const frozen = () => this.#frozen()
    const labelOf = (requester: string) => this.#labelOf(requester)
    new Gauge({
      name: 'ballast_arbiter_inflight',
      help: 'Permits that are out; of a standby none',
      labelNames: ['requester'],
      registers,
      collect() {
        this.reset()
        for (const { requester } of active()) this.inc({ requester: labelOf(requester) })
      },
    })
    new Gauge({
      name: 'ballast_arbiter_frozen',
      help: '1 while a gate is red, or everything is frozen',
      labelNames: ['gate'],
      registers,
      collect() {
        const red = frozen()
        for (const gate of [...gateNames, 'freeze'] as const) this.set({ gate }, red.has(gate) ? 1 : 0)
      },
    })
    new Gauge({
      name: 'ballast_arbiter_oldest_permit_seconds',
      help: 'Age of the oldest permit that is out; 0 where none is',
      registers,
      collect() {
        const grants = active().map(({ grant }) => grant?.atMs ?? clock.now())
        this.set(grants.length === 0 ? 0 : Math.max(0, (clock.now() - Math.min(...grants)) / 1_000))
      },
    })
  }
}

const decisionWords = {
  grant: 'Granted',
  defer: 'Queued',
  deny: 'Denied',
  'no-op': 'NoOp',
  coalesced: 'Coalesced',
  absorbed: 'Coalesced',
} as const

function reasonOf(verdict: Exclude<Verdict, { kind: 'same' }>): string {
  switch (verdict.kind) {
    case 'grant':
      return verdict.wouldBe === undefined ? '' : objectionReasons[verdict.wouldBe.objection.rule]
    case 'coalesced':
    case 'absorbed':
      return ''
    case 'defer':
    case 'deny':
    case 'no-op':
      return objectionReasons[verdict.objection.rule]
  }
}
