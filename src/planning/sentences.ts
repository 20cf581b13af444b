// Reasons of planning as sentences for people. One function for each kind of reason; nothing is decided here.

import { isMeasured } from './goals/resources.ts'
import type { Blocker, GoalOutcome, LimitMet, Loss, OpenWish, Plan, StayCode, Unmovable } from './plan-record.ts'
import type { Finding } from './verifier/finding.ts'

type Facts = Readonly<Record<string, string>>

/** Why the pod stays, without its name: `its volume nexus-local cannot leave talos01`. What no remedy would change is said too. */
export function staySentence(reason: Pick<Unmovable, 'code' | 'data'> & Partial<Pick<Unmovable, 'node' | 'also'>>): string {
  const sentence = ownSentence(reason)
  if (remedySentence(reason.code, reason.data) === undefined) return sentence
  const final = reason.also?.find(({ code, data }) => remedySentence(code, data) === undefined)
  return final === undefined ? sentence : `${sentence}, and ${ownSentence({ ...reason, ...final })}`
}

function ownSentence({ code, data, node }: Pick<Unmovable, 'code' | 'data'> & Partial<Pick<Unmovable, 'node'>>): string {
  const at = node === undefined ? 'its node' : node
  switch (code) {
    case 'Core':
      return `namespace ${data['namespace'] ?? ''} is core and stays`
    case 'Excepted':
      return `the policy's isolation makes an exception of ${data['exception'] ?? 'it'}`
    case 'KedaNotAtZero':
      return `KEDA scales its workload (${sourceWords(data)}), and it is not at zero`
    case 'NamespaceExcluded':
      return `the policy leaves namespace ${data['namespace'] ?? ''} alone`
    case 'OutOfScope':
      return "the policy's label selector does not pick it"
    case 'NodeOutOfScope':
      return `the policy's node selector does not pick ${at}`
    case 'Unlabelled':
      return data['contradicting'] === undefined
        ? `neither it nor its workload or namespace has the label ${data['label'] ?? ''}`
        : `the label ${data['label'] ?? ''} says ${JSON.stringify(data['contradicting'])}, which is none of ${data['movable'] ?? ''}, ${data['scaled'] ?? ''}, ${data['held'] ?? ''}`
    case 'KedaManaged':
      return data['contradicting'] === undefined
        ? `KEDA scales its workload (${sourceWords(data)})`
        : `KEDA scales its workload (${sourceWords(data)}), although a label says ${data['contradicting']}`
    case 'OwnerNone':
      return `the label ${data['label'] ?? ''}=${data['held'] ?? ''} (${sourceWords(data)}) says that nobody moves it`
    case 'DaemonSet':
      return 'its DaemonSet runs one on each node'
    case 'Mirror':
    case 'Static':
      return `the kubelet of ${at} runs it from a file`
    case 'Critical':
      return `its priority ${data['priority'] ?? ''} is that of a critical pod`
    case 'Terminating':
      return 'it is going away already'
    case 'NoOwner':
      return 'no controller would make a replacement'
    case 'LocalStorage':
      return data['kind'] === 'hostPath'
        ? `what its hostPath volume ${data['volume'] ?? ''} holds stays on ${at}`
        : `its ${data['kind'] ?? ''} volume ${data['volume'] ?? ''} would be lost`
    case 'ResourceClaims':
      return data['template'] === undefined
        ? `its resource claim ${data['claim'] ?? ''} is allocated where it runs`
        : `its ResourceClaimTemplate ${data['template']} is not among what was read`
    case 'DoNotDisrupt':
      return 'the annotation karpenter.sh/do-not-disrupt protects it'
    case 'NotSafeToEvict':
      return 'the annotation cluster-autoscaler.kubernetes.io/safe-to-evict says false'
    case 'JobOwned':
      return 'it belongs to a Job, which would begin again'
    case 'Frozen':
      return `${data['kind'] ?? ''} ${data['name'] ?? ''} is frozen (${data['value'] ?? ''})`
    case 'SourceLeaving':
      return `${at} is being taken away by somebody else`
    case 'NoPDB':
      return 'no PodDisruptionBudget covers it'
    case 'PDBNeverAllows':
      return data['why'] === 'several'
        ? `several PodDisruptionBudgets cover it (${data['budget'] ?? ''}), and the eviction API refuses that`
        : `PodDisruptionBudget ${data['budget'] ?? ''} wants ${data['desired'] ?? ''} of ${data['expected'] ?? ''} pods up, so it can never allow an eviction`
    case 'PDBExhausted':
      return `PodDisruptionBudget ${data['budget'] ?? ''} allows no eviction now: ${data['healthy'] ?? ''} healthy, ${data['desired'] ?? ''} wanted`
    case 'SingleReplica':
      return data['why'] === 'outage'
        ? 'it is the only replica and cannot surge: a move would be a short outage'
        : 'it is the only replica, and the policy skips those'
    case 'Quarantined':
      return `its workload landed elsewhere the last time and is left alone until ${data['until'] ?? ''}`
    case 'CoolingDown':
      return `a pod of its workload was replaced ${byWords(data)}, and it is left alone until ${data['until'] ?? ''}`
    case 'JustScaled':
      return `its workload was scaled ${byWords(data)}, and is left alone until ${data['until'] ?? ''}`
    case 'UnderWay':
      return `something is under way on its workload ${byWords(data)}, after which it is left alone for a while`
    case 'Waking':
      return 'its workload comes up from 0 and is not ready yet'
    case 'WindowClosed':
      return `its workload may be moved in its own window only: ${data['message'] ?? ''}${data['until'] === undefined ? '' : `, it opens ${data['until']}`}`
    case 'CapReached':
      return `no room is left for its move below the arbiter's caps (${data['message'] ?? ''})${data['until'] === undefined ? '' : ` before ${data['until']}`}`
    case 'ArbiterDenies':
      return `the arbiter would not let it go: ${data['message'] ?? ''} [${data['reason'] ?? ''}]${data['until'] === undefined ? '' : `, before ${data['until']}`}`
    case 'VolumePinned':
      return `its volume ${data['pv'] ?? ''} cannot leave ${at}`
    case 'NodeAffinityPinned':
      return 'its node selector or node affinity lets it run nowhere else'
    case 'RecentlyMoved':
      return `its workload was moved away from ${data['from'] ?? ''} within the last day, the only place to go back to${data['until'] === undefined ? '' : ` (until ${data['until']})`}`
    case 'UsageUnknown':
      return data['node'] === undefined
        ? 'what it uses was not measured, and the nodes that could take it have goals of use'
        : `what it or ${data['node']} uses was not measured, and ${data['node']} has a goal of use`
    case 'NoFeasibleNode':
      if (data['back'] !== undefined) return `it cannot go back to ${data['back']}: ${data['reasons'] ?? ''}`
      return data['nodes'] === '0'
        ? 'no other node takes pods: the rest is cordoned, not ready, leaving, or out of scope'
        : `no other node can run it: ${data['reasons'] ?? ''}`
    case 'NoSafeOrder':
      return `in no order of the moves is there room for it on ${data['to'] ?? ''} (${data['detail'] ?? ''})`
    case 'LandsElsewhere':
      return `the scheduler would put its replacement on ${data['detail'] ?? ''} and not on ${data['to'] ?? ''}`
  }
}

