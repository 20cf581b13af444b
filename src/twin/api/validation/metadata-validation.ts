// Names, labels and annotations: rules that hold for every object.
import { isIP } from 'node:net'
import { type FieldError, forbidden, invalid, tooLong } from '#kube/objects/field-error.ts'
import {
  annotationBytesLimit,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  labelValueProblems,
  qualifiedNameProblems,
} from '#kube/objects/names.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt } from '../../json-value.ts'
import type { ResourceType } from '../resource-type.ts'

interface MetadataOptions {
  /** It was there before. */
  readonly isUpdate?: boolean
  /** An Event that was sent in events.k8s.io. */
  readonly isStrict?: boolean
}

/** Everything that is wrong with the metadata of an object. */
export function validateMetadata(
  type: ResourceType,
  draft: Draft,
  { isUpdate = false, isStrict = false }: MetadataOptions = {},
): readonly FieldError[] {
  const isNamed = !(isUpdate && namedOnce.has(type.key))
  const nameRules = (name: string) => (isNamed ? nameProblems(type, name) : pathSegmentProblems(name))
  return metadataProblems(fieldsAt(draft, 'metadata') ?? {}, {
    place: 'metadata',
    nameRules,
    takesAnyFinalizer: type.custom !== undefined || (type.key === 'events' && !isStrict) || looseGroups.has(type.group),
    takesAnyBase: anyBase.has(type.key) && !isStrict,
  })
}

/** Groups whose kinds upstream checks without the rules of the core group: a finalizer needs no domain. */
const looseGroups: ReadonlySet<string> = new Set([
  ...['admissionregistration.k8s.io', 'apiextensions.k8s.io', 'apiregistration.k8s.io', 'coordination.k8s.io', 'node.k8s.io'],
  'policy',
])
/** Kinds of which an update looks at what changed: names, which it cannot change, are not looked at by the rules of the kind again. */
const namedOnce: ReadonlySet<string> = new Set([
  ...['cronjobs.batch', 'controllerrevisions.apps', 'csidrivers.storage.k8s.io', 'daemonsets.apps', 'deployments.apps'],
  ...['horizontalpodautoscalers.autoscaling', 'ingresses.networking.k8s.io', 'leases.coordination.k8s.io'],
  ...['networkpolicies.networking.k8s.io', 'podtemplates', 'priorityclasses.scheduling.k8s.io', 'replicasets.apps'],
  ...['replicationcontrollers', 'resourcequotas', 'servicecidrs.networking.k8s.io', 'statefulsets.apps'],
])
/** Kinds of which upstream does not look at the base of a name. */
const anyBase: ReadonlySet<string> = new Set([
  ...['certificatesigningrequests.certificates.k8s.io', 'deviceclasses.resource.k8s.io', 'events'],
  ...['horizontalpodautoscalers.autoscaling', 'poddisruptionbudgets.policy'],
])

interface MetadataRules {
  /** Where the metadata is. */
  readonly place: string
  /** Why an object cannot be called so. */
  readonly nameRules: (name: string) => readonly string[]
  readonly takesAnyFinalizer: boolean
  readonly takesAnyBase?: boolean
}

function metadataProblems(
  metadata: Draft,
  { place, nameRules, takesAnyFinalizer, takesAnyBase = false }: MetadataRules,
): readonly FieldError[] {
  const problems: FieldError[] = []
  const generation = numberAt(metadata, 'generation')
  if (generation !== undefined && generation < 0)
    problems.push(invalid(`${place}.generation`, generation, 'must be greater than or equal to 0'))
  const base = textAt(metadata, 'generateName') ?? ''
  // Only what comes before the last letters of a base counts: those may be cut off.
  if (base !== '' && !takesAnyBase)
    problems.push(...nameRules(base.replace(/-$/, 'a')).map(rule => invalid(`${place}.generateName`, base, rule)))
  const name = textAt(metadata, 'name') ?? ''
  if (name !== '') problems.push(...nameRules(name).map(problem => invalid(`${place}.name`, name, problem)))
  problems.push(...wordProblems(metadata, place))
  for (const [index, finalizer] of listAt(metadata, 'finalizers').entries()) {
    if (typeof finalizer !== 'string') continue
    const itself = takesAnyFinalizer ? undefined : `${place}.finalizers[${index}]`
    problems.push(...finalizerProblems(finalizer, `${place}.finalizers`, itself))
  }
  problems.push(...ownerProblems(metadata, `${place}.ownerReferences`))
  return problems
}

/** Everything that is wrong with the metadata of an object within another one, at `place`. */
export function embeddedMetadataProblems(metadata: Draft, place: string): readonly FieldError[] {
  const namespace = textAt(metadata, 'namespace') ?? ''
  return [
    ...metadataProblems(metadata, { place, nameRules: pathSegmentProblems, takesAnyFinalizer: true }),
    ...(namespace === '' ? [] : dns1123LabelProblems(namespace).map(rule => invalid(`${place}.namespace`, namespace, rule))),
  ]
}

