// What one in a cluster does beside the pods on nodes: upstream's Deployments sleep before ours wakes, never both, and objects that both sides have by one
// name become ours without being deleted. Nothing of this is there for an upstream that is on nodes alone.

import { numberAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { NodeLeader, NodePart } from '#upstreams/upstream.ts'
import { type ValuesTree, withValue } from '#upstreams/values-tree.ts'
import { of } from './access.ts'
import { named, nowOf, shown, theOurs } from './both.ts'
import {
  keepBefore,
  loopSleeps,
  loopWorks,
  ofLoop,
  putToSleep,
  replicasBefore,
  scaleLoop,
  sleepCommand,
  wakeCommand,
} from './loops.ts'
import { fieldManager } from './own-made.ts'
import { asHelmTakes } from './own-objects.ts'
import type { Loop, Ours, Situation, Theirs } from './place.ts'
import { optional } from './reading.ts'
import { readSituation } from './situation.ts'
import { type Access, all, type Step, StepFailed, type Swap } from './step.ts'

/** Pods that start with an image that is on the node, and one after the other where they may not be two. */
const wakePatienceMs = 300_000

const componentLabel = 'app.kubernetes.io/component'
const replicasKey = ({ valuesKey }: NodeLeader): string => `${valuesKey}.replicas`

/** Values with ours asleep, whatever was converted. */
export const withLeaderAsleep = (values: ValuesTree, { leader }: NodePart): ValuesTree =>
  leader === undefined ? values : withValue(values, replicasKey(leader).split('.'), 0)

/** For `--set`: ours asleep until its step, or awake as it is to be. */
export const leaderSet = ({ leader }: NodePart, replicas: number): readonly string[] =>
  leader === undefined ? [] : [`${replicasKey(leader)}=${replicas}`]

/** Is it what leads beside the pods on nodes, and not one of these? */
export const isOfLeader = ({ metadata }: KubeObject, { leader }: NodePart): boolean =>
  leader !== undefined && metadata.labels?.[componentLabel] === leader.component

/** Companions of upstream that are those of the same installation. */
const companionsOf = ({ companions }: Situation, namespace: string): readonly Loop[] =>
  companions.filter(one => one.namespace === namespace)

const theLeader = (situation: Situation, { component }: NodeLeader): Loop => {
  const { leader } = theOurs(situation)
  if (leader === undefined) throw new StepFailed(`Ballast's ${component} is not installed here`)
  return leader
}

function theCompanion(situation: Situation, place: Pick<Loop, 'namespace' | 'name'>): Loop {
  const found = situation.companions.find(one => named(one) === named(place))
  if (found === undefined) throw new StepFailed(`Deployment ${named(place)} is gone: somebody deleted it meanwhile`)
  return found
}

/** Where upstream's installation lies, also when its DaemonSet is gone. */
const placeOf = (situation: Situation): string | undefined => situation.theirs[0]?.namespace ?? situation.companions[0]?.namespace

const ownName = (leader: NodeLeader, ours: Ours | undefined): Pick<Loop, 'namespace' | 'name' | 'workload'> =>
  ours?.leader ?? {
    namespace: ours?.loop?.namespace ?? 'ballast-agent',
    name: `ballast-${leader.component}`,
    workload: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: `ballast-${leader.component}` } },
  }

/** The step that hands over, after all nodes have changed. */
export function leadForth(part: NodePart, situation: Situation, theirs: Pick<Theirs, 'namespace'>): readonly Step[] {
  const { leader } = part
  if (leader === undefined) return []
  const companions = companionsOf(situation, theirs.namespace)
  const own = ownName(leader, situation.ours)
  const sleep = companions.map(sleepCommand)
  const wakeAgain = companions.map(one => wakeCommand(one, Math.max(1, one.replicas)))
  const turnBack = async (swap: Swap) => wakeTheirs(swap, leader)
  return [
    {
      id: 'lead',
      title: `put ${companions.length === 0 ? 'what of upstream leads' : companions.map(shown).join(' and ')} to sleep, wait until its pods have ended, wake ours. ${leader.note}`,
      command: `${[...sleep, ''].join(' && ')}${wakeCommand(own, 1)}   # wake ours only when no pod of the others is left`,
      proof: `nothing of upstream ${leader.does}, ours does: kubectl -n ${own.namespace} rollout status deployment ${own.name}`,
      undo: [sleepCommand(own), ...wakeAgain].join(' && '),
      patienceMs: wakePatienceMs,
      run: swap => wakeOurs(swap, leader),
      prove: async swap => leadsForth(await readSituation(swap), leader),
      revert: turnBack,
      reverts: ['lead'],
    },
  ]
}

/** The step back: ours sleeps first. */
export function leadBack(part: NodePart, { ours }: Situation): readonly Step[] {
  const { leader } = part
  if (leader === undefined) return []
  const own = ownName(leader, ours)
  return [
    {
      id: 'lead',
      title: `put ours to sleep, wait until its pods have ended, wake what of upstream leads. ${leader.note}`,
      command: `${sleepCommand(own)}   # when its pods have ended: kubectl -n <namespace> scale deployment <each of upstream's> --replicas=<as before>`,
      proof: `nothing of ours ${leader.does}, upstream does`,
      undo: 'ballast migrate apply, the way forth',
      patienceMs: wakePatienceMs,
      run: swap => wakeTheirs(swap, leader),
      prove: async swap => leadsBack(await readSituation(swap), leader),
    },
  ]
}

