// One cycle of both deschedulers, pod by pod: who would evict it, who did, and why the other did not.

import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { DeschedulerPolicy } from '../compat/policy/args.ts'
import type { MeasuredFigures } from '../compat/strategies/low-node-utilization.ts'
import { withLikes } from './alike.ts'
import { type Decisions, decide, type OurDecision } from './decisions.ts'
import { secondLook } from './second-look.ts'
import type { ShadowRow, ShadowSide } from './shadow-row.ts'
import type { TheirAttempt } from './their-attempt.ts'

export interface ShadowCycle {
  /** Time of the first look, in milliseconds since 1970. */
  readonly atMs: number
  /** One for each pod that either evicts, by key. */
  readonly rows: readonly ShadowRow[]
  /** Why ours did nothing. */
  readonly skipped?: string
}

/** A cluster at a moment. */
export interface Look {
  readonly state: ClusterState
  /** Milliseconds since 1970. */
  readonly atMs: number
  /** What providers of metrics knew then. */
  readonly measured?: MeasuredFigures
}

export interface CycleMaterial {
  /** Before the first of their evictions. */
  readonly before: Look
  /** Since when pods were made by what was evicted. */
  readonly sinceMs: number
  /** Absent: there is one look only (a file), and drift cannot be told. */
  readonly after?: Look
  readonly attempts: readonly TheirAttempt[]
  /** By pod: why theirs leaves it, where it says so. */
  readonly stays?: ReadonlyMap<string, readonly string[]>
  readonly isDryRun: boolean
  /** Theirs decided on a copy of the cluster that may not have been filled yet. */
  readonly isHalfSeen?: true
}

/** Compares one cycle. */
export function compareCycle(material: CycleMaterial, policy: DeschedulerPolicy): ShadowCycle {
  const theirs = lastOfEach(material.attempts)
  const looks = [material.before, ...laterLook(material, theirs)]
  const decisions = looks.map(look => decisionsAt(look, { isDryRun: material.isDryRun, theirs, policy }))
  const [first] = decisions
  const pods = new Set([...theirs.keys(), ...decisions.flatMap(({ wished }) => [...wished.keys()])])
  const view: View = { looks, decisions, theirs, material, policy }
  const rows = [...pods].sort().flatMap(pod => rowOf(pod, view))
  const podOf = (key: string) => looks.map(({ state }) => state.pods.get(key)).find(pod => pod !== undefined)
  const judged = material.isHalfSeen === true ? rows.map(excused) : withLikes(rows, podOf)
  return {
    atMs: material.before.atMs,
    rows: judged,
    ...(first?.skipped !== undefined && { skipped: first.skipped }),
  }
}

/** No difference counts against a descheduler that saw half of the cluster. */
function excused(row: ShadowRow): ShadowRow {
  if (row.verdict === 'agreed') return row
  return {
    ...row,
    verdict: 'drift',
    why: 'the first cycle of a dry run: upstream does not wait until its copy of the cluster is filled',
  }
}

/** By pod: what came of it in the end; a success counts more than a refusal. */
function lastOfEach(attempts: readonly TheirAttempt[]): ReadonlyMap<string, TheirAttempt> {
  const byPod = new Map<string, TheirAttempt>()
  for (const attempt of attempts) {
    const known = byPod.get(attempt.pod)
    if (known === undefined || known.failure !== undefined) byPod.set(attempt.pod, attempt)
  }
  return byPod
}

function laterLook({ before, sinceMs, after }: CycleMaterial, theirs: ReadonlyMap<string, TheirAttempt>): readonly Look[] {
  if (after === undefined) return []
  const evicted = new Set([...theirs.values()].flatMap(({ pod, failure }) => (failure === undefined ? [pod] : [])))
  return [{ ...after, state: secondLook({ before: before.state, after: after.state, evicted, sinceMs }) }]
}

interface Deciding {
  readonly isDryRun: boolean
  readonly theirs: ReadonlyMap<string, TheirAttempt>
  readonly policy: DeschedulerPolicy
}

function decisionsAt({ state, atMs, measured }: Look, { isDryRun, theirs, policy }: Deciding): Decisions {
  const failures = new Map([...theirs.values()].flatMap(({ pod, failure }) => (failure === undefined ? [] : [[pod, failure]])))
  const about = new Set(theirs.keys())
  return decide({ policy, state, nowMs: atMs, isDryRun, failures, about, ...(measured && { measured }) })
}

interface View {
  /** The first, and the second where there is one; decisions stand at the same places. */
  readonly looks: readonly Look[]
  readonly decisions: readonly Decisions[]
  readonly theirs: ReadonlyMap<string, TheirAttempt>
  readonly material: CycleMaterial
  readonly policy: DeschedulerPolicy
}