/** What is wrong with the labels and annotations of metadata at `place`. */
export function wordProblems(metadata: Draft, place: string): readonly FieldError[] {
  const problems: FieldError[] = []
  for (const [key, value] of Object.entries(fieldsAt(metadata, 'labels') ?? {})) {
    problems.push(...qualifiedNameProblems(key).map(problem => invalid(`${place}.labels`, key, problem)))
    if (typeof value === 'string')
      problems.push(...labelValueProblems(value).map(problem => invalid(`${place}.labels`, value, problem)))
  }
  let bytes = 0
  for (const [key, value] of Object.entries(fieldsAt(metadata, 'annotations') ?? {})) {
    problems.push(...qualifiedNameProblems(key.toLowerCase()).map(problem => invalid(`${place}.annotations`, key, problem)))
    bytes += Buffer.byteLength(key) + (typeof value === 'string' ? Buffer.byteLength(value) : 0)
  }
  if (bytes > annotationBytesLimit) problems.push(tooLong(`${place}.annotations`, annotationBytesLimit))
  return problems
}

/** What a struct has where nothing was said. */
const unset: readonly unknown[] = [undefined, null, '', 0, false]

/** A template says labels and annotations of what is made of it, and nothing else about it, be it empty. */
export function templateMetadataProblems(metadata: Draft, place: string): readonly FieldError[] {
  const { labels, annotations, ...others } = { labels: undefined, annotations: undefined, ...metadata }
  return [
    ...wordProblems({ annotations }, place),
    ...wordProblems({ labels }, place),
    ...Object.keys(others)
      .filter(name => !unset.includes(metadata[name]))
      .map(name => forbidden(`${place}.${name === 'uid' ? 'uID' : name}`, 'cannot be set')),
  ]
}

/** Owners must be named whole, and one of them at most is the controller. */
function ownerProblems(metadata: Draft, place: string): readonly FieldError[] {
  const owners = itemsAt(metadata, 'ownerReferences')
  const problems = owners.flatMap((owner): FieldError[] => {
    const apiVersion = textAt(owner, 'apiVersion') ?? ''
    const parts = apiVersion.split('/')
    const empty = ['kind', 'name', 'uid'].filter(field => (textAt(owner, field) ?? '') === '')
    const isEvent = owner['kind'] === 'Event' && (apiVersion === 'v1' || apiVersion === 'events.k8s.io/v1')
    return [
      ...(apiVersion === '' || parts.length > 2 ? [invalid(`${place}.apiVersion`, apiVersion, 'version must not be empty')] : []),
      ...empty.map(field => invalid(`${place}.${field}`, '', 'must not be empty')),
      ...(isEvent
        ? [
            invalid(
              place,
              owner,
              `${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=Event is disallowed from being an owner`,
            ),
          ]
        : []),
    ]
  })
  const controllers = owners.filter(owner => owner['controller'] === true)
  const [first, second] = controllers.map(owner => `${textAt(owner, 'kind') ?? ''}/${textAt(owner, 'name') ?? ''}`)
  if (first !== undefined && second !== undefined) {
    const why = `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${second}`
    problems.push(invalid(place, owners, why))
  }
  return problems
}

/** What is wrong with the name of one that holds an object; `itself`: where one without a domain is told of, where such are not taken. */
export function finalizerProblems(name: string, list: string, itself: string | undefined): readonly FieldError[] {
  const isForeign = itself !== undefined && !name.includes('/') && !standardFinalizers.has(name)
  const rule = 'name is neither a standard finalizer name nor is it fully qualified'
  return [
    ...qualifiedNameProblems(name).map(problem => invalid(list, name, problem)),
    ...(isForeign ? [invalid(itself, name, rule)] : []),
  ]
}

const standardFinalizers: ReadonlySet<string> = new Set(['kubernetes', 'orphan', 'foregroundDeletion'])

/** Why an object of the type cannot be called so. */
export function nameProblems(type: ResourceType, name: string): readonly string[] {
  if (type.group === 'rbac.authorization.k8s.io') return pathSegmentProblems(name)
  switch (type.key) {
    case 'ipaddresses.networking.k8s.io':
      return isIP(name) === 0 ? ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'] : []
    case 'apiservices.apiregistration.k8s.io':
    case 'clustertrustbundles.certificates.k8s.io':
      return pathSegmentProblems(name)
    case 'namespaces':
    case 'services':
      return dns1123LabelProblems(name)
    default:
      return dns1123SubdomainProblems(name)
  }
}

/** Why no object can be called so, whatever its kind. */
export function pathSegmentProblems(name: string): readonly string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`]
  return ['/', '%'].filter(character => name.includes(character)).map(character => `may not contain '${character}'`)
}
