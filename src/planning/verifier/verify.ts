// Judges a plan: replays it move by move on the raw objects and compares every number of every certificate with its own.
// It shares no code with what makes plans; of the cluster's model it uses the scores alone, which recorded placements hold to reality.

import { createHash } from 'node:crypto'
import { filterPlugins, type SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Certificate, Move, NodeShare, PlanRecord } from '../plan-record.ts'
import { snapshotHash } from '../snapshot-hash.ts'
import { budgetsFor, controller } from './budget-count.ts'
import type { Finding } from './finding.ts'
import { objections } from './fit-checks.ts'
import { fleetFindings } from './fleet-findings.ts'
import { LandingReplay } from './landing-replay.ts'
import { add, type StandingNode, type StandingPod, type Sums, World } from './world.ts'

/** Everything that is not true in `plan` for the cluster that `objects` are, in the order of the moves; empty for a sound plan. */
export function verifyPlan(plan: PlanRecord, objects: Iterable<KubeObject>, settings: SchedulerSettings): readonly Finding[] {
  const all = [...objects]
  const world = new World(all)
  const landing = new LandingReplay(all, settings)
  const findings: Finding[] = []
  const hash = snapshotHash(landing.state)
  if (plan.snapshotHash !== hash)
    findings.push({ code: 'snapshot-hash', field: 'snapshotHash', found: plan.snapshotHash, expected: hash })
  findings.push(...shareFindings('before', plan.before, world))
  const replay = new Replay(plan, world, landing, settings)
  for (const move of plan.moves) findings.push(...replay.play(move))
  findings.push(
    ...shareFindings('after', plan.after, world),
    ...objectiveFindings(plan),
    ...goalFindings(plan, world),
    ...fleetFindings(plan.goals ?? [], world, landing),
  )
  return findings
}

class Replay {
  readonly #plan: PlanRecord
  readonly #world: World
  readonly #landing: LandingReplay
  /** Those that the scheduler asks. */
  readonly #filters: ReadonlySet<string>
  readonly #ids = new Set<string>()
  /** The last move of each pod, where each stood before its first, and which have gone on from a stop. */
  readonly #moved = new Map<string, string>()
  readonly #origins = new Map<string, string>()
  readonly #stops = new Set<string>()
  #wave = 0
  /** State of the running wave: pods that are evicted, workloads in flight, and what has left each node but may still hold its room. */
  #away = new Set<string>()
  #busy = new Set<string>()
  #leaving = new Map<string, Sums>()

  constructor(plan: PlanRecord, world: World, landing: LandingReplay, settings: SchedulerSettings) {
    this.#filters = new Set<string>(filterPlugins).difference(new Set<string>(settings.disabledFilters))
    this.#plan = plan
    this.#world = world
    this.#landing = landing
  }

  play(move: Move): readonly Finding[] {
    const findings: Finding[] = []
    const say = (code: string, field: string, found: unknown, expected: unknown) =>
      findings.push({ code, move: move.id, field, found: text(found), expected: text(expected) })
    this.#beginWave(move, say)
    const key = `${move.pod.namespace}/${move.pod.name}`
    const standing = this.#world.nodeOf(key)
    const pod = standing?.pods.get(key)
    const target = this.#world.nodes.get(move.to)
    if (standing === undefined || pod === undefined) {
      say('pod-missing', 'pod', `no pod ${key} on any node`, 'a pod that runs')
      return findings
    }
    if (target === undefined) {
      say('node-missing', 'to', move.to, 'a node of this cluster')
      return findings
    }
    this.#checkIdentity(move, pod, standing, say)
    this.#checkRoom(move, pod, target, say)
    this.#checkOthers(move, pod, say)
    this.#checkBudget(move, pod, say)
    standing.pods.delete(key)
    const replacement = { ...pod, isReady: true, isTerminating: false }
    const others = move.action === 'surge' ? [pod] : []
    this.#withBeside(standing, others, () => {
      for (const { rule, found } of objections(this.#world, replacement, target))
        say('does-not-fit', `${rule} on ${move.to}`, found, 'nothing that speaks against it')
    })
    const settled = this.#believedTarget(move, target)
    this.#checkLanding(move, key, settled.name, say)
    settled.pods.set(key, replacement)
    if (move.action === 'evict') this.#away.add(key)
    const leaving = this.#leaving.get(standing.name) ?? {}
    add(leaving, { ...pod.requests, pods: 1 })
    this.#leaving.set(standing.name, leaving)
    return findings
  }

