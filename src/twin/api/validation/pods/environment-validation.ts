// Where variables of a container come from, and what a volume shows of its pod; in upstream's order and words.
import { type FieldError, invalid, notFound, notSupported, required } from '#kube/objects/field-error.ts'
import { configKeyProblems, dns1123LabelProblems, dns1123SubdomainProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, textAt } from '../../../json-value.ts'
import { backstepProblems } from '../volumes/paths.ts'

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
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path)
  if (subscript !== null) {
    const [, kind, key = ''] = subscript
    return qualifiedNameProblems(kind === 'labels' ? key : key.toLowerCase()).map(rule => invalid(at, key, rule))
  }
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
  const problems =
    shownIn === 'volume' && (textAt(reference, 'containerName') ?? '') === ''
      ? [required(`${at}.containerName`)]
      : resource === ''
        ? [required(`${at}.resource`)]
        : isKnown
          ? []
          : [notSupported(`${at}.resource`, resource, shownResources)]
  return [...problems, ...divisorProblems(resource, String(reference['divisor'] ?? '0'), `${at}.divisor`)]
}

const sizes = '1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei'
const measured: readonly (readonly [resource: RegExp, what: string])[] = [
  [/^(limits|requests)\.memory$/, 'memory'],
  [/^(limits|requests)\.ephemeral-storage$/, 'local ephemeral storage'],
  [/^(limits|requests)\.hugepages-/, 'hugepages'],
]

/** What a resource is shown in multiples of. */
function divisorProblems(resource: string, divisor: string, place: string): readonly FieldError[] {
  const parsed = parseQuantity(divisor)
  if (!parsed.ok || parsed.value.nanos === 0n) return []
  if (resource === 'limits.cpu' || resource === 'requests.cpu')
    return divisor === '1m' || divisor === '1'
      ? []
      : [invalid(place, resource, "only divisor's values 1m and 1 are supported with the cpu resource")]
  const what = measured.find(([name]) => name.test(resource))?.[1]
  if (what === undefined || /^1([kMGTPE]|[KMGTPE]i)?$/.test(divisor)) return []
  return [invalid(place, resource, `only divisor's values ${sizes} are supported with the ${what} resource`)]
}

const valueSources = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'] as const

/** What is wrong with where the variable at `at` has its value from. */
export function valueSourceProblems(variable: Draft, at: string): readonly FieldError[] {
  const from = fieldsAt(variable, 'valueFrom')
  if (from === undefined) return []
  const given = valueSources.filter(name => fieldsAt(from, name) !== undefined)
  const problems = given.flatMap(name => referenceProblems(name, fieldsAt(from, name) ?? {}, `${at}.${name}`))
  if (given.length === 0)
    return [
      invalid(at, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'),
    ]
  if ((textAt(variable, 'value') ?? '') !== '')
    return [...problems, invalid(at, '', 'may not be specified when `value` is not empty')]
  return given.length > 1 ? [...problems, invalid(at, '', 'may not have more than one field specified at a time')] : problems
}

function referenceProblems(kind: (typeof valueSources)[number], reference: Draft, at: string): readonly FieldError[] {
  switch (kind) {
    case 'fieldRef':
      return fieldReferenceProblems(reference, at, 'variable')
    case 'resourceFieldRef':
      return resourceReferenceProblems(reference, at, 'variable')
    case 'configMapKeyRef':
    case 'secretKeyRef': {
      const [name, key] = [textAt(reference, 'name') ?? '', textAt(reference, 'key') ?? '']
      return [
        ...dns1123SubdomainProblems(name).map(rule => invalid(`${at}.name`, name, rule)),
        ...(key === '' ? [required(`${at}.key`)] : configKeyProblems(key).map(rule => invalid(`${at}.key`, key, rule))),
      ]
    }
    case 'fileKeyRef':
      return fileReferenceProblems(reference, at)
  }
}

const variableRule = "a valid environment variable name must consist only of printable ASCII characters other than '='"

/** What the name of a variable, which is not empty, breaks. */
export function variableNameRules(name: string): readonly string[] {
  return /^[ -<>-~]+$/.test(name) ? [] : [variableRule]
}

function fileReferenceProblems(reference: Draft, at: string): readonly FieldError[] {
  const text = (field: string) => textAt(reference, field) ?? ''
  const [key, name, path] = [text('key'), text('volumeName'), text('path')]
  const place = `${at}.volumeName`
  return [
    ...(key === '' ? [required(`${at}.key`)] : variableNameRules(key).map(rule => invalid(`${at}.key`, key, rule))),
    ...(name === '' ? [required(place)] : dns1123LabelProblems(name).map(rule => invalid(place, name, rule))),
    ...(path === '' ? [required(`${at}.path`)] : backstepProblems(path, `${at}.path`)),
  ]
}

/** Files that variables of the container at `at` come from lie in a volume that begins empty; `volumes` are all of the pod, by name. */
export function fileVolumeProblems(container: Draft, at: string, volumes: ReadonlyMap<string, Draft>): readonly FieldError[] {
  return itemsAt(container, 'env').flatMap((variable, index) => {
    const file = fieldsAt(variable, 'valueFrom', 'fileKeyRef')
    if (file === undefined) return []
    const [name, place] = [textAt(file, 'volumeName') ?? '', `${at}.env[${index}].valueFrom.fileKeyRef.volumeName`]
    const volume = volumes.get(name)
    if (volume === undefined) return [notFound(place, name)]
    return fieldsAt(volume, 'emptyDir') === undefined ? [invalid(place, name, 'referenced volume must be of type emptyDir')] : []
  })
}

/** Where all keys of something become variables. */
export function allKeysProblems(container: Draft, at: string): readonly FieldError[] {
  return itemsAt(container, 'envFrom').flatMap((from, index): readonly FieldError[] => {
    const prefix = textAt(from, 'prefix') ?? ''
    const before = (prefix === '' ? [] : variableNameRules(prefix)).map(rule =>
      invalid(`${at}.envFrom[${index}].prefix`, prefix, rule),
    )
    const given = ['configMapRef', 'secretRef'].filter(kind => fieldsAt(from, kind) !== undefined)
    const problems = given.flatMap(kind => {
      const [name, place] = [textAt(from, kind, 'name') ?? '', `${at}.envFrom[${index}].${kind}.name`]
      return name === '' ? [required(place)] : dns1123SubdomainProblems(name).map(rule => invalid(place, name, rule))
    })
    if (given.length === 1) return [...before, ...problems]
    const rule =
      given.length === 0
        ? 'must specify one of: `configMapRef` or `secretRef`'
        : 'may not have more than one field specified at a time'
    return [...before, ...problems, invalid(`${at}.envFrom`, '', rule)]
  })
}
