// How the webhook is called, and what it is asked about.
import {
  cloudEventSources,
  clusterCloudEventSources,
  clusterTriggerAuthentications,
  eventingGroup,
  kedaGroup,
  scaledJobs,
  scaledObjects,
  triggerAuthentications,
} from '../names.ts'

export const objectWebhookName = 'objects.autoscale.ballast.dev'
export const admissionConfigurationName = 'ballast-autoscale'
export const webhookPath = '/validate/objects.autoscale'

export const limitRanges = { group: '', version: 'v1', resource: 'limitranges' } as const

/** By group. */
export const judgedResources: Readonly<Record<string, readonly string[]>> = {
  [kedaGroup]: [scaledObjects, scaledJobs, triggerAuthentications, clusterTriggerAuthentications].map(({ resource }) => resource),
  [eventingGroup]: [cloudEventSources, clusterCloudEventSources].map(({ resource }) => resource),
}
