import { describe, expect, test } from 'vitest'
import { defaultSettings, settingsForServer, settingsFromConfiguration } from './scheduler-settings.ts'

const configuration = (profile: object, more: object = {}) => ({
  kind: 'KubeSchedulerConfiguration',
  profiles: [profile],
  ...more,
})
const read = (document: unknown, schedulerName?: string) =>
  settingsFromConfiguration(document, { version: '1.34', ...(schedulerName && { schedulerName }) })
const settingsOf = (document: unknown) => {
  const settings = read(document)
  if (!settings.ok) throw new Error(settings.problem.code)
  return settings.value
}

test.each([
  ['v1.30.0', '1.34'],
  ['v1.34.4', '1.34'],
  ['v1.35.1+k3s1', '1.34'],
  ['v1.36.0', '1.36'],
  ['v1.41.2', '1.36'],
  ['unknown', '1.36'],
])('a server of %s is modelled as %s', (server, version) => {
  expect(settingsForServer(server).version).toBe(version)
})

describe('a configuration', () => {
  test('without profiles is the default', () => {
    expect(settingsOf({ kind: 'KubeSchedulerConfiguration' })).toEqual(defaultSettings('1.34'))
  })

  test('weighs, disables and sets plugins up', () => {
    const settings = settingsOf(
      configuration({
        percentageOfNodesToScore: 100,
        plugins: {
          multiPoint: { disabled: [{ name: 'NodePorts' }] },
          score: { disabled: [{ name: 'ImageLocality' }], enabled: [{ name: 'NodeResourcesFit', weight: 7 }] },
        },
        pluginConfig: [
          {
            name: 'NodeResourcesFit',
            args: {
              ignoredResources: ['example.com/gpu'],
              scoringStrategy: { type: 'MostAllocated', resources: [{ name: 'cpu', weight: 3 }] },
            },
          },
          { name: 'InterPodAffinity', args: { hardPodAffinityWeight: 9, ignorePreferredTermsOfExistingPods: true } },
          { name: 'PodTopologySpread', args: { defaultingType: 'List', defaultConstraints: [] } },
          { name: 'NodeResourcesBalancedAllocation', args: { resources: [{ name: 'cpu', weight: 1 }] } },
        ],
      }),
    )
    expect(settings).toMatchObject({
      percentageOfNodesToScore: 100,
      weights: { NodeResourcesFit: 7, ImageLocality: 0, TaintToleration: 3 },
      disabledFilters: ['NodePorts'],
      fit: { kind: 'MostAllocated', resources: [{ name: 'cpu', weight: 3 }] },
      ignoredResources: ['example.com/gpu'],
      hardPodAffinityWeight: 9,
      ignorePreferredTermsOfExistingPods: true,
      defaultConstraints: { kind: 'list', constraints: [] },
      balancedResources: ['cpu'],
    })
  })

  test('with everything disabled and some enabled again has those alone', () => {
    const { weights, disabledFilters } = settingsOf(
      configuration({
        plugins: { multiPoint: { disabled: [{ name: '*' }], enabled: [{ name: 'NodeResourcesFit', weight: 2 }] } },
      }),
    )
    expect([
      weights.NodeResourcesFit,
      weights.TaintToleration,
      disabledFilters.includes('NodePorts'),
      disabledFilters.includes('NodeResourcesFit'),
    ]).toEqual([2, 0, true, false])
  })

  // biome-ignore format: a table
  test.each<[string, unknown, string | undefined, string]>([
    ['another kind', { kind: 'Deployment' }, undefined, 'scheduler-configuration-kind'],
    ['no object', 7, undefined, 'scheduler-configuration-kind'],
    ['an unknown profile', configuration({ schedulerName: 'gpu' }), 'cpu', 'scheduler-profile-unknown'],
    ['a percentage above 100', configuration({}, { percentageOfNodesToScore: 101 }), undefined, 'scheduler-percentage'],
    ['an unknown strategy', configuration({ pluginConfig: [{ name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'Best' } } }] }), undefined, 'scheduler-strategy-unknown'],
    ['a ratio without a line', configuration({ pluginConfig: [{ name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'RequestedToCapacityRatio' } } }] }), undefined, 'scheduler-shape-missing'],
  ])('is refused: %s', (_, document, name, code) => {
    const settings = read(document, name)
    expect(settings.ok ? 'accepted' : settings.problem.code).toBe(code)
  })
})
