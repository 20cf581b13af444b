// HorizontalPodAutoscalers: what is scaled, by which metrics, how fast. Words and order are kube-apiserver's.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems } from '#kube/objects/names.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, numberAt, textAt } from '../../json-value.ts'

/** Each type of metric with the field that it is described in, in order. */
const sources: Readonly<Record<string, string>> = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
}
const types = Object.keys(sources)
const longestWindowSeconds = 3600
const longestPeriodSeconds = 1800

/** Everything that is wrong with the spec of an autoscaler. */
export function autoscalerProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const most = numberAt(spec, 'maxReplicas') ?? 0
  const least = numberAt(spec, 'minReplicas') ?? 1
  const metrics = itemsAt(spec, 'metrics')
  const problems: FieldError[] = []
  if (least < 1) problems.push(invalid('spec.minReplicas', least, 'must be greater than or equal to 1'))
  if (most < 1) problems.push(required('spec.maxReplicas', 'must be set and greater than 0'))
  if (most < least) problems.push(invalid('spec.maxReplicas', most, 'must be greater than or equal to `minReplicas`'))
  problems.push(
    ...referenceProblems(fieldsAt(spec, 'scaleTargetRef') ?? {}, 'spec.scaleTargetRef'),
    ...apiVersionProblems(fieldsAt(spec, 'scaleTargetRef') ?? {}),
    ...metrics.flatMap((metric, index) => metricProblems(metric, `spec.metrics[${index}]`)),
  )
  if (least === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External'))
    problems.push(
      forbidden('spec.metrics', 'must specify at least one Object or External metric to support scaling to zero replicas'),
    )
  for (const way of ['scaleUp', 'scaleDown']) {
    const rules = fieldsAt(spec, 'behavior', way)
    if (rules !== undefined) problems.push(...rulesProblems(rules, `spec.behavior.${way}`))
  }
  return problems
}

function referenceProblems(reference: Draft, at: string): readonly FieldError[] {
  return ['kind', 'name'].flatMap(field => {
    const text = textAt(reference, field) ?? ''
    if (text === '') return [required(`${at}.${field}`)]
    return text.includes('/') ? [invalid(`${at}.${field}`, text, "may not contain '/'")] : []
  })
}

function apiVersionProblems(reference: Draft): readonly FieldError[] {
  const apiVersion = textAt(reference, 'apiVersion') ?? ''
  const isCore = textAt(reference, 'kind') === 'ReplicationController'
  return apiVersion.includes('/') || (isCore && apiVersion === 'v1')
    ? []
    : [invalid('spec.scaleTargetRef.apiVersion', apiVersion, 'apiVersion must specify API group')]
}

function metricProblems(metric: Draft, at: string): readonly FieldError[] {
  const type = textAt(metric, 'type') ?? ''
  const source = Object.hasOwn(sources, type) ? sources[type] : undefined
  const problems: FieldError[] = []
  if (type === '') problems.push(required(`${at}.type`, 'must specify a metric source type'))
  if (source === undefined) problems.push(notSupported(`${at}.type`, type, types))
  const present = Object.keys(checks).filter(field => fieldsAt(metric, field) !== undefined)
  const [first] = present
  if (first !== undefined) problems.push(...(checks[first]?.(fieldsAt(metric, first) ?? {}, `${at}.${first}`) ?? []))
  if (source === undefined) problems.push(notSupported(`${at}.type`, type, types))
  else if (fieldsAt(metric, source) === undefined)
    problems.push(required(`${at}.${source}`, 'must populate information for the given metric source'))
  if (present.length === 1) return problems
  const others = present.filter(field => field !== source)
  return [...problems, ...others.map(field => forbidden(`${at}.${field}`, 'must populate the given metric source only'))]
}

/** In the order in which they are looked at. */
const checks: Readonly<Record<string, (part: Draft, at: string) => readonly FieldError[]>> = {
  object: (part, at) => [
    ...referenceProblems(fieldsAt(part, 'describedObject') ?? {}, `${at}.describedObject`),
    ...nameProblems(part, at),
    ...targetProblems(part, at),
    ...eitherProblems(part, at, 'must set either a target value or averageValue'),
  ],
  external: (part, at) => [
    ...nameProblems(part, at),
    ...targetProblems(part, at),
    ...eitherProblems(part, at, 'must set either a target value for metric or a per-pod target'),
    ...(hasBoth(part)
      ? [forbidden(`${at}.target.value`, 'may not set both a target value for metric and a per-pod target')]
      : []),
  ],
  pods: (part, at) => [
    ...nameProblems(part, at),
    ...targetProblems(part, at),
    ...(fieldsAt(part, 'target')?.['averageValue'] === undefined
      ? [required(`${at}.target.averageValue`, 'must specify a positive target averageValue')]
      : []),
  ],
  resource: (part, at) => [
    ...(textAt(part, 'name') ? [] : [required(`${at}.name`, 'must specify a resource name')]),
    ...targetProblems(part, at),
    ...utilizationProblems(part, at),
  ],
  containerResource: (part, at) => [
    ...resourceProblems(textAt(part, 'name') ?? '', `${at}.name`),
    ...containerProblems(textAt(part, 'container') ?? '', `${at}.container`),
    ...targetProblems(part, at),
    ...utilizationProblems(part, at),
  ],
}

