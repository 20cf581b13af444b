// Why a node has to stay on whatever the others do. Pure.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { parseWindow } from '#kube/time/window.ts'
import type { EnergyNode, EnergyRules, PlanPolicy } from '../goals/policy.ts'
import type { Unmovable } from '../plan-record.ts'
import type { EnergyStay, EnergyStayCode } from './record.ts'
import { breakEvenSeconds, savedWatts } from './watts.ts'

const controlPlane = 'node-role.kubernetes.io/control-plane'
const nodePool = 'karpenter.sh/nodepool'

/** Pods that end with their node and are not missed elsewhere. */
const goWithNode: ReadonlySet<Unmovable['code']> = new Set(['DaemonSet', 'Mirror', 'Static', 'Terminating'])

interface Subject {
  readonly state: ClusterState
  readonly policy: PlanPolicy
  readonly energy: EnergyRules
  /** Pods that cannot be moved, of all nodes. */
  readonly unmovable: readonly Unmovable[]
  readonly nowMs: number
}

/** The first reason by precedence; `undefined`: as far as it goes by itself, the node may be off. */
export function staysOn(node: EnergyNode, subject: Subject): EnergyStay | undefined {
  const { state, policy } = subject
  const because = (code: EnergyStayCode, data: Readonly<Record<string, string>> = {}): EnergyStay => ({ code, data })
  if (node.powerDown === 'never') return because('PowerDownNever')
  const object = state.nodes.get(node.name)?.object
  if (object?.metadata.labels?.[controlPlane] !== undefined) return because('ControlPlane')
  const isClaimed = (object?.metadata.ownerReferences ?? []).some(({ kind }) => kind === 'NodeClaim')
  const pool = object?.metadata.labels?.[nodePool]
  if (isClaimed || pool !== undefined) return because('NodeClaim', { pool: pool ?? '' })
  const seen = state.nodes.get(node.name)
  if (seen?.isReady !== true) return because('NotReady')
  if (!seen.isSchedulable) return because('NotReady', { cordoned: 'true' })
  const goal = policy.goals.find(({ nodes, min }) => min !== undefined && nodes.includes(node.name))
  const shared = policy.fleetGoals.find(({ measure, min, sets }) => {
    // Whether a loss is survived without the node nobody has played: it stays.
    if (measure === 'survives') return true
    const isOfIt = sets.some(({ members }) => members.some(({ nodes }) => nodes.includes(node.name)))
    // What nodes take together is less without it.
    const isLess = measure === 'watts' || measure === 'cost'
    return isOfIt && !isLess && (measure !== 'share' || min !== undefined)
  })
  const wanting = goal ?? shared
  if (wanting !== undefined) return because('GoalNeedsNode', { goal: wanting.name })
  if (savedWatts(node) <= 0) return because('SavesNothing', { idle: String(node.idleWatts), standby: String(node.standbyWatts) })
  return podStays(node, subject) ?? offTime(node, subject)
}

/** The pod that holds a node: one whose volume cannot leave, else the largest. */
function podStays({ name }: EnergyNode, { state, unmovable }: Subject): EnergyStay | undefined {
  // Whatever else is said of it: a DaemonSet's pod without an owner label ends with its node all the same.
  const ends = (one: Unmovable) => [one, ...one.also].some(({ code }) => goWithNode.has(code))
  const held = unmovable.filter(one => one.node === name && !ends(one))
  const requests = (one: Unmovable, resource: string) =>
    state.pods.get(`${one.pod.namespace}/${one.pod.name}`)?.requests[resource] ?? 0
  const isPinned = (one: Unmovable) => one.code === 'VolumePinned' || one.also.some(({ code }) => code === 'VolumePinned')
  const [worst] = held.toSorted(
    (a, b) =>
      Number(isPinned(b)) - Number(isPinned(a)) ||
      requests(b, 'cpu') - requests(a, 'cpu') ||
      requests(b, 'memory') - requests(a, 'memory'),
  )
  if (worst === undefined) return undefined
  const reason = worst.code === 'VolumePinned' ? worst : (worst.also.find(({ code }) => code === 'VolumePinned') ?? worst)
  const data = {
    pod: `${worst.pod.namespace}/${worst.pod.name}`,
    on: worst.node,
    because: reason.code,
    pods: String(held.length),
  }
  return { code: 'PodStays', data: { ...reason.data, ...data } }
}

function offTime(node: EnergyNode, { energy, nowMs }: Subject): EnergyStay | undefined {
  if (energy.window === undefined) return undefined
  const window = parseWindow(energy.window)
  // What does not parse is a problem of the policy and said there; until then nothing is switched.
  const span = window.ok ? window.value.openAt(nowMs) : undefined
  const next = window.ok ? window.value.nextAfter(nowMs) : undefined
  if (span === undefined)
    return { code: 'OutsideWindow', data: next === undefined ? {} : { opens: new Date(next.startMs).toISOString() } }
  const seconds = (span.endMs - nowMs) / 1000
  const least = Math.max(breakEvenSeconds(node), energy.minOffMinutes * 60)
  if (seconds > least) return undefined
  return { code: 'OffTooShort', data: { minutes: String(Math.floor(seconds / 60)), least: String(Math.ceil(least / 60)) } }
}
