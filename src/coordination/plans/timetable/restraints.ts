// What the arbiter says of each workload before a plan is made, by its own rules: those that do not hang on the order of the plan.
// What it would not let go within the patience of a plan's run stays for this plan; what has to wait within it is dearer. Pure.
import type { ClusterState, PodState, WorkloadReference } from '#cluster/cluster-state.ts'
import { isSurge } from '#planning/candidates/move-action.ts'
import { workloadObject } from '#planning/candidates/workload-object.ts'
import { type PlanPolicy, workloadKey } from '#planning/goals/policy.ts'
import type { Restraints } from '#planning/plan-input.ts'
import type { StayReason } from '#planning/plan-record.ts'
import type { ArbiterSurroundings } from '../../arbiter/surroundings.ts'
import { factsFor } from '../../facts/facts.ts'
import type { Intent, Relocation } from '../../intent.ts'
import { judge } from '../../policy/judge.ts'
import { underWay } from '../../policy/locks/under-way.ts'
import { ownerMatrix } from '../../policy/owner-matrix.ts'
import { coolDown } from '../../policy/pauses/cool-down.ts'
import { quarantine } from '../../policy/pauses/quarantine.ts'
import { reverseMove } from '../../policy/pauses/reverse-move.ts'
import { scaleCoolDown } from '../../policy/pauses/scale-cool-down.ts'
import { waking } from '../../policy/pauses/waking.ts'
import type { Rule } from '../../policy/question.ts'
import { freeze } from '../../policy/safety/freeze.ts'
import { leastReplicas } from '../../policy/safety/least-replicas.ts'
import { protection } from '../../policy/safety/protection.ts'
import type { MoveRequirements } from '../move-context.ts'
import { moveIntent, requirementsOf } from '../move-intent.ts'
import type { Asking } from '../names.ts'
import { staleMs } from '../patience.ts'
import { stayReasonOf } from './stay-reason.ts'
import { closedWindow } from './workload-window.ts'

interface RestraintsInput {
  readonly state: ClusterState
  readonly around: ArbiterSurroundings
  readonly asking: Asking
  readonly policy: PlanPolicy
  /** Under which the plan's steps count once. */
  readonly batch: string
  /** When the plan would begin, in milliseconds since 1970. */
  readonly beginMs: number
}

/** How many times as dear a move is that has to wait for its turn: what can go at once is rather taken. */
const dearerBy = 2
const podRules: readonly Rule[] = [ownerMatrix, protection, leastReplicas, freeze]
const workloadRules: readonly Rule[] = [underWay, waking, coolDown, scaleCoolDown, quarantine]

type Heard = { readonly kind: 'free' } | { readonly kind: 'later' } | { readonly kind: 'held'; readonly reason: StayReason }
const free: Heard = { kind: 'free' }

/** Asks about every pod that runs and has a workload. What the planner never moves (DaemonSets, Jobs) is not asked about. */
export function restraintsFor(input: RestraintsInput): Restraints {
  const held = new Map<string, StayReason>()
  const dearer = new Map<string, number>()
  const asker = new Asker(input)
  for (const pod of input.state.pods.values()) {
    const { workload } = pod
    if (workload === undefined || pod.nodeName === undefined || pod.isFinished || neverMoved.has(workload.kind)) continue
    const heard = asker.hear(pod, workload)
    if (heard.kind === 'held') held.set(pod.key, heard.reason)
    if (heard.kind === 'later') dearer.set(workloadKey(workload), dearerBy)
  }
  return { held, dearer, barred: asker.barred() }
}

const neverMoved = new Set(['DaemonSet', 'Job', 'CronJob', 'Node'])

class Asker {
  readonly #input: RestraintsInput
  readonly #around: ArbiterSurroundings
  readonly #requirements: MoveRequirements
  readonly #known = new Map<string, Heard>()

  constructor(input: RestraintsInput) {
    this.#input = input
    this.#requirements = requirementsOf(input.policy)
    // A freeze of everything is no matter of one pod: the plan as a whole waits for its end.
    this.#around = { ...input.around, ownNamespace: '', policy: { ...input.around.policy, freeze: false } }
  }

