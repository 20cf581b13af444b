// What a running KEDA is told, in the words of its chart's values: flags and variables of its three programs, what the operator's pod says
// besides, and which kinds and credentials its users' objects need of ours.
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { flagsIn } from '#upstreams/flags.ts'
import type { Around } from '#upstreams/upstream.ts'
import { upstreamContainer } from '#upstreams/values-input.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import { destinationProblem } from '../notices/destination.ts'
import { convertKeda } from './keda-rows.ts'
import { section } from './keda-told.ts'
import { furtherKinds, unsettledKinds } from './target-kinds.ts'

const images = { operator: 'keda', adapter: 'keda-metrics-apiserver', webhooks: 'keda-admission-webhooks' } as const
/** What each program's own chart mounts. */
const ownMounts = new Set(['/certs', '/grpccerts', '/hashicorp-vaultcerts'])
const isOwnLabel = (key: string) =>
  key === 'app' || key === 'name' || key.startsWith('app.kubernetes.io/') || key === 'helm.sh/chart'
const isOwnAnnotation = (key: string) => key.startsWith('checksum/') || key.startsWith('kubectl.kubernetes.io/')
const isStandardNode = (key: string, value: unknown) => key === 'kubernetes.io/os' && value === 'linux'

/** `workload`: the Deployment of its operator; `beside` the rest of its installation, and its users' objects. */
export function convertKedaWorkload(workload: ValuesTree, { beside, namespace }: Around): ConvertedValues {
  const place = namespace ?? textAt(workload, 'metadata', 'namespace')
  return withUsers(convertKeda({ values: valuesOf(workload, beside), version: undefined, namespace: place }), beside)
}

function valuesOf(workload: ValuesTree, beside: readonly unknown[]): ValuesTree {
  const template = valueAt(workload, ['spec', 'template'])
  const pod = valueAt(template, ['spec'])
  const container = upstreamContainer(workload, images.operator) ?? listAt(pod, 'containers').filter(isTree)[0]
  const mounts = listAt(container, 'volumeMounts').filter(isTree)
  const kept = mounts.filter(({ mountPath }) => !ownMounts.has(String(mountPath)))
  const names = new Set(kept.map(({ name }) => name))
  const isMounted = (path: string) => mounts.some(({ mountPath }) => mountPath === path)
  const monitor = beside.find(object => textAt(object, 'kind') === 'ServiceMonitor')
  const replicas = valueAt(workload, ['spec', 'replicas'])
  const said: readonly (readonly [string, unknown])[] = [
    ['extraArgs.keda', flagsOf(container)],
    ['extraArgs.metricsAdapter', flagsOf(containerBeside(beside, images.adapter))],
    ['extraArgs.webhooks', flagsOf(containerBeside(beside, images.webhooks))],
    ['env', listAt(container, 'env')],
    ['operator.replicaCount', typeof replicas === 'number' && replicas > 1 ? replicas : undefined],
    ['nodeSelector', without(valueAt(pod, ['nodeSelector']), isStandardNode)],
    ['tolerations', valueAt(pod, ['tolerations'])],
    ['affinity', valueAt(pod, ['affinity'])],
    ['priorityClassName', valueAt(pod, ['priorityClassName'])],
    ['operator.useHostNetwork', valueAt(pod, ['hostNetwork']) === true ? true : undefined],
    ['operator.dnsConfig', valueAt(pod, ['dnsConfig'])],
    ['operator.extraInitContainers', valueAt(pod, ['initContainers'])],
    ['operator.extraContainers', listAt(pod, 'containers').filter(one => one !== container)],
    ['hostAliases', valueAt(pod, ['hostAliases'])],
    ['podAnnotations.keda', without(valueAt(template, ['metadata', 'annotations']), isOwnAnnotation)],
    ['podLabels.keda', without(valueAt(template, ['metadata', 'labels']), isOwnLabel)],
    ['volumes.keda.extraVolumes', listAt(pod, 'volumes').filter(volume => names.has(textAt(volume, 'name')))],
    ['volumes.keda.extraVolumeMounts', kept],
    ['grpcTLSCertsSecret', isMounted('/grpccerts') ? 'mounted' : undefined],
    ['hashiCorpVaultTLS', isMounted('/hashicorp-vaultcerts') ? 'mounted' : undefined],
    ['prometheus.operator.serviceMonitor.enabled', monitor === undefined ? undefined : true],
  ]
  return said
    .filter(([, value]) => !isNothing(value))
    .reduce<ValuesTree>((tree, [path, value]) => withValue(tree, path.split('.'), value), {})
}

function containerBeside(beside: readonly unknown[], image: string): ValuesTree | undefined {
  for (const object of beside) {
    const found = textAt(object, 'kind') === 'Deployment' ? upstreamContainer(object, image) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

/** By their names; one that is given twice counts as given last, and one without a value is a switch. */
function flagsOf(container: unknown): ValuesTree {
  const words = [...listAt(container, 'command'), ...listAt(container, 'args')].map(String)
  return Object.fromEntries(flagsIn(words).map(({ name, values }) => [name, values.join(' ') || 'true']))
}

/** Rights follow from the kinds that users' objects target. */
function withUsers(found: ConvertedValues, beside: readonly unknown[]): ConvertedValues {
  const kinds = furtherKinds(beside)
  const unsettled = unsettledKinds(beside)
  const sources = beside.filter(
    object =>
      ['CloudEventSource', 'ClusterCloudEventSource'].includes(textAt(object, 'kind') ?? '') &&
      destinationProblem(object) !== undefined,
  )
  const lost = [
    ...unsettled.map(({ object, kind }) => ({
      from: object,
      kind: 'lost' as const,
      why: `KEDA has not said of which resource ${kind} is: name it in ${section('scaleKinds')}`,
    })),
    ...sources.map(object => ({
      from: `${textAt(object, 'kind')} ${textAt(object, 'metadata', 'name')}`,
      kind: 'lost' as const,
      why: 'ours does not send to Azure Event Grid yet: nobody is told by it',
    })),
  ]
  const to = section('scaleKinds')
  const carried = kinds.map(({ kind, objects }) => ({
    from: objects.join(', '),
    kind: 'carried' as const,
    to,
    why: `scales ${kind.resource}.${kind.group}`,
  }))
  const values =
    kinds.length === 0
      ? found.values
      : withValue(
          found.values,
          to.split('.'),
          kinds.map(one => one.kind),
        )
  return { values, report: [...found.report, ...carried, ...lost], isLossy: found.isLossy || lost.length > 0 }
}

function without(value: unknown, isLeftOut: (key: string, value: unknown) => boolean): ValuesTree {
  return isTree(value) ? Object.fromEntries(Object.entries(value).filter(([key, inner]) => !isLeftOut(key, inner))) : {}
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null) return true
  if (Array.isArray(value)) return value.length === 0
  return isTree(value) && Object.keys(value).length === 0
}
