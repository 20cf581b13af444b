// What a running descheduler is told, in the words of its chart's values: its flags, its policy, and what its pod template says besides.
import { dirname } from 'node:path/posix'
import { parseDocument } from 'yaml'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { flagsIn } from '#upstreams/flags.ts'
import type { Around } from '#upstreams/upstream.ts'
import { upstreamContainer } from '#upstreams/values-input.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import { convertDescheduler, deschedulerVersions } from './descheduler-rows.ts'

const name = 'descheduler'
const standardPolicyFile = '/policy-dir/policy.yaml'
const electionKeys: Readonly<Record<string, string>> = {
  'leader-elect-lease-duration': 'leaseDuration',
  'leader-elect-renew-deadline': 'renewDeadline',
  'leader-elect-retry-period': 'retryPeriod',
  'leader-elect-resource-lock': 'resourceLock',
  'leader-elect-resource-name': 'resourceName',
  'leader-elect-resource-namespace': 'resourceNamespace',
}
/** Keys of the pod that the chart passes on as they are. */
const ofPod = [
  'priorityClassName',
  'nodeSelector',
  'affinity',
  'tolerations',
  'topologySpreadConstraints',
  'dnsConfig',
  'initContainers',
]
const ofCronJob = ['schedule', 'timeZone', 'startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit']
const ofJob = ['ttlSecondsAfterFinished', 'activeDeadlineSeconds']
/** Labels that a chart or Kustomize gives, and selectors need. */
const isOwnLabel = (key: string) => key === 'app' || key.startsWith('app.kubernetes.io/') || key === 'helm.sh/chart'

/** `workload`: a Deployment or CronJob of upstream's, of its chart or of the plain manifests. */
export function convertDeschedulerWorkload(workload: ValuesTree, { beside, namespace }: Around): ConvertedValues {
  const version = versionOf(workload)
  const policy = policyOf(workload, beside)
  const values = { ...valuesOf(workload, beside), ...(policy.ok ? policy.values : {}) }
  const done = convertDescheduler({ values, version, namespace })
  if (policy.ok) return done
  return {
    ...done,
    isLossy: true,
    report: [...done.report, { from: 'deschedulerPolicy', kind: 'lost', why: policy.why }],
  }
}

/** Every flag with its value, `null` where it has none; the last of each counts. */
export const flagsOf = (words: readonly unknown[]): ReadonlyMap<string, string | null> =>
  new Map(flagsIn(words).map(({ name: flag, values: [value = null] }) => [flag, value]))

/** What the workload's program is started with. */
export function deschedulerFlags(workload: ValuesTree): ReadonlyMap<string, string | null> {
  const container = containerOf(workload)
  return flagsOf(['command', 'args'].flatMap(key => listOf(valueAt(container, [key]))))
}

function valuesOf(workload: ValuesTree, beside: readonly unknown[]): ValuesTree {
  const stays = workload['kind'] === 'Deployment'
  const jobSpec = valueAt(workload, ['spec', 'jobTemplate', 'spec'])
  const template = valueAt(stays ? workload['spec'] : jobSpec, ['template'])
  const container = containerOf(workload)
  const flags = new Map(deschedulerFlags(workload))
  const interval = flags.get('descheduling-interval')
  const leads = flags.has('leader-elect') && flags.get('leader-elect') !== 'false'
  const election = Object.entries(electionKeys).flatMap(([flag, key]) =>
    flags.get(flag) == null ? [] : [[key, flags.get(flag)] as const],
  )
  // The chart says it unless somebody took it away.
  const verbosity = flags.get('v') ?? null
  for (const flag of ['policy-config-file', 'leader-elect', 'v', ...Object.keys(electionKeys)]) flags.delete(flag)
  if (stays) flags.delete('descheduling-interval')
  const policy = Object.fromEntries(flags)
  const said: (readonly [string, unknown])[] = [
    ['kind', workload['kind']],
    ...(stays
      ? [['replicas', valueAt(workload, ['spec', 'replicas'])] as const, ['deschedulingInterval', interval] as const]
      : []),
    ...(stays ? [] : ofCronJob.map(key => [key, valueAt(workload, ['spec', key])] as const)),
    ...(stays ? [] : ofJob.map(key => [key, valueAt(jobSpec, [key])] as const)),
    ...(leads ? [['leaderElection', { enabled: true, ...Object.fromEntries(election) }] as const] : []),
    ['cmdOptions', { ...policy, v: verbosity }],
    ...ofPod.map(key => [key, valueAt(template, ['spec', key])] as const),
    ['podSecurityContext', valueAt(template, ['spec', 'securityContext'])],
    ['securityContext', valueAt(container, ['securityContext'])],
    ['livenessProbe', valueAt(container, ['livenessProbe'])],
    ['resources', valueAt(container, ['resources'])],
    [
      'podAnnotations',
      without(
        valueAt(template, ['metadata', 'annotations']),
        key => key.startsWith('checksum/') || key.startsWith('kubectl.kubernetes.io/'),
      ),
    ],
    ['podLabels', without(valueAt(template, ['metadata', 'labels']), isOwnLabel)],
    ...aroundOf(beside),
  ]
  return said
    .filter(([, value]) => value !== undefined && value !== null && !(isTree(value) && Object.keys(value).length === 0))
    .reduce<ValuesTree>((tree, [path, value]) => withValue(tree, path.split('.'), value), {})
}

