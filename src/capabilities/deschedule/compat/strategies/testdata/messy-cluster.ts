// Clusters in which nothing is where it should be, the same for the same seed: rich in what each strategy looks at. Ages are half hours
// away from every limit that policies of tests have, so that what is decided does not hang on the second.
import type { Container, KubeObject, Pod, PodSpec, PodStatus } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { formatTime } from '#kube/time/time.ts'

/** Raised when the clusters change: recordings of another revision do not count. */
export const messyRevision = 1

interface Chance {
  /** From `least` to `most`, both included. */
  whole(least: number, most: number): number
  pick<Value>(list: readonly [Value, ...Value[]]): Value
  /** True in `share` of all cases. */
  is(share: number): boolean
}

const halfHourMs = 1_800_000
const applications = ['web', 'api', 'cache', 'queue', 'batch', 'front', 'search', 'mail'] as const
const namespaces = ['alpha', 'beta', 'gamma'] as const

/** 3 to 8 nodes and 20 to 60 pods, as they are at `nowMs`. */
export function messyCluster(seed: number, nowMs: number): readonly KubeObject[] {
  const chance = chanceOf(seed)
  const nodes = Array.from({ length: chance.whole(3, 8) }, (_, at) => node(at, chance))
  const names = nodes.map(({ metadata }) => metadata.name)
  const wanted = chance.whole(20, 60)
  const pods: Pod[] = []
  for (let number = 0; pods.length < wanted; number++) pods.push(...workload(number, { chance, names, nowMs }))
  return [...namespaces.map(namespace), ...nodes, ...pods.slice(0, wanted)]
}

function chanceOf(seed: number): Chance {
  const random = seededRandom(seed)
  return {
    whole: (least, most) => least + Math.floor(random() * (most - least + 1)),
    pick: list => list[Math.floor(random() * list.length)] ?? list[0],
    is: share => random() < share,
  }
}

function namespace(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, uid: `namespace-${name}`, labels: { team: name } } }
}

function node(at: number, chance: Chance): KubeObject {
  const name = `n${at}`
  const amounts = {
    cpu: String(chance.whole(2, 8)),
    memory: `${chance.whole(4, 16)}Gi`,
    pods: String(chance.whole(12, 30)),
    ...(chance.is(0.3) ? { 'example.com/gpu': '4' } : {}),
  }
  const taints = [
    ...(chance.is(0.25) ? [{ key: 'dedicated', value: chance.pick(['db', 'ml']), effect: 'NoSchedule' }] : []),
    ...(chance.is(0.15) ? [{ key: 'soft', value: 'yes', effect: 'PreferNoSchedule' }] : []),
    ...(chance.is(0.1) ? [{ key: 'tier', value: '5', effect: 'NoSchedule' }] : []),
  ]
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: `node-${name}`,
      labels: {
        'kubernetes.io/hostname': name,
        disk: chance.pick(['ssd', 'hdd']),
        size: String(chance.whole(1, 9)),
        ...(chance.is(0.85) ? { zone: `z${at % 3}` } : {}),
      },
    },
    spec: { ...(chance.is(0.12) ? { unschedulable: true } : {}), ...(taints.length > 0 ? { taints } : {}) },
    status: {
      capacity: amounts,
      allocatable: amounts,
      conditions: [{ type: 'Ready', status: at > 2 && chance.is(0.08) ? 'False' : 'True', reason: 'KubeletReady' }],
    },
  }
}

interface Surroundings {
  readonly chance: Chance
  readonly names: readonly string[]
  readonly nowMs: number
}