/** What would make the pod movable, as far as this reason goes; `undefined` where nothing reasonable would. */
export function remedySentence(code: StayCode, data: Facts): string | undefined {
  switch (code) {
    case 'Core':
      return `take ${data['namespace'] ?? 'its namespace'} out of spec.isolation.coreNamespaces`
    case 'Excepted':
      return `take ${data['exception'] ?? 'it'} out of spec.isolation.exceptions`
    case 'KedaNotAtZero':
      return 'wait until KEDA scales it to zero, or set spec.isolation.keda to evict'
    case 'NamespaceExcluded':
      return `take ${data['namespace'] ?? 'the namespace'} out of spec.scope.namespaces.exclude`
    case 'OutOfScope':
    case 'NodeOutOfScope':
      return 'widen spec.scope of the policy'
    case 'Unlabelled':
      return `label its workload ${labelToMove(data)}`
    case 'OwnerNone':
      return `set ${labelToMove(data)} on its ${data['source'] ?? 'workload'}`
    case 'KedaManaged':
      return `remove its ScaledObject or its label ${data['label'] ?? ''}=${data['scaled'] ?? ''}; until then it moves at its next start from zero`
    case 'NoPDB':
      return 'give its workload a PodDisruptionBudget with maxUnavailable: 1 (ballast plan --emit-pdbs prints it)'
    case 'PDBNeverAllows':
      return data['why'] === 'several'
        ? 'leave one PodDisruptionBudget that matches it'
        : `set maxUnavailable: 1 in PodDisruptionBudget ${data['budget'] ?? ''}`
    case 'PDBExhausted':
      return 'wait until the pods of its budget are Ready'
    case 'SingleReplica':
      return data['why'] === 'outage'
        ? 'run two replicas, or set spec.singleReplica: surge if a short outage will do'
        : 'set spec.singleReplica to surge or evict, or run two replicas'
    case 'LocalStorage':
      return data['kind'] === 'hostPath'
        ? 'annotate it with descheduler.alpha.kubernetes.io/evict if what the folder holds may stay behind'
        : 'set spec.coordination.localStorage: allow, or annotate it with descheduler.alpha.kubernetes.io/evict, if what the volume holds may be lost'
    case 'DoNotDisrupt':
    case 'NotSafeToEvict':
    case 'Frozen':
      return 'remove the annotation'
    case 'VolumePinned':
      return `move the data of ${data['pv'] ?? 'its volume'} to storage that other nodes reach`
    case 'NodeAffinityPinned':
      return 'let its node selector or affinity match another node'
    case 'NoOwner':
      return 'run it by a Deployment or StatefulSet'
    case 'Quarantined':
      return `wait until ${data['until'] ?? 'the quarantine ends'}`
    case 'CoolingDown':
    case 'JustScaled':
    case 'WindowClosed':
    case 'CapReached':
    case 'ArbiterDenies':
      return data['until'] === undefined ? (data['wayOut'] ?? 'what the arbiter names') : `wait until ${data['until']}`
    case 'UnderWay':
    case 'Waking':
      return 'wait until it is over, and for what the arbiter then leaves between two disruptions'
    case 'UsageUnknown':
      return 'wait until metrics.k8s.io has figures of it that are less than two minutes old'
    case 'RecentlyMoved':
      return 'wait until a day has passed since its move'
    case 'NoSafeOrder':
    case 'NoFeasibleNode':
      return 'make room on another node'
    case 'LandsElsewhere':
      return 'set spec.landing to hold, which binds the replacement to its node'
    case 'DaemonSet':
    case 'Mirror':
    case 'Static':
    case 'Critical':
    case 'Terminating':
    case 'ResourceClaims':
    case 'JobOwned':
    case 'SourceLeaving':
      return undefined
  }
}

