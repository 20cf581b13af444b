// APIs that a capability of ours serves and an APIService leads elsewhere.
import { isSameService, type ServiceAddress, serviceOf, usualServicePort } from '#kube/objects/api-service.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isOwnPart } from '#upstreams/recognition.ts'
import { type ClusterFacts, type OwnFacts, ofKind } from './facts.ts'

/** Where callers of `apiService` are led while the capability that serves it is on; undefined: to us, to nobody, or it is off. */
export function registeredElsewhere(
  facts: ClusterFacts,
  { capability, apiService }: { readonly capability: string; readonly apiService: string },
): { readonly registration: KubeObject; readonly service: ServiceAddress } | undefined {
  const { ours } = facts
  if (ours === undefined || !ours.enabled.includes(capability)) return undefined
  const registration = ofKind(facts, 'APIService').find(({ metadata }) => metadata.name === apiService)
  const service = serviceOf(registration)
  if (registration === undefined || service === undefined) return undefined
  const names = ownServices(facts, ours) ?? [service.name]
  const isOurs = names.some(name => isSameService(service, { namespace: ours.namespace, name, port: usualServicePort }))
  return isOurs ? undefined : { registration, service }
}

/** Our Service has the name of the Deployment behind it, else is called after our account; undefined: it may be any of our namespace. */
function ownServices({ objects }: ClusterFacts, { namespace, account }: OwnFacts): readonly string[] | undefined {
  const own = objects.filter(one => one.metadata.namespace === namespace && isOwnPart(one, 'apiserver'))
  if (own.length > 0) return own.map(({ metadata }) => metadata.name)
  return account.endsWith('-controller') ? [account.replace(/-controller$/, '-apiserver')] : undefined
}