const ofContainers = /^(cpu|memory|ephemeral-storage|hugepages-.*)$/

function resourceProblems(name: string, at: string): readonly FieldError[] {
  if (name === '') return [required(at, 'must specify a resource name')]
  if (name.includes('/') || ofContainers.test(name)) return []
  return ['must be a standard resource type or fully qualified', 'must be a standard resource for containers'].map(rule =>
    invalid(at, name, rule),
  )
}

function containerProblems(name: string, at: string): readonly FieldError[] {
  if (name === '') return [required(at, 'must specify a container')]
  return dns1123LabelProblems(name).map(rule => invalid(at, name, rule))
}

function nameProblems(part: Draft, at: string): readonly FieldError[] {
  const name = textAt(part, 'metric', 'name') ?? ''
  if (name === '') return [required(`${at}.metric.name`, 'must specify a metric name')]
  return name.includes('/') ? [invalid(`${at}.metric.name`, name, "may not contain '/'")] : []
}

function targetProblems(part: Draft, at: string): readonly FieldError[] {
  const target = fieldsAt(part, 'target') ?? {}
  const type = textAt(target, 'type') ?? ''
  const problems: FieldError[] = []
  if (type === '') problems.push(required(`${at}.target.type`, 'must specify a metric target type'))
  if (!['Utilization', 'Value', 'AverageValue'].includes(type))
    problems.push(invalid(`${at}.target.type`, type, 'must be either Utilization, Value, or AverageValue'))
  for (const field of ['value', 'averageValue'])
    if (target[field] !== undefined && !isPositive(part, field))
      problems.push(invalid(`${at}.target.${field}`, target[field], 'must be positive'))
  const utilization = numberAt(target, 'averageUtilization')
  if (utilization !== undefined && utilization < 1)
    problems.push(invalid(`${at}.target.averageUtilization`, utilization, 'must be greater than 0'))
  return problems
}

function isPositive(part: Draft, field: string): boolean {
  const parsed = parseQuantity(textAt(part, 'target', field) ?? '')
  return parsed.ok && parsed.value.nanos > 0n
}

function hasBoth(part: Draft): boolean {
  const target = fieldsAt(part, 'target') ?? {}
  return target['value'] !== undefined && target['averageValue'] !== undefined
}

function eitherProblems(part: Draft, at: string, why: string): readonly FieldError[] {
  const target = fieldsAt(part, 'target') ?? {}
  if (target['value'] !== undefined || target['averageValue'] !== undefined) return []
  return [required(`${at}.target.averageValue`, why)]
}

function utilizationProblems(part: Draft, at: string): readonly FieldError[] {
  const target = fieldsAt(part, 'target') ?? {}
  const [share, value] = [target['averageUtilization'], target['averageValue']]
  if (share === undefined && value === undefined)
    return [required(`${at}.target.averageUtilization`, 'must set either a target raw value or a target utilization')]
  if (share === undefined || value === undefined) return []
  return [forbidden(`${at}.target.averageValue`, 'may not set both a target raw value and a target utilization')]
}

function rulesProblems(rules: Draft, at: string): readonly FieldError[] {
  const problems: FieldError[] = []
  const window = numberAt(rules, 'stabilizationWindowSeconds')
  const place = `${at}.stabilizationWindowSeconds`
  if (window !== undefined && window < 0) problems.push(invalid(place, window, 'must be greater than or equal to zero'))
  if (window !== undefined && window > longestWindowSeconds)
    problems.push(invalid(place, window, `must be less than or equal to ${longestWindowSeconds}`))
  const choice = textAt(rules, 'selectPolicy')
  const choices = ['Disabled', 'Max', 'Min']
  if (choice !== undefined && !choices.includes(choice)) problems.push(notSupported(`${at}.selectPolicy`, choice, choices))
  for (const [index, policy] of itemsAt(rules, 'policies').entries())
    problems.push(...policyProblems(policy, `${at}.policies[${index}]`))
  return problems
}

function policyProblems(policy: Draft, at: string): readonly FieldError[] {
  const problems: FieldError[] = []
  const type = textAt(policy, 'type') ?? ''
  if (type !== 'Percent' && type !== 'Pods') problems.push(notSupported(`${at}.type`, type, ['Percent', 'Pods']))
  for (const field of ['value', 'periodSeconds']) {
    const value = numberAt(policy, field) ?? 0
    if (value <= 0) problems.push(invalid(`${at}.${field}`, value, 'must be greater than zero'))
    else if (field === 'periodSeconds' && value > longestPeriodSeconds)
      problems.push(invalid(`${at}.${field}`, value, `must be less than or equal to ${longestPeriodSeconds}`))
  }
  return problems
}
