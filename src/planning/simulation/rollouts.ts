// Scaling and rolling out: which pods go, which come, in which order, as the workload controllers do it. A pod that has a node is ready.

import type { PodState } from '#cluster/cluster-state.ts'
import { scaledValue } from '#kube/int-or-string.ts'
import type { KubeObject, PodTemplateSpec } from '#kube/objects.ts'
import { activePodsOf, makeDaemonPod, replicaSetsOf } from './controllers.ts'
import { podOfTemplate, successorOf, workloadSpec } from './pod-making.ts'
import { ownerReferenceTo, type World } from './world.ts'

const hashLabel = 'pod-template-hash'

/** Gives a Deployment, StatefulSet, ReplicaSet or ReplicationController another number of pods; `undefined` for what has no scale. */
export function scaleTo(world: World, workload: KubeObject, replicas: number): string | undefined {
  const scaled = withSpec(workload, { replicas })
  switch (workload.kind) {
    case 'Deployment': {
      world.put(scaled)
      const set = currentSet(world, scaled)
      if (set === undefined) return undefined
      world.put(withSpec(set, { replicas }))
      fill(world, refreshed(world, set), replicas)
      break
    }
    case 'StatefulSet':
      world.put(scaled)
      fillOrdinals(world, scaled, replicas)
      break
    case 'ReplicaSet':
    case 'ReplicationController':
      world.put(scaled)
      fill(world, scaled, replicas)
      break
    default:
      return undefined
  }
  world.schedule()
  return `${workload.kind} ${workload.metadata.namespace}/${workload.metadata.name} has ${replicas} replicas`
}

function withSpec(object: KubeObject, change: Readonly<Record<string, unknown>>): KubeObject {
  return { ...object, spec: { ...workloadSpec(object), ...change } }
}

function refreshed(world: World, { kind, metadata }: KubeObject): KubeObject {
  const found = world.object(kind, metadata.namespace, metadata.name)
  if (found === undefined) throw new Error(`${kind} ${metadata.name}: it was put a moment ago and is not there`)
  return found
}

/** The ReplicaSet whose pods are of the Deployment's template: the one with pods, the newest where several have some; made where there is none. */
function currentSet(world: World, deployment: KubeObject): KubeObject | undefined {
  const { template, replicas = 1 } = workloadSpec(deployment)
  if (template === undefined) return undefined
  const sets = replicaSetsOf(world, deployment)
  const hash = templateHash(template)
  const exact = sets.find(set => set.metadata.labels?.[hashLabel] === hash || isSameTemplate(set, template))
  return exact ?? sets.toSorted((a, b) => revisionOf(b) - revisionOf(a))[0] ?? madeSet(world, deployment, { template, replicas })
}

function revisionOf({ metadata }: KubeObject): number {
  return Number(metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0) || 0
}

function isSameTemplate(set: KubeObject, template: PodTemplateSpec): boolean {
  const own = workloadSpec(set).template
  if (own === undefined) return false
  const { [hashLabel]: _hash, ...labels } = own.metadata?.labels ?? {}
  return (
    stableText({ ...own.metadata, labels }) === stableText({ ...template.metadata, labels: template.metadata?.labels ?? {} }) &&
    stableText(own.spec) === stableText(template.spec)
  )
}

