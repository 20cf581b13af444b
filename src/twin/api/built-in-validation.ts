// Rules of single built-in kinds: required fields, allowed values, and what an update may not change.

import { parseCron } from '#kube/cron.ts'
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/field-error.ts'
import { dns1123LabelProblems, labelValueProblems } from '#kube/names.ts'
import type { KubeObject } from '#kube/objects.ts'
import { compareQuantities, parseQuantity } from '#kube/quantity.ts'
import { labelSelectorOf } from '#kube/selector.ts'
import { type Draft, fieldsAt, isEmpty, isSame, itemsAt, listAt, numberAt, textAt, textsAt, valueAt } from '../json-value.ts'
import type { ApiServer } from './api-server.ts'
import { quotaProblems, secretTypeProblems } from './content-validation.ts'
import { podUpdateProblems } from './pod-update-validation.ts'
import type { ResourceType } from './resource-type.ts'

const workloads = new Set([
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'replicationcontrollers',
])

/** Everything that is wrong with an object of a built-in kind, beyond its metadata. */
export function validateBuiltIn(_server: ApiServer, type: ResourceType, draft: Draft): readonly FieldError[] {
  if (type.key === 'pods') return podSpecProblems(fieldsAt(draft, 'spec') ?? {}, 'spec')
  if (workloads.has(type.key)) return workloadProblems(type, draft)
  switch (type.key) {
    case 'jobs.batch':
      return jobTemplateProblems(fieldsAt(draft, 'spec') ?? {}, 'spec.template')
    case 'cronjobs.batch':
      return cronJobProblems(draft)
    case 'poddisruptionbudgets.policy':
      return budgetProblems(draft)
    case 'configmaps':
      return dataProblems(draft, ['data', 'binaryData'])
    case 'secrets':
      return [...dataProblems(draft, ['data']), ...secretTypeProblems(draft)]
    case 'resourcequotas':
      return quotaProblems(draft)
    case 'services':
      return serviceProblems(draft)
    case 'nodes':
      return taintProblems(draft)
    case 'rolebindings.rbac.authorization.k8s.io':
    case 'clusterrolebindings.rbac.authorization.k8s.io':
      return textAt(draft, 'roleRef', 'name') === undefined ? [required('roleRef.name')] : []
    case 'persistentvolumeclaims':
      return claimProblems(draft)
    case 'storageclasses.storage.k8s.io':
      return textAt(draft, 'provisioner') === undefined ? [required('provisioner')] : []
    case 'horizontalpodautoscalers.autoscaling':
      return autoscalerProblems(draft)
    default:
      return []
  }
}

/** What an update of a built-in kind changed although it may not. */
export function validateBuiltInUpdate(type: ResourceType, draft: Draft, existing: KubeObject): readonly FieldError[] {
  switch (type.key) {
    case 'pods':
      return podUpdateProblems(draft, existing)
    case 'deployments.apps':
    case 'replicasets.apps':
    case 'daemonsets.apps':
      return immutable(draft, existing, ['spec', 'selector'])
    case 'statefulsets.apps':
      return statefulSetUpdateProblems(draft, existing)
    case 'jobs.batch':
      return [...immutable(draft, existing, ['spec', 'completionMode']), ...immutable(draft, existing, ['spec', 'selector'])]
    case 'configmaps':
    case 'secrets':
      return immutableDataProblems(type, draft, existing)
    case 'services':
      return clusterAddressProblems(draft, existing)
    case 'rolebindings.rbac.authorization.k8s.io':
    case 'clusterrolebindings.rbac.authorization.k8s.io':
      return isSame(draft['roleRef'], existing['roleRef']) ? [] : [invalid('roleRef', draft['roleRef'], 'cannot change roleRef')]
    case 'storageclasses.storage.k8s.io':
      return ['provisioner', 'parameters', 'reclaimPolicy', 'volumeBindingMode'].flatMap(name =>
        immutable(draft, existing, [name]),
      )
    case 'priorityclasses.scheduling.k8s.io':
      return isSame(draft['value'], existing['value']) ? [] : [forbidden('value', 'may not be changed in an update.')]
    default:
      return []
  }
}