function aroundOf(beside: readonly unknown[]): readonly (readonly [string, unknown])[] {
  const ofKind = (kind: string) => beside.find(object => valueAt(object, ['kind']) === kind)
  const monitor = ofKind('ServiceMonitor')
  const budget = ofKind('PodDisruptionBudget')
  const endpoint = listOf(valueAt(monitor, ['spec', 'endpoints']))[0]
  const labels = without(valueAt(monitor, ['metadata', 'labels']), isOwnLabel)
  return [
    ['service.enabled', ofKind('Service') === undefined ? undefined : true],
    ['serviceMonitor.enabled', monitor === undefined ? undefined : true],
    ['serviceMonitor.additionalLabels', labels],
    ...['interval', 'relabelings', 'metricRelabelings'].map(key => [`serviceMonitor.${key}`, valueAt(endpoint, [key])] as const),
    ['serviceMonitor.serverName', valueAt(endpoint, ['tlsConfig', 'serverName'])],
    ['podDisruptionBudget.enabled', budget === undefined ? undefined : true],
    ...['minAvailable', 'maxUnavailable', 'unhealthyPodEvictionPolicy'].map(
      key => [`podDisruptionBudget.${key}`, valueAt(budget, ['spec', key])] as const,
    ),
  ]
}

/** By its image; by its name where only the image was swapped. */
function containerOf(workload: ValuesTree): ValuesTree | undefined {
  const template = valueAt(workload, ['spec', 'jobTemplate', 'spec', 'template']) ?? valueAt(workload, ['spec', 'template'])
  const named = listOf(valueAt(template, ['spec', 'containers'])).find(one => valueAt(one, ['name']) === name)
  return upstreamContainer(workload, name) ?? (isTree(named) ? named : undefined)
}

type PolicyText = { readonly ok: true; readonly values: ValuesTree } | { readonly ok: false; readonly why: string }

/** The ConfigMap, and the key of it, that the workload's program reads its policy from; `undefined`: it comes from elsewhere. */
export function policySource(workload: ValuesTree): { readonly configMap: string; readonly key: string } | undefined {
  const file = deschedulerFlags(workload).get('policy-config-file') ?? standardPolicyFile
  const template = valueAt(workload, ['spec', 'jobTemplate', 'spec', 'template']) ?? valueAt(workload, ['spec', 'template'])
  const mounts = listOf(valueAt(containerOf(workload), ['volumeMounts']))
  const mount = mounts.find(one => [dirname(file), file].includes(String(valueAt(one, ['mountPath']))))
  const volume = listOf(valueAt(template, ['spec', 'volumes'])).find(one => valueAt(one, ['name']) === valueAt(mount, ['name']))
  const configMap = valueAt(volume, ['configMap', 'name'])
  if (mount === undefined || typeof configMap !== 'string') return undefined
  const base = String(valueAt(mount, ['subPath']) ?? file.slice(file.lastIndexOf('/') + 1))
  const item = listOf(valueAt(volume, ['configMap', 'items'])).find(one => valueAt(one, ['path']) === base)
  return { configMap, key: String(valueAt(item, ['key']) ?? base) }
}

function policyOf(workload: ValuesTree, beside: readonly unknown[]): PolicyText {
  const source = policySource(workload)
  if (source === undefined)
    return { ok: false, why: 'its policy is in no ConfigMap that the workload mounts: put what it says into descheduler.policy' }
  const { configMap, key } = source
  const object = beside.find(one => valueAt(one, ['kind']) === 'ConfigMap' && valueAt(one, ['metadata', 'name']) === configMap)
  const text = valueAt(object, ['data', key])
  if (typeof text !== 'string')
    return { ok: false, why: `its policy is key ${key} of ConfigMap ${configMap}, which is not here: put that object beside it` }
  const document = parseDocument(text, { prettyErrors: false })
  const value: unknown = document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 100 })
  if (!isTree(value)) return { ok: false, why: `key ${key} of ConfigMap ${configMap} is no YAML of a map` }
  const { apiVersion, kind: _kind, ...policy } = value
  return { ok: true, values: { deschedulerPolicyAPIVersion: apiVersion, deschedulerPolicy: policy } }
}

/** Version of the chart, where its label names one that is known. */
function versionOf(workload: ValuesTree): string | undefined {
  const label = String(valueAt(workload, ['metadata', 'labels', 'helm.sh/chart']) ?? '')
  const version = /^descheduler-v?(\d+\.\d+\.\d+)$/.exec(label)?.[1]
  return version !== undefined && deschedulerVersions.includes(version) ? version : undefined
}

function without(value: unknown, isLeftOut: (key: string) => boolean): ValuesTree | undefined {
  return isTree(value) ? Object.fromEntries(Object.entries(value).filter(([key]) => !isLeftOut(key))) : undefined
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** The ConfigMap that a descheduler reads its policy from, ours or upstream's; `undefined`: from no ConfigMap. */
export function policyPlace(workload: KubeObject): { readonly namespace: string; readonly name: string } | undefined {
  const source = policySource({ ...workload })
  return source === undefined ? undefined : { namespace: workload.metadata.namespace ?? 'default', name: source.configMap }
}

/** The text of its policy, of the ConfigMap at `policyPlace`. */
export function policyText(workload: KubeObject, configMap: KubeObject | undefined): string | undefined {
  return textAt(configMap, 'data', policySource({ ...workload })?.key ?? '')
}
