import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { at, listAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { annotations, managedByLabel, ownManager } from '../names.ts'
import type { Route } from '../routing/route.ts'
import { interceptorRouteRoute } from '../routing/route-of.ts'
import { ownEndpointsFor, type RouteHere } from './slices-for.ts'

const key = 'ai/ollama'
type Seen = Parameters<typeof ownEndpointsFor>[0]

function routeHere(
  name: string,
  { asks = true, createdMs = 0, more = {} }: { asks?: boolean; createdMs?: number; more?: object } = {},
): RouteHere {
  const object = {
    apiVersion: 'http.keda.sh/v1beta1',
    kind: 'InterceptorRoute',
    metadata: {
      ...{ name, namespace: 'ai', uid: `uid-${name}`, creationTimestamp: new Date(createdMs).toISOString() },
      annotations: { ...(asks ? { [annotations.ownEndpoints]: 'true' } : {}), ...more },
    },
    spec: { target: { service: 'ollama', port: 11434 }, scalingMetric: { concurrency: { targetValue: 1 } } },
  } as KubeObject
  return { object, route: interceptorRouteRoute(object) as Route }
}

const service = (spec: object = {}): KubeObject =>
  ({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'ollama', namespace: 'ai' } },
    spec: { clusterIP: '10.0.0.9', ipFamilies: ['IPv4'], ports: [{ name: 'api', port: 11434 }], ...spec },
  }) as KubeObject

function slice(
  of: string,
  addresses: readonly string[],
  more: { name?: string; ready?: boolean; type?: string; labels?: object; port?: object } = {},
): KubeObject {
  return {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: more.type ?? 'IPv4' },
    metadata: { name: more.name ?? `${of}-abcde`, namespace: 'ai', labels: { 'kubernetes.io/service-name': of, ...more.labels } },
    ports: [{ name: 'http', port: 8080, ...more.port }],
    endpoints: addresses.map(address => ({ addresses: [address], conditions: { ready: more.ready ?? true } })),
  } as KubeObject
}

const gateway = [slice('ballast-gateway', ['10.1.0.2', '10.1.0.1'])]
const asleep: Seen = { key, service: service(), routes: [routeHere('ollama')], slices: [], gateway, scaledObjects: [] }
const scaledObject = {
  ...{ apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: { name: 'ollama', namespace: 'ai' } },
  spec: { triggers: [{ type: 'external-push', metadata: { interceptorRoute: 'ollama' } }, { type: 'prometheus' }] },
} as KubeObject
const reasonOf = (seen: Partial<Seen>, route = 'ai/ollama') => ownEndpointsFor({ ...asleep, ...seen }).said.get(route)?.reason

/** What the API server would hold after the writes. */
function written(seen: Seen): Seen {
  const { create, change, remove } = ownEndpointsFor(seen)
  const gone = new Set([...remove, ...change.map(({ from }) => from)])
  return { ...seen, slices: [...seen.slices.filter(one => !gone.has(one)), ...change.map(({ to }) => to), ...create] }
}

