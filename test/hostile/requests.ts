// Hostile requests on everything that a twin serves: each kind × each verb and subresource, with hostile bodies, selectors and options.
import type { HttpVerb } from '#kube/client/transport.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Random } from '#kube/random.ts'
import { apiVersionOf, type ResourceType } from '#twin/api/resource-type.ts'
import { kindSchema } from '#twin/schema/kind-schema.ts'
import { jsonOf, madeObject, pick, spoilt, type Tree, treeOf } from './values.ts'

export interface HostileRequest {
  readonly verb: HttpVerb
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly contentType?: string
  readonly accept?: string
  readonly body?: string
}

interface Site {
  readonly types: readonly ResourceType[]
  /** Real objects, of which hostile ones are made by exchanging a value or two. */
  readonly samples: readonly KubeObject[]
  readonly namespace: string
  /** Names that objects are called by: few, so that requests meet. */
  readonly names: readonly string[]
}

const selectors = [
  ...[
    'a=b',
    'a in (b',
    '!',
    'a notin (1,2),b',
    'x in ()',
    'a==b,',
    '=',
    '__proto__=x',
    'constructor',
    `${'a'.repeat(300)}=b`,
    'a>9007199254740993',
  ],
  ...[
    'a<x',
    '(a+)+$',
    'é=é',
    'a=b=c',
    ','.repeat(500),
    '\u0000',
    'metadata.name=a',
    'spec.nodeName=',
    'metadata.__proto__=a',
    'status.phase!=x',
  ],
]
const tokens = [
  ...['x', '', 'AAAA', 'e30', Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"a\\u0000"}').toString('base64url'), '__proto__'],
  ...[Buffer.from('{"v":"meta.k8s.io/v1","rv":-9007199254740993,"start":""}').toString('base64url'), 'a'.repeat(5000)],
  ...[
    Buffer.from('null').toString('base64url'),
    Buffer.from('{"v":"meta.k8s.io/v1","rv":1e400,"start":"a"}').toString('base64url'),
  ],
]
const counts = ['0', '1', '-1', '9223372036854775807', '9223372036854775808', 'x', '1e3', '', '1.5', 'NaN']
const versions = ['', '0', '1', '-1', 'x', '99999999999999999999', '9007199254740993', '1e3', '0x1']
const accepts = [
  'application/json',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  '*/*;q=9e9',
]
const patchTypes = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml']
const pointers = [
  '/metadata/labels/a',
  '/spec',
  '/spec/replicas',
  '/__proto__/a',
  '/constructor/prototype/a',
  '',
  '/',
  '/spec/containers/-',
  '/spec/containers/99999999999',
  '/metadata/finalizers/-',
  '/metadata/ownerReferences',
  '/status',
  '/data/~2',
  '/metadata/resourceVersion',
]

/** The next hostile request. */
export function hostileRequest(site: Site, random: Random): HostileRequest {
  const type = random() < 0.7 ? typeOf(site, pick(random, site.samples), random) : pick(random, site.types)
  // What can only be read is written to now and then.
  const draw = type.verbs.includes('update') || random() < 0.1 ? random() : 0.75 + random() / 5
  if (draw < 0.42) return written(site, type, random)
  if (draw < 0.6) return patched(site, type, random)
  if (draw < 0.74) return onSubresource(site, type, random)
  if (draw < 0.88) return listed(site, type, random)
  if (draw < 0.94)
    return {
      verb: 'GET',
      path: pathOf(site, type, pick(random, site.names)),
      query: options(random, ['resourceVersion']),
      accept: pick(random, accepts),
    }
  return removed(site, type, random)
}

function typeOf({ types }: Site, sample: KubeObject, random: Random): ResourceType {
  const found = types.find(type => type.kind === sample.kind && apiVersionOf(type) === sample.apiVersion)
  return found ?? pick(random, types)
}