function byWords(data: Facts): string {
  return `by ${data['by'] ?? 'somebody'}`
}

/** `scaling.talos.io/managed-by=descheduler`, as it is configured. */
function labelToMove(data: Facts): string {
  return `${data['write'] ?? data['label'] ?? ''}=${data['movable'] ?? ''}`
}

function sourceWords(data: Facts): string {
  const source = data['source'] ?? ''
  return source === 'scaler' ? 'a ScaledObject or ScaledJob targets it' : `by the label of the ${source}`
}

/** `VolumePinned:nexus-local`, `NoPDB`: the code as reports and metrics carry it. */
export function reasonText({ code, data }: Pick<Unmovable, 'code' | 'data'>): string {
  return code === 'VolumePinned' ? `${code}:${data['pv'] ?? ''}` : code
}

export function goalSentence(goal: GoalOutcome): string {
  const wanted = goalWish(goal)
  if (goal.state === 'unknown') return `goal ${goal.goal}: ${wanted}: ${unknownWords(goal)}`
  const figures = `${goalFigure(goal, goal.before)} now, ${goalFigure(goal, goal.after)} with the plan`
  const missing = missingWords(goal)
  const short = missing === undefined ? '' : isOfUse(goal) ? `, ${missing} too much` : `, short by ${missing}`
  return `goal ${goal.goal}: ${wanted}: ${figures}${short}${lossWords(goal)}${unusedWords(goal)}`
}

