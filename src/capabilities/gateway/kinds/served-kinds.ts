// The kinds that this capability serves; where the add-on's own definitions are in a cluster they are adopted and never deleted.
import type { ServedKind } from '#coordination/capability.ts'
import { httpScaledObjects, interceptorRoutes } from '../names.ts'
import { httpScaledObjectDefinition } from './http-scaled-object.ts'
import { interceptorRouteDefinition } from './interceptor-route.ts'

const served = [
  [interceptorRoutes, interceptorRouteDefinition],
  [httpScaledObjects, httpScaledObjectDefinition],
] as const

export const servedKinds: readonly ServedKind[] = served.map(([{ group, version, resource }, definition]) => ({
  group,
  version,
  kind: definition.spec.names.kind,
  plural: resource,
  scope: definition.spec.scope,
  owner: 'upstream',
  definition: { ...definition },
}))