async function wakeOurs(swap: Swap, leader: NodeLeader): Promise<void> {
  const situation = await readSituation(swap)
  const namespace = placeOf(situation)
  const companions = namespace === undefined ? [] : companionsOf(situation, namespace)
  // It has to be there before upstream sleeps.
  theLeader(situation, leader)
  await keepBefore(
    swap,
    companions,
    companions.every(({ replicas }) => replicas === 0),
  )
  for (const one of companions) await putToSleep(swap, now => theCompanion(now, one))
  const main = companions.find(({ workload }) => leader.isMain(workload))
  const replicas = main === undefined ? 1 : replicasBefore(swap, main)
  await scaleLoop(swap, theLeader(await readSituation(swap), leader), replicas)
}

async function wakeTheirs(swap: Swap, leader: NodeLeader): Promise<void> {
  const situation = await readSituation(swap)
  const namespace = placeOf(situation)
  if (situation.ours?.leader !== undefined) await putToSleep(swap, now => theLeader(now, leader))
  const companions = namespace === undefined ? [] : companionsOf(situation, namespace)
  for (const one of companions) {
    const now = theCompanion(await readSituation(swap), one)
    await scaleLoop(swap, now, replicasBefore(swap, now))
  }
}

function leadsForth(situation: Situation, leader: NodeLeader): Proof {
  const namespace = placeOf(situation)
  const companions = namespace === undefined ? [] : companionsOf(situation, namespace)
  const own = theLeader(situation, leader)
  const ready = numberAt(own.workload, 'status', 'readyReplicas') ?? 0
  const works =
    own.replicas === 0
      ? no(`${shown(own)} sleeps`)
      : ready > 0
        ? yes(`${shown(own)} is ready`)
        : no(`no pod of ${shown(own)} is ready`)
  return all(...companions.map(loopSleeps), works)
}

function leadsBack(situation: Situation, leader: NodeLeader): Proof {
  const namespace = placeOf(situation)
  const companions = namespace === undefined ? [] : companionsOf(situation, namespace)
  const own = situation.ours?.leader
  if (companions.length === 0) return no(`nothing of upstream ${leader.does} here: install its chart, then go on`)
  return all(
    own === undefined ? yes('ours is gone') : loopSleeps(own),
    ...companions.map(one => loopWorks(one, situation.leases, own)),
  )
}

/** Whether ours is there, asleep or where its step is over already awake. */
export function leaderInstalled({ ours }: Situation, { leader }: NodePart): Proof {
  if (leader === undefined) return yes('')
  return ours?.leader === undefined ? no(`Ballast's ${leader.component} is not there`) : yes(`${shown(ours.leader)} is there`)
}

/** While anything of upstream leads, nothing of it is removed. */
export function isLeaderOver(situation: Situation, { leader }: NodePart, theirs: Pick<Theirs, 'namespace'>): boolean {
  return leader === undefined || companionsOf(situation, theirs.namespace).every(one => loopSleeps(one).ok)
}

/** What both have by one name becomes that of a release of ours, since Helm refuses what another release owns. */
export function sharedStep(part: NodePart, { ours }: Situation): readonly Step[] {
  const { leader } = part
  if (leader === undefined || ours?.owner?.by !== 'helm') return []
  const { owner } = ours
  const marks = `meta.helm.sh/release-name=${owner.name} meta.helm.sh/release-namespace=${owner.namespace}`
  const kind = leader.shared.kind.toLowerCase()
  return [
    {
      id: 'adopt',
      title: `give the ${leader.shared.kind} to the Helm release ${owner.name}, which else refuses it; it changes in nothing else`,
      command: `kubectl annotate --overwrite ${kind} <its name> ${marks} && kubectl label --overwrite ${kind} <its name> app.kubernetes.io/managed-by=Helm`,
      proof: `kubectl get ${kind} -o yaml: annotated so`,
      undo: 'the same with the names of upstream’s release',
      run: swap => adopt(swap, leader),
      prove: swap => adopted(swap, leader),
    },
  ]
}

async function sharedOnes(swap: Swap, { shared }: NodeLeader): Promise<readonly KubeObject[]> {
  const { api, signal } = swap
  const { whole } = await nowOf(swap)
  const found = shared
    .names(whole.converted.values)
    .map(name => optional(api.resource<KubeObject>(shared.resource).get(name, { signal })))
  return (await Promise.all(found)).filter(object => object !== undefined)
}

async function adopt(swap: Swap, leader: NodeLeader): Promise<void> {
  const { api, signal } = swap
  const { controller } = theOurs(await readSituation(swap))
  for (const object of await sharedOnes(swap, leader)) {
    const { labels, annotations } = asHelmTakes(object, controller).metadata
    const body = { metadata: { labels, annotations } }
    await api.resource(leader.shared.resource).patch(object.metadata.name, { type: 'merge', body }, { signal, fieldManager })
  }
}

async function adopted(swap: Swap, leader: NodeLeader): Promise<Proof> {
  const { controller } = theOurs(await readSituation(swap))
  const key = 'meta.helm.sh/release-name'
  const release = controller.metadata.annotations?.[key]
  const others = (await sharedOnes(swap, leader)).filter(({ metadata }) => metadata.annotations?.[key] !== release)
  return others.length === 0
    ? yes(`${leader.shared.kind} belongs to release ${release}`)
    : no(`${others.map(({ metadata }) => metadata.name).join(', ')} belongs to another release`)
}

/** What the hand-over and the adoption write. */
export function needsOfLeader(part: NodePart, situation: Situation): readonly Access[] {
  const { leader } = part
  if (leader === undefined) return []
  const { ours } = situation
  return [
    ...situation.companions.map(ofLoop),
    of(builtIn.deployments, ownName(leader, ours).namespace, 'patch'),
    ...(ours?.owner?.by === 'helm' ? [of(leader.shared.resource, undefined, 'patch')] : []),
  ]
}

/** Values of ours by a path with dots. */
export const atPath = (path: string, value: unknown): ValuesTree => withValue({}, path.split('.'), value)