/** By how much a goal is missed: `2.1 points`, `0.4 an hour`; `undefined` where it is met, and for a loss, which names its pods. */
export function missingWords(goal: GoalOutcome): string | undefined {
  if (goal.state === 'met' || goal.measure === 'survives') return undefined
  return isOfUse(goal) ? goalFigure(goal, goal.after - goal.wanted) : `${goal.shortBy.toFixed(1)} points`
}

const isOfUse = ({ measure }: Pick<GoalOutcome, 'measure'>): boolean => measure === 'watts' || measure === 'cost'

/** `; not in use: n2, n3 (…)`; empty where all nodes of a goal of watts or cost are in use. */
export function unusedWords({ measure, unused = [] }: Pick<GoalOutcome, 'measure' | 'unused'>): string {
  if (unused.length === 0) return ''
  const what = measure === 'watts' ? 'could be off, counted with standby' : 'can be given back, counted as 0'
  return `; not in use: ${named('node', unused)} (${what}; that is left to you)`
}

/** Why it is neither met nor missed. */
export function unknownWords({ measure, resource, stat }: Pick<GoalOutcome, 'measure' | 'resource' | 'stat'>): string {
  if (measure === 'survives') return notPlayed
  return isMeasured({ stat, resource }) ? 'nothing measured it' : `there is no ${resource}`
}

/** Why a loss is neither survived nor not. */
export const notPlayed = 'too many pods and nodes to play each loss'

type Wish = Pick<GoalOutcome, 'measure' | 'node' | 'resource' | 'stat' | 'bound' | 'wanted'>

/** What a goal asks for: `talos00 cpu requests below 70 %`. */
export function goalWish({ measure, node, resource, stat, bound, wanted }: Wish): string {
  const side = bound === 'max' ? 'below' : 'above'
  if (measure === undefined) return `${node} ${resource} ${stat} ${side} ${wanted} %`
  switch (measure) {
    case 'share':
      return `${node} together ${resource} ${stat} ${side} ${wanted} %`
    case 'spread':
      return `${node} ${resource} ${stat} at most ${wanted} points apart`
    case 'deviation':
      return `${node} ${resource} ${stat} at most ${wanted} points from their mean on average`
    case 'survives':
      return `the loss of ${node}: each of its pods finds a place`
    case 'watts':
      return `${node} draw at most ${shortNumber(wanted)} W together`
    case 'cost':
      return `${node} cost at most ${shortNumber(wanted)} an hour together`
  }
}

/** A figure of the goal with its unit. */
export function goalFigure({ measure }: Pick<GoalOutcome, 'measure'>, value: number): string {
  if (measure === 'survives') return `${value} Pending`
  if (measure === 'watts') return `${value.toFixed(1)} W`
  if (measure === 'cost') return `${shortNumber(value)} an hour`
  return `${value.toFixed(1)} ${measure === 'spread' || measure === 'deviation' ? 'points' : '%'}`
}

/** `; after the loss of n2 shop/web-1 stays Pending (1 Insufficient cpu)`; empty where every loss is survived. */
export function lossWords({ loss }: Pick<GoalOutcome, 'loss'>): string {
  if (loss === undefined) return ''
  const stay = loss.pending.length === 1 ? 'stays' : 'stay'
  return `; after the loss of ${loss.lost} ${named('pod', loss.pending)} ${stay} Pending (${loss.because})${lackWords(loss)}`
}

/** `; shop/web-1 needs 600m of cpu, c has the most room for it: 400m, so 200m are missing; together there are 900m, in pieces`. */
function lackWords({ lack, pending: [pod = ''] }: Loss): string {
  if (lack === undefined) return ''
  const { node, resource, needed, room, together } = lack
  const amount = (value: number) => amountText(value, resource)
  const pieces =
    together >= needed ? `together there are ${amount(together)}, in pieces` : `together there are ${amount(together)}`
  return `; ${pod} needs ${amount(needed)} of ${resource}, ${node} has the most room for it: ${amount(room)}, so ${amount(needed - room)} are missing; ${pieces}`
}

const bestWords = {
  spread: (points: string) => `${points} points apart`,
  deviation: (points: string) => `${points} points from their mean on average`,
  watts: (watts: string) => `${watts} W`,
  cost: (price: string) => `${price} an hour`,
} as const