function collectionOf({ namespace }: Site, type: ResourceType): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`
  return `${root}${type.isNamespaced ? `/namespaces/${namespace}` : ''}/${type.plural}`
}

function pathOf(site: Site, type: ResourceType, name: string, subresource = ''): string {
  return `${collectionOf(site, type)}/${encodeURIComponent(name)}${subresource === '' ? '' : `/${subresource}`}`
}

/** A hostile object of the kind: made from its schema, or a real one with a value or two exchanged. */
export function hostileObject(site: Site, type: ResourceType, random: Random, name: string): ReadonlyMap<string, Tree> {
  const samples = site.samples.filter(sample => sample.kind === type.kind && sample.apiVersion === apiVersionOf(type))
  const hostility = pick(random, [0.005, 0.02, 0.1])
  const tree =
    samples.length > 0 && random() < 0.75
      ? spoilt(treeOf(pick(random, samples)), random, pick(random, [1, 1, 1, 3]))
      : madeObject(kindSchema(type), random, hostility)
  if (!(tree instanceof Map)) return new Map([['', tree]])
  const object = new Map(tree)
  // Some objects are left as they came, which nobody takes; the others are at least addressed well.
  if (random() < 0.05) return object
  object
    .set('apiVersion', apiVersionOf(type))
    .set('kind', type.kind)
    .set('metadata', metadata(site, type, random, name, object.get('metadata')))
  return object
}

function metadata(site: Site, type: ResourceType, random: Random, name: string, given: Tree | undefined): Tree {
  const fields = new Map<string, Tree>(given instanceof Map ? given : [])
  for (const field of [
    'uid',
    'resourceVersion',
    'namespace',
    'managedFields',
    'generateName',
    'creationTimestamp',
    'deletionTimestamp',
  ])
    fields.delete(field)
  fields.set('name', name)
  if (type.isNamespaced) fields.set('namespace', site.namespace)
  if (random() < 0.2) {
    const owner = (owned: string) =>
      treeOf({
        apiVersion: apiVersionOf(type),
        kind: type.kind,
        name: owned,
        uid: pick(random, ['u', '', name]),
        controller: true,
        blockOwnerDeletion: random() < 0.5,
      })
    // Its owner is itself, or another that it owns, or itself twice.
    fields.set('ownerReferences', pick(random, [[owner(name)], site.names.map(owner), [owner(name), owner(name)]]))
  }
  if (random() < 0.1) fields.set('finalizers', pick(random, [['a/b'], ['orphan', 'foregroundDeletion'], ['a/b', 'a/b']]))
  return fields
}

function written(site: Site, type: ResourceType, random: Random): HostileRequest {
  const name = pick(random, site.names)
  const body = jsonOf(hostileObject(site, type, random, name))
  const query = options(random, ['fieldManager', 'dryRun', 'fieldValidation'])
  const contentType = pick(random, ['application/json', 'application/json', 'application/json', 'application/yaml'])
  if (random() < 0.6) return { verb: 'POST', path: collectionOf(site, type), query, body, contentType }
  return { verb: 'PUT', path: pathOf(site, type, name), query, body, contentType }
}

function patched(site: Site, type: ResourceType, random: Random): HostileRequest {
  const name = pick(random, site.names)
  const patchType = pick(random, patchTypes)
  const object = hostileObject(site, type, random, name)
  const body =
    patchType === 'json-patch+json'
      ? `[${Array.from({ length: 1 + Math.floor(random() * 3) }, () => `{"op":"${pick(random, ['add', 'replace', 'remove', 'test', 'copy', 'move', 'burn'])}","path":${JSON.stringify(pick(random, pointers))},"from":${JSON.stringify(pick(random, pointers))},"value":${jsonOf(spoilt(new Map([['a', 'b']]), random, 1))}}`).join(',')}]`
      : jsonOf(object)
  const manager: Record<string, string> =
    patchType === 'apply-patch+yaml' ? { fieldManager: 'hostile', force: pick(random, ['true', 'false']) } : {}
  const subresource = type.subresources.some(({ name: sub }) => sub === 'status') && random() < 0.3 ? 'status' : ''
  return {
    verb: 'PATCH',
    path: pathOf(site, type, name, subresource),
    query: { ...options(random, ['dryRun', 'fieldValidation']), ...manager },
    body,
    contentType: `application/${patchType}`,
  }
}

function onSubresource(site: Site, type: ResourceType, random: Random): HostileRequest {
  const name = pick(random, site.names)
  const subresources = type.subresources.map(sub => sub.name)
  const subresource = subresources.length === 0 ? pick(random, ['status', 'scale', '__proto__']) : pick(random, subresources)
  const number = pick(random, ['1', '0', '-1', '2147483648', '9007199254740993', '1e400', '"x"', 'null'])
  const meta = `"metadata":{"name":${JSON.stringify(name)}${type.isNamespaced ? `,"namespace":"${site.namespace}"` : ''}}`
  const bodies: Readonly<Record<string, string>> = {
    scale: `{"apiVersion":"autoscaling/v1","kind":"Scale",${meta},"spec":{"replicas":${number}}}`,
    eviction: `{"apiVersion":"policy/v1","kind":"Eviction",${meta},"deleteOptions":{"gracePeriodSeconds":${number}}}`,
    binding: `{"apiVersion":"v1","kind":"Binding",${meta},"target":{"kind":"Node","name":${JSON.stringify(pick(random, ['n1', 'gone', '', '__proto__']))}}}`,
    token: `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":${number}}}`,
  }
  const body = bodies[subresource] ?? jsonOf(hostileObject(site, type, random, name))
  const verb =
    subresource === 'status' || subresource === 'scale' || subresource === 'resize' || subresource === 'ephemeralcontainers'
      ? pick(random, ['PUT', 'GET', 'PUT'] as const)
      : pick(random, ['POST', 'GET', 'POST'] as const)
  return {
    verb,
    path: pathOf(site, type, name, subresource),
    query: options(random, ['dryRun', 'limitBytes', 'tailLines']),
    ...(verb === 'GET' ? {} : { body, contentType: 'application/json' }),
  }
}

