// What a running metrics-server is told, in the words of its chart's values: its flags, and what its pod template says besides.
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import type { Around } from '#upstreams/upstream.ts'
import { upstreamContainer } from '#upstreams/values-input.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import { convertMetricsServer } from './metrics-server-rows.ts'

const name = 'metrics-server'
/** Keys of the pod that the chart passes on as they are. */
const ofPod = ['priorityClassName', 'affinity', 'tolerations', 'topologySpreadConstraints', 'dnsConfig']
/** Labels that a chart, Kustomize or k3s gives, and selectors need. */
const isOwnLabel = (key: string) =>
  key === 'app' ||
  key === 'k8s-app' ||
  key.startsWith('app.kubernetes.io/') ||
  key === 'helm.sh/chart' ||
  key === 'pod-template-hash'
const isOwnAnnotation = (key: string) => key.startsWith('checksum/') || key.startsWith('kubectl.kubernetes.io/')
/** Its image asks for it, as ours does by itself. */
const isStandardNode = (key: string, value: unknown) => key === 'kubernetes.io/os' && value === 'linux'

/** `workload`: a Deployment of upstream's, of its chart, of the plain manifests, or as k3s brings it. */
export function convertMetricsServerWorkload(workload: ValuesTree, { beside, namespace }: Around): ConvertedValues {
  return convertMetricsServer({ values: valuesOf(workload, beside), version: undefined, namespace })
}

/** By its image; by its name where only the image was swapped. */
function containerOf(workload: unknown): ValuesTree | undefined {
  const containers = listAt(workload, 'spec', 'template', 'spec', 'containers').filter(isTree)
  return upstreamContainer(workload, name) ?? containers.find(one => one['name'] === name) ?? containers[0]
}

function valuesOf(workload: ValuesTree, beside: readonly unknown[]): ValuesTree {
  const template = valueAt(workload, ['spec', 'template'])
  const pod = valueAt(template, ['spec'])
  const container = containerOf(workload)
  const mounts = listAt(container, 'volumeMounts').filter(isTree)
  // A certificate of its own is not carried, and so is what it is read from.
  const certificates = mounts.filter(({ mountPath }) => mountPath === '/tmp/tls-certs')
  const kept = mounts.filter(mount => !certificates.includes(mount))
  const keptNames = new Set(kept.map(mount => mount['name']))
  const volumes = listAt(pod, 'volumes').filter(volume => keptNames.has(textAt(volume, 'name')))
  const replicas = valueAt(workload, ['spec', 'replicas'])
  const said: readonly (readonly [string, unknown])[] = [
    // Whatever is not among them its program takes as its own default.
    ['defaultArgs', []],
    ['args', [...listAt(container, 'command'), ...listAt(container, 'args')].map(String)],
    ['replicas', typeof replicas === 'number' && replicas > 1 ? replicas : undefined],
    ...ofPod.map(key => [key, valueAt(pod, [key])] as const),
    ['nodeSelector', without(valueAt(pod, ['nodeSelector']), isStandardNode)],
    ['schedulerName', valueAt(pod, ['schedulerName']) === 'default-scheduler' ? undefined : valueAt(pod, ['schedulerName'])],
    ['hostNetwork.enabled', valueAt(pod, ['hostNetwork']) === true ? true : undefined],
    ['podSecurityContext', valueAt(pod, ['securityContext'])],
    ['securityContext', valueAt(container, ['securityContext'])],
    ['resources', valueAt(container, ['resources'])],
    ['extraVolumes', volumes],
    ['extraVolumeMounts', kept],
    ['podAnnotations', without(valueAt(template, ['metadata', 'annotations']), isOwnAnnotation)],
    ['podLabels', without(valueAt(template, ['metadata', 'labels']), isOwnLabel)],
    ['addonResizer.enabled', listAt(pod, 'containers').some(one => textAt(one, 'name') === `${name}-nanny`) ? true : undefined],
    ...aroundOf(beside),
  ]
  return said
    .filter(([path, value]) => path === 'defaultArgs' || !isNothing(value))
    .reduce<ValuesTree>((tree, [path, value]) => withValue(tree, path.split('.'), value), {})
}

function aroundOf(beside: readonly unknown[]): readonly (readonly [string, unknown])[] {
  const ofKind = (kind: string) => beside.find(object => valueAt(object, ['kind']) === kind)
  const monitor = ofKind('ServiceMonitor')
  const budget = ofKind('PodDisruptionBudget')
  const [endpoint] = listAt(monitor, 'spec', 'endpoints')
  return [
    ['serviceMonitor.enabled', monitor === undefined ? undefined : true],
    ['serviceMonitor.additionalLabels', without(valueAt(monitor, ['metadata', 'labels']), isOwnLabel)],
    ...['interval', 'scrapeTimeout', 'relabelings', 'metricRelabelings'].map(
      key => [`serviceMonitor.${key}`, valueAt(endpoint, [key])] as const,
    ),
    ['podDisruptionBudget.enabled', budget === undefined ? undefined : true],
    ...['minAvailable', 'maxUnavailable', 'unhealthyPodEvictionPolicy'].map(
      key => [`podDisruptionBudget.${key}`, valueAt(budget, ['spec', key])] as const,
    ),
  ]
}

function without(value: unknown, isLeftOut: (key: string, value: unknown) => boolean): ValuesTree {
  return isTree(value) ? Object.fromEntries(Object.entries(value).filter(([key, inner]) => !isLeftOut(key, inner))) : {}
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null) return true
  if (Array.isArray(value)) return value.length === 0
  return isTree(value) && Object.keys(value).length === 0
}
