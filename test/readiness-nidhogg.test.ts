// Nidhogg's file, as it is, in the section of the configuration, with a real controller on the twin: its taints, its annotation, its events.

import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { readiness } from '#capabilities/readiness'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const taint = 'nidhogg.uswitch.com/kube-system.kiam'
const firstTime = 'nidhogg.uswitch.com/first-time-ready'

/** The two forms of upstream's manual. */
const files = {
  yaml: parse('nodeSelector:\n  node-role.kubernetes.io/node\ndaemonsets:\n  - name: kiam\n    namespace: kube-system\n'),
  json: JSON.parse(
    '{"nodeSelector": ["node-role.kubernetes.io/node", "!node-role.kubernetes.io/master", "aws.amazon.com/ec2.asg.name in (standard, special)"], "daemonsets": [{"name": "kiam", "namespace": "kube-system"}]}',
  ),
}

function kiam(readyAfter: string): KubeObject {
  const labels = { app: 'kiam' }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'kiam', namespace: 'kube-system' },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: { 'ballast.dev/twin-ready-after': readyAfter } },
        spec: { tolerations: [{ operator: 'Exists' }], containers: [{ name: 'kiam', image: 'kiam:1' }] },
      },
    },
  }
}

function selected(name: string): KubeObject {
  const { uid: _, ...metadata } = node(name).metadata
  const own = { 'node-role.kubernetes.io/node': '', 'aws.amazon.com/ec2.asg.name': 'special' }
  return { ...node(name), metadata: { ...metadata, labels: { ...metadata.labels, ...own } } }
}

const nodeOf = (of: ControlledCluster, name: string) => of.list<Node>('nodes').find(({ metadata }) => metadata.name === name)
const isTainted = (of: ControlledCluster, name: string) =>
  nodeOf(of, name)?.spec?.taints?.some(({ key, effect }) => key === taint && effect === 'NoSchedule') === true

test.each(Object.entries(files))(
  'its file as %s: tainted until the pod is Ready, and again whenever it is not',
  async (_, nidhogg) => {
    await using of = await controlledCluster({
      objects: [selected('n1'), node('other')],
      capabilities: [readiness],
      configurations: { readiness: readiness.config.parse({ admission: false, nidhogg }) },
    })
    of.startController()
    // There is no such DaemonSet: unready everywhere that the selector says, and nowhere else.
    await of.until(() => isTainted(of, 'n1'), 60_000)
    expect(isTainted(of, 'other')).toBe(false)
    await of.admin.resource<KubeObject>(builtIn.daemonsets).create(kiam('20s'), { signal, namespace: 'kube-system' })
    await of.until(() => !isTainted(of, 'n1'), 120_000)
    const at = nodeOf(of, 'n1')?.metadata.annotations?.[firstTime]
    expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    const pod = of.list<Pod>('pods').find(({ metadata, spec }) => metadata.labels?.['app'] === 'kiam' && spec.nodeName === 'n1')
    await of.admin.resource(builtIn.pods).delete(pod?.metadata.name ?? '', { signal, namespace: 'kube-system' })
    await of.until(() => isTainted(of, 'n1'), 120_000)
    await of.until(() => !isTainted(of, 'n1'), 120_000)
    expect(nodeOf(of, 'n1')?.metadata.annotations?.[firstTime]).toBe(at)
    await of.pass(10_000)
    const events = await of.events()
    expect(events).toContainEqual(
      `Normal TaintsChanged Node n1: Taints added: [${taint}], Taints removed: [], TaintLess: false, FirstTimeReady: ""`,
    )
    expect(events).toContainEqual(
      `Normal TaintsChanged Node n1: Taints added: [], Taints removed: [${taint}], TaintLess: true, FirstTimeReady: "${at}"`,
    )
    expect([...of.forbidden, ...of.errors]).toEqual([])
  },
)

test.each([
  [{ nodeSelector: ['a=(b'], daemonsets: [] }, 'a=(b'],
  [{ nodeSelector: [], daemonsets: [{ name: 'kiam' }] }, 'namespace'],
  [{ nodeSelector: [], daemonsets: [], more: 1 }, 'more'],
])('what Nidhogg would not take is refused with its place: %j', (nidhogg, said) => {
  const read = readiness.config.safeParse({ nidhogg })
  expect(read.success).toBe(false)
  expect(JSON.stringify(read.error?.issues)).toContain(said)
})
