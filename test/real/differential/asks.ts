// Requests beyond writes of the object itself: its subresources, and reads in pages, in protobuf and from versions long gone.
import type { Random } from '#kube/random.ts'
import { patchTypes, protobufType } from '../bad-input/requests.ts'
import type { DifferentialRequest } from './request.ts'
import type { ServedKind } from './served.ts'

const json = 'application/json'
const metadata = { name: '{{name}}' }

/** Draws one of the requests that a subresource of the kind takes. `object` is the path of the object, which may be there or not. */
type Ask = (object: string, pick: Pick) => DifferentialRequest
type Pick = <Value>(choices: readonly [Value, ...Value[]]) => Value

const reading =
  (subresource: string): Ask =>
  object => ({ verb: 'GET', path: `${object}/${subresource}` })

/** Subresource → its requests. Those that every kind may have are asked in lives themselves. */
const asks: Readonly<Record<string, Readonly<Record<string, readonly Ask[]>>>> = {
  Pod: {
    binding: [
      (object, pick) => ({
        verb: 'POST',
        path: `${object}/binding${pick(['', '', '?dryRun=All'])}`,
        contentType: pick([json, protobufType]),
        body: {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: pick([
            metadata,
            metadata,
            { name: 'another' },
            { ...metadata, uid: 'a' },
            { ...metadata, annotations: { a: 'b' } },
          ]),
          target: pick<unknown>([
            { kind: 'Node', name: 'a' },
            { kind: 'Node', name: 'a' },
            { kind: 'Pod', name: 'a' },
            { name: '' },
            { kind: 'Node', name: 'A_b' },
            {},
          ]),
        },
      }),
    ],
    eviction: [
      (object, pick) => ({
        verb: 'POST',
        path: `${object}/eviction${pick(['', '?dryRun=All'])}`,
        contentType: pick([json, protobufType]),
        body: {
          apiVersion: pick(['policy/v1', 'policy/v1', 'policy/v1beta1']),
          kind: 'Eviction',
          metadata: pick<object>([metadata, metadata, { name: 'another' }, {}]),
          deleteOptions: pick<unknown>([
            undefined,
            { gracePeriodSeconds: 0 },
            { gracePeriodSeconds: -1 },
            { dryRun: ['All'] },
            { preconditions: { uid: 'a' } },
            { preconditions: { resourceVersion: '1' } },
            { propagationPolicy: 'Nobody' },
          ]),
        },
      }),
    ],
    ephemeralcontainers: [
      reading('ephemeralcontainers'),
      (object, pick) => ({
        verb: 'PATCH',
        path: `${object}/ephemeralcontainers?fieldManager=two${pick(['', '', '&dryRun=All'])}`,
        contentType: pick([patchTypes.strategic, patchTypes.merge, patchTypes.apply]),
        body: {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata,
          spec: {
            ephemeralContainers: [
              {
                name: pick(['e', 'c', '', 'A_b']),
                image: pick(['registry.example/a:1', '']),
                targetContainerName: pick([undefined, 'c', 'nobody']),
                ...pick<object>([
                  {},
                  {},
                  { ports: [{ containerPort: 80 }] },
                  { lifecycle: {} },
                  { resources: { limits: { cpu: '1' } } },
                ]),
              },
            ],
          },
        },
      }),
    ],
    resize: [
      reading('resize'),
      (object, pick) => ({
        verb: 'PATCH',
        path: `${object}/resize?fieldManager=two`,
        contentType: pick([patchTypes.strategic, patchTypes.merge]),
        body: {
          spec: {
            containers: [
              {
                name: pick(['c', 'nobody']),
                image: 'registry.example/a:1',
                resources: { requests: { [pick(['cpu', 'memory', 'a'])]: pick(['1', '0', '-1', '1500m', 'x']) } },
              },
            ],
          },
        },
      }),
    ],
  },
  ServiceAccount: {
    token: [
      (object, pick) => ({
        verb: 'POST',
        path: `${object}/token${pick(['', '', '?dryRun=All'])}`,
        contentType: pick([json, protobufType]),
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          metadata: pick<object>([{}, metadata, { name: 'another' }]),
          spec: {
            audiences: pick([['a'], ['a', 'b'], ['']]),
            expirationSeconds: pick<unknown>([3600, 600, 599, 0, -1, undefined, 4294967296, 4294967297, '{{int64}}']),
            boundObjectRef: pick<unknown>([
              undefined,
              undefined,
              { apiVersion: 'v1', kind: 'Pod', name: 'nobody' },
              { apiVersion: 'v1', kind: 'Secret', name: 'nobody' },
              { apiVersion: 'v1', kind: 'Node', name: 'nobody' },
              { apiVersion: 'v1', kind: 'ConfigMap', name: 'nobody' },
              {},
            ]),
          },
        },
      }),
    ],
  },
  'CertificateSigningRequest.certificates.k8s.io': {
    approval: [
      (object, pick) => ({
        verb: 'PATCH',
        path: `${object}/approval?fieldManager=two`,
        contentType: pick([patchTypes.merge, patchTypes.strategic]),
        body: {
          status: {
            conditions: [
              {
                type: pick(['Approved', 'Denied', 'Failed', 'Other', '']),
                status: pick(['True', 'False', 'Unknown', '']),
                reason: 'R',
                message: 'm',
              },
            ],
          },
        },
      }),
    ],
  },
}

