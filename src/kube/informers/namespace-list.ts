// What lies in one namespace, listed by itself into the store of a kind.
import type { ResourceApi } from '../client/api.ts'
import type { Clock } from '../clock.ts'
import { breather } from '../controllers/breather.ts'
import type { KubeObject } from '../objects/objects.ts'
import type { ReflectorScope } from './reflector-scope.ts'
import type { Store } from './store.ts'

interface NamespaceListOptions<T extends KubeObject> {
  readonly api: ResourceApi<T>
  readonly store: Store<T>
  readonly scope: ReflectorScope
  readonly pageSize: number
  readonly clock: Clock
}

/** Lists `namespace` page by page, as it is now, and makes `store` equal to what is usable there. Yields the version. @throws StatusError, ConnectionError */
export async function listNamespace<T extends KubeObject>(
  { api, store, scope, pageSize, clock }: NamespaceListOptions<T>,
  namespace: string,
  { isUsable, signal }: { readonly isUsable: (object: T) => boolean; readonly signal: AbortSignal },
): Promise<string> {
  const objects: T[] = []
  let token: string | undefined
  let version = ''
  try {
    do {
      const from = token === undefined ? {} : { continue: token }
      const asked = { ...scope, namespace, ...from, limit: pageSize, signal }
      const { metadata } = await api.visit(asked, object => {
        if (isUsable(object)) objects.push(store.project(object))
      })
      token = metadata.continue
      version = metadata.resourceVersion ?? ''
    } while (token !== undefined && token !== '')
  } catch (error) {
    for (const object of objects) store.release(object)
    throw error
  }
  const breathe = breather(clock)
  for (const _ of store.replaceInSteps(objects, version, namespace)) await breathe()
  return version
}