function listed(site: Site, type: ResourceType, random: Random): HostileRequest {
  const names = [
    'labelSelector',
    'fieldSelector',
    'limit',
    'continue',
    'resourceVersion',
    'resourceVersionMatch',
    'timeoutSeconds',
    'sendInitialEvents',
    'allowWatchBookmarks',
    'pretty',
  ]
  const watch: Record<string, string> = random() < 0.35 ? { watch: pick(random, ['true', '1']) } : {}
  return {
    verb: 'GET',
    path: collectionOf(site, type),
    query: { ...options(random, names), ...watch },
    accept: pick(random, accepts),
  }
}

function removed(site: Site, type: ResourceType, random: Random): HostileRequest {
  const body = pick(random, [
    undefined,
    '{"gracePeriodSeconds":9007199254740993}',
    '{"preconditions":{"uid":"x"}}',
    '{"propagationPolicy":"Foreground"}',
    '{"gracePeriodSeconds":-1}',
    '[]',
    '{"orphanDependents":true}',
  ])
  const sent = body === undefined ? {} : { body, contentType: 'application/json' }
  if (random() < 0.5) return { verb: 'DELETE', path: pathOf(site, type, pick(random, site.names)), query: {}, ...sent }
  return {
    verb: 'DELETE',
    path: collectionOf(site, type),
    query: options(random, ['labelSelector', 'fieldSelector', 'limit']),
    ...sent,
  }
}

const valuesOf: Readonly<Record<string, readonly string[]>> = {
  labelSelector: selectors,
  fieldSelector: selectors,
  limit: counts,
  continue: tokens,
  resourceVersion: versions,
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'x'],
  timeoutSeconds: counts,
  sendInitialEvents: ['true', 'false', 'x'],
  allowWatchBookmarks: ['true', 'x'],
  pretty: ['true'],
  fieldManager: ['m', 'x'.repeat(200), '\u0001', '__proto__'],
  dryRun: ['All', 'x'],
  fieldValidation: ['Strict', 'Warn', 'Ignore', 'x'],
  limitBytes: counts,
  tailLines: counts,
}

/** Some of the options, each with a hostile value. */
function options(random: Random, names: readonly string[]): Record<string, string> {
  const share = pick(random, [0, 0, 0, 0, 0.1, 0.4])
  return Object.fromEntries(names.filter(() => random() < share).map(name => [name, pick(random, valuesOf[name] ?? ['x'])]))
}

export type { Site }
