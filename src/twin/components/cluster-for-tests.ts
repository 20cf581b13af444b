// Small clusters for tests of the simulated components: a twin on a virtual clock with nodes that report ready.
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { ClusterAccess, Writer } from '../access.ts'
import type { ComponentOptions, Components, LoopFailure } from '../components.ts'
import { startTwin, type Twin } from '../twin.ts'
import type { Kinds, KnownResource } from './kinds.ts'
import { isReady } from './workloads/pod-state.ts'

export const startMs = Date.parse('2026-01-01T00:00:00Z')
export const person: Writer = { manager: 'kubectl', user: 'ballast-admin' }

const clusterWide: ReadonlySet<KnownResource> = new Set<KnownResource>([
  'nodes',
  'namespaces',
  'persistentvolumes',
  'storageclasses.storage.k8s.io',
])

export class TestCluster implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly components: Components
  /** Runs that failed, other than by what the server refused. */
  readonly failures: readonly LoopFailure[]

  static async start(
    objects: readonly KubeObject[],
    options: Partial<ComponentOptions> & { readonly seed?: number } = {},
  ): Promise<TestCluster> {
    const clock = new VirtualClock(startMs)
    const failures: LoopFailure[] = []
    const { seed = 1, ...settings } = options
    const onFailure = (failure: LoopFailure) => void failures.push(failure)
    const twin = await startTwin({ clock, objects, seed, components: { onFailure, ...settings } })
    if (twin.components === undefined) throw new Error('the twin started no components')
    return new TestCluster({ clock, twin, components: twin.components, failures })
  }

  private constructor(parts: Pick<TestCluster, 'clock' | 'twin' | 'components' | 'failures'>) {
    this.clock = parts.clock
    this.twin = parts.twin
    this.components = parts.components
    this.failures = parts.failures
  }

  get access(): ClusterAccess {
    return this.twin.access
  }

  /** Gets an object of namespace `default`, unless another is named or the kind has none. */
  get<K extends KnownResource>(resource: K, name: string, namespace = 'default'): Kinds[K] | undefined {
    return this.access.get(resource, clusterWide.has(resource) ? undefined : namespace, name) as Kinds[K] | undefined
  }

  list<K extends KnownResource>(resource: K, namespace?: string): readonly Kinds[K][] {
    return this.access.list(resource, namespace) as readonly Kinds[K][]
  }

  create(resource: KnownResource, object: KubeObject): KubeObject {
    return this.access.create(resource, object, person)
  }

  /** Changes an object as a user does. */
  edit<K extends KnownResource>(
    resource: K,
    name: string,
    change: (object: Kinds[K]) => KubeObject,
    namespace = 'default',
  ): void {
    const object = this.get(resource, name, namespace)
    if (object === undefined) throw new Error(`${resource} ${name} is not there`)
    this.access.update(resource, change(object), person)
  }

  /** Until nothing moves any more. */
  async settle(limitMs = 3_600_000): Promise<void> {
    const untilMs = this.clock.elapsed() + limitMs
    for (;;) {
      await this.clock.quiet()
      if (this.components.isSettled) return
      if (this.clock.elapsed() > untilMs) throw new Error(`still moving: ${this.components.moving().join('; ')}`)
      if (!this.clock.step()) return
    }
  }

  pods(namespace = 'default'): readonly Pod[] {
    return this.list('pods', namespace)
  }

  readyPods(namespace = 'default'): readonly Pod[] {
    return this.pods(namespace).filter(pod => isReady(pod) && pod.metadata.deletionTimestamp === undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.twin.stop()
  }
}

export function testNode(
  name: string,
  options: { readonly cpu?: string; readonly labels?: Readonly<Record<string, string>> } = {},
): KubeObject {
  const amounts = { cpu: options.cpu ?? '8', memory: '16Gi', pods: '110' }
  const condition = (type: string, status: string, reason: string) => ({
    type,
    status,
    reason,
    lastTransitionTime: '2025-12-01T00:00:00Z',
    lastHeartbeatTime: '2025-12-31T23:59:00Z',
  })
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', ...options.labels } },
    spec: { podCIDR: `10.244.${Number(/\d+$/.exec(name)?.[0] ?? 0)}.0/24` },
    status: {
      capacity: amounts,
      allocatable: amounts,
      addresses: [{ type: 'InternalIP', address: `10.0.0.${10 + Number(/\d+$/.exec(name)?.[0] ?? 0)}` }],
      conditions: [
        condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
        condition('Ready', 'True', 'KubeletReady'),
      ],
    },
  }
}

export function testNodes(count: number): readonly KubeObject[] {
  return Array.from({ length: count }, (_, index) => testNode(`n${index + 1}`))
}

interface TemplateShape {
  readonly image?: string
  readonly cpu?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly restartPolicy?: string
}

export function testTemplate(app: string, shape: TemplateShape = {}) {
  return {
    metadata: { labels: { app }, ...(shape.annotations === undefined ? {} : { annotations: shape.annotations }) },
    spec: {
      containers: [
        {
          name: 'main',
          image: shape.image ?? 'registry.example/app:1',
          resources: { requests: { cpu: shape.cpu ?? '100m', memory: '64Mi' } },
        },
      ],
      ...(shape.restartPolicy === undefined ? {} : { restartPolicy: shape.restartPolicy }),
    },
  }
}

export function testWorkload(
  kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'ReplicaSet',
  name: string,
  spec: Readonly<Record<string, unknown>> = {},
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: name } },
      template: testTemplate(name),
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      ...spec,
    },
  }
}
