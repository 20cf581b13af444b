import { describe, expect, test } from 'vitest'
import { problemSentence } from '#kube/problem.ts'
import { readDocuments } from './documents.ts'
import { JsonItems } from './json-items.ts'
import { settingsFromConfiguration } from './scheduler-settings.ts'

/** As the simulator's server answers: no kinds, what a field has not is null, the scheduler with all its defaults. */
const answered = {
  pods: [
    {
      metadata: {
        name: 'pod-1',
        namespace: 'default',
        uid: 'p1',
        creationTimestamp: null,
        managedFields: [{ manager: 'simulator' }],
      },
      spec: {
        containers: [{ name: 'pause', resources: { requests: { cpu: '100m' } } }],
        nodeName: 'node-1',
        schedulerName: 'default-scheduler',
      },
      status: { phase: 'Running' },
    },
  ],
  nodes: [
    { metadata: { name: 'node-1', uid: 'n1' }, spec: {}, status: { allocatable: { cpu: '4', memory: '32Gi', pods: '110' } } },
  ],
  pvs: [
    {
      metadata: { name: 'pv1' },
      spec: { claimRef: { kind: 'PersistentVolumeClaim', namespace: 'default', name: 'pvc1', apiVersion: 'v1' } },
    },
  ],
  pvcs: [{ metadata: { name: 'pvc1', namespace: 'default' }, spec: { volumeName: 'pv1' }, status: { phase: 'Bound' } }],
  storageClasses: null,
  priorityClasses: [{ metadata: { name: 'high' }, value: 1000 }],
  schedulerConfig: {
    kind: 'KubeSchedulerConfiguration',
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    parallelism: 16,
    percentageOfNodesToScore: 0,
    profiles: [
      {
        schedulerName: 'default-scheduler',
        plugins: {
          queueSort: {},
          filter: {},
          multiPoint: {
            enabled: [
              { name: 'TaintToleration', weight: 3 },
              { name: 'ImageLocality', weight: 9 },
            ],
          },
        },
        pluginConfig: [{ name: 'InterPodAffinity', args: { kind: 'InterPodAffinityArgs', hardPodAffinityWeight: 7 } }],
      },
    ],
  },
  namespaces: [{ metadata: { name: 'shop' }, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }],
}

describe('an export of kube-scheduler-simulator', () => {
  test('each item gets the kind of its list and keeps its place; the configuration comes beside', () => {
    const { objects, problems, configurations } = readDocuments('export.json', JSON.stringify(answered))
    expect(problems).toEqual([])
    expect(objects.map(({ object, where }) => [object.apiVersion, object.kind, object.metadata.name, where])).toEqual([
      ['v1', 'Namespace', 'shop', 'export.json: document 1: namespaces[0]'],
      ['scheduling.k8s.io/v1', 'PriorityClass', 'high', 'export.json: document 1: priorityClasses[0]'],
      ['v1', 'PersistentVolumeClaim', 'pvc1', 'export.json: document 1: pvcs[0]'],
      ['v1', 'PersistentVolume', 'pv1', 'export.json: document 1: pvs[0]'],
      ['v1', 'Node', 'node-1', 'export.json: document 1: nodes[0]'],
      ['v1', 'Pod', 'pod-1', 'export.json: document 1: pods[0]'],
    ])
    expect(objects.at(-1)?.object.metadata).not.toHaveProperty('creationTimestamp')
    const [configuration] = configurations ?? []
    expect(configuration?.where).toBe('export.json: document 1: schedulerConfig')
    const read = settingsFromConfiguration(configuration?.document, { version: '1.34' })
    expect(read).toMatchObject({
      ok: true,
      value: { weights: { ImageLocality: 9, TaintToleration: 3 }, hardPodAffinityWeight: 7 },
    })
  })

  test('as the page saves it, in YAML, beside other documents', () => {
    const text =
      'kind: Node\nmetadata: {name: other}\n---\npods: []\nnodes:\n  - metadata:\n      name: node-1\nschedulerConfig: null\n'
    const { objects, problems, configurations } = readDocuments('export.yml', text)
    expect([objects.map(({ object }) => object.metadata.name), problems, configurations]).toEqual([
      ['other', 'node-1'],
      [],
      undefined,
    ])
  })

  test('a configuration of a simulator that did not write its kind', () => {
    const { configurations } = readDocuments(
      'f',
      '{"pods":[],"nodes":[],"schedulerConfig":{"percentageOfNodesToScore":40,"profiles":[]}}',
    )
    const read = settingsFromConfiguration(configurations?.[0]?.document, { version: '1.34' })
    expect(read).toMatchObject({ ok: true, value: { percentageOfNodesToScore: 40 } })
  })

  test('one that is read piece by piece is the same', () => {
    const items = new JsonItems()
    const bytes = Buffer.from(JSON.stringify(answered))
    const found = [...items.read(bytes.subarray(0, 900)), ...items.read(bytes.subarray(900)), ...items.end()]
    expect(found.map(({ value }) => value)).toEqual([answered])
  })
})

// biome-ignore format: a table
test.each([
  ['a list that is none', '{"pods": {"a": 1}, "nodes": []}', ['f: document 1: pods: found "{\\"a\\":1}", expected a list of objects of kind Pod']],
  ['an item that is none', '{"pods": [null, "x"], "nodes": []}', ['f: document 1: pods[0]: found "null", expected an object of kind Pod', 'f: document 1: pods[1]: found "\\"x\\"", expected an object of kind Pod']],
  ['an item of another kind', '{"pods": [], "nodes": [{"kind": "Pod", "metadata": {"name": "a"}}]}', ['f: document 1: nodes[0]: kind: found "\\"Pod\\"", expected Node']],
  ['a field that there is not', '{"pods": [], "nodes": [], "deployments": []}', ['f: document 1: deployments: found "deployments", expected one of namespaces, nodes, pods, priorityClasses, pvcs, pvs, schedulerConfig, storageClasses']],
])('%s is set aside with its place', (_what, text, expected) => {
  expect(readDocuments('f', text).problems.map(problemSentence)).toEqual(expected.map(said => `${said} [simulator-export]`))
})

test('what has no pods and nodes, or a kind, is no export', () => {
  const values = ['nodes: [{name: a}]', 'kind: Inventory\npods: []\nnodes: []']
  for (const text of values)
    expect(readDocuments('f', text)).toMatchObject({ objects: [{ where: 'f: document 1' }], problems: [] })
})
