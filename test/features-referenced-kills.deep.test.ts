// Rules come, change and go while workers publish only what rules look at, and the controller is killed before and after each of its writes: no label is
// away for a moment that a rule gives all the while.
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { describeKills } from './crash-harness.ts'
import { nodeFeatureRules } from './features-cluster.ts'
import { createRule, labelsOf, moduleRule, referencedCluster, workersOn } from './features-referenced-site.ts'

const { signal } = new AbortController()
const minute = 60_000
const kvm = 'modules.example.com/kvm'
const wasAway = new WeakSet<ControlledCluster>()

describeKills({
  name: 'rules come and go, workers publish what they look at',
  cluster: referencedCluster([moduleRule('kvm', 'kvm')]),
  async drive(of) {
    await using workers = await workersOn(of)
    for (const name of ['n1', 'n2']) await workers.start(name)
    const both = (done: (name: string) => boolean) => ['n1', 'n2'].every(done)
    await of.until(() => both(name => labelsOf(of, name).join() === kvm && workers.modulesOf(name).length === 1), 5 * minute)
    const until = (done: () => boolean) =>
      of.until(() => {
        if (!both(name => labelsOf(of, name).includes(kvm))) wasAway.add(of)
        return done()
      }, 15 * minute)
    await createRule(of, moduleRule('nvme', 'nvme'))
    await until(() => both(name => labelsOf(of, name).length === 2))
    await of.change(nodeFeatureRules, { name: 'kvm' }, { spec: moduleRule('kvm', 'zfs', { [kvm]: 'other' })['spec'] as object })
    await until(() => both(name => nodeLabel(of, name) === 'other'))
    await of.admin.resource(nodeFeatureRules).delete('nvme', { signal })
    await until(() => both(name => labelsOf(of, name).join() === kvm && workers.modulesOf(name).join() === 'zfs'))
  },
  faults: of => [
    ...(wasAway.has(of) ? ['a label was away that a rule gave all the while'] : []),
    ...['n1', 'n2'].flatMap(name => (nodeLabel(of, name) === 'other' ? [] : [`${name} has ${labelsOf(of, name).join()}`])),
    ...(of.list(builtIn.configmaps.resource).some(({ metadata }) => metadata.name === 'ballast-features') ? [] : ['no list']),
  ],
})

function nodeLabel(of: ControlledCluster, name: string): string | undefined {
  return of.list('nodes').find(({ metadata }) => metadata.name === name)?.metadata.labels?.[kvm]
}
