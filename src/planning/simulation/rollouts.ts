// Rolling out: pods of a workload are replaced by those of its new template, as its strategy says. A pod that has a node is ready.

import type { PodState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { scaledValue } from '#kube/values/int-or-string.ts'
import { activePodsOf, makeDaemonPod, replicaSetsOf } from './controllers.ts'
import { podOfTemplate, workloadSpec } from './pod-making.ts'
import { hashLabel, madeSet, templateHash, withSpec } from './replica-sets.ts'
import { makeOrdinal, ordinalOf, surplusOf } from './scaling.ts'
import type { World } from './world.ts'

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
  const going = surplusOf(world, ready, Math.min(Math.max(0, spare), ready.length), [...olds, ...news])
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
