// Nodes are labelled, a rule changes, features go, while the controller is killed before and after each of its writes.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { describeKills } from './crash-harness.ts'
import {
  featuresCluster,
  featuresOf,
  givenTo,
  graphicsRule,
  listsOn,
  nodeFeatureRules,
  nodeFeatures,
  nodeIn,
  ruleObject,
} from './features-cluster.ts'

const { signal } = new AbortController()
const minute = 60_000

const other = ruleObject('graphics', {
  name: 'other',
  labels: { 'gpu.example.com/other': 'yes' },
  taints: [{ key: 'gpu.example.com/other', effect: 'PreferNoSchedule' }],
  matchFeatures: [{ feature: 'pci.device' }],
})

const labelsOf = (of: ControlledCluster, name: string) => Object.keys(givenTo(of, name).labels).sort().join()

describeKills({
  name: 'features come, a rule changes, features go',
  cluster: featuresCluster([featuresOf('n1', '7d51', { plain: 'yes' }), featuresOf('n2', undefined), graphicsRule]),
  async drive(of) {
    await of.until(() => givenTo(of, 'n1').taints.includes('gpu.example.com/only'), 5 * minute)
    await of.change(nodeFeatureRules, { name: 'graphics' }, { spec: other['spec'] as object })
    await of.until(() => ['n1', 'n2'].every(name => givenTo(of, name).taints.join() === 'gpu.example.com/other'), 5 * minute)
    await of.until(() => labelsOf(of, 'n1') === 'gpu.example.com/other', 5 * minute)
    await of.admin.resource<KubeObject>(nodeFeatures).delete('n1', { namespace: 'nfd', signal })
    // A leader that came after it went never saw it: what is ours stays then, and goes with the next features that are seen.
    await of.pass(minute)
    await of.admin.resource<KubeObject>(nodeFeatures).create(featuresOf('n1', undefined), { namespace: 'nfd', signal })
    await of.until(() => nodeIn(of, 'n1').metadata.labels?.['feature.node.kubernetes.io/plain'] === undefined, 5 * minute)
    await of.pass(minute)
  },
  faults: of => [
    ...['n1', 'n2'].flatMap(name =>
      labelsOf(of, name) === 'gpu.example.com/other' ? [] : [`${name} has the labels ${labelsOf(of, name)}`],
    ),
    ...(listsOn(of, 'n1')['nfd.node.kubernetes.io/extended-resources'] === undefined
      ? []
      : ['a resource that is gone is listed']),
    ...(Object.keys(givenTo(of, 'n1').capacity).length === 0 ? [] : ['a resource was forgotten']),
  ],
})
