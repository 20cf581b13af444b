// The add-on's operator as a leading part of `ballast apiserver`: ScaledObjects for HTTPScaledObjects, and what both kinds say of themselves.
import type { ApiserverContext, Running } from '#coordination/capability.ts'
import { addFinalizer, removeFinalizer } from '#kube/client/finalizers.ts'
import { reconciled, runWorkers } from '#kube/controllers/controller.ts'
import { WorkQueue } from '#kube/controllers/queue.ts'
import { type NewCondition, withCondition } from '#kube/objects/conditions.ts'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { Condition, KubeObject } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { GatewayConfig } from '../config.ts'
import { httpScaledObjects, interceptorRoutes, statusManager } from '../names.ts'
import { httpScaledObjectRoute, interceptorRouteRoute } from '../routing/route-of.ts'
import { httpFinalizer, outcomeOf, scaledObjects } from './scaled-object-for.ts'

const fieldManager = 'ballast-gateway'
const atOnce = 8
const timeLimitMs = 60_000

/** `http/media/sonarr` or `route/media/sonarr`. */
type Key = `${'http' | 'route'}/${string}`

type Context = Pick<ApiserverContext, 'leading' | 'informers' | 'clock' | 'log' | 'api' | 'identity'>

/** Where the scaler is found unless somebody says otherwise. */
function scalerAddressOf({ scalerAddress }: GatewayConfig, namespace: string): string {
  return scalerAddress === '' ? `ballast-gateway.${namespace}:9090` : scalerAddress
}

