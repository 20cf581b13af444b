// The API server of a `ballast` that runs beside a browser, as its administrator: what kubectl would see and write.
import { homedir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { systemRandom } from '#kube/random.ts'

const soonMs = 120_000

export const ofBallast = { group: 'ballast.dev', version: 'v1alpha1' } as const

export interface TwinApi extends AsyncDisposable {
  get(resource: GroupVersionResource, name: string, namespace?: string): Promise<KubeObject>
  list(resource: GroupVersionResource): Promise<readonly KubeObject[]>
  create(resource: GroupVersionResource, object: KubeObject): Promise<void>
  /** A merge patch. */
  patch(
    resource: GroupVersionResource,
    named: { readonly name: string; readonly namespace?: string },
    body: object,
  ): Promise<void>
  /** A token of the ServiceAccount, as `kubectl create token` gets it. */
  token(namespace: string, account: string): Promise<string>
  /** What `read` yields once `isRight` holds of it. @throws Error with the last of it after half a minute */
  until<T>(read: () => Promise<T>, isRight: (value: T) => boolean): Promise<T>
}

/** Opens it with the kubeconfig that the program has written. */
export async function openTwinApi(kubeconfig: string): Promise<TwinApi> {
  const environment = {}
  const config = await loadConfig({ environment, homeDirectory: homedir(), kubeconfig })
  const api = openApi(openHttpTransport(config, { clock: systemClock, random: systemRandom, environment }), {
    clock: systemClock,
    userAgent: 'kubectl/v1.34.0',
  })
  const { signal } = new AbortController()
  return {
    get: (resource, name, namespace) => api.resource(resource).get(name, { signal, namespace }),
    list: async resource => (await api.resource(resource).list({ signal })).items,
    create: async (resource, object) => {
      await api.resource(resource).create(object, { signal, namespace: object.metadata.namespace })
    },
    patch: async (resource, { name, namespace }, body) => {
      await api.resource(resource).patch(name, { type: 'merge', body }, { signal, namespace })
    },
    token: async (namespace, account) => {
      const accounts = api.resource({ group: '', version: 'v1', resource: 'serviceaccounts' })
      const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [] } }
      const answer = await accounts.sub(account, 'token', 'POST', request, { signal, namespace })
      const status = answer['status']
      if (typeof status !== 'object' || status === null || !('token' in status)) throw new Error('no token was given')
      return String(status.token)
    },
    until: async (read, isRight) => {
      const startMs = performance.now()
      for (;;) {
        const value = await read()
        if (isRight(value)) return value
        if (performance.now() - startMs > soonMs) throw new Error(`not yet: ${JSON.stringify(value).slice(0, 2_000)}`)
        await pause(100)
      }
    },
    [Symbol.asyncDispose]: () => api.close(),
  }
}