/** Empty: neither evicts it, since the server refuses ours and theirs did not try. */
function rowOf(pod: string, view: View): readonly ShadowRow[] {
  const theirs = view.theirs.get(pod)
  const wishes = view.decisions.map(({ wished }) => wished.get(pod))
  // Where the server would refuse it at one look only, it is wished for.
  const wish = wishes.find(one => one !== undefined && one.refusal === undefined) ?? wishes.find(one => one !== undefined)
  const known = view.looks.map(({ state }) => state.pods.get(pod)).find(one => one !== undefined)
  const row = {
    pod,
    node: wish?.node ?? known?.nodeName ?? theirs?.node ?? '',
    ...(wish !== undefined && { ours: ourSide(wish) }),
    ...(theirs !== undefined && { theirs: theirSide(theirs) }),
  }
  if (theirs !== undefined) {
    if (isAnother(known, theirs)) return [{ ...row, verdict: 'drift', why: 'another pod of this name, that no look showed' }]
    return [{ ...row, ...(wish === undefined ? theirsAlone(pod, known, view) : both(wish, wishes, theirs)) }]
  }
  // An eviction that the server refuses leaves a trace only in a log, or as an Event where the policy asks for it.
  if (wishes.every(one => one === undefined || one.refusal !== undefined)) return []
  return [{ ...row, ...oursAlone(pod, wishes, view) }]
}

function isAnother(known: PodState | undefined, { uid }: TheirAttempt): boolean {
  return known !== undefined && uid !== undefined && uid !== known.uid
}

function ourSide({ profile, strategy, refusal }: OurDecision): ShadowSide {
  return { profile, strategy, ...(refusal !== undefined && { refusal }) }
}

function theirSide({ profile, strategy, failure }: TheirAttempt): ShadowSide {
  return { ...(profile && { profile }), ...(strategy && { strategy }), ...(failure !== undefined && { refusal: failure }) }
}

type Judgement = Pick<ShadowRow, 'verdict' | 'why'>

function both(wish: OurDecision, wishes: readonly (OurDecision | undefined)[], theirs: TheirAttempt): Judgement {
  const odd: string[] = []
  if (theirs.strategy !== undefined && theirs.strategy !== wish.strategy) odd.push('another strategy took it')
  if (wishes.includes(undefined)) odd.push('at one of two looks only')
  if (theirs.failure !== undefined) odd.push(`the server refused: ${theirs.failure}`)
  else if (wish.refusal !== undefined) return { verdict: 'theirs-only', why: `the server would refuse: ${wish.refusal}` }
  return { verdict: 'agreed', ...(odd.length > 0 && { why: odd.join('; ') }) }
}

function theirsAlone(pod: string, known: PodState | undefined, { decisions, theirs, policy }: View): Judgement {
  if (known === undefined) return { verdict: 'drift', why: 'no look showed the pod: it came and went between them' }
  const strategy = theirs.get(pod)?.strategy
  const [first] = decisions
  if (first?.skipped !== undefined) return { verdict: 'theirs-only', why: `ours did nothing: ${first.skipped}` }
  if (strategy !== undefined && !runs(policy, strategy))
    return { verdict: 'theirs-only', why: `no profile of the policy runs ${strategy}` }
  const said = decisions.flatMap(({ stays, endings }) => {
    const ending = strategy === undefined ? undefined : endings.get(strategy)
    return stays.get(pod) ?? (ending === undefined ? [] : [ending])
  })
  const nothing = strategy === undefined ? 'no strategy took it up' : `${strategy} did not take it up`
  return { verdict: 'theirs-only', why: said.length === 0 ? nothing : [...new Set(said)].join('; ') }
}

function oursAlone(
  pod: string,
  wishes: readonly (OurDecision | undefined)[],
  { looks, material, policy, theirs }: View,
): Judgement {
  const missing = wishes.indexOf(undefined)
  if (missing >= 0) {
    const there = looks[missing]?.state.pods.get(pod)
    const gone = there === undefined ? 'the pod was there' : 'ours would evict it'
    return { verdict: 'drift', why: `${gone} at the ${missing === 0 ? 'second' : 'first'} look only` }
  }
  const said = material.stays?.get(pod)
  if (said !== undefined) return { verdict: 'ours-only', why: `upstream: ${said.join('; ')}` }
  const wish = wishes.find(one => one !== undefined)
  const profile = policy.profiles.find(({ name }) => name === wish?.profile)
  if (profile?.evictor.protections.has('PodsWithoutPDB'))
    return {
      verdict: 'ours-only',
      why: 'upstream up to v0.36.0 finds no budget of any pod (issue 1882), and so protects this one',
    }
  const { total } = policy.limits
  const count = [...theirs.values()].filter(({ failure }) => failure === undefined).length
  if (total !== undefined && count >= total) return { verdict: 'ours-only', why: `upstream had its ${total} of a cycle` }
  return { verdict: 'ours-only', why: 'upstream says nothing of it' }
}

function runs({ profiles }: DeschedulerPolicy, strategy: string): boolean {
  return profiles.some(profile => [...profile.deschedule, ...profile.balance].some(({ plugin }) => plugin === strategy))
}
