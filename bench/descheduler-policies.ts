// The policies under which deschedulers are measured: that of upstream's chart, and the same with `nodeFit`.

/** The numbers of evictions that a cycle allows. With `namespace` 0 every candidate is worked out and then refused, so that cycles are alike. */
interface PolicyOptions {
  readonly nodeFit?: boolean
  readonly perNamespace?: number
}

/** The default policy of chart 0.36.0, as JSON. */
export function chartPolicy({ nodeFit = false, perNamespace }: PolicyOptions = {}): string {
  const byRoom = { cpu: 20, memory: 20, pods: 20 }
  const full = { cpu: 50, memory: 50, pods: 50 }
  return JSON.stringify({
    apiVersion: 'descheduler/v1alpha2',
    kind: 'DeschedulerPolicy',
    ...(perNamespace === undefined ? {} : { maxNoOfPodsToEvictPerNamespace: perNamespace }),
    profiles: [
      {
        name: 'default',
        pluginConfig: [
          {
            name: 'DefaultEvictor',
            args: {
              nodeFit,
              podProtections: { defaultDisabled: ['PodsWithLocalStorage'], extraEnabled: ['PodsWithPVC'] },
            },
          },
          { name: 'RemoveDuplicates' },
          { name: 'RemovePodsHavingTooManyRestarts', args: { podRestartThreshold: 100, includingInitContainers: true } },
          {
            name: 'RemovePodsViolatingNodeAffinity',
            args: { nodeAffinityType: ['requiredDuringSchedulingIgnoredDuringExecution'] },
          },
          { name: 'RemovePodsViolatingNodeTaints' },
          { name: 'RemovePodsViolatingInterPodAntiAffinity' },
          { name: 'RemovePodsViolatingTopologySpreadConstraint' },
          { name: 'LowNodeUtilization', args: { thresholds: byRoom, targetThresholds: full } },
        ],
        plugins: {
          balance: { enabled: ['RemoveDuplicates', 'RemovePodsViolatingTopologySpreadConstraint', 'LowNodeUtilization'] },
          deschedule: {
            enabled: [
              'RemovePodsHavingTooManyRestarts',
              'RemovePodsViolatingNodeTaints',
              'RemovePodsViolatingNodeAffinity',
              'RemovePodsViolatingInterPodAntiAffinity',
            ],
          },
        },
      },
    ],
  })
}
