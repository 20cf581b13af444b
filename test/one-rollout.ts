// Case 27 of the arbiter as a scenario: a move that waits, another size, and a Secret that is rotated, all of one workload.
import { deschedule } from '#capabilities/deschedule'
import { reload } from '#capabilities/reload'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster, ControlledOptions } from './controlled-cluster.ts'
import type { Scenario } from './crash-harness.ts'
import { auto, remembered } from './reload-cluster.ts'
import { resizeRequester } from './requesters/resize.ts'
import { isQuiet, permitsOn, plansAreOver, readingOf, rolloutsOf, rotate, templateOf, wishSize } from './requesters/wishes.ts'
import { type SmallWorkload, smallCluster, smallPolicy } from './small-cluster.ts'

/** Reads the Secret keys. */
export const reads: Partial<SmallWorkload> = { annotations: auto, secrets: ['keys'] }

/** As smallCluster, but web and solo read a Secret. */
export function readers(web: Partial<SmallWorkload> = {}): readonly KubeObject[] {
  return [
    ...smallCluster({ web: { ...reads, ...web }, solo: reads }),
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: 'shop', uid: 'secret-keys' }, data: {} },
  ]
}

const { signal } = new AbortController()
const versions = { before: 'v1.35.0', during: 'v1.36.0' }
const statusOf = (kubeletVersion: string) => ({ nodeInfo: { kubeletVersion } })

function versioned(object: KubeObject): KubeObject {
  if (object.kind !== 'Node') return object
  return { ...object, status: { ...(object as Node).status, ...statusOf(versions.before) } }
}

function setVersion(cluster: ControlledCluster, version: string): Promise<unknown> {
  const body = { status: statusOf(version) }
  return cluster.admin.resource(builtIn.nodes).patch('n3', { type: 'merge', body }, { signal, subresource: 'status' })
}

/**
 * The moves of a plan wait for ten minutes, until the upgrade of a kubelet is over that began before them; reload and resize may always. A
 * window would not do: a plan is not begun before its window opens.
 */
export const waitingMoves: ControlledOptions = {
  objects: [...readers().map(versioned), smallPolicy({ mode: 'Auto', limits: { concurrent: 3 } })],
  capabilities: [deschedule, reload, resizeRequester()],
  configurations: { reload: { arbitration: 'coordinate' }, rightsize: { arbitration: 'coordinate' } },
}

/** The move is wanted first, ten seconds later another size, ten seconds later the Secret is rotated. */
async function askForAll(cluster: ControlledCluster, container: string): Promise<void> {
  await remembered(cluster, 2)
  await setVersion(cluster, versions.during)
  cluster.clock.schedule(600_000, () => void setVersion(cluster, versions.before))
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Running')
  await cluster.pass(10_000)
  await wishSize(cluster, { workload: 'web', cpu: '600m', container })
  await cluster.pass(10_000)
  await rotate(cluster, 'keys', 'second')
}

export async function moveResizeReload(cluster: ControlledCluster): Promise<void> {
  await askForAll(cluster, 'main')
  await cluster.until(() => {
    const { cpu, reading } = templateOf(cluster, 'web')
    return cpu === '600m' && reading('keys') === readingOf('second') && isQuiet(cluster) && plansAreOver(cluster)
  })
}

export const oneRollout: Scenario = {
  name: 'case 27: one rollout for a move, another size and a rotated Secret',
  cluster: waitingMoves,
  drive: moveResizeReload,
  // Wishes that wait are the leader's memory: when it is killed before it answered, the next one may know of one before the other.
  faults(cluster) {
    const wishes = permitsOn(cluster, 'web').filter(({ ending }) => ending === 'done')
    const pods = cluster.witness.disruptions.filter(one => one.workload === 'shop/Deployment/web').length
    return [
      ...(rolloutsOf(cluster, 'web') <= wishes.length
        ? []
        : [`web was rolled out ${rolloutsOf(cluster, 'web')} times under ${wishes.length} permits`]),
      ...(rolloutsOf(cluster, 'solo') === 1 ? [] : [`solo was rolled out ${rolloutsOf(cluster, 'solo')} times`]),
      ...(wishes.some(({ joined }) => joined.length === 2) && pods !== 2 ? [`${pods} pods of web were taken away`] : []),
    ]
  },
}

/** The size is for a container that is not there: the server refuses it, alone and in any company. */
export const leftBehind: Scenario = {
  name: 'one rollout for a move and a rotated Secret, without a size that the server refuses',
  cluster: waitingMoves,
  async drive(cluster) {
    await askForAll(cluster, 'mian')
    const isRefused = () =>
      permitsOn(cluster, 'web').some(({ wish, ending }) => wish === 'rightsize resize' && ending === 'failed')
    await cluster.until(
      () =>
        templateOf(cluster, 'web').reading('keys') === readingOf('second') &&
        isRefused() &&
        isQuiet(cluster) &&
        plansAreOver(cluster),
    )
  },
  faults(cluster) {
    const done = permitsOn(cluster, 'web').filter(({ ending }) => ending === 'done')
    const rollouts = rolloutsOf(cluster, 'web')
    return [
      ...(rollouts <= done.length ? [] : [`web was rolled out ${rollouts} times under ${done.length} permits`]),
      ...(done.some(({ wish }) => wish === 'rightsize resize') ? ['a size that the server refuses was done'] : []),
      ...(templateOf(cluster, 'web').cpu === '500m' ? [] : ['web has another size']),
    ]
  },
}
