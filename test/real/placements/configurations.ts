// Scheduler configurations other than the defaults that placements are recorded with: each changes formulas, weights or arguments.

export interface ConfiguredCluster {
  readonly name: string
  readonly seed: number
  readonly configuration: Readonly<Record<string, unknown>>
}

const profile = (profile: object) => ({ profiles: [{ schedulerName: 'default-scheduler', ...profile }] })
const pluginArguments = (name: string, args: object) => ({ name, args })

export const configuredClusters: readonly ConfiguredCluster[] = [
  {
    name: 'most-allocated',
    seed: 501,
    configuration: profile({
      pluginConfig: [
        pluginArguments('NodeResourcesFit', {
          scoringStrategy: {
            type: 'MostAllocated',
            resources: [
              { name: 'cpu', weight: 2 },
              { name: 'memory', weight: 1 },
              { name: 'example.com/gpu', weight: 3 },
            ],
          },
        }),
      ],
    }),
  },
  {
    name: 'requested-to-capacity-ratio',
    seed: 502,
    configuration: profile({
      pluginConfig: [
        pluginArguments('NodeResourcesFit', {
          scoringStrategy: {
            type: 'RequestedToCapacityRatio',
            resources: [
              { name: 'cpu', weight: 1 },
              { name: 'memory', weight: 2 },
              { name: 'example.com/gpu', weight: 1 },
            ],
            requestedToCapacityRatio: {
              shape: [
                { utilization: 0, score: 1 },
                { utilization: 45, score: 10 },
                { utilization: 100, score: 0 },
              ],
            },
          },
        }),
      ],
    }),
  },
  {
    name: 'weights-and-disabled-plugins',
    seed: 503,
    configuration: profile({
      plugins: {
        multiPoint: {
          enabled: [
            { name: 'PodTopologySpread', weight: 7 },
            { name: 'TaintToleration', weight: 1 },
          ],
          disabled: [{ name: 'ImageLocality' }],
        },
        filter: { disabled: [{ name: 'NodeUnschedulable' }, { name: 'NodePorts' }] },
        score: { disabled: [{ name: 'NodeAffinity' }] },
      },
    }),
  },
  {
    name: 'plugin-arguments',
    seed: 504,
    configuration: profile({
      pluginConfig: [
        pluginArguments('PodTopologySpread', {
          defaultingType: 'List',
          defaultConstraints: [
            { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' },
            { maxSkew: 3, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
          ],
        }),
        pluginArguments('InterPodAffinity', { hardPodAffinityWeight: 40, ignorePreferredTermsOfExistingPods: true }),
        pluginArguments('NodeAffinity', {
          addedAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'example.com/disk', operator: 'NotIn', values: ['hdd'] }] }],
            },
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 30,
                preference: { matchExpressions: [{ key: 'kubernetes.io/arch', operator: 'In', values: ['amd64'] }] },
              },
            ],
          },
        }),
      ],
    }),
  },
  {
    name: 'resources',
    seed: 505,
    configuration: profile({
      pluginConfig: [
        pluginArguments('NodeResourcesFit', {
          ignoredResources: ['example.com/gpu'],
          scoringStrategy: {
            type: 'LeastAllocated',
            resources: [
              { name: 'cpu', weight: 5 },
              { name: 'memory', weight: 1 },
              { name: 'ephemeral-storage', weight: 2 },
            ],
          },
        }),
        pluginArguments('NodeResourcesBalancedAllocation', {
          resources: [
            { name: 'cpu', weight: 1 },
            { name: 'memory', weight: 1 },
            { name: 'ephemeral-storage', weight: 1 },
          ],
        }),
      ],
    }),
  },
]
