// A small cluster with the reloading capability in a real controller: workloads that use ConfigMaps and Secrets, and what rotates them.
import { reload } from '#capabilities/reload'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { node } from './small-cluster.ts'

export interface ReloadWorkload {
  readonly kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  readonly name: string
  readonly replicas?: number
  readonly annotations?: Readonly<Record<string, string>>
  readonly podAnnotations?: Readonly<Record<string, string>>
  readonly configmaps?: readonly string[]
  readonly secrets?: readonly string[]
  readonly namespace?: string
  /** By somebody: a change of the template rolls nothing out. */
  readonly paused?: boolean
}

export const auto = { 'reloader.stakater.com/auto': 'true' } as const

/** A container that reads all of them into its environment. */
export function podTemplate({ name, podAnnotations, configmaps = [], secrets = [] }: ReloadWorkload) {
  return {
    metadata: { labels: { app: name }, ...(podAnnotations === undefined ? {} : { annotations: podAnnotations }) },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'app',
          image: 'registry.example/app:1',
          resources: { requests: { cpu: '10m', memory: '16Mi' } },
          envFrom: [
            ...configmaps.map(one => ({ configMapRef: { name: one } })),
            ...secrets.map(one => ({ secretRef: { name: one } })),
          ],
        },
      ],
    },
  }
}

export function workload(of: ReloadWorkload): KubeObject {
  const { kind = 'Deployment', name, replicas = 1, annotations = auto, namespace = 'shop', paused = false } = of
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace, annotations },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas }),
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      ...(paused ? { paused } : {}),
      selector: { matchLabels: { app: name } },
      template: podTemplate(of),
    },
  }
}

export function configMap(name: string, data: Readonly<Record<string, string>>, namespace = 'shop'): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data }
}

export function secret(name: string, data: Readonly<Record<string, string>>, namespace = 'shop'): KubeObject {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')] as const)
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type: 'Opaque', data: Object.fromEntries(encoded) }
}

/** A cluster of one big node with what is given, and its namespaces. */
export async function reloadCluster(
  objects: readonly KubeObject[],
  { config = {}, ...options }: Omit<ControlledOptions, 'objects' | 'capabilities'> & { readonly config?: object } = {},
): Promise<ControlledCluster> {
  return controlledCluster({
    ...options,
    objects: [...surroundings(objects), ...objects],
    capabilities: [reload],
    configurations: { reload: config },
  })
}

export function surroundings(objects: readonly KubeObject[]): readonly KubeObject[] {
  const namespaces = new Set(objects.flatMap(({ metadata }) => metadata.namespace ?? []))
  return [node('n1'), ...Array.from(namespaces, name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))]
}

interface Templated extends KubeObject {
  readonly spec: {
    readonly template: ReturnType<typeof podTemplate> & {
      readonly metadata: { readonly annotations?: Readonly<Record<string, string>> }
    }
  }
}

export function templateOf(cluster: ControlledCluster, name: string, plural = 'deployments.apps') {
  const found = cluster.list<Templated>(plural).find(one => one.metadata.name === name)
  if (found === undefined) throw new Error(`there is no ${plural} ${name}`)
  return found.spec.template
}

/** The variables of the first container that reloads wrote. */
export function marksOf(cluster: ControlledCluster, name: string, plural = 'deployments.apps'): Readonly<Record<string, string>> {
  const [container] = templateOf(cluster, name, plural).spec.containers
  const env: readonly { readonly name: string; readonly value: string }[] =
    container !== undefined && 'env' in container && Array.isArray(container.env) ? container.env : []
  return Object.fromEntries(env.filter(one => one.name.startsWith('STAKATER_')).map(one => [one.name, one.value]))
}

/** How often a Deployment was rolled out: its ReplicaSets but the first. */
export function rolloutsOf(cluster: ControlledCluster, name: string): number {
  const { uid } = cluster.list('deployments.apps').find(one => one.metadata.name === name)?.metadata ?? {}
  return cluster.list('replicasets.apps').filter(one => one.metadata.ownerReferences?.some(owner => owner.uid === uid)).length - 1
}

export function changeConfigMap(cluster: ControlledCluster, name: string, data: Readonly<Record<string, string | null>>) {
  return cluster.change(builtIn.configmaps, { name, namespace: 'shop' }, { data })
}

export function changeSecret(cluster: ControlledCluster, name: string, data: Readonly<Record<string, string>>) {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')] as const)
  return cluster.change(builtIn.secrets, { name, namespace: 'shop' }, { data: Object.fromEntries(encoded) })
}

/** The controller has read what there is and has written down what it remembers of so many workloads. */
export async function remembered(cluster: ControlledCluster, workloads = 1): Promise<void> {
  const entries = () =>
    cluster
      .list<KubeObject & { readonly data?: object }>('configmaps')
      .filter(({ metadata }) => metadata.name.startsWith('ballast-reload-baseline-'))
      .reduce((sum, { data = {} }) => sum + Object.keys(data).length, 0)
  await cluster.until(() => entries() >= workloads)
}
