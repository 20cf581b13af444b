// Arguments of LowNodeUtilization and HighNodeUtilization.
import type { HighNodeUtilizationArgs, LowNodeUtilizationArgs, Thresholds, UsageSource } from './args.ts'
import { excludedNamespaces, thresholds } from './common-args.ts'
import type { FieldReader } from './fields.ts'

/** The one resource that Prometheus' figures stand for. */
const metricResource = 'MetricResource'

export function lowNodeUtilizationArgs(args: FieldReader): LowNodeUtilizationArgs {
  const useDeviationThresholds = args.flag('useDeviationThresholds') ?? false
  const low = thresholds(args, 'thresholds', 'thresholds config is not valid: ')
  const high = thresholds(args, 'targetThresholds', 'targetThresholds config is not valid: ')
  if (low.size > 0 && high.size > 0) checkPair(args, { low, high, useDeviationThresholds })
  const nodeEvictionLimit = args.map('evictionLimits', 'api.EvictionLimits')?.whole('node', 'uint')
  return {
    plugin: 'LowNodeUtilization',
    thresholds: low,
    targetThresholds: high,
    useDeviationThresholds,
    numberOfNodes: args.whole('numberOfNodes', 'int') ?? 0,
    excludedNamespaces: excludedNamespaces(args),
    ...(nodeEvictionLimit !== undefined && { nodeEvictionLimit }),
    usage: usageSource(args, { low, high }),
  }
}

function checkPair(
  args: FieldReader,
  given: { readonly low: Thresholds; readonly high: Thresholds; readonly useDeviationThresholds: boolean },
): void {
  const { low, high } = given
  const [lowNames, highNames] = [[...low.keys()], [...high.keys()]]
  if (lowNames.join() !== highNames.join()) {
    args.refuse({
      field: 'targetThresholds',
      found: highNames,
      expected: `the resources that \`thresholds\` has: ${lowNames.join(', ')}`,
      message: 'thresholds and targetThresholds configured different resources',
    })
  }
  for (const [name, percent] of low) {
    const target = high.get(name)
    if (target === undefined || percent <= target || given.useDeviationThresholds) continue
    args.refuse({
      field: 'thresholds',
      found: { [name]: percent },
      expected: `at most the ${target} of \`targetThresholds\``,
      message: `thresholds' ${name} percentage is greater than targetThresholds'`,
    })
  }
}

function usageSource(args: FieldReader, bounds: { readonly low: Thresholds; readonly high: Thresholds }): UsageSource {
  const requests: UsageSource = { kind: 'requests' }
  const metrics = args.map('metricsUtilization', 'nodeutilization.MetricsUtilization')
  if (metrics === undefined) return requests
  const fromServer = metrics.flag('metricsServer') ?? false
  const source = metrics.text('source') ?? ''
  const prometheus = metrics.map('prometheus', 'nodeutilization.Prometheus')
  const query = prometheus?.text('query') ?? ''
  if (fromServer) metrics.note("metricsUtilization.metricsServer is deprecated: use source 'KubernetesMetrics'")
  switch (source) {
    case 'KubernetesMetrics':
      checkMetricsServer(metrics, { fromServer, hasPrometheus: prometheus !== undefined })
      return { kind: 'KubernetesMetrics' }
    case 'Prometheus':
      if (query === '') {
        const message = 'prometheus query is required when metrics source is set to "Prometheus"'
        metrics.refuse({ field: 'prometheus', found: query, expected: '`query`, a PromQL query', message })
      }
      checkMetricResource(args, 'thresholds', bounds.low)
      checkMetricResource(args, 'targetThresholds', bounds.high)
      return { kind: 'Prometheus', query }
    default:
      if (source === '' && fromServer) return { kind: 'KubernetesMetrics' }
      metrics.refuse({
        field: 'source',
        found: source,
        expected: 'KubernetesMetrics or Prometheus',
        message: source === '' ? 'metrics source is empty' : 'unrecognized metrics source',
      })
      return requests
  }
}

function checkMetricsServer(
  metrics: FieldReader,
  given: { readonly fromServer: boolean; readonly hasPrometheus: boolean },
): void {
  if (given.fromServer) {
    const message = 'it is not allowed to set both "KubernetesMetrics" source and metricsServer'
    metrics.refuse({ field: 'metricsServer', found: true, expected: '`source` alone', message })
  }
  if (given.hasPrometheus) {
    const message = 'prometheus configuration is not allowed to set when source is set to "KubernetesMetrics"'
    metrics.refuse({ field: 'prometheus', found: 'a query', expected: 'nothing, or `source: Prometheus`', message })
  }
}

function checkMetricResource(args: FieldReader, field: string, bounds: Thresholds): void {
  const names = [...bounds.keys()]
  if (names.length === 1 && names[0] === metricResource) return
  args.refuse({
    field,
    found: names,
    expected: `${metricResource} alone`,
    message: `${field} are expected to specify a single instance of "${metricResource}" resource, got [${names.join(' ')}] instead`,
  })
}

export function highNodeUtilizationArgs(args: FieldReader): HighNodeUtilizationArgs {
  const modes = args.texts('evictionModes') ?? []
  for (const mode of modes) {
    if (mode === 'OnlyThresholdingResources') continue
    const message = `invalid eviction mode ${mode}`
    args.refuse({ field: 'evictionModes', found: mode, expected: 'OnlyThresholdingResources', message })
  }
  return {
    plugin: 'HighNodeUtilization',
    thresholds: thresholds(args, 'thresholds'),
    numberOfNodes: args.whole('numberOfNodes', 'int') ?? 0,
    onlyThresholdingResources: modes.length > 0,
    excludedNamespaces: excludedNamespaces(args),
  }
}
