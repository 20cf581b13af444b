// CloudEventSource and its cluster-wide form as KEDA serves them: who is told what happens to ScaledObjects, ScaledJobs and authentications.
import { z } from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import { crd } from '#kube/schema/crd.ts'
import { eventingGroup, kedaVersion } from '../names.ts'
import { conditions } from './triggers.ts'

const ofScaled = (kind: string, more: readonly string[]) =>
  ['ready', 'failed', 'removed', 'paused', 'unpaused', ...more].map(what => `keda.${kind}.${what}.v1`)
const ofAuthentication = (kind: string) => ['created', 'updated', 'removed'].map(what => `keda.authentication.${kind}.${what}.v1`)

/** The types of events that are told. */
export const eventTypes: readonly string[] = [
  ...ofScaled('scaledobject', []),
  ...ofScaled('scaledjob', ['rolloutcleanup.started', 'rolloutcleanup.completed', 'rolloutcleanup.failed']),
  ...ofAuthentication('triggerauthentication'),
  ...ofAuthentication('clustertriggerauthentication'),
]

const types = z.array(z.enum(eventTypes)).optional()

const spec = z.object({
  clusterName: z.string().optional(),
  destination: z.object({
    http: z.object({ uri: z.string() }).optional(),
    azureEventGridTopic: z.object({ endpoint: z.string() }).optional(),
  }),
  authenticationRef: z
    .object({ name: z.string(), kind: z.enum(['TriggerAuthentication', 'ClusterTriggerAuthentication']).optional() })
    .optional(),
  eventSubscription: z.object({ includedEventTypes: types, excludedEventTypes: types }).optional(),
})

export interface CloudEventSource extends KubeObject {
  readonly spec: z.output<typeof spec>
  readonly status?: z.output<typeof status>
}

export const cloudEventSourceSpec = spec

const status = z.object({ conditions })
const printerColumns = [{ name: 'Active', type: 'string', jsonPath: '.status.conditions[?(@.type=="Active")].status' }] as const
const version = { name: kedaVersion, spec, status, readyColumn: false, ageColumn: false, printerColumns } as const

export const cloudEventSourceDefinition = crd({
  group: eventingGroup,
  kind: 'CloudEventSource',
  scope: 'Namespaced',
  isBounded: false,
  versions: [version],
})

export const clusterCloudEventSourceDefinition = crd({
  group: eventingGroup,
  kind: 'ClusterCloudEventSource',
  scope: 'Cluster',
  isBounded: false,
  versions: [version],
})
