// Numbers that the cluster itself has: how many pods fit a selector, and what a key of a ConfigMap or a Secret says.
import { parseLabelSelector } from '#kube/objects/selector.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  float,
  here,
  oneOf,
  optional,
  readParameters,
  required,
  TriggerProblem,
  text,
} from '../triggers/parameters.ts'
import { amountOf, locatedValue } from './located-value.ts'
import { numberOf } from './outgoing.ts'
import { oneMetric, type ScalerKind } from './scaler.ts'

const workloadParameters = {
  podSelector: required(text, here('labels of the pods that count')),
  value: defaulted(float, '0', here('amount aimed at, above 0')),
  activationValue: defaulted(float, '0', here('active above it')),
  groupByNode: defaulted(boolean, 'false', here('nodes that have such pods are counted')),
}

export const kubernetesWorkload: ScalerKind = {
  types: ['kubernetes-workload'],
  about: 'pods in the namespace that have certain labels and are not at their end',
  parameters: workloadParameters,
  async open(trigger, { cluster }) {
    const given = readParameters(workloadParameters, trigger.given, 'kubernetes-workload')
    if (given.value <= 0) throw new TriggerProblem('value must be a float greater than 0')
    const selector = parseLabelSelector(given.podSelector)
    if (!selector.ok) throw new TriggerProblem(`error parsing pod selector: ${selector.problem.expected}`)
    const { namespace } = trigger.owner
    const read = async () => {
      const nodes = new Set<string>()
      let count = 0
      for (const { metadata, spec, status } of cluster.pods(namespace)) {
        if (status?.phase === 'Succeeded' || status?.phase === 'Failed' || !selector.value.matches(metadata.labels ?? {}))
          continue
        count++
        if (spec.nodeName !== undefined && spec.nodeName !== '') nodes.add(spec.nodeName)
      }
      return given.groupByNode ? nodes.size : count
    }
    return oneMetric(trigger, { tail: `workload-${namespace}`, target: given.value, activation: given.activationValue, read })
  },
}

const resourceParameters = {
  resourceKind: required(oneOf('ConfigMap', 'Secret'), here('what is read')),
  resourceName: required(text, here('its name, in the namespace of the object')),
  key: required(text, here('which of its values')),
  format: defaulted(oneOf('number', 'json', 'yaml'), 'number', here('of the value')),
  valueLocation: optional(text, here('where the number is in json and yaml')),
  valueType: defaulted(oneOf('float64', 'int64', 'quantity'), 'float64', here('of the number')),
  targetValue: required(float, here('amount aimed at, above 0')),
  activationTargetValue: defaulted(float, '0', here('active above it')),
}

export const kubernetesResource: ScalerKind = {
  types: ['kubernetes-resource'],
  about: 'a number in a ConfigMap or a Secret',
  parameters: resourceParameters,
  async open(trigger, { cluster }) {
    const given = readParameters(resourceParameters, trigger.given, 'kubernetes-resource')
    const { resourceKind, resourceName, key, format, valueLocation, valueType } = given
    if (given.targetValue <= 0) throw new TriggerProblem('targetValue must be a float greater than 0')
    if (format === 'number' && valueLocation !== undefined)
      throw new TriggerProblem('valueLocation is only supported with json or yaml format')
    if (format !== 'number' && valueLocation === undefined)
      throw new TriggerProblem(`valueLocation is required for ${format} format`)
    const { namespace } = trigger.owner
    const read = async (signal: AbortSignal) => {
      const data = await cluster.data(resourceKind, namespace, resourceName, signal)
      const said = Object.hasOwn(data, key) ? data[key] : undefined
      if (said === undefined) throw new AnswerError(`key ${key} not found in ${resourceKind} ${namespace}/${resourceName}`)
      try {
        if (format !== 'number') return whole(await locatedValue(said, valueLocation ?? '', format), valueType)
        return whole(valueType === 'quantity' ? amountOf(said, key) : numberOf(said.trim(), key), valueType)
      } catch (error) {
        // What a Secret says is not repeated.
        if (resourceKind === 'Secret' && error instanceof AnswerError)
          throw new AnswerError(`key ${key} of Secret ${namespace}/${resourceName} has no number there`)
        throw error
      }
    }
    const tail = `${resourceKind.toLowerCase()}-${resourceName}-${key}`
    return oneMetric(trigger, { tail, target: given.targetValue, activation: given.activationTargetValue, read })
  },
}

function whole(value: number, type: 'float64' | 'int64' | 'quantity'): number {
  if (type !== 'int64' || Number.isSafeInteger(value)) return value
  throw new AnswerError(`${value} is no whole number`)
}
