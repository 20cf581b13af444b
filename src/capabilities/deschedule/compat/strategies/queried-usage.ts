// Usage as the answer of a Prometheus query says it: a vector with a share from 0 to 1 for each `instance`, a node's name. The share is cut,
// not rounded, to whole percent (0.29 is 28: 0.29 · 100 is a little less than 29). Not kept: upstream takes NaN for a number and the last
// of two samples of one node; here both are errors.
import type { StrategyView } from '../contract.ts'
import { StrategyError } from '../strategy-error.ts'
import { metricResource, type Usage } from './usage.ts'

/** Usage by the body of `/api/v1/query`. @throws StrategyError where the answer is none, is out of range, or names not every node */
export function queriedUsage(view: StrategyView, answer: unknown): Usage {
  const percents = percentsOf(answer)
  const nodes = new Map(
    view.nodes.map(({ name }) => {
      const percent = percents.get(name)
      if (percent === undefined) throw new StrategyError(`unable to find metric entry for ${name}`)
      return [name, new Map([[metricResource, percent]])]
    }),
  )
  return {
    resources: [metricResource],
    node: name => nodes.get(name) ?? new Map(),
    pod: () => ({ kind: 'unmeasured' }),
  }
}

/** Whole percent by node. */
function percentsOf(answer: unknown): ReadonlyMap<string, bigint> {
  const body = fieldsOf(answer)
  if (body['status'] !== 'success')
    throw new StrategyError(
      `unable to capture prometheus metrics: ${String(body['error'] ?? 'the answer is none of Prometheus')}`,
    )
  const { resultType, result } = fieldsOf(body['data'])
  if (resultType !== 'vector' || !Array.isArray(result))
    throw new StrategyError(`expected query results to be of type "vector", got "${String(resultType)}" instead`)
  const percents = new Map<string, bigint>()
  for (const sample of result) {
    const { metric, value } = fieldsOf(sample)
    const { instance } = fieldsOf(metric)
    if (typeof instance !== 'string') throw new StrategyError("the collected metrics sample is missing 'instance' key")
    const share = shareOf(value)
    if (!(share >= 0 && share <= 1))
      throw new StrategyError(`the collected metrics sample for "${instance}" has value ${share} outside of <0; 1> interval`)
    if (percents.has(instance)) throw new StrategyError(`the collected metrics have more than one sample for "${instance}"`)
    percents.set(instance, BigInt(Math.trunc(share * 100)))
  }
  return percents
}

/** The number of `[time, "text"]`; NaN where it is none. */
function shareOf(value: unknown): number {
  const text: unknown = Array.isArray(value) ? value[1] : undefined
  return typeof text === 'string' && text.trim() !== '' ? Number(text) : Number.NaN
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