/** The pods of one owner: alike but for their place, priority, age and state. */
function workload(number: number, { chance, names, nowMs }: Surroundings): readonly Pod[] {
  const application = chance.pick(applications)
  const inNamespace = chance.pick(namespaces)
  const name = `${application}-${number}`
  const kind = chance.pick(['ReplicaSet', 'ReplicaSet', 'ReplicaSet', 'ReplicaSet', 'StatefulSet', 'Job', 'DaemonSet', undefined])
  const spec = specOf(application, chance)
  const labels = { app: application, workload: name, ...(chance.is(0.5) ? { revision: chance.pick(['1', '2']) } : {}) }
  const hasOwnPriorities = chance.is(0.85)
  const base = chance.whole(0, 50) * 1_000
  const crowded = chance.whole(0, names.length - 1)
  return Array.from({ length: chance.whole(1, 7) }, (_, at): Pod => {
    const place = names[chance.is(0.5) ? crowded : chance.whole(0, names.length - 1)] ?? ''
    const marked = chance.is(0.05) ? { 'descheduler.alpha.kubernetes.io/evict': 'true' } : {}
    const unwilling = chance.is(0.08) ? { 'descheduler.alpha.kubernetes.io/prefer-no-eviction': '' } : {}
    const uid = `pod-${name}-${at}`
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${name}-${at}`,
        namespace: inNamespace,
        uid,
        labels,
        annotations: { ...marked, ...unwilling },
        creationTimestamp: formatTime(nowMs - (2 * chance.whole(0, 40) + 1) * halfHourMs),
        ...(kind === undefined
          ? {}
          : { ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid: `owner-${name}`, controller: true }] }),
      },
      spec: {
        ...spec,
        nodeName: place,
        // Many of one priority leave the order to chance upstream.
        ...(chance.is(0.04) ? {} : { priority: hasOwnPriorities ? chance.whole(0, 1_000_000) : base }),
        terminationGracePeriodSeconds: 30,
      },
      status: statusOf(spec, { chance, nowMs }),
    }
  })
}

function specOf(application: string, chance: Chance): PodSpec {
  const container = (name: string): Container => ({
    name,
    image: `registry.example/${application}:${chance.pick(['1', '2'])}`,
    resources: {
      requests: {
        ...(chance.is(0.9) ? { cpu: `${chance.whole(1, 14) * 50}m` } : {}),
        ...(chance.is(0.85) ? { memory: `${chance.whole(1, 20) * 64}Mi` } : {}),
        ...(chance.is(0.06) ? { 'example.com/gpu': '1' } : {}),
      },
    },
  })
  const volumes = [
    ...(chance.is(0.08) ? [{ name: 'scratch', emptyDir: {} }] : []),
    ...(chance.is(0.04) ? [{ name: 'host', hostPath: { path: '/data' } }] : []),
  ]
  const tolerations = [
    ...(chance.is(0.3) ? [{ key: 'dedicated', operator: 'Equal', value: 'db', effect: 'NoSchedule' }] : []),
    ...(chance.is(0.15) ? [{ operator: 'Exists' }] : []),
    ...(chance.is(0.15) ? [{ key: 'soft', operator: 'Exists' }] : []),
  ]
  const affinity = affinityOf(application, chance)
  return {
    containers: Array.from({ length: chance.is(0.2) ? 2 : 1 }, (_, at) => container(`c${at}`)),
    ...(chance.is(0.2) ? { initContainers: [{ ...container('init'), ...(chance.is(0.3) ? { restartPolicy: 'Always' } : {}) }] } : {}),
    ...(volumes.length > 0 ? { volumes } : {}),
    ...(tolerations.length > 0 ? { tolerations } : {}),
    ...(chance.is(0.12) ? { nodeSelector: { disk: chance.pick(['ssd', 'hdd']) } } : {}),
    ...(Object.keys(affinity).length > 0 ? { affinity } : {}),
    ...(chance.is(0.45) ? { topologySpreadConstraints: constraintsOf(application, chance) } : {}),
  }
}

function affinityOf(application: string, chance: Chance): NonNullable<PodSpec['affinity']> {
  const disk = { key: 'disk', operator: 'In', values: [chance.pick(['ssd', 'hdd'])] }
  const size = { key: 'size', operator: 'Gt', values: [String(chance.whole(1, 7))] }
  const other = chance.is(0.5) ? application : chance.pick(applications)
  return {
    ...(chance.is(0.35)
      ? {
          nodeAffinity: {
            ...(chance.is(0.6)
              ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [chance.pick([disk, size])] }] } }
              : {}),
            ...(chance.is(0.6)
              ? {
                  preferredDuringSchedulingIgnoredDuringExecution: [
                    { weight: chance.whole(1, 50), preference: { matchExpressions: [size] } },
                    { weight: chance.whole(1, 50), preference: { matchExpressions: [disk] } },
                  ],
                }
              : {}),
          },
        }
      : {}),
    ...(chance.is(0.3)
      ? {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              {
                labelSelector: { matchLabels: { app: other } },
                topologyKey: chance.pick(['kubernetes.io/hostname', 'zone']),
                ...(chance.is(0.2) ? { namespaces: [chance.pick(namespaces)] } : {}),
              },
            ],
          },
        }
      : {}),
  }
}

function constraintsOf(application: string, chance: Chance): NonNullable<PodSpec['topologySpreadConstraints']> {
  return [
    {
      maxSkew: chance.whole(1, 2),
      topologyKey: chance.pick(['kubernetes.io/hostname', 'zone', 'disk']),
      whenUnsatisfiable: chance.is(0.75) ? 'DoNotSchedule' : 'ScheduleAnyway',
      labelSelector: { matchLabels: { app: application } },
      ...(chance.is(0.25) ? { matchLabelKeys: ['revision'] } : {}),
      ...(chance.is(0.25) ? { nodeAffinityPolicy: chance.pick(['Honor', 'Ignore']) } : {}),
      ...(chance.is(0.3) ? { nodeTaintsPolicy: chance.pick(['Honor', 'Ignore']) } : {}),
    },
  ]
}

function statusOf(spec: PodSpec, { chance, nowMs }: Pick<Surroundings, 'chance' | 'nowMs'>): PodStatus {
  const phase = chance.pick(['Running', 'Running', 'Running', 'Running', 'Running', 'Running', 'Pending', 'Failed', 'Succeeded'])
  const code = chance.pick([1, 2, 137])
  const state =
    phase === 'Failed' || phase === 'Succeeded'
      ? { terminated: { reason: phase === 'Failed' ? chance.pick(['Error', 'OOMKilled']) : 'Completed', exitCode: phase === 'Failed' ? code : 0 } }
      : chance.is(0.2)
        ? { waiting: { reason: chance.pick(['CrashLoopBackOff', 'ImagePullBackOff']) } }
        : { running: { startedAt: formatTime(nowMs - halfHourMs) } }
  const status = (name: string, restartCount: number) => ({ name, image: '', imageID: '', ready: phase === 'Running', restartCount, state })
  return {
    phase,
    ...(phase === 'Failed' && chance.is(0.3) ? { reason: chance.pick(['Evicted', 'NodeAffinity']) } : {}),
    startTime: formatTime(nowMs - halfHourMs),
    conditions: [
      {
        type: 'Ready',
        status: phase === 'Running' ? 'True' : 'False',
        lastTransitionTime: formatTime(nowMs - (2 * chance.whole(0, 10) + 1) * halfHourMs),
      },
    ],
    // Counts are far apart: of equal ones upstream takes any first.
    containerStatuses: spec.containers.map(({ name }) => status(name, chance.is(0.3) ? chance.whole(1, 500) : 0)),
    ...(spec.initContainers === undefined
      ? {}
      : { initContainerStatuses: spec.initContainers.map(({ name }) => status(name, chance.is(0.3) ? chance.whole(1, 100) : 0)) }),
  }
}