/** One request to a subresource that only this kind has; undefined where it has none. */
export function subresourceAsk(served: ServedKind, object: string, random: Random): DifferentialRequest | undefined {
  const ofKind = Object.entries(Object.hasOwn(asks, served.name) ? (asks[served.name] ?? {}) : {})
  const all = ofKind.filter(([name]) => served.subresources.includes(name)).flatMap(([, list]) => list)
  const pick = pickBy(random)
  const [first, ...others] = all
  return first === undefined ? undefined : pick([first, ...others])(object, pick)
}

/** A scale asked for otherwise than by a number that it may have. */
export function scaleAsk(object: string, random: Random): DifferentialRequest {
  const pick = pickBy(random)
  const path = `${object}/scale`
  const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata }
  return pick<DifferentialRequest>([
    { verb: 'GET', path, accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    {
      verb: 'PATCH',
      path: `${path}?fieldManager=three${pick(['', '&force=true'])}`,
      contentType: patchTypes.apply,
      body: { ...scale, spec: { replicas: pick<unknown>([2, 0, -1, '{{over64}}']) } },
    },
    {
      verb: 'PATCH',
      path,
      contentType: patchTypes.json,
      body: [{ op: 'replace', path: '/spec/replicas', value: pick<unknown>([2, 'a', null]) }],
    },
    {
      verb: 'PUT',
      path,
      contentType: json,
      body: { ...scale, spec: { replicas: pick<unknown>(['{{over64}}', '{{exponent}}', '2']) } },
    },
  ])
}

/** The object in protobuf: what is in the message is compared. */
export function protobufRead(object: string): DifferentialRequest {
  return { verb: 'GET', path: object, accept: protobufType }
}

/** A watch of the life's object that begins somewhere else than at its first version. */
export function watchAsk(collection: string, random: Random): DifferentialRequest {
  const pick = pickBy(random)
  const from = pick([
    '&resourceVersion=0',
    '&resourceVersion={{version}}',
    '&resourceVersion=1',
    '&resourceVersion=a',
    '',
    initial,
  ])
  return { verb: 'GET', path: `${collection}?watch=true&timeoutSeconds=1${from}&labelSelector=life%3D{{n}}` }
}

const initial = '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'

/** Two objects, read in pages of one, and deleted together. `twin` is an object that lies behind the life's own. */
export function pageAsks(collection: string, twin: unknown, random: Random): readonly DifferentialRequest[] {
  const life = 'labelSelector=life%3D{{n}}'
  const pick = pickBy(random)
  return [
    { verb: 'POST', path: collection, contentType: json, body: twin },
    { verb: 'GET', path: `${collection}?${life}&limit=1` },
    { verb: 'GET', path: `${collection}?${life}&limit=${pick([1, 2, 0])}&continue={{continue}}` },
    { verb: 'GET', path: `${collection}?${life}&limit=1&continue=${pick(['none', 'e30', '{{continue}}&resourceVersion=1'])}` },
    { verb: 'DELETE', path: `${collection}?${life}` },
  ]
}

function pickBy(random: Random): Pick {
  return choices => choices[Math.floor(random() * choices.length)] ?? choices[0]
}