describe('endpoints of a Service whose target sleeps', () => {
  it('are the ready pods of the gateway, at their port, under the name of the port of the Service', () => {
    const { create, change, remove } = ownEndpointsFor(asleep)
    expect({ change, remove }).toEqual({ change: [], remove: [] })
    expect(create).toEqual([
      {
        ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
        metadata: {
          ...{ name: 'ballast-ollama-ipv4', namespace: 'ai' },
          labels: { 'kubernetes.io/service-name': 'ollama', [managedByLabel]: ownManager },
          ownerReferences: [{ apiVersion: 'http.keda.sh/v1beta1', kind: 'InterceptorRoute', name: 'ollama', uid: 'uid-ollama' }],
        },
        ports: [{ name: 'api', port: 8080, protocol: 'TCP' }],
        endpoints: ['10.1.0.1', '10.1.0.2'].map(address => ({ addresses: [address], conditions: { ready: true } })),
      },
    ])
  })

  it('are taken away when a pod of the target is ready, and stay while none is', () => {
    const settled = written(asleep)
    expect(
      ownEndpointsFor({ ...settled, slices: [...settled.slices, slice('ollama', ['10.2.0.1'], { ready: false })] }).remove,
    ).toEqual([])
    const awake = { ...settled, slices: [...settled.slices, slice('ollama', ['10.2.0.1'])] }
    expect(ownEndpointsFor(awake).remove).toEqual(settled.slices)
  })

  it('follow the pods of the gateway', () => {
    const changed = { ...written(asleep), gateway: [slice('ballast-gateway', ['10.1.0.3'])] }
    expect(
      ownEndpointsFor(changed).change.map(({ to }) => listAt(to, 'endpoints').flatMap(one => listAt(one, 'addresses'))),
    ).toEqual([['10.1.0.3']])
    expect(ownEndpointsFor({ ...changed, gateway: [] }).remove).toHaveLength(1)
  })

  it('go with the annotation, the route and the Service', () => {
    const settled = written(asleep)
    for (const gone of [{ routes: [routeHere('ollama', { asks: false })] }, { routes: [] }, { service: undefined }])
      expect(ownEndpointsFor({ ...settled, ...gone })).toMatchObject({ create: [], change: [], remove: settled.slices })
  })

  it('are owned by what the gateway is installed by, where it is known, also those that were there before', () => {
    const owner = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', name: 'r', uid: 'u' }
    const owners = ({ create, change }: ReturnType<typeof ownEndpointsFor>) =>
      [...create, ...change.map(({ to }) => to)].map(({ metadata }) => metadata.ownerReferences)
    expect(owners(ownEndpointsFor({ ...asleep, owner }))).toEqual([[owner]])
    expect(owners(ownEndpointsFor({ ...written(asleep), owner }))).toEqual([[owner]])
    const settled = written({ ...asleep, owner })
    expect(owners(ownEndpointsFor(settled))).toEqual([])
    const anew = { ...owner, uid: 'v' }
    expect(owners(ownEndpointsFor({ ...settled, owner: anew }))).toEqual([[anew]])
    expect(owners(ownEndpointsFor({ ...settled, owner: undefined }))).toMatchObject([[{ kind: 'InterceptorRoute' }]])
  })

  it('are of one kind of address each', () => {
    const dual = service({ ipFamilies: ['IPv6', 'IPv4'] })
    const both = [...gateway, slice('ballast-gateway', ['fd00::1'], { type: 'IPv6', name: 'ballast-gateway-6' })]
    expect(ownEndpointsFor({ ...asleep, service: dual, gateway: both }).create.map(one => at(one, 'addressType'))).toEqual([
      'IPv4',
      'IPv6',
    ])
    const half = ownEndpointsFor({ ...asleep, service: dual })
    expect(half.create).toHaveLength(1)
    expect(half.said.get(key)?.message).toContain('Not by IPv6')
  })

  it.each<[string, Partial<Seen>]>([
    ['NoService', { service: undefined }],
    ['ExternalName', { service: service({ type: 'ExternalName' }) }],
    ['Headless', { service: service({ clusterIP: 'None' }) }],
    ['LocalTraffic', { service: service({ internalTrafficPolicy: 'Local' }) }],
    ['NoSuchPort', { service: service({ ports: [{ port: 80 }] }) }],
    ['NotTcp', { service: service({ ports: [{ port: 11434, protocol: 'UDP' }] }) }],
    ['Tls', { service: service({ ports: [{ port: 11434, appProtocol: 'https' }] }) }],
    ['NoGateway', { gateway: [] }],
    ['NameTaken', { slices: [slice('other', ['10.2.0.1'], { name: 'ballast-ollama-ipv4' })] }],
    ['CooldownOnly', {}],
    ['KeptByTriggers', { scaledObjects: [scaledObject] }],
    ['KeptByPods', { routes: [routeHere('ollama', { more: { [annotations.beforeZero]: '/may-stop' } })] }],
  ])('says %s', (reason, seen) => {
    const outcome = ownEndpointsFor({ ...asleep, ...seen })
    expect(outcome.said.get(key)).toMatchObject({ reason, status: outcome.create.length === 0 ? 'False' : 'True' })
  })

  it('are of the oldest of the routes that ask', () => {
    const routes = [
      routeHere('young', { createdMs: 5_000 }),
      routeHere('old', { createdMs: 1_000 }),
      routeHere('mute', { asks: false }),
    ]
    expect(reasonOf({ routes }, 'ai/young')).toBe('AnotherRoute')
    expect(reasonOf({ routes }, 'ai/old')).toBe('CooldownOnly')
    expect(reasonOf({ routes }, 'ai/mute')).toBeUndefined()
  })

  it('settle after one round of writes, and no slice of others is ever written', () => {
    const one = fc.record({
      addresses: fc.uniqueArray(fc.constantFrom('10.2.0.1', '10.2.0.2'), { maxLength: 2 }),
      ready: fc.boolean(),
      isOurs: fc.boolean(),
      name: fc.constantFrom('ballast-ollama-ipv4', 'ballast-ollama-ipv6', 'ollama-x', 'ollama-y'),
      type: fc.constantFrom('IPv4', 'IPv6'),
    })
    const slices = fc
      .uniqueArray(one, { maxLength: 4, selector: ({ name }) => name })
      // An address family of ours goes with the name, since neither changes.
      .map(all =>
        all.map(({ addresses, isOurs, ...more }) => {
          const type = more.name.endsWith('ipv6') ? 'IPv6' : more.name.endsWith('ipv4') ? 'IPv4' : more.type
          return slice('ollama', addresses, { ...more, type, labels: isOurs ? { [managedByLabel]: ownManager } : {} })
        }),
      )
    fc.assert(
      fc.property(slices, fc.boolean(), fc.boolean(), (given, asks, hasGateway) => {
        const seen = { ...asleep, slices: given, routes: [routeHere('ollama', { asks })], gateway: hasGateway ? gateway : [] }
        const { change, remove } = ownEndpointsFor(seen)
        for (const touched of [...remove, ...change.map(({ from }) => from)])
          expect(touched.metadata.labels?.[managedByLabel]).toBe(ownManager)
        const settled = written(seen)
        expect(new Set(settled.slices.map(({ metadata }) => metadata.name)).size).toBe(settled.slices.length)
        expect(ownEndpointsFor(settled)).toMatchObject({ create: [], change: [], remove: [] })
      }),
    )
  })
})
