// A leading part of `ballast apiserver`: Services whose targets sleep lead to the gateway's pods. It alone writes slices of ours.
import type { ApiserverContext, Running } from '#coordination/capability.ts'
import { reconciled, runWorkers } from '#kube/controllers/controller.ts'
import { WorkQueue } from '#kube/controllers/queue.ts'
import { messageOf } from '#kube/log.ts'
import { withCondition } from '#kube/objects/conditions.ts'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { Condition, KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { GatewayConfig } from '../config.ts'
import { annotations, gatewayService, httpScaledObjects, interceptorRoutes, statusManager } from '../names.ts'
import { scaledObjects } from '../operator/scaled-object-for.ts'
import { routesOf } from '../routing/route-of.ts'
import { SliceOwner } from './slice-owner.ts'
import { isOwnSlice, ownEndpointsFor, ownSliceNames, type RouteHere } from './slices-for.ts'

const fieldManager = 'ballast-gateway-endpoints'
const conditionType = 'OwnEndpoints'
const atOnce = 4
const timeLimitMs = 60_000
const serviceLabel = 'kubernetes.io/service-name'
/** Stores are shared with other parts: names of indexes are ours. */
const byService = 'gateway own endpoints: service'

/** `namespace/name` of a Service. */
type Key = `${string}/${string}`

type Context = Pick<ApiserverContext, 'leading' | 'informers' | 'clock' | 'log' | 'api' | 'identity'>

/** Keeps slices as routes want them, where we lead. @throws Error where we do not */
export async function startOwnEndpoints(context: Context, outer: AbortSignal): Promise<Running<GatewayConfig>> {
  if (context.leading === undefined) throw new Error('only a leader writes EndpointSlices')
  const { informers, clock, log, api, identity } = context
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const kinds = {
    InterceptorRoute: informers.of<KubeObject>(interceptorRoutes, { optional: true }),
    HTTPScaledObject: informers.of<KubeObject>(httpScaledObjects, { optional: true }),
  }
  const services = informers.of<KubeObject>(builtIn.services)
  const slices = informers.of<KubeObject>(builtIn.endpointslices)
  const scaled = informers.of<KubeObject>(scaledObjects, { optional: true })
  const routeKinds = Object.values(kinds)
  for (const kind of routeKinds) kind.store.addIndex(byService, object => [targetOf(object)])
  slices.store.addIndex(byService, slice => [serviceOfAny(slice)])
  const queue = new WorkQueue<Key>({ clock, groupOf: key => key.split('/')[0] ?? '' })
  const isAskedFor = (key: Key) => routeKinds.some(kind => [...kind.store.byIndex(byService, key)].some(concerns))
  const look = (key: Key) => {
    if (isAskedFor(key)) queue.add(key)
  }
  const lookAtAll = (namespace?: string) => {
    for (const kind of routeKinds)
      for (const object of kind.store.list(namespace)) if (concerns(object)) queue.add(targetOf(object))
  }
  const owner = new SliceOwner(context)
  const gatewayKey: Key = `${identity.namespace}/${gatewayService.name}`
  const stops = [
    ...routeKinds.map(kind =>
      kind.onChange(({ object, previous }) => {
        for (const one of [object, previous]) if (one !== undefined && concerns(one)) queue.add(targetOf(one))
      }),
    ),
    services.onChange(({ object: { metadata } }) => look(`${metadata.namespace ?? ''}/${metadata.name}`)),
    slices.onChange(({ type, object }) => {
      const key = serviceOfAny(object)
      if (type === 'DELETED' && isOwnSlice(object)) owner.forget()
      if (isOwnSlice(object)) queue.add(key)
      else look(key)
      if (key === gatewayKey) lookAtAll()
    }),
    scaled.onChange(({ object }) => lookAtAll(object.metadata.namespace ?? '')),
  ]
  /** Services that have slices of ours, or are to have. */
  const concerned = () => {
    const asked = routeKinds.flatMap(kind => [...kind.store.list()].filter(concerns).map(targetOf))
    return new Set([...asked, ...[...slices.store.list()].filter(isOwnSlice).map(serviceOfAny)])
  }
  let isOff = false
  await informers.allSynced(signal)
  for (const key of concerned()) queue.add(key)
  const reconcile = async (key: Key, limit: AbortSignal) => {
    await reconcileService(key, limit)
    return reconciled
  }
  const running = runWorkers(
    { name: 'own endpoints of Services', queue, reconcile, clock, log, concurrency: atOnce, timeLimitMs },
    signal,
  ).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  const end = async () => {
    for (const one of stops) one()
    stop.abort(new DOMException('nobody writes endpoints any more', 'AbortError'))
    queue.shutDown()
    await running
  }
  return {
    health: () => {
      const own = [...slices.store.list()].filter(isOwnSlice).length
      return [{ name: 'gateway-own-endpoints', ok: true, state: `${own} EndpointSlices lead to the gateway` }]
    },
    reconfigure: async () => 'applied',
    switchedOff: async limit => {
      await end()
      isOff = true
      const waiting = [...concerned()]
      const worker = async () => {
        for (let key = waiting.pop(); key !== undefined; key = waiting.pop())
          try {
            await reconcileService(key, limit)
          } catch (error) {
            const why = messageOf(error)
            log.warn({ service: key, why }, 'the gateway is switched off, and a Service may still lead to it')
          }
      }
      await Promise.all(Array.from({ length: atOnce }, worker))
    },
    [Symbol.asyncDispose]: end,
  }

  async function reconcileService(key: Key, limit: AbortSignal): Promise<void> {
    const [namespace = '', service = ''] = key.split('/')
    const objects = {
      InterceptorRoute: [...kinds.InterceptorRoute.store.byIndex(byService, key)],
      HTTPScaledObject: [...kinds.HTTPScaledObject.store.byIndex(byService, key)],
    }
    // A slice of somebody else may bear a name of ours, whatever Service it is of.
    const known = new Map([...slices.store.byIndex(byService, key)].map(slice => [slice.metadata.name, slice]))
    for (const name of ownSliceNames(service)) {
      const slice = slices.store.get(namespace, name)
      if (slice !== undefined) known.set(name, slice)
    }
    const { create, change, remove, said } = ownEndpointsFor({
      key,
      service: services.store.get(namespace, service),
      owner: isOff ? undefined : await owner.now(limit),
      routes: (isOff ? [] : routesOf(objects.InterceptorRoute, objects.HTTPScaledObject).routes).flatMap(route => {
        const object = objects[route.kind].find(({ metadata }) => metadata.name === route.name)
        const here: readonly RouteHere[] = object === undefined ? [] : [{ route, object }]
        return here
      }),
      slices: [...known.values()],
      gateway: [...slices.store.byIndex(byService, gatewayKey)],
      scaledObjects: [...scaled.store.list(namespace)],
    })
    const own = api.resource<KubeObject>(builtIn.endpointslices)
    const options = { namespace, fieldManager, signal: limit }
    for (const slice of remove) {
      const { name, uid, resourceVersion } = slice.metadata
      const preconditions = {
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      }
      // One that changed meanwhile is judged anew: its event is on the way, and the attempt comes again.
      await goneIsDone(own.delete(name, { ...options, preconditions }))
      log.info({ namespace, service, slice: name }, 'a Service leads to the gateway no more')
    }
    for (const { from, to } of change) {
      const { uid, resourceVersion } = from.metadata
      const { labels, ownerReferences } = to.metadata
      const metadata = { uid, resourceVersion, labels, ownerReferences }
      const body = { metadata, ports: listAt(to, 'ports'), endpoints: listAt(to, 'endpoints') }
      await goneIsDone(own.patch(to.metadata.name, { type: 'merge', body }, options).then(written => slices.observe(written)))
    }
    for (const slice of create) {
      slices.observe(await own.create(slice, options))
      log.info({ namespace, service, slice: slice.metadata.name }, 'a Service whose target sleeps leads to the gateway')
    }
    for (const kind of ['InterceptorRoute', 'HTTPScaledObject'] as const)
      for (const object of objects[kind]) await say(kind, object, said.get(`${namespace}/${object.metadata.name}`), limit)
  }

  async function say(
    kind: keyof typeof kinds,
    object: KubeObject,
    said: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string } | undefined,
    limit: AbortSignal,
  ): Promise<void> {
    const have = listAt(object, 'status', 'conditions') as readonly Condition[]
    const { namespace, name, uid, resourceVersion, generation = 0, deletionTimestamp } = object.metadata
    if (deletionTimestamp !== undefined) return
    const isSaid = have.some(({ type }) => type === conditionType)
    if (said === undefined && !isSaid) return
    const conditions =
      said === undefined
        ? have.filter(({ type }) => type !== conditionType)
        : withCondition(have, { type: conditionType, ...said, observedGeneration: generation }, clock.now())
    if (conditions === have) return
    // Conditions are a list in a merge patch: another's must not be lost.
    const body = { metadata: { uid, resourceVersion }, status: { conditions } }
    const patched = api
      .resource<KubeObject>(kinds[kind].resource)
      .patch(name, { type: 'merge', body }, { namespace, subresource: 'status', fieldManager: statusManager, signal: limit })
    await goneIsDone(patched.then(written => kinds[kind].observe(written)))
  }
}

/** Whether it asks for endpoints, or was told of them: other routes cost nothing, however many there are. */
function concerns(object: KubeObject): boolean {
  const conditions = listAt(object, 'status', 'conditions') as readonly Condition[]
  return (
    object.metadata.annotations?.[annotations.ownEndpoints] !== undefined || conditions.some(({ type }) => type === conditionType)
  )
}

/** The Service that an object's requests go to, by what it says, be it a route or not. */
function targetOf(object: KubeObject): Key {
  const service = textAt(object, 'spec', 'target', 'service') ?? textAt(object, 'spec', 'scaleTargetRef', 'service') ?? ''
  return `${object.metadata.namespace ?? ''}/${service}`
}

/** By the label alone, so that slices of ours count too. */
function serviceOfAny({ metadata }: KubeObject): Key {
  return `${metadata.namespace ?? ''}/${metadata.labels?.[serviceLabel] ?? ''}`
}

/** What went meanwhile needs nothing more. @throws StatusError for a conflict, so that it is judged anew */
async function goneIsDone(write: Promise<unknown>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
