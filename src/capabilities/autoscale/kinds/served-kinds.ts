// The kinds that this capability serves; where KEDA's own definitions are in a cluster they are adopted and never deleted.
import type { ServedKind } from '#coordination/capability.ts'
import {
  cloudEventSources,
  clusterCloudEventSources,
  clusterTriggerAuthentications,
  scaledJobs,
  scaledObjects,
  triggerAuthentications,
} from '../names.ts'
import { cloudEventSourceDefinition, clusterCloudEventSourceDefinition } from './cloud-event-source.ts'
import { scaledJobDefinition } from './scaled-job.ts'
import { scaledObjectDefinition } from './scaled-object.ts'
import { clusterTriggerAuthenticationDefinition, triggerAuthenticationDefinition } from './trigger-authentication.ts'

const served = [
  [scaledObjects, scaledObjectDefinition],
  [scaledJobs, scaledJobDefinition],
  [triggerAuthentications, triggerAuthenticationDefinition],
  [clusterTriggerAuthentications, clusterTriggerAuthenticationDefinition],
  [cloudEventSources, cloudEventSourceDefinition],
  [clusterCloudEventSources, clusterCloudEventSourceDefinition],
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
