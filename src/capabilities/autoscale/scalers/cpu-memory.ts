// Use of CPU or memory against a target: the autoscaler reads it from metrics.k8s.io by itself, and nothing is polled here.
import { canonicalText, parseQuantity } from '#kube/values/quantity.ts'
import type { HpaMetric, ResourceTarget } from '../triggers/metric-names.ts'
import { here, optional, readParameters, required, TriggerProblem, text } from '../triggers/parameters.ts'
import type { OpenedTrigger, ScalerKind } from './scaler.ts'

const parameters = {
  type: optional(text, {
    ...here('older name of metricType'),
    deprecated: "The 'type' setting is DEPRECATED and is removed in v2.18 - Use 'metricType' instead.",
  }),
  value: required(text, here('percent of the request with Utilization, an amount with AverageValue')),
  containerName: optional(text, here('only this container is looked at')),
}

/** What an autoscaler watches for the trigger. @throws TriggerProblem */
export function resourceMetric(trigger: OpenedTrigger): HpaMetric {
  const { value, containerName } = readParameters(parameters, trigger.given, trigger.type)
  const target = resourceTarget(trigger.metricType, value)
  const name = trigger.type
  return containerName === undefined
    ? { type: 'Resource', resource: { name, target } }
    : { type: 'ContainerResource', containerResource: { name, container: containerName, target } }
}

function resourceTarget(metricType: string | undefined, value: string): ResourceTarget {
  if (metricType === 'Utilization') {
    if (!/^[+-]?\d{1,9}$/.test(value))
      throw new TriggerProblem(`value ${JSON.stringify(value)}: expected whole percents such as 50`)
    return { type: 'Utilization', averageUtilization: Number(value) }
  }
  if (metricType === 'AverageValue') {
    const parsed = parseQuantity(value)
    if (!parsed.ok) throw new TriggerProblem(`value ${JSON.stringify(value)}: expected ${parsed.problem.expected}`)
    return { type: 'AverageValue', averageValue: canonicalText(parsed.value) }
  }
  throw new TriggerProblem(`unknown metric type: ${metricType ?? ''}, allowed values are 'Utilization' or 'AverageValue'`)
}

export const cpuMemory: ScalerKind = {
  types: ['cpu', 'memory'],
  about: 'use of CPU or memory, which the autoscaler reads by itself',
  parameters,
  async open(trigger) {
    const metric = resourceMetric(trigger)
    return {
      metrics: async () => [metric],
      read: async () => ({ values: [], isActive: true }),
      [Symbol.asyncDispose]: async () => undefined,
    }
  },
}
