// To whom an APIService leads the callers of its API.
import { numberAt, textAt } from './object-fields.ts'
import type { KubeObject } from './objects.ts'

export const apiServices = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' } as const

/** A Service by which API servers reach a server. */
export interface ServiceAddress {
  readonly namespace: string
  readonly name: string
  readonly port: number
}

/** What an APIService means that says no port. */
export const usualServicePort = 443

/** Undefined where an API server answers by itself, or nothing is registered. */
export function serviceOf(registration: KubeObject | undefined): ServiceAddress | undefined {
  const service = (key: string) => textAt(registration, 'spec', 'service', key)
  const [namespace, name] = [service('namespace'), service('name')]
  if (namespace === undefined || name === undefined) return undefined
  return { namespace, name, port: numberAt(registration, 'spec', 'service', 'port') ?? usualServicePort }
}

export function isSameService(one: ServiceAddress, other: ServiceAddress): boolean {
  return one.namespace === other.namespace && one.name === other.name && one.port === other.port
}
