// Whether API servers send the callers of an API to this process.
import type { Informer } from '#kube/informers/informer-view.ts'
import { isSameService, type ServiceAddress, serviceOf } from '#kube/objects/api-service.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Check } from './capability.ts'

interface RegistrationOf {
  /** As checks are named. */
  readonly name: string
  /** `<version>.<group>` */
  readonly apiService: string
  /** By which Service we are reached; undefined: by none. */
  readonly own: ServiceAddress | undefined
  /** The upstream whose place we take. */
  readonly upstream: string
  /** What else is said while it leads here. */
  readonly more?: string | undefined
}

/** What another serves is left to it: a swap is somebody's decision. */
export function registrationCheck(
  registrations: Informer<KubeObject>,
  { name, apiService, own, upstream, more }: RegistrationOf,
): Check {
  if (own === undefined) return { name, ok: true, state: 'no API server reaches this process' }
  if (!registrations.isSynced) return { name, ok: true, state: 'who serves it was not read yet' }
  const service = serviceOf(registrations.store.get(undefined, apiService))
  if (service === undefined) return { name, ok: false, isGating: false, state: `no APIService ${apiService} leads here` }
  if (isSameService(service, own)) return { name, ok: true, state: ['served here', more].filter(Boolean).join(', ') }
  const place = `${service.namespace}/${service.name}`
  const isOfOurs = service.namespace === own.namespace && service.name === own.name
  const state = isOfOurs
    ? `its APIService names port ${service.port} of ${place}, where it is served at ${own.port}`
    : `${place} serves it: see ballast migrate plan ${upstream}`
  return { name, ok: !isOfOurs, isGating: false, state }
}
