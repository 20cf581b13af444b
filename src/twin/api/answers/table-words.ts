// Cells of tables that take more than a field: addresses, ports, targets, endpoints, bindings.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt, valueAt } from '../../json-value.ts'

export function externalAddress(service: KubeObject): string {
  const fixed = listAt(service, 'spec', 'externalIPs').map(String)
  const kind = textAt(service, 'spec', 'type')
  if (kind === 'ExternalName') return textAt(service, 'spec', 'externalName') ?? '<none>'
  if (kind !== 'LoadBalancer') return fixed.length > 0 ? fixed.join(',') : '<none>'
  const entries = itemsAt(service, 'status', 'loadBalancer', 'ingress').map(
    entry => textAt(entry, 'ip') ?? textAt(entry, 'hostname') ?? '',
  )
  return [...entries, ...fixed].join(',') || '<pending>'
}

export function portsText(service: KubeObject): string {
  const ports = itemsAt(service, 'spec', 'ports').map(port => {
    const nodePort = numberAt(port, 'nodePort') ?? 0
    return `${String(port['port'])}${nodePort > 0 ? `:${nodePort}` : ''}/${String(port['protocol'] ?? 'TCP')}`
  })
  return ports.join(',') || '<none>'
}

/** Three endpoints and how many there are beyond. */
export function endpointsText(endpoints: KubeObject): string {
  const all = itemsAt(endpoints, 'subsets').flatMap(subset => {
    const ports = itemsAt(subset, 'ports')
    return itemsAt(subset, 'addresses').flatMap(address => {
      const ip = textAt(address, 'ip') ?? ''
      return ports.length === 0 ? [ip] : ports.map(port => `${ip}:${String(port['port'])}`)
    })
  })
  if (listAt(endpoints, 'subsets').length === 0) return '<none>'
  return all.length > 3 ? `${all.slice(0, 3).join(',')} + ${all.length - 3} more...` : all.join(',')
}

export function roleText(binding: KubeObject): string {
  return `${textAt(binding, 'roleRef', 'kind') ?? ''}/${textAt(binding, 'roleRef', 'name') ?? ''}`
}

export function subjectNames(binding: KubeObject, kind: string): string {
  return itemsAt(binding, 'subjects')
    .filter(subject => subject['kind'] === kind)
    .map(subject =>
      kind === 'ServiceAccount'
        ? `${textAt(subject, 'namespace') ?? ''}/${textAt(subject, 'name') ?? ''}`
        : (textAt(subject, 'name') ?? ''),
    )
    .join(', ')
}

export function webhookCount(configuration: KubeObject): number {
  return listAt(configuration, 'webhooks').length
}

export function claimSize(claim: KubeObject): string {
  return String(valueAt(claim, 'status', 'capacity', 'storage') ?? '')
}

export function jobStatus(job: KubeObject): string {
  const isTrue = (kind: string) =>
    itemsAt(job, 'status', 'conditions').some(condition => condition['type'] === kind && condition['status'] === 'True')
  for (const word of ['Complete', 'Failed']) if (isTrue(word)) return word
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating'
  for (const [kind, word] of [
    ['Suspended', 'Suspended'],
    ['FailureTarget', 'FailureTarget'],
    ['SuccessCriteriaMet', 'SuccessCriteriaMet'],
  ] as const)
    if (isTrue(kind)) return word
  return 'Running'
}

/** `cpu: 20%/70%` for each metric, two at most. */
export function autoscalerTargets(autoscaler: KubeObject): string {
  const current = itemsAt(autoscaler, 'status', 'currentMetrics')
  const texts = itemsAt(autoscaler, 'spec', 'metrics').map((metric, index) => targetText(metric, current[index]))
  if (texts.length === 0) return '<none>'
  return texts.length > 2 ? `${texts.slice(0, 2).join(', ')} + ${texts.length - 2} more...` : texts.join(', ')
}

const sources: Readonly<Record<string, string>> = {
  Resource: 'resource',
  ContainerResource: 'containerResource',
  Pods: 'pods',
  Object: 'object',
  External: 'external',
}

function targetText(metric: Draft, status: Draft | undefined): string {
  const kind = textAt(metric, 'type') ?? ''
  const source = sources[kind] ?? 'resource'
  const spec = fieldsAt(metric, source)
  const now = fieldsAt(status, source, 'current')
  const target = fieldsAt(spec, 'target') ?? {}
  const label = kind === 'Resource' || kind === 'ContainerResource' ? `${textAt(spec, 'name') ?? ''}: ` : ''
  for (const [name, unit, suffix] of [
    ['averageUtilization', '%', ''],
    ['averageValue', '', kind === 'Resource' || kind === 'Pods' ? '' : ' (avg)'],
    ['value', '', ''],
  ] as const) {
    if (target[name] === undefined) continue
    const found = now?.[name]
    return `${label}${found === undefined ? '<unknown>' : `${String(found)}${unit}`}/${String(target[name])}${unit}${suffix}`
  }
  return `${label}<unknown>/<auto>`
}

/** Since 1.36 with the architecture. */
export function kernelText(node: KubeObject): string {
  const kernel = textAt(node, 'status', 'nodeInfo', 'kernelVersion') || '<unknown>'
  const architecture = textAt(node, 'status', 'nodeInfo', 'architecture') ?? ''
  return architecture === '' ? kernel : `${kernel} (${architecture})`
}

/** Who reports an event, and from where. */
export function eventSource(event: KubeObject): string {
  // The two groups of events call both otherwise.
  const source = fieldsAt(event, 'source') ?? fieldsAt(event, 'deprecatedSource')
  const reporter = textAt(event, 'reportingComponent') || textAt(event, 'reportingController') || ''
  const component = textAt(source, 'component') || reporter
  const place = textAt(source, 'host') || textAt(event, 'reportingInstance') || ''
  return place === '' ? component : `${component}, ${place}`
}

/** The part of a quota that is used, for limits or for the rest. */
export function quotaText(quota: KubeObject, isLimit: boolean): string {
  const used = fieldsAt(quota, 'status', 'used') ?? {}
  const hard = fieldsAt(quota, 'status', 'hard') ?? {}
  return Object.keys(hard)
    .filter(name => name.startsWith('limits.') === isLimit)
    .toSorted()
    .map(name => `${name}: ${String(used[name] ?? '0')}/${String(hard[name])}`)
    .join(', ')
}

/** What the parameters of an IngressClass are, and their name. */
export function classParameters(ingressClass: KubeObject): string {
  const parameters = fieldsAt(ingressClass, 'spec', 'parameters')
  if (parameters === undefined) return '<none>'
  const group = textAt(parameters, 'apiGroup')
  return `${textAt(parameters, 'kind') ?? ''}${group === undefined ? '' : `.${group}`}/${textAt(parameters, 'name') ?? ''}`
}

/** The kind that parameterises a policy, with its version. */
export function parameterKind(policy: KubeObject): string {
  const kind = fieldsAt(policy, 'spec', 'paramKind')
  return kind === undefined ? '<unset>' : `${textAt(kind, 'apiVersion') ?? ''}/${textAt(kind, 'kind') ?? ''}`
}