function blockerSentence(blocker: Blocker): string {
  switch (blocker.kind) {
    case 'limit':
      if (blocker.limit === 'size')
        return `one plan has no room for more moves of a cluster of this size${withMoves(blocker.moves)}; the next plans go on`
      return `without the limit spec.limits.${blocker.limit} all goals could be met at once${withMoves(blocker.moves)}; the next plans go on`
    case 'headroom':
      return `with more than ${blocker.percent} % of ${blocker.resource} allowed on destinations (spec.headroom.${blocker.resource}) all goals could be met`
    case 'goal':
      return `without goal ${blocker.goal} the others could be met`
    case 'excluded': {
      const what: Partial<Record<StayCode, string>> = {
        NamespaceExcluded: `if the policy did not leave out ${named('namespace', blocker.namespaces)}`,
        Unlabelled: `if what has no owner label could be moved (${named('workload', blocker.workloads)})`,
        NoPDB: `if ${named('workload', blocker.workloads)} had a PodDisruptionBudget`,
        OwnerNone: `if what has the owner none or keda could be moved (${named('workload', blocker.workloads)})`,
      }
      return `all goals could be met ${what[blocker.code] ?? `without ${blocker.code}`}`
    }
    case 'supply': {
      const amount = (value: number) => amountText(value, blocker.resource)
      return blocker.bound === 'max'
        ? `goal ${blocker.goal}: ${amount(blocker.needed)} of ${blocker.resource} must leave ${blocker.node}, only ${amount(blocker.available)} can`
        : `goal ${blocker.goal}: ${amount(blocker.needed)} of ${blocker.resource} must come to ${blocker.node}, only ${amount(blocker.available)} can`
    }
    case 'room': {
      const rooms = blocker.rooms.map(({ node, room }) => `${node} ${amountText(room, blocker.resource)}`).join(', ')
      const sum = blocker.rooms.reduce((total, { room }) => total + room, 0)
      const needed = `${blocker.resource}: ${amountText(blocker.needed, blocker.resource)}`
      if (blocker.of !== undefined) return `${needed} for a pod of ${blocker.of} must find room on one node (${rooms})`
      return `${needed} must find room, ${amountText(sum, blocker.resource)} is left (${rooms === '' ? 'no node may receive it' : rooms})`
    }
    case 'loss':
      return `goal ${blocker.goal}${lossWords({ loss: { ...blocker, pending: blocker.pods } })}`
    case 'best': {
      const { goal, measure, subject, atBest, wanted, isProven } = blocker
      const certainty = isProven ? 'at best (proven)' : 'as near as the search came'
      return `goal ${goal}: with what may be moved ${subject} come to ${bestWords[measure](shortNumber(atBest))} ${certainty}, at most ${shortNumber(wanted)} are asked for`
    }
    case 'order':
      return blocker.isProven
        ? `no order of moves leaves room for ${named('pod', blocker.pods)}, stops on other nodes included: every order was tried`
        : `no order of moves was found that leaves room for ${named('pod', blocker.pods)}`
    case 'landing':
      return `the scheduler would not put ${named('pod', blocker.pods)} where the plan wants them`
  }
}

function withMoves(moves: number | undefined): string {
  return moves === undefined ? '' : ` by ${moves} moves`
}

function limitSentence(met: LimitMet): string {
  switch (met.limit) {
    case 'branches':
      return `the search ended after ${met.most} branches of the integer program: what is not proven may be better`
    case 'pairs':
      return 'only the most promising pairs of pods and nodes were looked at: others may be in a better plan'
    case 'orders':
      return 'the search for an order of moves ended before it had seen all: there may be a better one'
    case 'solver':
      return `the solver ended without its answer (${met.detail}): the plan is what was known until then`
  }
}

/** What is missed at least, beside what the plan misses. */
function shortfallSentence({ left, atLeast }: NonNullable<Plan['shortfall']>): string {
  const points = `all goals together are missed by ${shortNumber(left)} points`
  return left - atLeast < 1e-6
    ? `${points}; no plan within these limits comes closer (proven)`
    : `${points}; no plan within these limits comes closer than ${shortNumber(atLeast)}`
}

const mostNamed = 5