  hear(pod: PodState, workload: WorkloadReference): Heard {
    const verb = isSurge(this.#input.state, this.#input.policy, { pod, workload }) ? 'surge' : 'evict'
    const own = this.#ask(this.#intent(pod, workload, verb), podRules)
    if (own.kind === 'held') return own
    const key = `${verb} ${workloadKey(workload)}`
    const known = this.#known.get(key) ?? this.#hearWorkload(pod, workload, verb)
    this.#known.set(key, known)
    return known.kind === 'free' ? own : known
  }

  #hearWorkload(pod: PodState, workload: WorkloadReference, verb: 'surge' | 'evict'): Heard {
    const closed = this.#closed(workload)
    if (closed.kind === 'held') return closed
    const heard = this.#ask(this.#intent(pod, workload, verb), workloadRules)
    return heard.kind === 'free' ? closed : heard
  }

  #closed(workload: WorkloadReference): Heard {
    const { state, beginMs } = this.#input
    const closed = closedWindow(workloadObject(state, workload), beginMs)
    if (closed === undefined) return free
    const { opensMs, message } = closed
    if (opensMs <= beginMs + staleMs) return { kind: 'later' }
    const until = Number.isFinite(opensMs) ? { until: new Date(opensMs).toISOString() } : {}
    return { kind: 'held', reason: { code: 'WindowClosed', data: { message, ...until } } }
  }

  /** Ways back that the ledger forbids, by workload and the node it is on. */
  barred(): Restraints['barred'] {
    const barred = new Map<string, Map<string, number>>()
    for (const { workload, relocation, joined } of this.#around.ledger.all()) {
      if (workload === undefined) continue
      for (const move of [relocation, ...joined.map(one => one.relocation)]) {
        for (const from of move?.to ?? []) this.#bar(barred, workload, { from, to: [move?.from ?? ''] })
      }
    }
    return barred
  }

  #bar(barred: Map<string, Map<string, number>>, key: string, relocation: Relocation): void {
    const [to = ''] = relocation.to
    const place = `${key}>${relocation.from}`
    if (barred.get(place)?.has(to) === true) return
    const [namespace = '', kind = '', name = ''] = key.split('/')
    const intent = this.#intent(undefined, { apiVersion: '', kind, namespace, name, uid: '' }, 'evict', relocation)
    const verdict = this.#judge(intent, [reverseMove])
    if (verdict.kind !== 'deny' || verdict.untilMs === undefined) return
    const ways = barred.get(place) ?? new Map<string, number>()
    barred.set(place, ways.set(to, verdict.untilMs))
  }

  #ask(intent: Intent, rules: readonly Rule[]): Heard {
    const verdict = this.#judge(intent, rules)
    switch (verdict.kind) {
      case 'deny':
        return { kind: 'held', reason: stayReasonOf(verdict.objection, verdict.untilMs) }
      case 'defer': {
        const { rule } = verdict.objection
        const rests = this.#around.policy.coolDownMs[intent.class] > 0
        // What others have begun ends with a cool-down.
        if (rule === 'under-way' && rests) return { kind: 'held', reason: stayReasonOf(verdict.objection, undefined) }
        // A freeze stops the whole plan when a move of it comes upon one.
        if (rule === 'freeze') return { kind: 'held', reason: stayReasonOf(verdict.objection, verdict.untilMs) }
        return { kind: 'later' }
      }
      default:
        return free
    }
  }

  #judge(intent: Intent, rules: readonly Rule[]): ReturnType<typeof judge> {
    const { state, beginMs: nowMs } = this.#input
    const { ledger, observed, policy } = this.#around
    const facts = factsFor(intent, { ...this.#around, state, ledger: [], asksGates: false, nowMs })
    return judge({ intent, facts, ledger, observed, pending: [], firstAskedMs: nowMs, policy, nowMs }, rules)
  }

  #intent(pod: PodState | undefined, workload: WorkloadReference, action: 'surge' | 'evict', relocation?: Relocation): Intent {
    const { asking, policy, batch, beginMs } = this.#input
    const { namespace = workload.namespace, name = '', uid = '', nodeName = '' } = pod ?? {}
    const [to = ''] = relocation?.to ?? []
    const from = relocation?.from ?? nodeName
    const intent = moveIntent(
      { id: '', pod: { namespace, name, uid }, workload, from, to, acceptable: [], action },
      {
        ...{ asking, plan: batch, policy: policy.name, key: batch, batch },
        isForUsage: false,
        deadlineMs: beginMs + staleMs,
        readyMs: 0,
        requirements: { ...this.#requirements, requireBudget: false },
        proof: { snapshotHash: '', nodes: [] },
      },
    )
    return pod === undefined ? { ...intent, targets: [], disrupts: [] } : intent
  }
}