function immutable(draft: Draft, existing: KubeObject, path: readonly string[]): readonly FieldError[] {
  const value = valueAt(draft, ...path)
  return isSame(value, valueAt(existing, ...path)) ? [] : [invalid(path.join('.'), value, 'field is immutable')]
}

function workloadProblems(type: ResourceType, draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = [...wholeNumber(spec, 'replicas', 'spec.replicas')]
  const template = fieldsAt(spec, 'template')
  if (type.key !== 'replicationcontrollers') problems.push(...selectorProblems(spec, template))
  const claims = itemsAt(spec, 'volumeClaimTemplates').map(claim => textAt(claim, 'metadata', 'name'))
  const podSpec = fieldsAt(template, 'spec') ?? {}
  problems.push(...podSpecProblems(podSpec, 'spec.template.spec', { policies: ['Always'], claims }))
  if (type.key === 'deployments.apps') problems.push(...strategyProblems(spec))
  return problems
}

function selectorProblems(spec: Draft, template: Draft | undefined): readonly FieldError[] {
  const selector = fieldsAt(spec, 'selector')
  if (selector === undefined) {
    const labels = valueAt(template, 'metadata', 'labels') ?? null
    return [
      required('spec.selector'),
      invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
    ]
  }
  if (isEmpty(selector['matchLabels']) && isEmpty(selector['matchExpressions'])) {
    return [invalid('spec.selector', selector, 'empty selector is invalid for deployment')]
  }
  const values = Object.values(textsAt(selector, 'matchLabels')).flatMap(value =>
    labelValueProblems(value).map(problem => invalid('spec.selector.matchLabels', value, problem)),
  )
  const parsed = labelSelectorOf(selector, 'spec.selector')
  if (!parsed.ok || values.length > 0) return [...values, invalid('spec.selector', selector, 'invalid label selector')]
  const labels = textsAt(template, 'metadata', 'labels')
  if (template !== undefined && !parsed.value.matches(labels)) {
    return [invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')]
  }
  return []
}

function strategyProblems(spec: Draft): readonly FieldError[] {
  const kind = textAt(spec, 'strategy', 'type')
  if (kind !== 'Recreate' && kind !== 'RollingUpdate')
    return [notSupported('spec.strategy', { Type: kind, RollingUpdate: null }, ['Recreate', 'RollingUpdate'])]
  if (kind === 'Recreate' && valueAt(spec, 'strategy', 'rollingUpdate') !== undefined) {
    return [forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")]
  }
  const { maxSurge, maxUnavailable } = {
    maxSurge: undefined,
    maxUnavailable: undefined,
    ...fieldsAt(spec, 'strategy', 'rollingUpdate'),
  }
  if (isZeroCount(maxSurge) && isZeroCount(maxUnavailable)) {
    return [invalid('spec.strategy.rollingUpdate.maxUnavailable', maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
  }
  return []
}

function isZeroCount(value: unknown): boolean {
  return value === 0 || value === '0%' || value === '0'
}

const restartPolicies = ['Always', 'OnFailure', 'Never'] as const

interface PodSpecRules {
  readonly policies?: readonly string[]
  /** Names of volumes that come from a StatefulSet's claim templates. */
  readonly claims?: readonly (string | undefined)[]
}

function podSpecProblems(spec: Draft, path: string, rules: PodSpecRules = {}): readonly FieldError[] {
  const { policies = restartPolicies, claims = [] } = rules
  const problems: FieldError[] = []
  const containers = itemsAt(spec, 'containers')
  if (containers.length === 0) problems.push(required(`${path}.containers`))
  const volumes = new Set<unknown>([...itemsAt(spec, 'volumes').map(volume => volume['name']), ...claims])
  const names = new Set<unknown>()
  for (const list of ['containers', 'initContainers'] as const) {
    for (const [index, container] of itemsAt(spec, list).entries()) {
      const at = `${path}.${list}[${index}]`
      problems.push(...containerProblems(container, at, volumes))
      const name = container['name']
      if (names.has(name))
        problems.push({ type: 'FieldValueDuplicate', field: `${at}.name`, body: `Duplicate value: ${JSON.stringify(name)}` })
      names.add(name)
    }
  }
  const policy = textAt(spec, 'restartPolicy')
  if (policy !== undefined && !policies.includes(policy)) problems.push(notSupported(`${path}.restartPolicy`, policy, policies))
  problems.push(...tolerationProblems(spec, path), ...spreadProblems(spec, path))
  return problems
}

function containerProblems(container: Draft, at: string, volumes: ReadonlySet<unknown>): readonly FieldError[] {
  const problems: FieldError[] = []
  const name = textAt(container, 'name') ?? ''
  if (name === '') problems.push(required(`${at}.name`))
  else problems.push(...dns1123LabelProblems(name).map(problem => invalid(`${at}.name`, name, problem)))
  if ((textAt(container, 'image') ?? '') === '') problems.push(required(`${at}.image`))
  for (const [index, mount] of itemsAt(container, 'volumeMounts').entries()) {
    const volume = mount['name']
    if (!volumes.has(volume))
      problems.push({
        type: 'FieldValueNotFound',
        field: `${at}.volumeMounts[${index}].name`,
        body: `Not found: ${JSON.stringify(volume)}`,
      })
  }
  for (const [index, port] of itemsAt(container, 'ports').entries()) {
    const number = port['containerPort']
    if (number === undefined) problems.push(required(`${at}.ports[${index}].containerPort`))
    else if (typeof number !== 'number' || number < 1 || number > 65535) {
      problems.push(invalid(`${at}.ports[${index}].containerPort`, number, 'must be between 1 and 65535, inclusive'))
    }
  }
  problems.push(...resourceProblems(container, at))
  return problems
}

function resourceProblems(container: Draft, at: string): readonly FieldError[] {
  const problems: FieldError[] = []
  for (const list of ['limits', 'requests'] as const) {
    for (const [name, value] of Object.entries(fieldsAt(container, 'resources', list) ?? {})) {
      if (String(value).trim().startsWith('-')) {
        problems.push(invalid(`${at}.resources.${list}[${name}]`, String(value), 'must be greater than or equal to 0'))
      }
    }
  }
  const limits = fieldsAt(container, 'resources', 'limits') ?? {}
  for (const [name, value] of Object.entries(fieldsAt(container, 'resources', 'requests') ?? {})) {
    const limit = limits[name]
    if (limit === undefined) continue
    const [asked, most] = [parseQuantity(String(value)), parseQuantity(String(limit))]
    if (asked.ok && most.ok && compareQuantities(asked.value, most.value) > 0) {
      const detail = `must be less than or equal to ${name} limit of ${String(limit)}`
      problems.push(invalid(`${at}.resources.requests`, String(value), detail))
    }
  }
  return problems
}

const tolerationEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const

function tolerationProblems(spec: Draft, path: string): readonly FieldError[] {
  return itemsAt(spec, 'tolerations').flatMap((toleration, index) => {
    const effect = textAt(toleration, 'effect') ?? ''
    if (effect !== '' && !tolerationEffects.some(known => known === effect)) {
      return [notSupported(`${path}.tolerations[${index}].effect`, effect, tolerationEffects)]
    }
    if ((textAt(toleration, 'key') ?? '') === '' && toleration['operator'] !== 'Exists') {
      return [
        invalid(
          `${path}.tolerations[${index}].operator`,
          toleration['operator'] ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      ]
    }
    return []
  })
}

function spreadProblems(spec: Draft, path: string): readonly FieldError[] {
  return itemsAt(spec, 'topologySpreadConstraints').flatMap((constraint, index) => {
    const at = `${path}.topologySpreadConstraints[${index}]`
    const problems: FieldError[] = []
    if (typeof constraint['maxSkew'] !== 'number' || constraint['maxSkew'] <= 0)
      problems.push(invalid(`${at}.maxSkew`, constraint['maxSkew'] ?? 0, 'must be greater than zero'))
    if ((textAt(constraint, 'topologyKey') ?? '') === '') problems.push(required(`${at}.topologyKey`, 'can not be empty'))
    const action = textAt(constraint, 'whenUnsatisfiable')
    if (action !== 'DoNotSchedule' && action !== 'ScheduleAnyway')
      problems.push(notSupported(`${at}.whenUnsatisfiable`, action ?? '', ['DoNotSchedule', 'ScheduleAnyway']))
    return problems
  })
}

function wholeNumber(fields: Draft, name: string, path: string): readonly FieldError[] {
  const value = fields[name]
  return typeof value === 'number' && value < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : []
}

function jobTemplateProblems(spec: Draft, path: string): readonly FieldError[] {
  const podSpec = fieldsAt(spec, 'template', 'spec') ?? {}
  const problems = podSpecProblems(podSpec, `${path}.spec`)
  if (podSpec['restartPolicy'] === 'OnFailure' || podSpec['restartPolicy'] === 'Never') return problems
  return [...problems, required(`${path}.spec.restartPolicy`, 'valid values: "OnFailure", "Never"')]
}

function cronJobProblems(draft: Draft): readonly FieldError[] {
  const problems: FieldError[] = []
  const schedule = textAt(draft, 'spec', 'schedule') ?? ''
  const parsed = parseCron(schedule)
  if (schedule === '') problems.push(required('spec.schedule'))
  else if (!parsed.ok)
    problems.push(invalid('spec.schedule', schedule, /\((.*)\)$/s.exec(parsed.problem.expected)?.[1] ?? parsed.problem.expected))
  problems.push(...jobTemplateProblems(fieldsAt(draft, 'spec', 'jobTemplate', 'spec') ?? {}, 'spec.jobTemplate.spec.template'))
  return problems
}

function budgetProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  if (spec['minAvailable'] !== undefined && spec['maxUnavailable'] !== undefined) {
    const {
      minAvailable,
      selector = null,
      maxUnavailable,
      unhealthyPodEvictionPolicy = null,
    } = { minAvailable: null, maxUnavailable: null, ...spec }
    const value = {
      MinAvailable: minAvailable,
      Selector: selector,
      MaxUnavailable: maxUnavailable,
      UnhealthyPodEvictionPolicy: unhealthyPodEvictionPolicy,
    }
    return [invalid('spec', value, 'minAvailable and maxUnavailable cannot be both set')]
  }
  const problems: FieldError[] = []
  for (const name of ['minAvailable', 'maxUnavailable'] as const) {
    const value = spec[name]
    if (typeof value === 'number' && value < 0)
      problems.push(invalid(`spec.${name}`, value, 'must be greater than or equal to 0'))
    if (typeof value === 'string' && !/^\d+%$/.test(value)) {
      problems.push(
        invalid(
          `spec.${name}`,
          value,
          "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
      )
    }
  }
  const selector = fieldsAt(spec, 'selector')
  const parsed = selector === undefined ? undefined : labelSelectorOf(selector, 'spec.selector')
  if (parsed !== undefined && !parsed.ok) problems.push(invalid('spec.selector', selector, parsed.problem.expected))
  return problems
}

const dataLimitBytes = 1_048_576

function dataProblems(draft: Draft, lists: readonly string[]): readonly FieldError[] {
  let bytes = 0
  const problems: FieldError[] = []
  for (const list of lists) {
    for (const [key, value] of Object.entries(fieldsAt(draft, list) ?? {})) {
      if (!/^[-._a-zA-Z0-9]+$/.test(key)) {
        problems.push(
          invalid(
            `${list}[${key}]`,
            key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
          ),
        )
      }
      if (typeof value === 'string') bytes += Buffer.byteLength(value)
    }
  }
  if (bytes > dataLimitBytes)
    problems.push({ type: 'FieldValueTooLong', field: '', body: `Too long: may not be more than ${dataLimitBytes} bytes` })
  return problems
}

function serviceProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const ports = itemsAt(spec, 'ports')
  const problems: FieldError[] = []
  if (ports.length === 0 && spec['type'] !== 'ExternalName' && spec['clusterIP'] !== 'None') problems.push(required('spec.ports'))
  const seen = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const at = `spec.ports[${index}]`
    if (ports.length > 1 && (textAt(port, 'name') ?? '') === '') problems.push(required(`${at}.name`))
    const number = port['port']
    if (typeof number !== 'number' || number < 1 || number > 65535)
      problems.push(invalid(`${at}.port`, number, 'must be between 1 and 65535, inclusive'))
    const target = port['targetPort']
    if (typeof target === 'number' && (target < 1 || target > 65535))
      problems.push(invalid(`${at}.targetPort`, target, 'must be between 1 and 65535, inclusive'))
    const identity = `${String(number)}/${String(port['protocol'])}`
    if (seen.has(identity))
      problems.push({
        type: 'FieldValueDuplicate',
        field: at,
        body: `Duplicate value: ${portText(port)}`,
      })
    seen.add(identity)
  }
  return problems
}

function taintProblems(draft: Draft): readonly FieldError[] {
  const seen = new Set<string>()
  return itemsAt(draft, 'spec', 'taints').flatMap((taint, index) => {
    const at = `spec.taints[${index}]`
    const effect = textAt(taint, 'effect') ?? ''
    if (!tolerationEffects.some(known => known === effect))
      return [notSupported(`${at}.effect`, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'])]
    const identity = `${textAt(taint, 'key') ?? ''}:${effect}`
    if (seen.has(identity))
      return [
        {
          type: 'FieldValueDuplicate' as const,
          field: at,
          body: `Duplicate value: taints must be unique by key and effect pair`,
        },
      ]
    seen.add(identity)
    return []
  })
}

function autoscalerProblems(draft: Draft): readonly FieldError[] {
  const most = numberAt(draft, 'spec', 'maxReplicas') ?? 0
  const least = numberAt(draft, 'spec', 'minReplicas') ?? 1
  const problems: FieldError[] = []
  if (most < 1) problems.push(required('spec.maxReplicas', 'must be set and greater than 0'))
  if (most < least) problems.push(invalid('spec.maxReplicas', most, 'must be greater than or equal to `minReplicas`'))
  return problems
}

function claimProblems(draft: Draft): readonly FieldError[] {
  const problems: FieldError[] = []
  if (listAt(draft, 'spec', 'accessModes').length === 0)
    problems.push(required('spec.accessModes', 'at least 1 access mode is required'))
  if (valueAt(draft, 'spec', 'resources', 'requests', 'storage') === undefined) problems.push(required('spec.resources[storage]'))
  return problems
}

const statefulSetFree = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]

function statefulSetUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const fixed = (object: Draft | KubeObject) =>
    Object.fromEntries(Object.entries(fieldsAt(object, 'spec') ?? {}).filter(([name]) => !statefulSetFree.includes(name)))
  if (isSame(fixed(draft), fixed(existing))) return []
  return [
    forbidden(
      'spec',
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ),
  ]
}

function immutableDataProblems(type: ResourceType, draft: Draft, existing: KubeObject): readonly FieldError[] {
  const problems: FieldError[] = []
  if (existing['immutable'] === true) {
    if (draft['immutable'] !== true) problems.push(forbidden('immutable', 'field is immutable when `immutable` is set'))
    for (const name of ['data', 'binaryData']) {
      if (!isSame(draft[name] ?? {}, existing[name] ?? {}))
        problems.push(forbidden(name, 'field is immutable when `immutable` is set'))
    }
  }
  if (type.key === 'secrets' && draft['type'] !== existing['type'])
    problems.push(invalid('type', draft['type'], 'field is immutable'))
  return problems
}

function clusterAddressProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const before = textAt(existing, 'spec', 'clusterIP') ?? ''
  const now = textAt(draft, 'spec', 'clusterIP') ?? ''
  if (before === '' || now === before || textAt(draft, 'spec', 'type') === 'ExternalName') return []
  return [invalid('spec.clusterIPs[0]', [now], 'may not change once set')]
}

/** A port as Go prints the parts of it that may not occur twice. */
function portText(port: Draft): string {
  return JSON.stringify({
    Name: '',
    Protocol: port['protocol'],
    AppProtocol: null,
    Port: port['port'],
    TargetPort: 0,
    NodePort: 0,
  })
}
