// The HorizontalPodAutoscaler of a ScaledObject: made, brought up to date, taken away. One that is somebody else's is never touched.
import type { Api } from '#kube/client/api.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { autoscalerDifferences } from '../decisions/autoscaler.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import { annotations } from '../names.ts'

/** An autoscaler of that name belongs to somebody else. */
class ForeignAutoscaler extends Error {
  constructor(name: string, owner: string) {
    super(
      `the HPA ${JSON.stringify(name)} is ${owner}: annotate this ScaledObject with ${annotations.transferOwnership}: "true" to take it over, or give it another name in advanced.horizontalPodAutoscalerConfig.name`,
    )
    this.name = 'ForeignAutoscaler'
  }
}

interface Around {
  readonly api: Api
  readonly autoscalers: Informer<KubeObject>
  readonly signal: AbortSignal
}

const fieldManager = 'ballast-autoscale'

/** What keeps `found` from being that of `object`; undefined: nothing. */
function foreignOwner(found: KubeObject, object: ScaledObject): string | undefined {
  const controller = found.metadata.ownerReferences?.find(one => one.controller === true)
  if (controller?.uid === object.metadata.uid) return undefined
  if (controller !== undefined) return `owned by ${controller.kind} ${controller.name}`
  if (object.metadata.annotations?.[annotations.transferOwnership] === 'true') return undefined
  return 'not owned by this ScaledObject'
}

/** Makes the autoscaler what it is wanted to be. Whether it is new. @throws ForeignAutoscaler, StatusError, `signal.reason` */
export async function keepAutoscaler(
  wanted: KubeObject,
  object: ScaledObject,
  { api, autoscalers, signal }: Around,
): Promise<boolean> {
  const { name, namespace } = wanted.metadata
  const writes = api.resource<KubeObject>(builtIn.horizontalpodautoscalers)
  const options = { namespace, fieldManager, signal }
  const known = autoscalers.store.get(namespace, name)
  const found = known ?? (await absentAsUndefined(() => writes.get(name, { namespace, signal })))
  if (found === undefined) {
    autoscalers.observe(await writes.create(wanted, options))
    return true
  }
  const owner = foreignOwner(found, object)
  if (owner !== undefined) throw new ForeignAutoscaler(name, owner)
  if (autoscalerDifferences(wanted, found).length === 0) return false
  // Under the version that was looked at: whoever was faster is looked at again. As with upstream nothing stays that the object does not say.
  const { labels = {}, annotations = {}, ownerReferences = [] } = wanted.metadata
  const next = { ...wanted, metadata: { ...found.metadata, labels, annotations, ownerReferences } }
  autoscalers.observe(await writes.update(next, options))
  return false
}

/** Deletes an autoscaler of `object`; one that is not there or is somebody else's stays. @throws StatusError, `signal.reason` */
export async function removeAutoscaler(
  name: string,
  object: ScaledObject,
  { api, autoscalers, signal }: Around,
): Promise<boolean> {
  const { namespace } = object.metadata
  const writes = api.resource<KubeObject>(builtIn.horizontalpodautoscalers)
  const found = autoscalers.store.get(namespace, name) ?? (await absentAsUndefined(() => writes.get(name, { namespace, signal })))
  if (found === undefined || foreignOwner(found, object) !== undefined) return false
  const { uid } = found.metadata
  await absentAsUndefined(() =>
    writes.delete(name, {
      namespace,
      signal,
      propagationPolicy: 'Background',
      ...(uid === undefined ? {} : { preconditions: { uid } }),
    }),
  )
  return true
}

async function absentAsUndefined<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