function named(noun: string, names: readonly string[]): string {
  const shown = names.slice(0, mostNamed).join(', ')
  const rest = names.length - mostNamed
  return `${noun}${names.length === 1 ? '' : 's'} ${shown}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** An amount with its unit, as people write it: `500m`, `3072Mi`, a plain count. */
export function amountText(value: number, resource: string): string {
  if (resource === 'cpu') return `${value}m`
  const isInBytes = resource === 'memory' || resource === 'ephemeral-storage' || resource.startsWith('hugepages-')
  return isInBytes ? `${Math.ceil(value / 2 ** 20)}Mi` : String(value)
}

function wishSentence(wish: OpenWish): string {
  const pod = `${wish.pod.namespace}/${wish.pod.name}`
  const why =
    wish.because === 'NotWorthAMove'
      ? 'a wish alone is not worth a move'
      : wish.because === 'MovedElsewhere'
        ? 'a goal needs it elsewhere'
        : wish.because
  return `wish: ${pod} on ${wish.wished.join(' or ')}: stays open, it is on ${wish.node} (${why})`
}

/** A line for each goal that does not count some nodes, with the first of them. */
export function leftOutLines({ leftOut = [] }: Pick<Plan, 'leftOut'>): readonly string[] {
  return Array.from(
    Map.groupBy(leftOut, each => each.goal),
    ([goal, nodes]) => {
      const told = nodes.slice(0, mostLeftOut).map(({ node, because }) => `${node} (${because})`)
      const more = nodes.length > mostLeftOut ? ` and ${nodes.length - mostLeftOut} more` : ''
      return `goal ${goal} does not count ${told.join(', ')}${more}`
    },
  )
}

/** Nodes that a goal does not count, in one line. */
const mostLeftOut = 8

/** How far the goals are missed at least, and at which limits the search ended; no line where neither is known. */
export function searchLines({ shortfall, limits = [] }: Pick<Plan, 'shortfall' | 'limits'>): readonly string[] {
  return [...(shortfall === undefined ? [] : [shortfallSentence(shortfall)]), ...limits.map(limitSentence)]
}

/** What a report says below the tables: how good the plan is, wishes left open, and what keeps goals from being met. */
export function explanationLines(plan: Plan): readonly string[] {
  const lines: string[] = []
  const { moves, lowerBound, withMargins = false } = plan.objective
  if (moves > 0 && lowerBound > 0) {
    const least = Math.ceil(lowerBound - 1e-6)
    const number = `${moves} ${moves === 1 ? 'move' : 'moves'}`
    const word = plan.method !== 'milp' ? 'count' : Number.isInteger(lowerBound) ? 'proven' : 'relaxation'
    lines.push(
      least === moves
        ? `${number}; ${comparedPlans(plan.outcome === 'met', withMargins)} has fewer (${word}: ${shortNumber(lowerBound)})`
        : `${number}; at least ${least} ${least === 1 ? 'is' : 'are'} needed${withMargins ? ' with the margins' : ''} (${word}: ${shortNumber(lowerBound)})`,
    )
  }
  lines.push(...searchLines(plan))
  lines.push(...plan.wishes.map(wishSentence))
  lines.push(...leftOutLines(plan))
  const { explanation } = plan
  if (explanation === undefined) return lines
  const certainty =
    explanation.certainty === 'proven' ? 'no choice of moves meets all goals' : 'no plan was found that meets all goals'
  lines.push(explanation.blockers.length === 0 ? certainty : `${certainty}:`)
  lines.push(...explanation.blockers.map(blocker => `  ${blockerSentence(blocker)}`))
  return lines
}

/** The plans that the bound is of: those with the margins, where the choice was made with them. */
function comparedPlans(isMet: boolean, withMargins: boolean): string {
  if (isMet) return withMargins ? 'no plan that keeps the margins' : 'no plan'
  return withMargins ? 'no plan that comes as close, margins counted,' : 'no plan that comes as close'
}

function shortNumber(value: number): string {
  return String(Math.round(value * 100) / 100)
}

/** What a verifier found, naming the move and the resource or field. */
export function findingSentence(finding: Finding): string {
  const subject = finding.move === undefined ? 'plan' : `move ${finding.move}`
  return `${subject}: ${finding.field}: found ${finding.found}, expected ${finding.expected} [${finding.code}]`
}
