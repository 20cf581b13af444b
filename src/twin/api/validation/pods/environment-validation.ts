// Where variables of a container come from, and what a volume shows of its pod; in upstream's order and words.
import { type FieldError, invalid, notFound, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, textAt } from '../../../json-value.ts'

const conversionFields: ReadonlySet<string> = new Set([
  ...['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName'],
  ...['spec.restartPolicy', 'spec.serviceAccountName', 'spec.schedulerName', 'status.phase', 'status.hostIP', 'status.hostIPs'],
  ...['status.podIP', 'status.podIPs', 'spec.host'],
])
/** What may be shown of a pod, in the order of its words. */
const shownFields = {
  variable: [
    ...['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName', 'spec.serviceAccountName', 'status.hostIP'],
    ...['status.hostIPs', 'status.podIP', 'status.podIPs'],
  ],
  volume: ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'],
} as const
type ShownIn = keyof typeof shownFields

/** A field of the pod itself. */
export function fieldReferenceProblems(reference: Draft, at: string, shownIn: ShownIn): readonly FieldError[] {
  const [version, path] = [textAt(reference, 'apiVersion') ?? '', textAt(reference, 'fieldPath') ?? '']
  if (version === '') return [required(`${at}.apiVersion`)]
  if (path === '') return [required(`${at}.fieldPath`)]
  const place = `${at}.fieldPath`
  const notConverted = (why: string) => [invalid(place, path, `error converting fieldPath: ${why}`)]
  if (version !== 'v1') return notConverted(`unsupported pod version: ${version}`)
  if (/^metadata\.(labels|annotations)\['.+'\]$/.test(path)) return []
  if (!conversionFields.has(path)) return notConverted(`field label not supported: ${path}`)
  const known: readonly string[] = shownFields[shownIn]
  return known.includes(path) ? [] : [notSupported(place, path, known)]
}

const shownResources = [
  ...['limits.cpu', 'limits.ephemeral-storage', 'limits.memory', 'requests.cpu', 'requests.ephemeral-storage', 'requests.memory'],
]

/** A request or limit of a container. */
export function resourceReferenceProblems(reference: Draft, at: string, shownIn: ShownIn): readonly FieldError[] {
  const resource = textAt(reference, 'resource') ?? ''
  const isKnown = shownResources.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource)
  if (shownIn === 'volume' && (textAt(reference, 'containerName') ?? '') === '') return [required(`${at}.containerName`)]
  if (resource === '') return [required(`${at}.resource`)]
  if (!isKnown) return [notSupported(`${at}.resource`, resource, shownResources)]
  const divisor = String(reference['divisor'] ?? '0')
  const parsed = parseQuantity(divisor)
  const isCpu = resource.endsWith('.cpu')
  const isSet = parsed.ok && parsed.value.nanos !== 0n
  const isTaken = isCpu ? divisor === '1m' || divisor === '1' : /^1([kMGTPE]|[KMGTPE]i)?$/.test(divisor)
  if (!isSet || isTaken) return []
  const what = resource.endsWith('.memory')
    ? 'memory'
    : resource.endsWith('.ephemeral-storage')
      ? 'local ephemeral storage'
      : 'hugepages'
  const sizes = '1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei'
  const rule = isCpu
    ? "only divisor's values 1m and 1 are supported with the cpu resource"
    : `only divisor's values ${sizes} are supported with the ${what} resource`
  return [invalid(`${at}.divisor`, resource, rule)]
}

const valueSources = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'] as const

/** What is wrong with where the variable at `at` has its value from; `volumes` are the pod's, by name. */
export function valueSourceProblems(variable: Draft, at: string, volumes: ReadonlyMap<unknown, Draft>): readonly FieldError[] {
  const from = fieldsAt(variable, 'valueFrom')
  if (from === undefined) return []
  const given = valueSources.filter(name => fieldsAt(from, name) !== undefined)
  const problems = given.flatMap(name => referenceProblems(name, fieldsAt(from, name) ?? {}, `${at}.${name}`, volumes))
  if (given.length === 0)
    return [
      invalid(at, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'),
    ]
  if ((textAt(variable, 'value') ?? '') !== '')
    return [...problems, invalid(at, '', 'may not be specified when `value` is not empty')]
  return given.length > 1 ? [...problems, invalid(at, '', 'may not have more than one field specified at a time')] : problems
}

function referenceProblems(
  kind: (typeof valueSources)[number],
  reference: Draft,
  at: string,
  volumes: ReadonlyMap<unknown, Draft>,
): readonly FieldError[] {
  switch (kind) {
    case 'fieldRef':
      return fieldReferenceProblems(reference, at, 'variable')
    case 'resourceFieldRef':
      return resourceReferenceProblems(reference, at, 'variable')
    case 'configMapKeyRef':
    case 'secretKeyRef': {
      const name = textAt(reference, 'name') ?? ''
      return [
        ...dns1123SubdomainProblems(name).map(rule => invalid(`${at}.name`, name, rule)),
        ...((textAt(reference, 'key') ?? '') === '' ? [required(`${at}.key`)] : []),
      ]
    }
    case 'fileKeyRef':
      return fileReferenceProblems(reference, at, volumes)
  }
}

function fileReferenceProblems(reference: Draft, at: string, volumes: ReadonlyMap<unknown, Draft>): readonly FieldError[] {
  const [key, name, path] = ['key', 'volumeName', 'path'].map(field => textAt(reference, field) ?? '')
  const volume = volumes.get(name)
  const place = `${at}.volumeName`
  return [
    ...(key === '' ? [required(`${at}.key`)] : []),
    ...(name === '' ? [required(place)] : dns1123LabelProblems(name ?? '').map(rule => invalid(place, name, rule))),
    ...(path === '' ? [required(`${at}.path`)] : []),
    ...(path?.split('/').includes('..') === true ? [invalid(`${at}.path`, path, "must not contain '..'")] : []),
    ...(name === '' || volume !== undefined ? [] : [notFound(place, name)]),
    ...(volume === undefined || fieldsAt(volume, 'emptyDir') !== undefined
      ? []
      : [invalid(place, name, 'referenced volume must be of type emptyDir')]),
  ]
}

/** Where all keys of something become variables. */
export function allKeysProblems(container: Draft, at: string): readonly FieldError[] {
  return itemsAt(container, 'envFrom').flatMap((from, index) => {
    const given = ['configMapRef', 'secretRef'].filter(kind => fieldsAt(from, kind) !== undefined)
    const problems = given.flatMap(kind => {
      const [name, place] = [textAt(from, kind, 'name') ?? '', `${at}.envFrom[${index}].${kind}.name`]
      return name === '' ? [required(place)] : dns1123SubdomainProblems(name).map(rule => invalid(place, name, rule))
    })
    if (given.length === 1) return problems
    const rule =
      given.length === 0
        ? 'must specify one of: `configMapRef` or `secretRef`'
        : 'may not have more than one field specified at a time'
    return [...problems, invalid(`${at}.envFrom`, '', rule)]
  })
}