/** Keeps ScaledObjects and statuses as the objects of users want them, where we lead. @throws Error where we do not */
export async function startGatewayOperator(
  context: Context,
  config: GatewayConfig,
  outer: AbortSignal,
): Promise<Running<GatewayConfig>> {
  if (context.leading === undefined) throw new Error('only a leader writes ScaledObjects')
  const { informers, clock, log, api, identity } = context
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const objects = informers.of<KubeObject>(httpScaledObjects, { optional: true })
  const routes = informers.of<KubeObject>(interceptorRoutes, { optional: true })
  const scaled = informers.of<KubeObject>(scaledObjects, { optional: true })
  const queue = new WorkQueue<Key>({ clock, groupOf: key => key.split('/')[1] ?? '' })
  const nameOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`
  const stops = [
    objects.onChange(({ object }) => queue.add(`http/${nameOf(object)}`)),
    routes.onChange(({ object }) => queue.add(`route/${nameOf(object)}`)),
    scaled.onChange(({ object }) => {
      if (objects.store.get(object.metadata.namespace, object.metadata.name) !== undefined) queue.add(`http/${nameOf(object)}`)
    }),
  ]
  const scalerAddress = scalerAddressOf(config, identity.namespace)
  const reconcile = async (key: Key, limit: AbortSignal) => {
    const [kind, namespace = '', name = ''] = key.split('/')
    if (kind === 'http') await reconcileObject(namespace, name, limit)
    else await reconcileRoute(namespace, name, limit)
    return reconciled
  }
  await informers.allSynced(signal)
  const running = runWorkers(
    { name: 'gateway objects', queue, reconcile, clock, log, concurrency: atOnce, timeLimitMs },
    signal,
  ).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  return {
    health: () => [
      {
        name: 'gateway-operator',
        ok: true,
        state: `${objects.store.size} HTTPScaledObjects, ${routes.store.size} InterceptorRoutes`,
      },
    ],
    reconfigure: async changed => (scalerAddressOf(changed, identity.namespace) === scalerAddress ? 'applied' : 'restart-part'),
    [Symbol.asyncDispose]: async () => {
      for (const end of stops) end()
      stop.abort(new DOMException('the operator of the gateway is stopped', 'AbortError'))
      queue.shutDown()
      await running
    },
  }

  async function reconcileObject(namespace: string, name: string, limit: AbortSignal): Promise<void> {
    const object = objects.store.get(namespace, name)
    if (object === undefined) return
    const scaledObject = scaled.store.get(namespace, name)
    const outcome = outcomeOf({ object, scaledObject, route: httpScaledObjectRoute(object), scalerAddress })
    const own = api.resource<KubeObject>(httpScaledObjects)
    const options = { namespace, fieldManager, signal: limit }
    if (outcome.finalizer === 'remove') {
      await removeFinalizer(own, object, httpFinalizer, options)
      return
    }
    let current = object
    if (outcome.finalizer === 'add') current = await addFinalizer(own, object, httpFinalizer, options)
    if (current !== object) objects.observe(current)
    const beside = api.resource<KubeObject>(scaledObjects)
    if (outcome.beside.kind === 'apply') {
      scaled.observe(await beside.apply(outcome.beside.object, { ...options, force: true }))
      log.info({ namespace, name }, 'a ScaledObject is written for an HTTPScaledObject')
    } else if (outcome.beside.kind === 'delete') {
      const { uid } = outcome.beside.object.metadata
      await goneIsDone(beside.delete(name, { ...options, ...(uid === undefined ? {} : { preconditions: { uid } }) }))
    } else if (outcome.beside.kind === 'orphan') {
      const left = (outcome.beside.object.metadata.ownerReferences ?? []).filter(
        owner => !(owner.kind.toLowerCase() === 'httpscaledobject' && owner.name === name),
      )
      const { resourceVersion } = outcome.beside.object.metadata
      const body = { metadata: { resourceVersion, ownerReferences: left } }
      await goneIsDone(beside.patch(name, { type: 'merge', body }, options).then(patched => scaled.observe(patched)))
    }
    if (outcome.ready === undefined) return
    const { targetWorkload, targetService } = outcome
    const condition = { type: 'Ready', ...outcome.ready, observedGeneration: current.metadata.generation ?? 0 }
    await writeStatus(objects, current, condition, { targetWorkload, targetService }, limit)
  }

  async function reconcileRoute(namespace: string, name: string, limit: AbortSignal): Promise<void> {
    const object = routes.store.get(namespace, name)
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return
    const route = interceptorRouteRoute(object)
    const problems = Array.isArray(route) ? (route as readonly string[]) : []
    const condition: NewCondition = {
      type: 'Ready',
      ...(problems.length === 0
        ? { status: 'True', reason: 'Reconciled', message: 'InterceptorRoute reconciled' }
        : { status: 'False', reason: 'InvalidRoute', message: problems.join('; ') }),
      observedGeneration: object.metadata.generation ?? 0,
    }
    await writeStatus(routes, object, condition, {}, limit)
  }

  async function writeStatus(
    informer: typeof objects,
    object: KubeObject,
    condition: NewCondition,
    texts: Readonly<Record<string, string>>,
    limit: AbortSignal,
  ): Promise<void> {
    const have = listAt(object, 'status', 'conditions') as readonly Condition[]
    const conditions = withCondition(have, condition, clock.now())
    const differs = Object.entries(texts).filter(([key, value]) => textAt(object, 'status', key) !== value)
    if (conditions === have && differs.length === 0) return
    const { namespace, name, uid, resourceVersion } = object.metadata
    const status = { ...Object.fromEntries(differs), ...(conditions === have ? {} : { conditions }) }
    // Conditions are a list in a merge patch: another's must not be lost.
    const body = { metadata: { uid, ...(conditions === have ? {} : { resourceVersion }) }, status }
    const patched = api
      .resource<KubeObject>(informer.resource)
      .patch(name, { type: 'merge', body }, { namespace, subresource: 'status', fieldManager: statusManager, signal: limit })
    await goneIsDone(patched.then(written => informer.observe(written)))
  }
}

/** An object that went meanwhile needs nothing more. */
async function goneIsDone(write: Promise<unknown>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