function madeSet(
  world: World,
  deployment: KubeObject,
  { template, replicas }: { readonly template: PodTemplateSpec; readonly replicas: number },
): KubeObject {
  const hash = templateHash(template)
  const labels = { ...template.metadata?.labels, [hashLabel]: hash }
  const revision = 1 + Math.max(0, ...replicaSetsOf(world, deployment).map(revisionOf))
  const { namespace = 'default', name } = deployment.metadata
  const set: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      uid: world.uid(),
      labels,
      annotations: { 'deployment.kubernetes.io/revision': String(revision) },
      ownerReferences: [ownerReferenceTo(deployment)],
    },
    spec: {
      replicas,
      selector: { matchLabels: { ...workloadSpec(deployment).selector?.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  }
  world.put(set)
  return set
}

/** Five letters for a template, always the same (FNV-1a over its text with sorted keys). */
function templateHash(template: PodTemplateSpec): string {
  let hash = 0x811c9dc5
  for (const character of stableText(template)) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0
  return hash.toString(36).padStart(7, '0')
}

function stableText(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/** Pods of a ReplicaSet come or go until there are `replicas`. */
function fill(world: World, set: KubeObject, replicas: number): void {
  const pods = activePodsOf(world, set)
  const { template } = workloadSpec(set)
  for (let at = pods.length; at < replicas; at++) {
    const [like] = pods
    // What admission put into its pods is in those that are there.
    const made = like === undefined ? undefined : successorOf(world, like.object)
    if (made !== undefined) world.create(made)
    else if (template !== undefined) world.create(podOfTemplate(world, set, { name: world.nameFor(set.metadata.name), template }))
  }
  for (const pod of surplusOf(world, pods, pods.length - replicas)) world.remove(pod.object)
}

/** The first to go: without a node, not ready, cheap to delete, doubled on their node, young. */
function surplusOf(world: World, pods: readonly PodState[], count: number): readonly PodState[] {
  if (count <= 0) return []
  const beside = new Map<string, number>()
  for (const { nodeName = '' } of pods) beside.set(nodeName, (beside.get(nodeName) ?? 0) + 1)
  const cost = ({ object }: PodState) =>
    Number(object.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0
  const doubled = ({ nodeName }: PodState) => (nodeName === undefined ? 0 : (beside.get(nodeName) ?? 0))
  const ageRank = ({ object }: PodState) => {
    const ageMs = world.nowMs - (Date.parse(object.status?.startTime ?? object.metadata.creationTimestamp ?? '') || 0)
    return ageMs <= 0 ? -1 : Math.floor(Math.log2(ageMs * 1e6))
  }
  return pods
    .toSorted(
      (a, b) =>
        Number(a.nodeName !== undefined) - Number(b.nodeName !== undefined) ||
        Number(a.isReady) - Number(b.isReady) ||
        cost(a) - cost(b) ||
        doubled(b) - doubled(a) ||
        ageRank(a) - ageRank(b) ||
        (a.uid < b.uid ? -1 : 1),
    )
    .slice(0, count)
}

function ordinalOf(pod: PodState): number {
  return Number(/-(\d+)$/.exec(pod.name)?.[1] ?? -1)
}

/** Pods of a StatefulSet come from the lowest free ordinal on, and go from the highest. */
function fillOrdinals(world: World, set: KubeObject, replicas: number): void {
  const pods = activePodsOf(world, set)
  const taken = new Set(pods.map(ordinalOf))
  for (let ordinal = 0; ordinal < replicas; ordinal++) if (!taken.has(ordinal)) makeOrdinal(world, set, ordinal)
  for (const pod of pods) if (ordinalOf(pod) >= replicas) world.remove(pod.object)
}

function makeOrdinal(world: World, set: KubeObject, ordinal: number, replaces?: PodState): void {
  const { template } = workloadSpec(set)
  if (template === undefined) return
  const name = `${set.metadata.name}-${ordinal}`
  const labels = { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(ordinal) }
  const origin =
    replaces === undefined
      ? {}
      : { replaces: replaces.key, ...(replaces.nodeName === undefined ? {} : { from: replaces.nodeName }) }
  world.create(podOfTemplate(world, set, { name, template, labels }), origin)
}

/** The pods of a workload that was put with a new template are replaced, as its strategy says. What it says where it cannot go on. */
export function rollOut(world: World, workload: KubeObject): readonly string[] {
  switch (workload.kind) {
    case 'Deployment':
      return rollDeployment(world, workload)
    case 'StatefulSet':
      return rollStatefulSet(world, workload)
    case 'DaemonSet':
      return rollDaemonSet(world, workload)
    default:
      return [`${workload.kind} ${workload.metadata.name}: its pods stay as they are until they are made anew`]
  }
}

/** `2 of 3 pods of Deployment shop/cart are of the new template: the others wait`. */
function stuck(workload: KubeObject, done: number, wanted: number): readonly string[] {
  if (done >= wanted) return []
  const { namespace, name } = workload.metadata
  return [
    `the rollout of ${workload.kind} ${namespace}/${name} is stuck: ${done} of ${wanted} pods are of the new template and ready`,
  ]
}

function rollDeployment(world: World, deployment: KubeObject): readonly string[] {
  const { template, replicas = 1, strategy, paused } = workloadSpec(deployment)
  if (template === undefined || paused === true)
    return paused === true ? [`Deployment ${deployment.metadata.name} is paused`] : []
  const olds = replicaSetsOf(world, deployment).filter(set => set.metadata.labels?.[hashLabel] !== templateHash(template))
  const fresh = replicaSetsOf(world, deployment).find(set => set.metadata.labels?.[hashLabel] === templateHash(template))
  const set = fresh ?? madeSet(world, deployment, { template, replicas })
  const oldPods = () => olds.flatMap(old => activePodsOf(world, old))
  const newPods = () => activePodsOf(world, set)
  for (const old of olds) world.put(withSpec(old, { replicas: 0 }))
  const leaving = oldPods().toSorted((a, b) => (a.key < b.key ? -1 : 1))
  const made = { at: 0 }
  const create = (count: number) => {
    for (let done = 0; done < count; done++) {
      const replaces = leaving[made.at++]
      const pod = podOfTemplate(world, set, {
        name: world.nameFor(set.metadata.name),
        template: workloadSpec(set).template ?? template,
      })
      world.create(
        pod,
        replaces === undefined
          ? {}
          : { replaces: replaces.key, ...(replaces.nodeName === undefined ? {} : { from: replaces.nodeName }) },
      )
    }
    world.schedule()
    world.stage()
  }
  if (strategy?.type === 'Recreate') {
    for (const pod of oldPods()) world.remove(pod.object)
    create(replicas - newPods().length)
    return stuck(deployment, newPods().filter(pod => pod.isReady).length, replicas)
  }
  const { surge, unavailable } = rollingBounds(strategy?.rollingUpdate, replicas)
  for (;;) {
    const coming = Math.max(0, Math.min(replicas - newPods().length, replicas + surge - newPods().length - oldPods().length))
    if (coming > 0) create(coming)
    const gone = retire(world, { olds: oldPods(), news: newPods(), least: replicas - unavailable })
    if (gone > 0) world.schedule()
    if (coming === 0 && gone === 0) break
  }
  return stuck(deployment, newPods().filter(pod => pod.isReady).length, replicas)
}

/** Takes as many old pods away as may be unavailable, those that are not ready first. How many went. */
function retire(
  world: World,
  { olds, news, least }: { readonly olds: readonly PodState[]; readonly news: readonly PodState[]; readonly least: number },
): number {
  const unready = news.filter(pod => !pod.isReady).length
  const mostDown = olds.length + news.length - least - unready
  if (mostDown <= 0) return 0
  const broken = olds.filter(pod => !pod.isReady).slice(0, mostDown)
  for (const pod of broken) world.remove(pod.object)
  const ready = olds.filter(pod => pod.isReady)
  const spare = ready.length + news.length - unready - least
  const going = surplusOf(world, ready, Math.min(Math.max(0, spare), ready.length))
  for (const pod of going) world.remove(pod.object)
  return broken.length + going.length
}

function rollingBounds(
  given: Readonly<Record<string, number | string>> | undefined,
  replicas: number,
): { readonly surge: number; readonly unavailable: number } {
  const surge = scaledValue(given?.['maxSurge'] ?? '25%', replicas, 'up')
  const unavailable = scaledValue(given?.['maxUnavailable'] ?? '25%', replicas, 'down')
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable }
}

function rollStatefulSet(world: World, set: KubeObject): readonly string[] {
  const { updateStrategy, replicas = 1 } = workloadSpec(set)
  if (updateStrategy?.type === 'OnDelete') return [`StatefulSet ${set.metadata.name}: OnDelete, its pods stay as they are`]
  const partition = Number(updateStrategy?.rollingUpdate?.['partition'] ?? 0)
  const pods = activePodsOf(world, set).toSorted((a, b) => ordinalOf(b) - ordinalOf(a))
  let done = 0
  for (const pod of pods) {
    if (ordinalOf(pod) < partition) continue
    world.remove(pod.object)
    makeOrdinal(world, set, ordinalOf(pod), pod)
    world.schedule()
    world.stage()
    if (world.isWaiting(pod.key)) break
    done++
  }
  return stuck(set, done, Math.min(pods.length, Math.max(0, replicas - partition)))
}

function rollDaemonSet(world: World, set: KubeObject): readonly string[] {
  const { updateStrategy } = workloadSpec(set)
  if (updateStrategy?.type === 'OnDelete') return [`DaemonSet ${set.metadata.name}: OnDelete, its pods stay as they are`]
  const pods = activePodsOf(world, set)
  const most = Math.max(1, scaledValue(updateStrategy?.rollingUpdate?.['maxUnavailable'] ?? 1, pods.length, 'up'))
  let waiting = 0
  let done = 0
  for (const pod of pods) {
    const node = pod.nodeName === undefined ? undefined : world.state.nodes.get(pod.nodeName)
    if (node === undefined) continue
    if (waiting >= most) break
    world.remove(pod.object)
    makeDaemonPod(world, set, node.object, pod)
    world.schedule()
    world.stage()
    if (activePodsOf(world, set).some(other => other.nodeName === node.name)) done++
    else waiting++
  }
  return stuck(set, done, pods.length)
}
