// What keeps a cluster's ScaledObjects and ScaledJobs from being scaled by Ballast: triggers of types that it does not have, and another
// server behind external.metrics.k8s.io.
import type { CapabilityFindings } from '#doctor/capability-findings.ts'
import { type ClusterFacts, ofKind } from '#doctor/facts.ts'
import { type Finding, findingsOf, kind } from '#doctor/finding.ts'
import { registeredElsewhere } from '#doctor/registered-elsewhere.ts'
import { listAt, shown, textAt } from '#kube/objects/object-fields.ts'
import { cloudEventSources, clusterCloudEventSources, externalMetrics, scaledJobs, scaledObjects } from '../names.ts'
import { destinationProblem } from '../notices/destination.ts'
import { standingOf } from '../scalers/registry.ts'

const kinds = {
  'external-metrics-elsewhere': kind(
    'warn',
    'autoscaling',
    'the capability autoscale is on, and another server answers external.metrics.k8s.io',
  ),
  'trigger-missing': kind('warn', 'autoscaling', 'a trigger of a type that Ballast does not have'),
  'event-receiver-missing': kind('warn', 'autoscaling', 'a CloudEventSource with a receiver that Ballast cannot send to'),
  'trigger-unknown': kind('error', 'autoscaling', 'a trigger of a type that neither KEDA nor Ballast has'),
}
const finding = findingsOf(kinds)
const capability = 'autoscale'

/** With Ballast in charge it is not scaled; with KEDA in charge it is what stands in the way of a swap. */
function checkTriggers(facts: ClusterFacts): readonly Finding[] {
  const isOn = facts.ours?.enabled.includes(capability) === true
  return ofKind(facts, 'ScaledObject', 'ScaledJob').flatMap(object => {
    if (!object.apiVersion.startsWith('keda.sh/')) return []
    const types = listAt(object, 'spec', 'triggers').map((trigger, index) => ({ index, type: textAt(trigger, 'type') ?? '' }))
    return types.flatMap(({ index, type }) => {
      const standing = standingOf(type)
      if (standing === 'here') return []
      const where = `trigger ${index} is of type ${JSON.stringify(type)}`
      if (standing === 'unknown')
        return [
          finding('trigger-unknown', {
            object: shown(object),
            message: `${where}, which nobody has: the object is scaled by nobody`,
            fix: 'write its type as docs/autoscaling.md#scalers has it',
            capability,
          }),
        ]
      const what = isOn ? 'the object is not scaled while Ballast has it' : 'only KEDA scales the object'
      return [
        finding('trigger-missing', {
          object: shown(object),
          message: `${where}, which KEDA has and Ballast has not yet: ${what}`,
          fix: 'leave KEDA in charge, or run that scaler beside it and name it by a trigger of type external',
          capability,
        }),
      ]
    })
  })
}

/** Nobody is told by it while Ballast is in charge. */
function checkReceivers(facts: ClusterFacts): readonly Finding[] {
  return ofKind(facts, 'CloudEventSource', 'ClusterCloudEventSource').flatMap(object => {
    const problem = object.apiVersion.startsWith('eventing.keda.sh/') ? destinationProblem(object) : undefined
    if (problem === undefined) return []
    const fix = 'name a receiver of HTTP that hands events on, in spec.destination.http.uri'
    return [finding('event-receiver-missing', { object: shown(object), message: problem, fix, capability })]
  })
}

/** The API leads to another Service than ours: autoscalers ask that one for our metrics, and are told nothing. */
function checkRegistration(facts: ClusterFacts): readonly Finding[] {
  const elsewhere = registeredElsewhere(facts, { capability, apiService: externalMetrics.name })
  if (elsewhere === undefined) return []
  const { registration, service } = elsewhere
  const { namespace, name, port } = service
  return [
    finding('external-metrics-elsewhere', {
      object: shown(registration),
      message: `Service ${namespace}/${name}, port ${port}, answers it, while capabilities.autoscale is on: autoscalers of ScaledObjects are told nothing, and stay as they are`,
      fix: `kubectl -n ${namespace} get service ${name} -o yaml   # whose it is; one server alone can have this API`,
      capability,
    }),
  ]
}

export const autoscaleFindings: CapabilityFindings = {
  kinds,
  cluster: facts => [...checkTriggers(facts), ...checkReceivers(facts), ...checkRegistration(facts)],
  reads: [scaledObjects, scaledJobs, cloudEventSources, clusterCloudEventSources],
}