  #beginWave(move: Move, say: Say): void {
    if (this.#ids.has(move.id)) say('id-repeated', 'id', move.id, 'an id of its own')
    this.#ids.add(move.id)
    if (move.wave !== this.#wave) {
      if (move.wave !== this.#wave + 1)
        say('wave-order', 'wave', move.wave, this.#wave === 0 ? 1 : `${this.#wave} or ${this.#wave + 1}`)
      this.#wave = move.wave
      this.#away = new Set()
      this.#busy = new Set()
      this.#leaving = new Map()
    }
    const workload = `${move.workload.namespace}/${move.workload.kind}/${move.workload.name}`
    if (this.#busy.has(workload)) say('workload-twice', 'wave', move.wave, `another wave: ${workload} has a move in this one`)
    this.#busy.add(workload)
  }

  #checkIdentity(move: Move, pod: StandingPod, standing: StandingNode, say: Say): void {
    const { certificate } = move
    const before = this.#moved.get(pod.key)
    if (before !== move.follows)
      say(
        'pod-twice',
        'follows',
        move.follows,
        before === undefined ? 'none: it is the first move of the pod' : `${before}, which moved pod ${pod.key} before`,
      )
    if (before !== undefined && (this.#stops.has(pod.key) || move.to === this.#origins.get(pod.key)))
      say('pod-twice', 'pod', pod.key, 'one stop at most, and not a way back')
    if (before !== undefined) this.#stops.add(pod.key)
    else this.#origins.set(pod.key, standing.name)
    this.#moved.set(pod.key, move.id)
    if (move.pod.uid !== pod.uid) say('pod-uid', 'pod.uid', move.pod.uid, pod.uid)
    if (certificate.podUid !== pod.uid) say('pod-uid', 'certificate.podUid', certificate.podUid, pod.uid)
    if (certificate.snapshotHash !== this.#plan.snapshotHash)
      say('snapshot-hash', 'certificate.snapshotHash', certificate.snapshotHash, this.#plan.snapshotHash)
    if (move.from !== standing.name) say('source', 'from', move.from, standing.name)
    if (certificate.from !== standing.name) say('source', 'certificate.from', certificate.from, standing.name)
    if (certificate.to !== move.to) say('destination', 'certificate.to', certificate.to, move.to)
    if (move.to === standing.name) say('destination', 'to', move.to, 'another node than the one it runs on')
    if (!move.acceptable.includes(move.to)) say('destination', 'acceptable', move.acceptable.join(', '), `a list with ${move.to}`)
    compare('requests', certificate.requests, pod.requests, say)
    const owner = this.#topController(pod)
    const { apiVersion, kind, namespace, name, uid } = move.workload
    const said = [apiVersion, kind, `${namespace}/${name}`, uid].join(' ')
    const owned =
      owner === undefined ? 'none' : [owner.apiVersion, owner.kind, `${pod.namespace}/${owner.name}`, owner.uid].join(' ')
    if (said !== owned) say('workload', 'workload', said, owned)
    if (move.action === 'surge' && move.workload.kind !== 'Deployment')
      say('action', 'action', 'surge', `evict for a ${move.workload.kind}`)
  }

  #topController(pod: StandingPod): ReturnType<typeof controller> {
    let owner = controller(pod.object)
    for (let level = 0; owner !== undefined && level < 10; level++) {
      const found = this.#world.object(owner.kind, pod.namespace, owner.name)
      const above = found && controller(found)
      if (above === undefined) return owner
      owner = above
    }
    return owner
  }

  /**
   * Where the replacement stands for the moves after it. Where move and certificate name two nodes, the one of which the certificate's
   * numbers are true: then one edit is one move's findings, and not those of all that follow.
   */
  #believedTarget(move: Move, target: StandingNode): StandingNode {
    const certified = this.#world.nodes.get(move.certificate.to)
    if (certified === undefined || certified === target) return target
    const isTrueOf = (node: StandingNode) => {
      const free = this.#freeOf(node)
      return Object.keys(free).every(resource => free[resource] === move.certificate.freeBefore[resource])
    }
    return !isTrueOf(target) && isTrueOf(certified) ? certified : target
  }

  /** Free on a node while nothing that left it in this wave is gone yet. */
  #freeOf(node: StandingNode): Sums {
    const used = this.#world.used(node)
    add(used, this.#leaving.get(node.name) ?? {})
    return Object.fromEntries(
      Object.entries(node.allocatable).map(([resource, amount]) => [resource, amount - (used[resource] ?? 0)]),
    )
  }

  #checkRoom(move: Move, pod: StandingPod, target: StandingNode, say: Say): void {
    const free = this.#freeOf(target)
    const needed: Sums = { ...pod.requests, pods: 1 }
    for (const [resource, amount] of Object.entries(needed)) {
      const left = free[resource] ?? 0
      if (amount > 0 && amount > left)
        say('does-not-fit', `${resource} on ${target.name}`, `${amount} requested`, `at most ${left}, which is free`)
    }
    compare('freeBefore', move.certificate.freeBefore, free, say)
    const after = Object.fromEntries(
      Object.entries(free).map(([resource, amount]) => [resource, amount - (needed[resource] ?? 0)]),
    )
    compare('freeAfter', move.certificate.freeAfter, after, say)
  }

  /** Where it may land as well there is a node, and room for it. */
  #checkOthers({ acceptable, to, from }: Move, pod: StandingPod, say: Say): void {
    for (const name of acceptable) {
      if (name === to) continue
      const node = this.#world.nodes.get(name)
      if (node === undefined) {
        say('node-missing', 'acceptable', name, 'nodes of this cluster')
        continue
      }
      if (name === from) say('destination', 'acceptable', name, 'other nodes than the one it runs on')
      const free = this.#freeOf(node)
      for (const [resource, amount] of Object.entries({ ...pod.requests, pods: 1 }))
        if (amount > 0 && amount > (free[resource] ?? 0))
          say(
            'does-not-fit',
            `${resource} on ${name}, which is acceptable`,
            `${amount} requested`,
            `at most ${free[resource] ?? 0}, which is free`,
          )
    }
  }

  #checkBudget(move: Move, pod: StandingPod, say: Say): void {
    const recorded = move.certificate.budget
    if (move.action === 'surge') {
      if (recorded !== undefined) say('budget', 'certificate.budget', recorded.name, 'none: nothing is evicted')
      return
    }
    const [budget, second] = budgetsFor(this.#world, pod, this.#away)
    if (second !== undefined)
      say('budget', 'certificate.budget', `${budget?.name}, ${second.name}`, 'one budget: the eviction API refuses several')
    if (budget === undefined) {
      if (recorded !== undefined) say('budget', 'certificate.budget', recorded.name, 'none: no budget covers the pod')
      return
    }
    const isSpared =
      !pod.isReady && (budget.unhealthyPolicy === 'AlwaysAllow' || (budget.desired > 0 && budget.healthy >= budget.desired))
    if (budget.allowed < 1 && !isSpared)
      say(
        'budget',
        `budget ${budget.name}`,
        `${budget.healthy} healthy, ${budget.desired} desired`,
        'a disruption that is allowed',
      )
    const healthyAfter = budget.healthy - (pod.isReady ? 1 : 0)
    const expected: NonNullable<Certificate['budget']> = {
      name: budget.name,
      expected: budget.expected,
      desired: budget.desired,
      healthyBefore: budget.healthy,
      healthyAfter,
      allowedBefore: budget.allowed,
      allowedAfter: Math.max(0, healthyAfter - budget.desired),
    }
    for (const [name, value] of Object.entries(expected)) {
      const found = recorded === undefined ? undefined : Reflect.get(recorded, name)
      if (found !== value) say('budget', `certificate.budget.${name}`, found, value)
    }
  }

  #checkLanding(move: Move, key: string, settled: string, say: Say): void {
    const { landing, filters } = move.certificate
    const mayTake = this.#mayTake(move, say)
    for (const filter of new Set([...Object.keys(filters), ...this.#filters])) {
      const verdict = Object.hasOwn(filters, filter) ? filters[filter] : undefined
      const expected = this.#filters.has(filter) ? 'passed' : undefined
      if (verdict !== expected) say('filter', `certificate.filters.${filter}`, verdict, expected)
    }
    if (landing.mode !== this.#plan.landing) say('landing', 'certificate.landing.mode', landing.mode, this.#plan.landing)
    const seen = this.#landing.play(move, key, { settled, mayTake })
    if ('missing' in seen) {
      say('landing', 'certificate.landing', seen.missing, 'a pod and nodes that the scheduler model knows')
      return
    }
    if (landing.many === undefined) {
      compare('landing.totals', landing.totals, seen.totals, say)
      if (landing.nodes.join() !== seen.nodes.join())
        say('landing', 'certificate.landing.nodes', landing.nodes.join(', '), seen.nodes.join(', '))
    } else
      for (const [field, found, expected] of manyFindings(landing, seen))
        say('landing', `certificate.landing.${field}`, found, expected)
    const stray = seen.nodes.filter(node => !mayTake(node))
    const likely = stray.length === 0 ? undefined : likelihood(seen, stray, mayTake)
    if (likely === undefined ? landing.likely !== undefined : Math.abs(likely - (landing.likely ?? 1)) > 1e-9)
      say('landing', 'certificate.landing.likely', landing.likely, likely)
    if (likely !== undefined && likely < leastLikely)
      say('landing', 'acceptable', move.acceptable.join(', '), `a list with ${stray.join(', ')}, where it may land`)
  }

  /** On which nodes it may land, as the move says it. */
  #mayTake({ acceptable, closed, from }: Move, say: Say): (node: string) => boolean {
    if (closed === undefined) return node => acceptable.includes(node)
    const { closedNodes = [] } = this.#plan
    if (!Number.isInteger(closed) || closed < 0 || closed > closedNodes.length)
      say('landing', 'closed', closed, `from 0 to ${closedNodes.length}, as many as the plan has closedNodes`)
    const refused = new Set([from, ...closedNodes.slice(0, closed)])
    return node => acceptable.includes(node) || !refused.has(node)
  }

  /** Runs `check` while `pods` stand on `node` too. */
  #withBeside(node: StandingNode, pods: readonly StandingPod[], check: () => void): void {
    for (const pod of pods) node.pods.set(`${pod.key} (old)`, pod)
    check()
    for (const pod of pods) node.pods.delete(`${pod.key} (old)`)
  }
}

/** What is not so in the sum of many nodes: how many there are, and the digest of a line for each. */
function* manyFindings(
  { nodes, totals, many }: Certificate['landing'],
  seen: { readonly nodes: readonly string[]; readonly totals: Readonly<Sums> },
): Generator<readonly [field: string, found: unknown, expected: unknown]> {
  const hash = createHash('sha256')
  for (const node of Object.keys(seen.totals).sort()) hash.update(`${node} ${seen.totals[node]}\n`)
  hash.update(`${[...seen.nodes].sort().join(' ')}\n`)
  const expected = { count: seen.nodes.length, feasible: Object.keys(seen.totals).length, digest: `sha256:${hash.digest('hex')}` }
  for (const [field, value] of Object.entries(expected)) {
    const found: unknown = Reflect.get(many ?? {}, field)
    if (found !== value) yield [`many.${field}`, found, value]
  }
  if (nodes.length > 0 || Object.keys(totals).length > 0) yield ['nodes', nodes.join(', '), 'none beside the sum of many']
}

/** As probable as this a landing has to be. */
const leastLikely = 0.999

/**
 * The chance that the scheduler finds a node that may take the pod and beats all strays, where it sees `found` of those it could run on: by
 * chance, or one after the other from any node on, whichever is worse.
 */
function likelihood(
  seen: { readonly totals: Readonly<Sums>; readonly found: number; readonly order: readonly string[] },
  stray: readonly string[],
  mayTake: (node: string) => boolean,
): number {
  const best = Math.max(...stray.map(node => seen.totals[node] ?? 0))
  const names = Object.keys(seen.totals)
  const isBeaten = (node: string) => !mayTake(node) || (seen.totals[node] ?? 0) <= best
  const beaten = names.filter(isBeaten).length
  let none = 1
  for (let drawn = 0; drawn < seen.found; drawn++) none = (none * Math.max(0, beaten - drawn)) / (names.length - drawn)
  let bad = 0
  for (const start of seen.order.keys()) {
    let left = seen.found
    for (let step = 0; step < seen.order.length && left > 0; step++) {
      const node = seen.order[(start + step) % seen.order.length] ?? ''
      if (seen.totals[node] === undefined) continue
      if (!isBeaten(node)) break
      left--
    }
    if (left === 0) bad++
  }
  return 1 - Math.max(none, bad / seen.order.length)
}

type Say = (code: string, field: string, found: unknown, expected: unknown) => void

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
}

/** One finding for each resource whose number is another, or that only one side has. */
function compare(name: string, found: Readonly<Sums>, expected: Readonly<Sums>, say: Say): void {
  for (const resource of new Set([...Object.keys(found), ...Object.keys(expected)])) {
    if (found[resource] !== expected[resource])
      say('certificate-number', `certificate.${name}.${resource}`, found[resource], expected[resource])
  }
}

function shareFindings(field: 'before' | 'after', shares: readonly NodeShare[], world: World): Finding[] {
  return shares.flatMap((share): Finding[] => {
    const node = world.nodes.get(share.node)
    const place = `${field}: ${share.resource} of ${share.node}`
    if (node === undefined) return [{ code: 'node-missing', field: place, found: share.node, expected: 'a node of this cluster' }]
    const used = world.used(node)[share.resource] ?? 0
    const allocatable = node.allocatable[share.resource] ?? 0
    const percent = allocatable > 0 ? (used * 100) / allocatable : 0
    const wrong: Finding[] = []
    if (share.used !== used)
      wrong.push({ code: 'share', field: `${place}: used`, found: String(share.used), expected: String(used) })
    if (share.allocatable !== allocatable)
      wrong.push({
        code: 'share',
        field: `${place}: allocatable`,
        found: String(share.allocatable),
        expected: String(allocatable),
      })
    if (Math.abs(share.percent - percent) > 1e-9)
      wrong.push({ code: 'share', field: `${place}: percent`, found: String(share.percent), expected: String(percent) })
    return wrong
  })
}

function objectiveFindings({ objective, moves }: PlanRecord): Finding[] {
  const wrong = (field: string, found: number, expected: string): Finding => ({
    code: 'objective',
    field: `objective.${field}`,
    found: String(found),
    expected,
  })
  const least = Math.ceil(objective.lowerBound - 1e-6)
  const gap = objective.moves === 0 ? 0 : (objective.moves - least) / objective.moves
  return [
    ...(objective.moves === moves.length ? [] : [wrong('moves', objective.moves, String(moves.length))]),
    ...(objective.lowerBound >= 0 && least <= moves.length
      ? []
      : [wrong('lowerBound', objective.lowerBound, `between 0 and ${moves.length}`)]),
    ...(Math.abs(objective.gap - gap) < 1e-9 ? [] : [wrong('gap', objective.gap, String(gap))]),
  ]
}

/** Goals on requests, after all moves: on the exact fraction, `max` strictly below, `min` strictly above. */
function goalFindings({ goals }: PlanRecord, world: World): Finding[] {
  return (goals ?? []).flatMap((goal): Finding[] => {
    const node = world.nodes.get(goal.node)
    if (goal.measure !== undefined || node === undefined || (goal.stat === 'usage' && goal.resource !== 'pods')) return []
    const used = BigInt(world.used(node)[goal.resource] ?? 0) * 100_000_000n
    const wanted = BigInt(Math.round(goal.wanted * 1e6)) * BigInt(node.allocatable[goal.resource] ?? 0)
    const state = (goal.bound === 'max' ? used < wanted : used > wanted) ? 'met' : 'missed'
    if (goal.state === state) return []
    return [{ code: 'goal', field: `goal ${goal.goal} on ${goal.node}`, found: goal.state, expected: state }]
  })
}
