// Which sources of usage a policy's strategies ask, of those that its providers open.
import type { DeschedulerPolicy } from '../policy/args.ts'

interface WantedSources {
  /** metrics.k8s.io is asked. */
  readonly metrics: boolean
  /** PromQL, each once. */
  readonly queries: readonly string[]
}

/** What is worth fetching: a provider that no strategy asks is left alone. */
export function wantedSources({ kubernetesMetrics, prometheus, profiles }: WantedBy): WantedSources {
  const usages = profiles.flatMap(({ balance }) =>
    balance.flatMap(args => (args.plugin === 'LowNodeUtilization' ? [args.usage] : [])),
  )
  return {
    metrics: kubernetesMetrics && usages.some(({ kind }) => kind === 'KubernetesMetrics'),
    queries:
      prometheus === undefined ? [] : [...new Set(usages.flatMap(usage => (usage.kind === 'Prometheus' ? [usage.query] : [])))],
  }
}

type WantedBy = Pick<DeschedulerPolicy, 'kubernetesMetrics' | 'prometheus' | 'profiles'>
